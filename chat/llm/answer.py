"""What an OpenAI-compatible answer says, read as it arrives: its text, its end, and what went wrong.

No input or output here: bytes go in, text comes out, and a fault is kept until the text before it was taken.
"""

from __future__ import annotations

import json
import math
from email.utils import parsedate_to_datetime
from time import time
from typing import Any

import orjson

from ..errors import (
    ModelCut,
    ModelEmpty,
    ModelError,
    ModelGarbage,
    ModelRateLimited,
    ModelUnauthorized,
)
from .events import EventSplitter
from .request import Usage
from .shape import Shape

EVENT_BYTES = 4 * 1024 * 1024
LONGEST_PAUSE = 2.0
SHORT_PAUSE = 0.2
LONGEST_RETRY_AFTER = 86_400.0
ANSWER_LIMIT = "answer_limit"
# Whatever the server sends, a count has to fit the column that keeps it.
LARGEST_COUNT = 2**31 - 1
ODD_SHAPE = (AttributeError, LookupError, TypeError, ValueError, RecursionError)


class Fault(Exception):
    """A failed attempt: what the caller is told; the seconds before another try (None: there is none);
    and what the server said, which is for the log alone."""

    def __init__(self, error: ModelError, pause: float | None = None, said: str = "") -> None:
        self.error = error
        self.pause = pause
        self.said = said
        super().__init__(error.message)


class Answer:
    """One answer as far as it has come. `ended` is its good end; `fault` its bad one."""

    __slots__ = (
        "_bytes",
        "_data",
        "_events",
        "_limit",
        "_shape",
        "ended",
        "fault",
        "finish_reason",
        "size",
        "started",
        "usage",
    )

    def __init__(self, limit: int) -> None:
        self._events = EventSplitter()
        self._shape = Shape()
        self._limit = limit
        self._bytes = False
        self._data = False
        self.size = 0
        self.started = False
        self.ended = False
        self.fault: Fault | None = None
        self.finish_reason: str | None = None
        self.usage: Usage | None = None

    def feed(self, data: bytes) -> str:
        """The text in what one read brought, all of it at once."""
        self._bytes = True
        if self._events.is_idle and (alike := self._shape.read(data)) is not None:
            return self._accept(alike)
        text = self._read(self._events.feed(data))
        if self._events.held_bytes > EVENT_BYTES and not self.ended:
            self.fault = self.fault or Fault(ModelGarbage())
        return text

    def finish(self, error: ModelError | None = None) -> str:
        """The stream is over, by itself or by an error; its last event may lack a blank line."""
        text = self._read(self._events.rest())
        if self.finish_reason is not None:
            self.ended = True  # only the usage or [DONE] is missing
        elif self.fault is None or isinstance(self.fault.error, ModelGarbage):
            self.fault = Fault(error or self._why_over())
        return text

    def _why_over(self) -> ModelError:
        if not self._bytes:
            return ModelEmpty()
        return ModelCut() if self._data else ModelGarbage()

    def whole(self, body: bytes) -> str:
        """A server that ignored `stream` sent its answer in one piece, as a chat.completion."""
        try:
            text = self._accept(self._completion(_loads(body)))
        except ODD_SHAPE:
            raise Fault(ModelGarbage()) from None
        self.finish_reason = self.finish_reason or "stop"
        self.ended = True
        return text

    def check_not_empty(self) -> None:
        if self.ended and not self.size:
            raise Fault(ModelEmpty())

    def _read(self, events: list[bytes]) -> str:
        parts: list[str] = []
        for event in events:
            if event == b"[DONE]":
                self.ended = True
                break
            try:
                text = self._shape.text_of(event)
                if text is None:
                    text = self._delta(_loads(event))
                    if self.finish_reason is None and self.usage is None:
                        self._shape.learn(event, text)
                parts.append(text)
            except Fault as fault:
                self.fault = fault
                break
            except ODD_SHAPE:
                self.fault = Fault(ModelGarbage())
                break
        self._data = self._data or bool(events)
        if self.ended and self.finish_reason is None:
            self.finish_reason = "stop"
        return self._accept("".join(parts)) if parts else ""

    def _delta(self, event: dict[str, Any]) -> str:
        """The text of one event; its finish reason and usage are remembered."""
        choice = self._choice(event)
        if choice is None:
            return ""
        delta = choice.get("delta") or {}
        text = delta.get("content")
        if text.__class__ is str:
            self.started = self.started or text != ""
            return text
        # Reasoning and tool calls are no text for the user, but they show that the model is at work.
        self.started = self.started or any(value for key, value in delta.items() if key != "role")
        return _parts(text)

    def _completion(self, event: dict[str, Any]) -> str:
        choice = self._choice(event)
        if choice is None:
            raise Fault(ModelGarbage())
        return _parts(choice["message"].get("content"))

    def _choice(self, event: dict[str, Any]) -> dict[str, Any] | None:
        """The first choice of an event, if it has one: usage comes in an event of its own."""
        if error := event.get("error"):
            raise told(error)
        if usage := event.get("usage"):
            self.usage = _usage(usage)
        if not (choices := event.get("choices")):
            return None
        choice: dict[str, Any] = choices[0]
        if reason := choice.get("finish_reason"):
            self.finish_reason = _clean(str(reason))[0][:32]
        return None if choice.get("index") else choice

    def _accept(self, text: str) -> str:
        """Count the text in, without what no store can keep, and no more of it than the limit."""
        text, encoded = _clean(text)
        room = self._limit - self.size
        if len(encoded) > room:
            text = encoded[:room].decode(errors="ignore")
            self.finish_reason, self.ended, self.fault = ANSWER_LIMIT, True, None
        self.size += min(len(encoded), room)
        return text


