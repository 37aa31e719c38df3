"""Placeholders are filled once, by name alone."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat.placeholders import as_text, fill
from chat.strict_json import spelled

VALUES: dict[str, Any] = {
    "state": "CA",
    "user": {"name": "Alice", "address": {"city": "Fresno"}, "age": 30},
    "user.name": "the exact key",
    "level of study": "初級",
    "price": 1.5,
    "none": None,
    "yes": True,
    "tags": ["a", {"b": 1}],
}


@pytest.mark.parametrize(
    ("template", "filled"),
    [
        ("In {state}, {state}.", "In CA, CA."),
        ("{{metadata_state}}", "CA"),
        ("{user.address.city}", "Fresno"),
        ("{{metadata_user.address.city}}", "Fresno"),
        ("{user.name}", "the exact key"),
        ("{level of study}", "初級"),
        ("{price} {none} {yes}", "1.5 null true"),
        ("{tags} {user.address}", '["a",{"b":1}] {"city":"Fresno"}'),
    ],
)
def test_a_known_placeholder_becomes_its_value(template: str, filled: str) -> None:
    assert fill(template, VALUES) == filled


@pytest.mark.parametrize(
    "template",
    [
        "{unknown} {{metadata_unknown}}",
        "{user.phone} {user.name.first} {tags.0} {state.}",
        "{} { state } {{metadata_}}",
        '{"state": "CA"}',
        "{state {state",
        "no braces",
        "{metadata_state}",
    ],
)
def test_everything_else_stays_as_it_is_written(template: str) -> None:
    assert fill(template, VALUES) == template


@pytest.mark.parametrize(
    ("template", "told"),
    [
        ("{{state}}", "{state}"),
        ("{{unknown}} {{}} {{ a b }}", "{unknown} {} { a b }"),
        ("{{{state}}}", "{{state}}"),
        ("{{state}} is {state}", "{state} is CA"),
    ],
)
def test_doubled_braces_are_an_escape(template: str, told: str) -> None:
    assert fill(template, VALUES) == told


@pytest.mark.parametrize(
    "template",
    [
        "{user.__class__}",
        "{state.__init__.__globals__}",
        "{price!r}",
        "{price:>9999999}",
        "{tags[0]}",
        "{user.keys}",
    ],
)
def test_there_is_no_attribute_index_or_format(template: str) -> None:
    assert fill(template, VALUES) == template


def test_a_value_is_never_scanned_again() -> None:
    values = {"a": "{b} {{metadata_b}}", "b": "secret", "half": "{", "rest": "b}"}
    assert fill("{a} {half}{rest}", values) == "{b} {{metadata_b}} {b}"


def test_numbers_keep_the_client_s_spelling() -> None:
    values = spelled('{"a":1.10,"b":{"c":[1e5,-0]}}')
    assert fill("{a} {b} {b.c}", values) == '1.10 {"c":[1e5,-0]} [1e5,-0]'


def test_a_destination_may_render_values_its_own_way() -> None:
    assert fill("/{state}/", {"state": "a b"}, lambda value: as_text(value).replace(" ", "%20")) == "/a%20b/"


@pytest.mark.parametrize(
    "hostile", ["{" * 300_000, "{a" * 150_000, "{{metadata_a" * 30_000, "{" + "a." * 150_000 + "}"]
)
def test_hostile_templates_take_linear_time(hostile: str) -> None:
    start = time.perf_counter()
    assert fill(hostile, {"a": 1}) == hostile
    assert time.perf_counter() - start < 1


@given(
    st.text(alphabet="{}abmetd_. "),
    st.dictionaries(st.sampled_from(["a", "b", "a.b"]), st.just("{a}{{metadata_b}}")),
)
def test_a_template_without_known_names_comes_back_and_values_come_whole(
    template: str, values: dict[str, str]
) -> None:
    assert fill(template, {}) == template
    pieces = fill(template, dict.fromkeys(values, "\0")).split("\0")
    assert fill(template, values) == "{a}{{metadata_b}}".join(pieces)
