"""The shape of a stream's events: nearly all of an answer's are alike but for their text.

Once an event was parsed, those that have its very bytes around their text need no parsing, and a whole read
of them costs as much as one. Whatever differs by a byte is left to the parser.
"""

from __future__ import annotations

import re

TRIES = 3  # a server that changes something in every event (a time, a padding) is not looked at for ever
_NOT_PLAIN = re.compile(rb'["\\\x00-\x1f]')
_BEFORE = (b'"content":"', b'"content": "')


class Shape:
    """What stands before and behind the text of an answer's events."""

    __slots__ = ("_between", "_first", "_head", "_last", "_tail", "_tries")

    def __init__(self) -> None:
        self._tries = TRIES
        self._head = self._tail = self._first = self._last = self._between = b""

    def learn(self, event: bytes, text: str) -> None:
        """Take the shape of an event that the parser found this text in, and nothing of note beside it."""
        if self._tries == 0 or not text or b"\n" in event:
            return
        self._tries -= 1
        encoded = text.encode(errors="replace")
        places = [before for before in _BEFORE if event.count(before + encoded + b'"') == 1]
        if len(places) == 1 and event.count(places[0]) == 1 and not _NOT_PLAIN.search(encoded):
            start = event.index(places[0]) + len(places[0])
            self._head, self._tail = event[:start], event[start + len(encoded) :]
            self._first, self._last = b"data: " + self._head, self._tail + b"\n\n"
            self._between = self._last + self._first

    def text_of(self, event: bytes) -> str | None:
        """The text of one event's data; None: ask the parser."""
        if not self._head or not (
            event.startswith(self._head) and event.endswith(self._tail, len(self._head))
        ):
            return None
        return _plain(event[len(self._head) : -len(self._tail)])

    def read(self, data: bytes) -> str | None:
        """The text of whole events as they stand on the wire; None: ask the parser."""
        if not self._head or not (
            data.startswith(self._first) and data.endswith(self._last, len(self._first))
        ):
            return None
        return _plain(data[len(self._first) : -len(self._last)].replace(self._between, b""))


def _plain(text: bytes) -> str | None:
    """A JSON string's inside that needs no unescaping."""
    if _NOT_PLAIN.search(text):
        return None
    try:
        return text.decode()
    except UnicodeDecodeError:
        return None
