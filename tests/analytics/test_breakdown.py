"""`GET /api/v1/analytics/breakdown/`: metrics by keys and by time."""

from __future__ import annotations

from typing import Any

import pytest

from chat.models import Mentor, Session, Tenant

from ..expecting import problem
from .conftest import Get, answered, make_session

PATH = "/api/v1/analytics/breakdown/"
EVERY = (
    "sessions,messages,users,ttft_p50,ttft_p95,duration_p50,duration_p95,"
    "prompt_tokens,completion_tokens,tokens,failures,messages_per_session"
)


def buckets(body: dict[str, Any], metric: str = "sessions") -> list[Any]:
    """What a breakdown says, as (value or mark, …, metric)."""
    return [(*map(named, row["keys"]), row[metric]) for row in body["results"]]


def named(key: dict[str, Any]) -> Any:
    return "(missing)" if "missing" in key else "(other)" if "other" in key else key["value"]


def test_every_metric_of_all_sessions(get: Get, cast: list[Session], strangers: Session) -> None:
    assert get(PATH, metric=EVERY) == {
        "metrics": EVERY.split(","),
        "by": [],
        "interval": None,
        "time_zone": "UTC",
        "total": {
            "sessions": 5,
            "messages": 10,
            "users": 3,
            "ttft_p50": 250.0,
            "ttft_p95": 385.0,
            "duration_p50": 1_500.0,
            "duration_p95": 3_700.0,
            "prompt_tokens": 200,
            "completion_tokens": 40,
            "tokens": 240,
            "failures": 2,
            "messages_per_session": 2.0,
        },
        "results": [],
    }


def test_one_key_with_null_and_no_value_told_apart(get: Get, cast: list[Session], strangers: Session) -> None:
    body = get(PATH, metric="sessions,ttft_p50", by="context.stateCode")
    assert body["results"] == [
        {"keys": [{"value": "CA"}], "sessions": 2, "ttft_p50": 200.0},
        {"keys": [{"value": "NY"}], "sessions": 1, "ttft_p50": None},
        {"keys": [{"value": None}], "sessions": 1, "ttft_p50": 400.0},
        {"keys": [{"value": None, "missing": True}], "sessions": 1, "ttft_p50": None},
    ]


def test_numbers_are_one_value_however_they_are_spelled_and_text_is_another(get: Get, coach: Mentor) -> None:
    for n in (1, 1.0, "1", True, 2.5):
        make_session(coach, {"n": n})
    assert sorted(buckets(get(PATH, by="context.n")), key=str) == [("1", 1), (1, 2), (2.5, 1), (True, 1)]


def test_two_keys(get: Get, cast: list[Session]) -> None:
    body = get(PATH, by=["context.stateCode", "mentor"])
    assert body["by"] == ["context.stateCode", "mentor"]
    assert buckets(body) == [
        ("CA", "coach", 2),
        ("NY", "tutor", 1),
        (None, "coach", 1),
        ("(missing)", "tutor", 1),
    ]


def test_a_mentor_comes_with_its_id(get: Get, cast: list[Session], coach: Mentor) -> None:
    first = get(PATH, by="mentor")["results"][0]
    assert first == {"keys": [{"value": "coach", "mentor_unique_id": str(coach.unique_id)}], "sessions": 3}


def test_visitors_have_no_user(get: Get, cast: list[Session]) -> None:
    assert buckets(get(PATH, by="user")) == [("alice", 2), ("bob", 1), ("carol", 1), ("(missing)", 1)]


def test_nested_keys_and_keys_with_dots(get: Get, cast: list[Session]) -> None:
    assert buckets(get(PATH, by="context.order.region")) == [("west", 1), ("(missing)", 4)]
    assert buckets(get(PATH, by='context."a.b c"')) == [(True, 1), ("(missing)", 4)]
    assert buckets(get(PATH, by="message_context.order.items.0.sku")) == [("a", 1), ("(missing)", 4)]


def test_what_was_known_at_each_message(get: Get, cast: list[Session]) -> None:
    """The first session said NY, then CA: both of its turns are counted where they belong."""
    body = get(PATH, metric="sessions,messages,failures", by="message_context.stateCode")
    assert body["results"] == [
        {"keys": [{"value": "CA"}], "sessions": 2, "messages": 4, "failures": 1},
        {"keys": [{"value": "NY"}], "sessions": 1, "messages": 2, "failures": 0},
        {"keys": [{"value": None}], "sessions": 1, "messages": 2, "failures": 0},
        {"keys": [{"value": None, "missing": True}], "sessions": 1, "messages": 2, "failures": 1},
    ]
    assert body["total"] == {"sessions": 4, "messages": 10, "failures": 2}


def test_by_status(get: Get, cast: list[Session]) -> None:
    body = get(PATH, metric="messages", by="status")
    assert buckets(body, "messages") == [("complete", 8), ("failed", 1), ("interrupted", 1)]


def test_a_condition_on_messages_counts_those_messages(get: Get, cast: list[Session]) -> None:
    body = get(PATH, metric=EVERY, status="failed")
    assert body["total"] == {
        **{"sessions": 1, "messages": 1, "users": 1, "failures": 1, "messages_per_session": 1.0},
        **{"ttft_p50": 300.0, "ttft_p95": 300.0, "duration_p50": 2_000.0, "duration_p95": 2_000.0},
        **{"prompt_tokens": 50, "completion_tokens": 10, "tokens": 60},
    }


