"""ibl.ai's paths of analytics, in its shapes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from chat.models import Mentor, Session, Tenant

from ..expecting import problem
from .conftest import Get, make_session

CHART, LIST = "/api/analytics/conversations/", "/api/analytics/messages/"
HISTORY = "/api/ai-analytics/orgs/demo/users/admin/chat-history/"
NOVEMBER = {"start_date": "2026-11-10", "end_date": "2026-11-12"}


def test_the_chart(get: Get, cast: list[Session], strangers: Session) -> None:
    assert get(CHART, metric="conversations", granularity="day", date_filter="custom", **NOVEMBER) == {
        "metric": "conversations",
        "points": [
            {"date": "2026-11-10", "value": 2},
            {"date": "2026-11-11", "value": 0},
            {"date": "2026-11-12", "value": 2},
        ],
    }


def test_the_chart_by_hour_week_and_month(get: Get, cast: list[Session]) -> None:
    day = {"start_date": "2026-11-12", "end_date": "2026-11-12"}
    hours = get(CHART, metric="headline", granularity="hour", **day)
    assert hours["metric"] == "headline"
    assert len(hours["points"]) == 24
    assert {"date": "2026-11-12T09:00:00+00:00", "value": 1} in hours["points"]
    assert get(CHART, granularity="week", **NOVEMBER)["points"] == [{"date": "2026-11-09", "value": 4}]
    assert get(CHART, granularity="month", **NOVEMBER)["points"] == [{"date": "2026-11-01", "value": 4}]


@pytest.mark.parametrize(
    ("name", "days"), [("today", 1), ("7d", 7), ("30d", 30), ("90d", 90), (None, 30), ("", 30)]
)
def test_named_times_end_today(get: Get, coach: Mentor, demo: Tenant, name: str | None, days: int) -> None:
    demo.time_zone = "Asia/Tokyo"
    demo.save()
    now = timezone.now()
    for age in (0, days - 1, days):
        session = make_session(coach)
        Session.objects.filter(pk=session.pk).update(created_at=now - timedelta(days=age))
    points = get(CHART, **({} if name is None else {"date_filter": name}))["points"]
    assert (len(points), sum(point["value"] for point in points)) == (
        days,
        2 if days > 1 else 1 + (days == 1),
    )


def test_all_time_begins_with_the_first_session(get: Get, cast: list[Session]) -> None:
    points = get(CHART, date_filter="all_time", granularity="month")["points"]
    assert points[0] == {"date": "2026-11-01", "value": 5}
    assert get(CHART, date_filter="all_time", username="nobody") == {"metric": "conversations", "points": []}


def test_the_chart_takes_its_parameters_and_ours(get: Get, cast: list[Session], coach: Mentor) -> None:
    asked = {"platform_key": "demo", "mentor_unique_id": str(coach.unique_id), "context.stateCode": "CA"}
    points = get(CHART, granularity="month", date_filter="all_time", **asked)["points"]
    assert [point["value"] for point in points] == [2]


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("metric", {"metric": "cost"}),
        ("granularity", {"granularity": "year"}),
        ("granularity", {"granularity": "hour", "start_date": "2001-01-01"}),
        ("date_filter", {"date_filter": "yesterday"}),
        ("date_filter", {"date_filter": "custom"}),
        ("date_filter", {"date_filter": "7d", **NOVEMBER}),
        ("start_date", {"start_date": "soon"}),
        ("colour", {"colour": "red"}),
    ],
)
def test_what_the_chart_does_not_understand_is_refused_by_name(
    get: Get, cast: list[Session], name: str, asked: dict[str, str]
) -> None:
    assert get(CHART, **asked) == (400, problem(400, "invalid_filter", f"?{name}"))


def test_what_means_nothing_here_is_named(client: Client, reader: str, cast: list[Session]) -> None:
    headers = {"Authorization": f"Api-Token {reader}"}
    response = client.get(LIST, {"sentiment": "positive", "topic": "x", "page": 1}, headers=headers)
    assert response.headers["X-Ignored-Parameters"] == "sentiment, topic"


def item(session: Session, **more: Any) -> dict[str, Any]:
    return {
        "platform_name": "Demo",
        "platform_key": "demo",
        "mentor": session.mentor.name,
        "mentor_unique_id": str(session.mentor.unique_id),
        "model": "scripted",
        "cost": "0",
        "username": "alice",
        "name": "alice",
        "first_user_message": "How many hours?",
        "topics": None,
        "average_sentiment": None,
        "sentiment": None,
        "created_at": "2026-11-10T23:30:00Z",
        "platform": session.tenant_id,
        "session": str(session.pk),
        "user": None,
        **more,
    }


def test_the_list_of_messages(get: Get, cast: list[Session], strangers: Session) -> None:
    assert get(LIST, username="alice", limit=1) == {
        "summary": {"total_conversations": 2, "total_messages": 6},
        "results": [item(cast[1], message_count=2, user_queries=1, assistant_responses=1)],
        "pagination": {
            **{"page": 1, "limit": 1, "total": 2, "total_pages": 2},
            **{"has_next": True, "has_previous": False},
        },
    }


def test_the_list_by_search_and_by_number_of_messages(get: Get, cast: list[Session]) -> None:
    found = {
        "search": get(LIST, search="hello"),
        "many": get(LIST, min_messages=3),
        "none": get(LIST, max_messages=0),
    }
    assert {name: [row["session"] for row in body["results"]] for name, body in found.items()} == {
        "search": [str(cast[4].pk)],
        "many": [str(cast[0].pk)],
        "none": [str(cast[3].pk)],
    }


def test_the_last_page_and_one_beyond(get: Get, cast: list[Session]) -> None:
    last, beyond = get(LIST, page=2, limit=3), get(LIST, page=3, limit=3)
    assert (len(last["results"]), last["pagination"]["has_next"]) == (2, False)
    assert (beyond["results"], beyond["pagination"]["total"]) == ([], 5)
    for name, value in [("page", "0"), ("page", "99999"), ("limit", "101"), ("page", "two")]:
        assert get(LIST, **{name: value}) == (400, problem(400, "invalid_filter", f"?{name}"))


def test_the_chat_history_has_the_full_metadata(get: Get, cast: list[Session], strangers: Session) -> None:
    assert get(HISTORY, filter_user_id="bob") == {
        "count": 1,
        "next": None,
        "previous": None,
        "results": [
            {
                "id": str(cast[2].pk),
                "mentor": "Coach",
                "student": "bob",
                "model": "scripted",
                "platform": "demo",
                "inserted_at": "2026-11-12T09:00:00Z",
                "is_authenticated": True,
                "is_conversation": True,
                "llm_name": "scripted",
                "metadata": {"client_context": {"stateCode": None}},
                "title": "How many hours?",
                "message_count_human": 1,
                "message_count_ai": 1,
                "sentiment": None,
                "topics": None,
                "rating": None,
                "tools": [],
            }
        ],
    }


def test_the_chat_history_by_pages(get: Get, cast: list[Session]) -> None:
    first = get(HISTORY, page_size=2, mentor="coach")
    second = get(first["next"])
    assert [row["id"] for row in first["results"] + second["results"]] == [
        str(cast[number].pk) for number in (2, 1, 0)
    ]
    assert (second["next"], get(second["previous"])["results"]) == (None, first["results"])
