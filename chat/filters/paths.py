"""Paths into a context as they are written: `order.items.0."a key"`, and what a condition puts behind one."""

from __future__ import annotations

import json
import re
from typing import Final

from ..strict_json import dumps
from .conditions import OPERATORS, Path
from .faults import Fault
from .values import parsed

MOST_STEPS: Final = 32
HOW_TO_QUOTE: Final = (
    'A path is keys with dots between them; a key with a dot, a quote or "__" in it is written in double '
    'quotes, as in context."a.b".'
)
_STEP: Final = re.compile(
    r"""(?: "((?:[^"\\]|\\.)*)" | ((?:(?!__)[^."])+) )  (?: (\.) | __(.*)\Z | \Z )""", re.DOTALL | re.VERBOSE
)
_INDEX: Final = re.compile(r"0|[1-9][0-9]{0,8}")
# An underscore at the end would become part of an operator's.
_PLAIN: Final = re.compile(r"(?!.*__)[\w-]*[^\W_]")


def read_path(written: str, name: str) -> tuple[Path, str]:
    """`order.items.0."a key"__gt` → (("order", "items", 0, "a key"), "gt"). Without an operator: "eq".

    Raises InvalidFilter with the pointer `?name`.
    """
    try:
        return _read(written)
    except Fault as fault:
        raise fault.at(name) from None


def written_path(path: Path) -> str:
    """The text that reads as this path."""
    return ".".join(str(step) if isinstance(step, int) else _written_key(step) for step in path)


def _read(written: str) -> tuple[Path, str]:
    steps: list[str | int] = []
    at, more, operator = 0, ".", None
    while more:
        step = _STEP.match(written, at)
        if step is None:
            raise Fault(HOW_TO_QUOTE)
        quoted, bare, more, operator = step.groups()
        steps.append(_key(quoted) if bare is None else _bare(bare))
        at = step.end()
    if len(steps) > MOST_STEPS:
        raise Fault(f"A path has at most {MOST_STEPS} keys.")
    if operator is not None and operator not in OPERATORS:
        raise Fault(f"There is no such operator: there are {', '.join(OPERATORS)}. {HOW_TO_QUOTE}")
    return tuple(steps), operator or "eq"


def _key(quoted: str) -> str:
    try:
        return str(json.loads(parsed(f'"{quoted}"')))
    except Fault:
        raise Fault("A quoted key must be a JSON string.") from None


def _bare(text: str) -> str | int:
    return int(text) if _INDEX.fullmatch(text) else text


def _written_key(key: str) -> str:
    return key if _PLAIN.fullmatch(key) and not _INDEX.fullmatch(key) else dumps(key)
