"""One condition on a key of a client context, and what it says of a value: the meaning that databases follow.

Comparisons are typed as JSON is: "2026" is not 2026, true is not 1, and 1 is 1.0. A condition on a key that is
missing is false, except `ne` and `exists=false`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final, Literal

Root = Literal["context", "message_context"]
# A number among the segments counts into an array, or names the key that is spelled so; text names a key only.
Path = tuple[str | int, ...]

MISSING: Final = object()
ORDERS: Final = ("gt", "gte", "lt", "lte")
TYPES: Final = ("string", "number", "boolean", "null", "array", "object")


@dataclass(frozen=True, slots=True)
class Condition:
    """`root.path operator operand`; the operand is JSON text (an array for `in`), so a condition is hashable."""

    root: Root
    path: Path
    operator: str
    operand: str

    @property
    def value(self) -> Any:
        return loads(self.operand)


def loads(text: str) -> Any:
    """JSON with its numbers exact, as PostgreSQL's jsonb compares them."""
    return json.loads(text, parse_float=Decimal)


def matches(context: Any, condition: Condition) -> bool:
    """Whether a context, as `loads` gives it, is as the condition says."""
    return _MEANING[condition.operator](at(context, condition.path), _operand(condition.operand))


@lru_cache(1024)
def _operand(text: str) -> Any:
    return loads(text)


def at(value: Any, path: Path) -> Any:
    """What stands at the path, or MISSING."""
    for step in path:
        if isinstance(value, dict):
            value = value.get(str(step), MISSING)
        elif isinstance(value, list) and isinstance(step, int) and step < len(value):
            value = value[step]
        else:
            return MISSING
    return value


def type_of(value: Any) -> str:
    """The JSON type's name."""
    if value is None or isinstance(value, bool):
        return "null" if value is None else "boolean"
    names: dict[type, str] = {str: "string", list: "array", dict: "object"}
    return names.get(type(value), "number")


def equal(one: Any, other: Any) -> bool:
    """JSON's equality: a boolean is not a number, the order of keys does not count."""
    if one is MISSING or type_of(one) != type_of(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(equal(item, other[key]) for key, item in one.items())
    if isinstance(one, list):
        return len(one) == len(other) and all(map(equal, one, other))
    return bool(one == other)


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    """Numbers with numbers, text with text by code points; nothing else has an order."""

    def holds(value: Any, operand: Any) -> bool:
        return value is not MISSING and type_of(value) == type_of(operand) and compare(value, operand)

    return holds


def _contains(value: Any, operand: Any) -> bool:
    """Text has the text, an array the element, an object the key."""
    if isinstance(value, list):
        return any(equal(item, operand) for item in value)
    return isinstance(value, str | dict) and isinstance(operand, str) and operand in value


_MEANING: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "eq": equal,
    "ne": lambda value, operand: not equal(value, operand),
    "in": lambda value, operands: any(equal(value, operand) for operand in operands),
    "gt": _ordered(lambda value, operand: value > operand),
    "gte": _ordered(lambda value, operand: value >= operand),
    "lt": _ordered(lambda value, operand: value < operand),
    "lte": _ordered(lambda value, operand: value <= operand),
    "contains": _contains,
    "startswith": lambda value, operand: isinstance(value, str) and value.startswith(operand),
    "exists": lambda value, operand: (value is not MISSING) is operand,
    "type": lambda value, operand: value is not MISSING and type_of(value) == operand,
}
OPERATORS: Final = tuple(_MEANING)
