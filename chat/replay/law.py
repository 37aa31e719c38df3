"""A second reading of the context law, written from its words alone: what a conversation implies.

Replace whole, never merge. Absent or null: no change. {} clears. A value equal to the one in force makes
no version; equality is JSON's, so true is not 1, 1.0 is 1, and the order of keys does not count.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from chat.replay.conversations import UserTurn


@dataclass(frozen=True, slots=True)
class Implied:
    """What must be true of one turn. Versions start at 0, before anything was set; turns at 1."""

    number: int
    text: str
    value: dict[str, Any]
    version: int
    changed: bool

    @property
    def sequence(self) -> int:
        """Of the user's message; the answer has the next."""
        return 2 * self.number - 1


def implied(turns: tuple[UserTurn, ...]) -> Iterator[Implied]:
    """One `Implied` per user turn, in order."""
    value: dict[str, Any] = {}
    version = 0
    for number, turn in enumerate(turns, start=1):
        changed = turn.metadata is not None and not same(turn.metadata, value)
        if changed:
            assert turn.metadata is not None
            value, version = turn.metadata, version + 1
        yield Implied(number, turn.text, value, version, changed)


def same(one: Any, other: Any) -> bool:
    """Equality of JSON values."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return type(one) in _PLAIN and type(other) in _PLAIN and bool(one == other)


_PLAIN = (str, int, float, type(None))


def same_spelling(one: str, other: str) -> bool:
    """Whether two JSON texts differ in blanks and escapes only: order of keys and digits of numbers count."""
    return bool(_spelled(one) == _spelled(other))


def _spelled(text: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=tuple, parse_float=_digits, parse_int=_digits)
    except ValueError:
        return text


def _digits(text: str) -> tuple[str, str]:
    return ("number", text)


OPENING = "<CONTEXT METADATA> Here is additional context metadata for this conversation:"
CLOSING = "</END CONTEXT METADATA>"


def block(value: dict[str, Any]) -> str:
    """The context block: one line for each key, scalars plain, nested values as compact JSON; "" for {}."""
    lines = [f"{_folded(key)}: {_shown(item)}" for key, item in value.items()]
    return "\n".join([OPENING, *lines, CLOSING]) if lines else ""


def ends_as_it_should(content: str, text: str, value: dict[str, Any]) -> bool:
    """Whether a stored message ends with the user's own words and the block of this value after them.

    Inside them the shape of a bracket is free, for look-alikes of markers are made harmless by round ones;
    but there is one opening and one closing marker, or none without a value.
    """
    ending = stored_ending(text, value)
    end = content[-len(ending) :] if ending else ""
    markers = 1 if value else 0
    return _levelled(end) == _levelled(ending) and end.count(OPENING) == end.count(CLOSING) == markers


def stored_ending(text: str, value: dict[str, Any]) -> str:
    return "\n\n".join(part for part in (text, block(value)) if part)


_BREAKS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_BRACKETS = str.maketrans(
    {**dict.fromkeys("<＜﹤‹〈⟨〈❮❰˂«《[［", "("), **dict.fromkeys(">＞﹥›〉⟩〉❯❱˃»》]］", ")")}
)


def _levelled(text: str) -> str:
    return text.translate(_BRACKETS)


def _folded(text: str) -> str:
    return _BREAKS.sub(" ", text)


def _shown(item: Any) -> str:
    if isinstance(item, str):
        return _folded(item)
    text = json.dumps(item, ensure_ascii=False, separators=(",", ":"))
    return _BREAKS.sub(lambda run: json.dumps(run[0])[1:-1], text)
