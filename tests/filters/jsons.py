"""Contexts that clients may send, as JSON text, and conditions that may hold of them, for Hypothesis.

Keys are few and strange, so that paths meet them; numbers are spelled in more ways than one.
"""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

from chat.filters import Condition
from chat.filters.conditions import TYPES, loads
from chat.strict_json import dumps

KEYS = [
    *("", "a", "b", "0", "1", "-1", "01", "a.b", "a b", "a__b", "a_", "__proto__", "$x", "$", "constructor"),
    *("名前", "é", "e\u0301", '"', "\\", "%s", "%", "%%", "'", "?", "{a}", "=", "&", "\n", "999999999"),
]
NUMBERS = [
    *("0", "-0", "0.0", "1", "1.0", "1e0", "10e-1", "-1", "2026", "2026.0", "0.1", "0.10", "1e2", "100"),
    *("1e308", "-1e308", "1e-300", "9" * 309, "9" * 308 + "8", "0." + "0" * 290 + "1", "9007199254740993"),
    *("9007199254740992", "1.00000000000000000000000001", "18446744073709551616"),
]
TEXTS = [
    "",
    "a",
    "A",
    "ab",
    "b",
    "1",
    "1.0",
    "true",
    "null",
    "CA",
    "加利福尼亚",
    "加",
    "é",
    "e\u0301",
    "\U0001f600",
]
TEXTS += ["\ue000", "%", "_", "a%", "\\", '"', "a,b", " a ", "[", "{", "2026-11-20", "\t", "\x7f", "ß", "SS"]

text = st.sampled_from(TEXTS) | st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=6
)
key = st.sampled_from(KEYS) | text
number = st.sampled_from(NUMBERS) | st.integers(-5, 5).map(str)
scalar = st.sampled_from(["true", "false", "null"]) | number | text.map(dumps)


def in_array(items: list[str]) -> str:
    return f"[{','.join(items)}]"


def in_object(members: dict[str, str]) -> str:
    return "{" + ",".join(f"{dumps(name)}:{value}" for name, value in members.items()) + "}"


def around(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.lists(inner, max_size=3).map(in_array) | st.dictionaries(key, inner, max_size=2).map(in_object)


# By hand: st.recursive takes twenty times as long.
value = scalar | around(scalar) | around(scalar | around(scalar))
context = st.dictionaries(key, value, max_size=3).map(in_object)
step = st.integers(0, 3) | st.sampled_from([999_999_999]) | key


def steps_into(found: Any) -> list[str | int]:
    if isinstance(found, dict):
        return [*found, *(int(name) for name in found if name in ("0", "1", "999999999"))]
    return [*range(len(found)), *(["0"] if found else [])] if isinstance(found, list) else []


def below(found: Any, taken: str | int) -> Any:
    return found.get(str(taken)) if isinstance(found, dict) else found[int(taken)]


@st.composite
def path_into(draw: st.DrawFn, document: str) -> tuple[tuple[str | int, ...], Any]:
    """A path that mostly leads somewhere in the context, and what is there."""
    at, path = loads(document), []
    while steps := steps_into(at):
        if path and draw(st.booleans()):
            break
        path.append(draw(st.sampled_from(steps)))
        at = below(at, path[-1])
    if not path or draw(st.integers(0, 4)) == 0:
        path.append(draw(step))
        at = None
    return tuple(path), at


def written(found: Any) -> str:
    return json.dumps(found, default=float, ensure_ascii=False, separators=(",", ":"))


@st.composite
def operand_for(draw: st.DrawFn, operator: str, at: Any) -> str:
    """JSON text; often what is there, or a part of it."""
    if operator == "exists":
        return draw(st.sampled_from(["true", "false"]))
    if operator == "type":
        return dumps(draw(st.sampled_from(TYPES)))
    if operator == "in":
        return in_array(draw(st.lists(value | st.just(written(at)), max_size=3)))
    if operator == "startswith":
        return draw(st.just(dumps(at[:1])) if isinstance(at, str) else text.map(dumps))
    if operator in ("gt", "gte", "lt", "lte"):
        return draw(number | text.map(dumps))
    inside = [*at] if isinstance(at, dict | list | str) else []
    parts = st.sampled_from([written(part) for part in [at, *inside]])
    return draw(parts | value)


@st.composite
def condition_on(draw: st.DrawFn, document: str, operators: tuple[str, ...]) -> Condition:
    path, at = draw(path_into(document))
    operator = draw(st.sampled_from(operators))
    return Condition("context", path, operator, draw(operand_for(operator, at)))
