"""The keys that are in use, and their values: what is counted equals a count made here, by hand."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from analytics import facets
from chat.models import ChatMessageHistoryExtra, Mentor, Session

from ..expecting import problem
from .conftest import Get, answered, make_session

KEYS, VALUES = "/api/v1/analytics/context/keys/", "/api/v1/analytics/context/values/"


def test_the_keys_in_use_with_their_types(get: Get, cast: list[Session], strangers: Session) -> None:
    assert get(KEYS) == {
        "of": "context",
        "sessions": 5,
        "complete": True,
        "results": [
            {"key": "context.stateCode", "sessions": 4, "types": {"null": 1, "string": 3}},
            {"key": "context.n", "sessions": 2, "types": {"number": 1, "string": 1}},
            {"key": 'context."a.b c"', "sessions": 1, "types": {"boolean": 1}},
            {"key": "context.order", "sessions": 1, "types": {"object": 1}},
            {"key": "context.order.region", "sessions": 1, "types": {"string": 1}},
        ],
    }


def test_the_keys_that_messages_were_written_under(get: Get, cast: list[Session]) -> None:
    body = get(KEYS, of="message_context", user="alice")
    assert {row["key"]: (row["sessions"], row["types"]) for row in body["results"]} == {
        "message_context.stateCode": (2, {"string": 2}),
        "message_context.n": (2, {"number": 1, "string": 1}),
        "message_context.order": (1, {"object": 1}),
        "message_context.order.region": (1, {"string": 1}),
        "message_context.order.items": (1, {"array": 1}),
        'message_context."a.b c"': (1, {"boolean": 1}),
    }


def test_the_values_of_a_key(get: Get, cast: list[Session], strangers: Session) -> None:
    assert get(VALUES, key="stateCode", limit=2) == {
        "key": "context.stateCode",
        "sessions": 5,
        "missing": 1,
        "distinct": 3,
        "results": [{"value": "CA", "sessions": 2}, {"value": "NY", "sessions": 1}],
    }


def test_a_session_has_each_value_that_its_messages_knew(get: Get, cast: list[Session]) -> None:
    body = get(VALUES, of="message_context", key="stateCode", user="alice")
    assert body == {
        "key": "message_context.stateCode",
        "sessions": 2,
        "missing": 0,
        "distinct": 2,
        "results": [{"value": "CA", "sessions": 2}, {"value": "NY", "sessions": 1}],
    }


def test_values_that_are_objects_and_arrays(get: Get, cast: list[Session]) -> None:
    assert get(VALUES, key="order")["results"] == [{"value": {"region": "west"}, "sessions": 1}]
    body = get(VALUES, of="message_context", key="order.items")
    assert body["results"] == [{"value": [{"sku": "a"}], "sessions": 1}]


def paths_of(value: Any, above: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], str]]:
    """Every key at any depth with the name of its Python type, and nothing of the program's."""
    found = []
    for key, inner in value.items() if isinstance(value, dict) else ():
        found += [((*above, key), type(inner).__name__), *paths_of(inner, (*above, key))]
    return found


def test_every_count_equals_one_made_independently(get: Get, coach: Mentor) -> None:
    names = {
        "str": "string",
        "int": "number",
        "bool": "boolean",
        "NoneType": "null",
        "list": "array",
        "dict": "object",
    }
    for number in range(40):
        course: Any = [f"C{number % 7}", number % 3, None, number % 2 == 0][number % 4]
        context = {"course": course, "order": {"region": f"R{number % 5}", "deep": {"er": [number]}}}
        make_session(
            coach, context if number % 10 else {}, user=f"u{number % 6}", answers=(answered(),) * (number % 3)
        )
    contexts = [session.metadata["client_context"] for session in Session.objects.all()]
    expected = Counter((path, names[kind]) for context in contexts for path, kind in paths_of(context))
    told = {
        (tuple(row["key"].split(".")[1:]), kind): count
        for row in get(KEYS)["results"]
        for kind, count in row["types"].items()
    }
    assert told == expected
    courses = Counter(json.dumps(context["course"]) for context in contexts if "course" in context)
    values = get(VALUES, key="course", limit=100)
    assert {json.dumps(row["value"]): row["sessions"] for row in values["results"]} == courses
    assert (values["distinct"], values["missing"]) == (len(courses), 40 - courses.total())
    buckets = get("/api/v1/analytics/breakdown/", by="context.course", limit=100)["results"]
    assert {json.dumps(row["keys"][0]["value"]): row["sessions"] for row in buckets[:-1]} == courses


def test_snapshots_are_counted_as_they_are_stored(get: Get, cast: list[Session]) -> None:
    stored = ChatMessageHistoryExtra.objects.values_list("session_id", "metadata")
    expected = Counter(
        value for _, value in {(one, context.get("stateCode", "-")) for one, context in stored}
    )
    del expected["-"]
    rows = get(VALUES, of="message_context", key="stateCode")["results"]
    assert {row["value"]: row["sessions"] for row in rows} == expected


def test_a_filter_narrows_facets_as_it_narrows_lists(get: Get, cast: list[Session]) -> None:
    assert [row["key"] for row in get(KEYS, mentor="tutor")["results"]] == ["context.stateCode"]
    assert get(VALUES, key="stateCode", status="failed")["results"] == [{"value": "CA", "sessions": 1}]
    assert get(KEYS, user="nobody") == {"of": "context", "sessions": 0, "complete": True, "results": []}
    assert get(KEYS, **{"context.n__in": "[]"})["results"] == []
    assert get(VALUES, key="n", **{"context.n__in": "[]"})["distinct"] == 0


def test_what_is_listed_is_bounded(get: Get, coach: Mentor) -> None:
    deep: dict[str, Any] = {}
    for _ in range(12):
        deep = {"a": deep}
    make_session(coach, deep, {f"k{number}": number for number in range(250)})
    assert (len(get(KEYS)["results"]), get(KEYS)["complete"]) == (facets.MOST_KEYS, False)
    make_session(coach, deep, user="bob")
    body = get(KEYS, user="bob")
    assert (len(body["results"]), body["complete"]) == (facets.MOST_DEPTH, False)


@pytest.mark.parametrize(
    ("path", "name", "value"),
    [
        (KEYS, "of", "metadata"),
        (VALUES, "of", "versions"),
        (VALUES, "key", ""),
        (VALUES, "key", "a__gt"),
        (VALUES, "key", "a\0"),
        (VALUES, "limit", "1000"),
        (KEYS, "key", "stateCode"),
    ],
)
def test_what_is_not_understood_is_refused_by_name(
    get: Get, cast: list[Session], path: str, name: str, value: str
) -> None:
    asked = {"key": "stateCode", name: value} if path == VALUES else {name: value}
    assert get(path, **asked) == (400, problem(400, "invalid_filter", f"?{name}"))


def test_a_key_is_required(get: Get, cast: list[Session]) -> None:
    assert get(VALUES) == (400, problem(400, "invalid_filter", "?key"))
