"""JSON as people read it: one row for each value, and what changed from one object to the next."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from difflib import unified_diff
from typing import Any

import orjson

from . import strict_json
from .placeholders import as_text
from .prompts import CONTEXT_START

MOST_ROWS = 200
Path = tuple[str, ...]

_KINDS = {str: "text", bool: "boolean", type(None): "no value", dict: "object", list: "list"}
_SIGNS = {"added": "+", "removed": "−", "changed": "±"}
_HIDDEN = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\U000e0000-\U000e007f]"
)
_WORDS = {"+": "added", "-": "removed", " ": "kept"}


@dataclass(frozen=True, slots=True)
class Row:
    """One value, under the names that lead to it. A list of plain values counts as one."""

    label: str
    text: str
    kind: str
    verified: bool


@dataclass(frozen=True, slots=True)
class Reading:
    """An object as rows; `more` were left out, the raw text has them all."""

    rows: list[Row]
    more: int
    raw: str


@dataclass(frozen=True, slots=True)
class Difference:
    word: str
    label: str
    before: str = ""
    after: str = ""

    @property
    def sign(self) -> str:
        return _SIGNS[self.word]

    @property
    def lines(self) -> list[tuple[str, str]]:
        """Of a text of several lines, those that changed and their neighbours, as (word, line)."""
        if "\n" not in self.before + self.after:
            return []
        found = unified_diff(self.before.splitlines(), self.after.splitlines(), n=1, lineterm="")
        return [(_WORDS[line[0]], line[1:]) for line in list(found)[2:] if not line.startswith("@@")]


@dataclass(frozen=True, slots=True)
class Part:
    """One message of a prompt; `block` is the context block that ends it, if one does."""

    role: str
    words: str
    block: str


def part(role: str, content: str) -> Part:
    # No value can hold the marker itself, so the first one is the block's.
    words, marker, block = content.partition(CONTEXT_START)
    return Part(role, words, marker + block)


def read(value: Any) -> Reading:
    """A stored object."""
    return read_text(strict_json.dumps(value))


def read_text(text: str, verified_keys: Collection[str] = ()) -> Reading:
    """An object by its JSON text; numbers stay as they were spelled."""
    leaves = list(_leaves(strict_json.spelled(text)))
    rows = [Row(_label(path), seen(leaf), _kind(leaf), path[0] in verified_keys) for path, leaf in leaves]
    return Reading(rows[:MOST_ROWS], max(0, len(rows) - MOST_ROWS), _indented(text))


def differences(before: str, after: str) -> list[Difference]:
    """What the second object's text changes in the first's, in the order of the second, removals last."""
    old = dict(_leaves(strict_json.spelled(before)))
    new = dict(_leaves(strict_json.spelled(after)))
    found = [_difference(path, old, leaf) for path, leaf in _news(new, old)]
    gone = [path for path, _ in _news(old, new) if path not in new]
    removed = [Difference("removed", _label(path), before=seen(old[path])) for path in gone]
    return [difference for difference in found if difference] + removed


def _news(leaves: dict[Path, Any], other: dict[Path, Any]) -> Iterator[tuple[Path, Any]]:
    """All leaves but an empty object or list where the other side has something within: that is the news."""
    branches = {path[:length] for path in other for length in range(1, len(path))}
    return ((path, leaf) for path, leaf in leaves.items() if path not in branches or leaf not in ({}, []))


def _difference(path: Path, old: dict[Path, Any], leaf: Any) -> Difference | None:
    if path not in old:
        return Difference("added", _label(path), after=seen(leaf))
    if strict_json.same(_plain(old[path]), _plain(leaf)):
        return None
    return Difference("changed", _label(path), seen(old[path]), seen(leaf))


def _leaves(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    if isinstance(value, dict) and (value or not path):
        for key, item in value.items():
            yield from _leaves(item, (*path, key))
    elif isinstance(value, list) and any(isinstance(item, dict | list) for item in value):
        for number, item in enumerate(value, 1):
            yield from _leaves(item, (*path, str(number)))
    else:
        yield path, value


def _label(path: Path) -> str:
    return " › ".join(seen(key) or '""' for key in path)


def seen(leaf: Any) -> str:
    """The value as text, in which no character is hidden or turns the others around."""
    return _HIDDEN.sub(lambda found: f"⟨U+{ord(found[0]):04X}⟩", as_text(leaf))


def _kind(leaf: Any) -> str:
    return _KINDS.get(type(leaf), "number")


def _plain(leaf: Any) -> Any:
    return leaf if isinstance(leaf, str) else json.loads(strict_json.spell(leaf))


def _indented(text: str) -> str:
    try:
        return orjson.dumps(strict_json.spelled(text), option=orjson.OPT_INDENT_2).decode()
    except TypeError:  # deeper than orjson goes
        return text
