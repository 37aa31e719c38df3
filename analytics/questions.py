"""What a breakdown is asked for: metrics, by which keys, by which periods of time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from chat.errors import InvalidFilter
from chat.filters import Filter, read_path
from chat.filters.conditions import Path

from .metrics import METRICS
from .periods import INTERVALS

PLAIN: Final = ("mentor", "user", "status")
ROOTS: Final = ("context", "message_context")
MOST_KEYS: Final = 2
DEFAULT_BUCKETS: Final = 10


@dataclass(frozen=True, slots=True)
class Key:
    """What buckets are made by: a key of a context, or a plain field of the session or message."""

    written: str
    root: str
    path: Path = ()

    @property
    def of_messages(self) -> bool:
        return self.root in ("message_context", "status")


@dataclass(frozen=True, slots=True)
class Question:
    """`buckets`: how many values of each key are told apart; the others are one bucket."""

    metrics: tuple[str, ...] = ("sessions",)
    by: tuple[Key, ...] = ()
    interval: str | None = None
    buckets: int = DEFAULT_BUCKETS

    def reads_messages(self, filter: Filter) -> bool:
        """Whether the messages that are meant are counted one by one, and not the sessions whole."""
        return filter.asks_of_messages or any(key.of_messages for key in self.by)


def read_metrics(texts: list[str]) -> tuple[str, ...]:
    """`metric=`, given many times or with commas. Raises InvalidFilter."""
    names = [name for text in texts for name in text.split(",")] or ["sessions"]
    if not set(names) <= set(METRICS):
        raise InvalidFilter(f"There is no such metric: there are {', '.join(METRICS)}.", pointer="?metric")
    return tuple(dict.fromkeys(names))


def read_keys(texts: list[str]) -> tuple[Key, ...]:
    """`by=`, once or twice. Raises InvalidFilter."""
    if len(texts) > MOST_KEYS or len(set(texts)) < len(texts):
        raise InvalidFilter(f"by is given at most {MOST_KEYS} times, each another.", pointer="?by")
    return tuple(_key(text) for text in texts)


def _key(text: str) -> Key:
    root, _, written = text.partition(".")
    if text in PLAIN:
        return Key(text, text)
    if root not in ROOTS:
        known = ", ".join((*PLAIN, *(f"{root}.KEY" for root in ROOTS)))
        raise InvalidFilter(f"There is nothing like that to count by: there are {known}.", pointer="?by")
    return Key(text, root, path_of(written, "by"))


def path_of(written: str, parameter: str) -> Path:
    """A key's path without an operator. Raises InvalidFilter that names the parameter."""
    if "\0" in written or not written or len(written) > 4_096:
        raise InvalidFilter("This must be the path of a key.", pointer=f"?{parameter}")
    path, operator = read_path(written, parameter)
    if operator != "eq" or written.endswith("__eq"):
        raise InvalidFilter("A path that is counted by has no operator.", pointer=f"?{parameter}")
    return path


def read_interval(text: str | None, parameter: str = "interval") -> str | None:
    """Raises InvalidFilter."""
    if text is not None and text not in INTERVALS:
        raise InvalidFilter(f"This must be one of {', '.join(INTERVALS)}.", pointer=f"?{parameter}")
    return text
