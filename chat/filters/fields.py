"""The parameters of a filter that are no keys of a context: what each sets, and how its text is read."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from .moments import Moment
from .values import MOST_ITEMS, items, parsed
from .words import wanted

STATUSES: Final = ("complete", "streaming", "stopped", "interrupted", "failed")
ROLES: Final = ("user", "mentor", "operator", "service")


@dataclass(frozen=True, slots=True)
class Field:
    """`sets` is the Filter's; `read` raises ValueError for a text that is not as `expected` says."""

    sets: str
    read: Callable[[str], Any]
    expected: str


def _text(text: str) -> str:
    if not text:
        raise ValueError
    return text


def _searched(text: str) -> str:
    if not wanted(text):
        raise ValueError
    return text


def _one(text: str) -> tuple[str, ...]:
    return (_text(text),)


def _many(text: str) -> tuple[str, ...]:
    return tuple(str(json.loads(parsed(item))) if item[:1] == '"' else item for item in items(text))


def _bool(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError
    return text == "true"


def _count(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise ValueError
    return int(text)


def _among(known: tuple[str, ...]) -> Callable[[str], tuple[str, ...]]:
    def read(text: str) -> tuple[str, ...]:
        found = _many(text)
        if not set(found) <= set(known):
            raise ValueError
        return found

    return read


def _uuids(text: str) -> tuple[UUID, ...]:
    return tuple(UUID(item) for item in _many(text))


_WORDS, _LIST = "This must not be empty", f"This must be 1 to {MOST_ITEMS} values with commas between them"
_UUID = "This must be a session's UUID, or several with commas between them"
_MOMENT = "This must be a day (2026-11-20) or an instant (2026-11-20T08:00:00Z; the plus of a time zone is written %2B)"
_STATUS = Field("status", _among(STATUSES), f"This must be among {', '.join(STATUSES)}")
_ROLE = Field("role", _among(ROLES), f"This must be among {', '.join(ROLES)}")
_COUNT = "This must be a whole number"
FIELDS: Final[dict[str, Field]] = {
    "tenant": Field("tenant", _text, _WORDS),
    "mentor": Field("mentor", _one, _WORDS),
    "mentor__in": Field("mentor", _many, _LIST),
    "user": Field("user", _one, _WORDS),
    "user__in": Field("user", _many, _LIST),
    "user__ne": Field("not_user", _one, _WORDS),
    "session": Field("session", _uuids, _UUID),
    "session__in": Field("session", _uuids, _UUID),
    "anonymous": Field("anonymous", _bool, "This must be true or false"),
    "from": Field("since", Moment.parse, _MOMENT),
    "to": Field("until", Moment.parse, _MOMENT),
    "min_messages": Field("min_messages", _count, _COUNT),
    "max_messages": Field("max_messages", _count, _COUNT),
    "status": _STATUS,
    "status__in": _STATUS,
    "role": _ROLE,
    "role__in": _ROLE,
    "search": Field("search", _searched, "This must have a word in it, which is letters or digits"),
}