def test_the_rest_is_one_bucket_whose_users_and_percentiles_are_its_own(get: Get, coach: Mentor) -> None:
    for number, course in enumerate("aaabbcd"):
        make_session(coach, {"course": course}, user="alice", answers=(answered(100 * number),))
    body = get(PATH, metric="sessions,users,ttft_p50", by="context.course", limit=2)
    assert body["results"] == [
        {"keys": [{"value": "a"}], "sessions": 3, "users": 1, "ttft_p50": 100.0},
        {"keys": [{"value": "b"}], "sessions": 2, "users": 1, "ttft_p50": 350.0},
        {"keys": [{"value": None, "other": True}], "sessions": 2, "users": 1, "ttft_p50": 550.0},
    ]


def test_days_without_a_session_are_there(get: Get, cast: list[Session]) -> None:
    body = get(PATH, metric="sessions,ttft_p50", interval="day", to="2026-11-13", **{"from": "2026-11-09"})
    assert body["total"] == {
        "sessions": 5,
        "ttft_p50": 250.0,
        "points": [
            {"at": "2026-11-09T00:00:00+00:00", "sessions": 0, "ttft_p50": None},
            {"at": "2026-11-10T00:00:00+00:00", "sessions": 2, "ttft_p50": 200.0},
            {"at": "2026-11-11T00:00:00+00:00", "sessions": 0, "ttft_p50": None},
            {"at": "2026-11-12T00:00:00+00:00", "sessions": 2, "ttft_p50": 400.0},
            {"at": "2026-11-13T00:00:00+00:00", "sessions": 1, "ttft_p50": None},
        ],
    }


def test_days_are_the_tenants(get: Get, cast: list[Session], demo: Tenant) -> None:
    demo.time_zone = "Europe/Berlin"
    demo.save()
    body = get(PATH, by="mentor", interval="day", to="2026-11-11", **{"from": "2026-11-10"})
    assert body["results"][0]["points"] == [
        {"at": "2026-11-10T00:00:00+01:00", "sessions": 1},
        {"at": "2026-11-11T00:00:00+01:00", "sessions": 1},
    ]


@pytest.mark.parametrize(
    ("day", "hours"),
    [("2026-03-29", 23), ("2026-10-25", 25), ("2026-11-01", 24)],
    ids=["spring", "autumn", "plain"],
)
def test_a_day_has_the_hours_that_its_clock_strikes(
    get: Get, coach: Mentor, demo: Tenant, day: str, hours: int
) -> None:
    demo.time_zone = "Europe/Berlin"
    demo.save()
    make_session(coach, begun=f"{day}T00:30")
    make_session(coach, begun=f"{day}T01:30")
    points = get(PATH, interval="hour", to=day, **{"from": day})["total"]["points"]
    assert len(points) == len({point["at"] for point in points}) == hours
    assert [point["sessions"] for point in points if point["sessions"]] == [1, 1]


def test_weeks_begin_on_monday_and_months_on_the_first(get: Get, cast: list[Session]) -> None:
    range_ = {"from": "2026-10-28", "to": "2026-11-16"}
    weeks = get(PATH, interval="week", **range_)["total"]["points"]
    months = get(PATH, interval="month", **range_)["total"]["points"]
    assert [(point["at"][:10], point["sessions"]) for point in weeks] == [
        ("2026-10-26", 0),
        ("2026-11-02", 0),
        ("2026-11-09", 5),
        ("2026-11-16", 0),
    ]
    assert [(point["at"][:10], point["sessions"]) for point in months] == [
        ("2026-10-01", 0),
        ("2026-11-01", 5),
    ]


def test_nothing_is_nothing(get: Get, demo: Tenant) -> None:
    nothing = {"sessions": 0, "users": 0, "ttft_p50": None, "messages_per_session": None}
    for more in ({}, {"user": "nobody"}, {"context.a__in": "[]"}):
        body = get(
            PATH,
            metric="sessions,users,ttft_p50,messages_per_session",
            by="context.a",
            interval="day",
            **more,
        )
        assert (body["total"], body["results"]) == (nothing, [])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("metric", "cost"),
        ("metric", ""),
        ("by", "stateCode"),
        ("by", "context."),
        ("by", "context"),
        ("by", "context.a__gt"),
        ("by", "context.a__eq"),
        ("by", 'context."a'),
        ("by", "context.a..b"),
        ("by", "context.a\0"),
        ("by", "context." + "a." * 3_000 + "a"),
        ("by", ["mentor", "user", "status"]),
        ("by", ["mentor", "mentor"]),
        ("interval", "year"),
        ("limit", "101"),
        ("limit", "0"),
        ("limit", "9" * 5_000),
        ("limit", "-1"),
        ("granularity", "day"),
        ("from", "yesterday"),
    ],
)
def test_what_is_not_understood_is_refused_by_name(
    get: Get, cast: list[Session], name: str, value: Any
) -> None:
    assert get(PATH, **{name: value}) == (400, problem(400, "invalid_filter", f"?{name}"))


def test_too_many_points_are_refused(get: Get, cast: list[Session]) -> None:
    asked = {"from": "1970-01-01", "interval": "hour"}
    assert get(PATH, **asked) == (400, problem(400, "invalid_filter", "?interval"))


@pytest.mark.parametrize(
    "path", ["context.' OR 1=1 --", 'context."%s"', "context.%(x)s", "context.{}", "context.$.a"]
)
def test_a_hostile_path_is_a_key_that_nobody_sends(get: Get, cast: list[Session], path: str) -> None:
    assert buckets(get(PATH, by=path)) == [("(missing)", 5)]
