"""What can be written, and how it is written back."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chat.filters import Condition, parse, read_path, written, written_path
from chat.filters.conditions import OPERATORS
from chat.filters.grammar import Filter

from .jsons import condition_on, context, step

# --- what is read


@pytest.mark.parametrize(
    ("name", "path", "operator"),
    [
        ("stateCode", ("stateCode",), "eq"),
        ("order.items.0.sku", ("order", "items", 0, "sku"), "eq"),
        ("a__gte", ("a",), "gte"),
        ('"a.b".c__in', ("a.b", "c"), "in"),
        ('"a__b"__ne', ("a__b",), "ne"),
        ('"a__gt"', ("a__gt",), "eq"),
        ("a b. c ", ("a b", " c "), "eq"),
        ('"".x', ("", "x"), "eq"),
        ('"0".01.-1.1234567890', ("0", "01", "-1", "1234567890"), "eq"),
        ("999999999", (999999999,), "eq"),
        ('"\\u540d\\"\\\\"', ('名"\\',), "eq"),
        ("名前.１", ("名前", "１"), "eq"),
        ("_a.$x.a_b.%s", ("_a", "$x", "a_b", "%s"), "eq"),
    ],
)
def test_a_path_is_keys_with_dots_between(name: str, path: tuple[str | int, ...], operator: str) -> None:
    (condition,) = parse([(f"context.{name}", "1")]).conditions
    assert (condition.path, condition.operator) == (path, operator)


@pytest.mark.parametrize(
    ("value", "operand"),
    [
        ("2026", "2026"), ("-0.50e+3", "-0.50e+3"), ('"2026"', '"2026"'), ("CA", '"CA"'), ("", '""'), ("true", "true"),
        ("True", '"True"'), ("null", "null"), ("01", '"01"'), ("+1", '"+1"'), ("1.", '"1."'), ("1٢", '"1٢"'),
        (" 1", '" 1"'), ("NaN", '"NaN"'), ("Infinity", '"Infinity"'), ('[1, {"a": "b c"}]', '[1,{"a":"b c"}]'),
        ("{}", "{}"), ('"\\u0041"', '"A"'), ("it's 100 %", '"it\'s 100 %"'),
    ],
)  # fmt: skip
def test_a_value_has_a_type(value: str, operand: str) -> None:
    assert parse([("context.k", value)]).conditions == (Condition("context", ("k",), "eq", operand),)


@pytest.mark.parametrize(
    ("value", "operand"),
    [
        ("CA,NY", '["CA","NY"]'), ('1,"1",true,a b', '[1,"1",true,"a b"]'), (' a , "b,c" , " d "', '["a","b,c"," d "]'),
        ('[1, "a", [2]]', '[1,"a",[2]]'), ('""', '[""]'), ("[]", "[]"), ('a,[1],{"b":2}', '["a",[1],{"b":2}]'),
    ],
)  # fmt: skip
def test_a_list_has_commas_or_is_json(value: str, operand: str) -> None:
    assert parse([("context.k__in", value)]).conditions[0].operand == operand


def test_a_filter_keeps_how_it_was_asked() -> None:
    query = (("tenant", "demo"), ("user__in", 'bob,"e,ve"'), ("context.a", "1"), ("context.a__lt", "2"))
    asked = parse(query)
    assert asked.query == query
    assert (asked.tenant, asked.user, len(asked.conditions)) == ("demo", ("bob", "e,ve"), 2)
    assert parse(asked.query) == asked
    assert parse([]) == Filter()


# --- there and back


@st.composite
def condition(draw: st.DrawFn) -> Condition:
    return draw(condition_on(draw(context), OPERATORS))


@settings(max_examples=300, deadline=None)
@given(condition())
def test_a_condition_is_written_so_that_it_reads_the_same(condition: Condition) -> None:
    assert parse([written(condition)]).conditions == (condition,)


@settings(max_examples=300, deadline=None)
@given(st.lists(step, min_size=1, max_size=4).map(tuple))
def test_a_path_is_written_so_that_it_reads_the_same(path: tuple[str | int, ...]) -> None:
    assert read_path(written_path(path), "key") == (path, "eq")


@pytest.mark.parametrize(
    ("condition", "parameter"),
    [
        (Condition("context", ("stateCode",), "eq", '"CA"'), ("context.stateCode", "CA")),
        (Condition("context", ("a b", "c"), "ne", '"2026"'), ('context."a b".c__ne', '"2026"')),
        (Condition("message_context", ("a", 0, "0"), "gt", "1.50"), ('message_context.a.0."0"__gt', "1.50")),
        (Condition("context", ("a_",), "in", '["CA","1",1]'), ('context."a_"__in', 'CA,"1",1')),
        (Condition("context", ("名前",), "in", '["a,b",[1,2]]'), ("context.名前__in", '["a,b",[1,2]]')),
        (Condition("context", ("a",), "type", '"null"'), ("context.a__type", "null")),
        (Condition("context", ("a",), "eq", '""'), ("context.a", '""')),
    ],
)
def test_what_is_written_is_plain(condition: Condition, parameter: tuple[str, str]) -> None:
    assert written(condition) == parameter
    assert parse([parameter]).conditions == (condition,)