def refused(status: int, wait: float | None, said: str) -> Fault:
    """What an HTTP status other than 200 means. Only what a short wait can heal is tried again."""
    if status in (401, 403):
        return Fault(ModelUnauthorized(), None, said)
    if status == 429:
        return Fault(ModelRateLimited(retry_after=wait), _short(wait), said)
    if status >= 500:
        return Fault(ModelError(), _short(SHORT_PAUSE if wait is None else wait), said)
    return Fault(ModelError(), None, said)


def told(error: object) -> Fault:
    """What an error inside the stream means; a numeric code in it counts as the HTTP status it stands for."""
    code = str(error.get("code")) if isinstance(error, dict) else ""
    status = int(code) if code.isdecimal() else 500
    return refused(status, None, json.dumps(error, ensure_ascii=False))


def retry_after(header: str | None) -> float | None:
    """Seconds, from a Retry-After of either form (RFC 9110, section 10.2.3); None where it says nothing."""
    if header is None:
        return None
    try:
        seconds = float(header)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(header).timestamp() - time()
        except ValueError:
            return None
    return min(max(seconds, 0.0), LONGEST_RETRY_AFTER) if math.isfinite(seconds) else None


def _short(pause: float | None) -> float | None:
    return pause if pause is not None and pause <= LONGEST_PAUSE else None


def _loads(data: bytes) -> Any:
    """Parsed JSON; raises ValueError or RecursionError. orjson refuses lone surrogates, which do occur."""
    try:
        return orjson.loads(data)
    except ValueError:
        return json.loads(data)


def _parts(content: object) -> str:
    """Content that is not a plain string: nothing, or a list of parts of which some are text."""
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "".join(part["text"] for part in content if part.get("type") == "text")
    raise TypeError("content")


def _usage(usage: dict[str, Any]) -> Usage:
    prompt, completion = _count(usage.get("prompt_tokens")), _count(usage.get("completion_tokens"))
    return Usage(prompt, completion, _count(usage.get("total_tokens")) or prompt + completion)


def _count(value: object) -> int:
    return min(max(value, 0), LARGEST_COUNT) if isinstance(value, int) else 0


def _clean(text: str) -> tuple[str, bytes]:
    """Text and its UTF-8, less NUL, which PostgreSQL refuses, and lone surrogates, which UTF-8 does."""
    if "\0" in text:
        text = text.replace("\0", "")
    try:
        return text, text.encode()
    except UnicodeEncodeError:
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "ignore")
        return text, text.encode()
