"""What changed from one JSON object to the next, by JSON pointer (RFC 6901)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .strict_json import same


@dataclass(slots=True)
class Changes:
    """The smallest values that came, went or became others; an object or list is gone into, not repeated."""

    added: list[dict[str, Any]] = field(default_factory=list)
    removed: list[dict[str, Any]] = field(default_factory=list)
    changed: list[dict[str, Any]] = field(default_factory=list)


def changes(before: dict[str, Any], after: dict[str, Any]) -> Changes:
    """In the order of `after`, then what is gone. Items of a list are compared by their place."""
    found = Changes()
    _compare(found, "", before, after)
    return found


def _compare(found: Changes, pointer: str, before: Any, after: Any) -> None:
    if same(before, after):
        return
    if isinstance(before, dict) and isinstance(after, dict):
        _compare_members(found, pointer, before, after)
    elif isinstance(before, list) and isinstance(after, list):
        _compare_members(found, pointer, dict(enumerate(before)), dict(enumerate(after)))
    else:
        found.changed.append({"pointer": pointer, "before": before, "after": after})


def _compare_members(found: Changes, pointer: str, before: dict[Any, Any], after: dict[Any, Any]) -> None:
    for key, value in after.items():
        at = _step(pointer, key)
        if key in before:
            _compare(found, at, before[key], value)
        else:
            found.added.append({"pointer": at, "value": value})
    for key, value in before.items():
        if key not in after:
            found.removed.append({"pointer": _step(pointer, key), "value": value})


def _step(pointer: str, key: str | int) -> str:
    """Whole, however long the key is: who reads a change may follow it."""
    return f"{pointer}/{str(key).replace('~', '~0').replace('/', '~1')}"
