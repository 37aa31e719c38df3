"""What a condition means, once more, from docs/integrators/filters.md and by other means than the program's."""

from __future__ import annotations

import json
from fractions import Fraction
from typing import Any

from chat.filters import Condition

NOTHING = ("missing", None)
KINDS = {"t": "boolean", "f": "boolean", "n": "null", '"': "string", "[": "array", "{": "object"}


def read(text: str) -> Any:
    """A value as (type, what it is): numbers are fractions, text its code points, an object sorted pairs."""
    return _tagged(json.loads(text, parse_int=Fraction, parse_float=Fraction))


def _tagged(value: Any) -> Any:
    if isinstance(value, Fraction):
        return "number", value
    if isinstance(value, str):
        return "string", tuple(map(ord, value))
    if isinstance(value, list):
        return "array", tuple(map(_tagged, value))
    if isinstance(value, dict):
        return "object", tuple(sorted((name, _tagged(item)) for name, item in value.items()))
    return ("null", None) if value is None else ("boolean", str(value))


def down(found: Any, step: str | int) -> Any:
    kind, value = found
    if kind == "object":
        return dict(value).get(str(step), NOTHING)
    if kind == "array" and isinstance(step, int) and step < len(value):
        return value[step]
    return NOTHING


def holds(context: str, condition: Condition) -> bool:
    found = read(context)
    for step in condition.path:
        found = down(found, step)
    kind, value = found
    operand = read(condition.operand)
    as_text = tuple(map(chr, operand[1])) if operand[0] == "string" else ()
    name = "".join(as_text)
    comparable = kind == operand[0] and kind in ("number", "string")
    return {
        "eq": lambda: found == operand,
        "ne": lambda: found != operand,
        "in": lambda: found in operand[1],
        "gt": lambda: comparable and value > operand[1],
        "gte": lambda: comparable and value >= operand[1],
        "lt": lambda: comparable and value < operand[1],
        "lte": lambda: comparable and value <= operand[1],
        "exists": lambda: (found is not NOTHING) == (operand == ("boolean", "True")),
        "type": lambda: kind == name,
        "startswith": lambda: kind == "string" and value[: len(operand[1])] == operand[1],
        "contains": lambda: _contains(kind, value, operand, name),
    }[condition.operator]()


def _contains(kind: str, value: Any, operand: Any, name: str) -> bool:
    if kind == "array":
        return operand in value
    if operand[0] != "string":
        return False
    if kind == "object":
        return any(key == name for key, _ in value)
    return kind == "string" and name in "".join(map(chr, value))
