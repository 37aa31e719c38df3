"""What a key is compared with, as it is written: 2026 is the number, "2026" the text, CA the text.

An operand is JSON text without blanks between its tokens; its numbers keep their spelling.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

from ..errors import InvalidPayload
from ..strict_json import BAD_NUMBER, compact, dumps, parse_object, spell, spelled
from .conditions import ORDERS, TYPES
from .faults import Fault

MOST_ITEMS: Final = 100
NOT_JSON: Final = 'This is not JSON: text that begins with a bracket or a quote is written as in "[text".'
NO_LIST: Final = (
    "Values have commas between them; one that is empty, begins with a quote, or has a comma in it or a blank "
    "around it is written in double quotes."
)
_DEEPEST: Final = 64
_MOST_BYTES: Final = 64 * 1024
_NUMBER: Final = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?", re.ASCII)
_ITEM: Final = re.compile(r'\s*("(?:[^"\\]|\\.)*"\s*|[^,"\s][^,]*)(,|\Z)', re.DOTALL)


def operand(operator: str, text: str) -> str:
    """The operand that this text writes. Raises Fault for one that the operator cannot have."""
    if operator == "in":
        return _listed(text)
    # The name of a type is a word, also where it is "null".
    found = dumps(text) if operator == "type" else typed(text)
    if fault := _unfit(operator, json.loads(found)):
        raise Fault(fault)
    return found


def written_operand(operator: str, operand: str) -> str:
    """The text that reads as this operand, the plain one where there is one."""
    if operator == "type":
        return str(json.loads(operand))
    if operator != "in":
        return _plain(operand) or operand
    plain = ",".join(_plain_item(item) for item in each(operand))
    try:
        return plain if _listed(plain) == operand else operand
    except Fault:
        return operand


def typed(text: str) -> str:
    """A value as it stands in a query. Raises Fault where it begins as a JSON text, array or object and is none."""
    if text in ("true", "false", "null") or text[:1] in ('"', "[", "{"):
        return parsed(text)
    if _NUMBER.fullmatch(text):
        try:
            return parsed(text)
        except Fault:
            raise Fault(BAD_NUMBER) from None
    return dumps(text)


def parsed(text: str) -> str:
    """The text itself if it is one JSON value, compact. Raises Fault."""
    try:
        # In a document of its own: nothing of ours can be closed by it.
        found = parse_object(f'{{"v":{text}}}', max_bytes=_MOST_BYTES, max_depth=_DEEPEST).value
    except InvalidPayload:
        raise Fault(NOT_JSON) from None
    if len(found) != 1:
        raise Fault(NOT_JSON)
    return compact(text)


def items(text: str) -> list[str]:
    """What commas divide, without the blanks around it; within double quotes neither counts."""
    found, at, more = [], 0, ","
    while more:
        item = _ITEM.match(text, at)
        if item is None:
            raise Fault(NO_LIST)
        found.append(item[1].strip())
        at, more = item.end(), item[2]
    if len(found) > MOST_ITEMS:
        raise Fault(f"There may be at most {MOST_ITEMS} values.")
    return found


def each(operand: str) -> list[str]:
    """The operands in the operand of `in`, their numbers as they were spelled."""
    return [spell(item) for item in spelled(f'{{"v":{operand}}}')["v"]]


def _listed(text: str) -> str:
    if text[:1] != "[":
        return "[" + ",".join(typed(item) for item in items(text)) + "]"
    found = parsed(text)
    if len(json.loads(found)) > MOST_ITEMS:
        raise Fault(f"There may be at most {MOST_ITEMS} values.")
    return found


def _plain(operand: str) -> str:
    """Text without its quotes, where it reads as the same operand; "" where it does not."""
    if operand[:1] != '"':
        return operand
    text: str = json.loads(operand)
    try:
        return text if typed(text) == operand else ""
    except Fault:
        return ""


def _plain_item(operand: str) -> str:
    text = _plain(operand)
    try:
        return text if items(text) == [text] else operand
    except Fault:
        return operand


def _unfit(operator: str, operand: Any) -> str:
    if operator in ORDERS and (isinstance(operand, bool) or not isinstance(operand, str | int | float)):
        return "An order is of numbers or of text."
    if operator == "exists" and not isinstance(operand, bool):
        return "This must be true or false."
    if operator == "startswith" and not isinstance(operand, str):
        return 'This must be text: write a number as "2026".'
    if operator == "type" and operand not in TYPES:
        return f"This must be one of {', '.join(TYPES)}."
    return ""
