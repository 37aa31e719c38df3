"""`refused` of a mentor's coverage, and how its page shows it."""

from __future__ import annotations

import uuid
from datetime import date
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from analytics.refused import MOST_REFUSALS
from chat.models import Mentor, Refusal, Session

from .conftest import Get, at, make_session
from .looking import Page

PATH = "/api/v1/analytics/coverage/"


def refusal(mentor: Mentor, day: str, pointer: str = "/metadata", count: int = 1, **more: Any) -> Refusal:
    defaults = {"code": "metadata_too_large", "door": "websocket", "last_message": f"Of {day}."}
    return Refusal.objects.create(
        tenant=mentor.tenant,
        mentor=mentor,
        day=date.fromisoformat(day),
        pointer=pointer,
        count=count,
        last_at=at(f"{day}T12:00"),
        **{**defaults, **more},
    )


def counts(body: Any) -> list[tuple[str, int]]:
    return [(row["pointer"], row["count"]) for row in body["refused"]]


def test_days_are_added_up_and_the_last_one_has_the_word(get: Get, coach: Mentor) -> None:
    session = uuid.uuid4()
    refusal(coach, "2026-11-10", count=2, last_session=uuid.uuid4())
    refusal(coach, "2026-11-12", count=3, last_session=session)
    refusal(coach, "2026-11-11", count=4)
    refusal(coach, "2026-11-11", count=9, door="sse")
    assert get(PATH, mentor="coach")["refused"] == [
        {
            "code": "metadata_too_large",
            "pointer": "/metadata",
            "door": door,
            "count": 9,
            "last_at": f"{day}T12:00:00Z",
            "message": f"Of {day}.",
            "session": named,
        }
        for door, day, named in [
            ("websocket", "2026-11-12", str(session)),
            ("sse", "2026-11-11", None),
        ]
    ]


def test_the_most_frequent_come_first_and_no_more_than_fifty(get: Get, coach: Mentor) -> None:
    for number in range(MOST_REFUSALS + 1):
        refusal(coach, "2026-11-10", f"/metadata/{number}", count=number + 1)
    told = counts(get(PATH, mentor="coach"))
    assert (len(told), told[0], told[-1]) == (50, ("/metadata/50", 51), ("/metadata/1", 2))


@pytest.mark.parametrize(
    ("time", "found"),
    [
        ({"from": "2026-11-11"}, 6),
        ({"to": "2026-11-11"}, 3),
        ({"from": "2026-11-11", "to": "2026-11-11"}, 2),
        ({"from": "2026-11-11T23:59:59Z"}, 6),
        ({"to": "2026-11-11T00:00:00Z"}, 1),
        ({"from": "2026-12-01"}, 0),
        ({"user": "bob", "context.stateCode": "CA"}, 7),
    ],
)
def test_of_the_filter_its_time_counts_by_days_of_utc(
    get: Get, coach: Mentor, time: dict[str, str], found: int
) -> None:
    for day, count in (("2026-11-10", 1), ("2026-11-11", 2), ("2026-11-12", 4)):
        refusal(coach, day, count=count)
    assert sum(count for _, count in counts(get(PATH, mentor="coach", **time))) == found


def test_a_day_of_another_time_zone_touches_two_of_utc(get: Get, coach: Mentor) -> None:
    coach.tenant.time_zone = "America/New_York"
    coach.tenant.save()
    for day, count in (("2026-11-10", 1), ("2026-11-11", 2), ("2026-11-12", 4), ("2026-11-13", 8)):
        refusal(coach, day, count=count)
    assert counts(get(PATH, mentor="coach", **{"from": "2026-11-11", "to": "2026-11-11"})) == [
        ("/metadata", 6)
    ]


def test_it_is_of_this_mentor_only(
    get: Get, coach: Mentor, tutor: Mentor, strangers: Session, others_token: str
) -> None:
    refusal(tutor, "2026-11-10", "/metadata/tutors")
    refusal(strangers.mentor, "2026-11-10", "/metadata/theirs")
    assert get(PATH, mentor="coach")["refused"] == []
    assert counts(get(PATH, mentor="tutor")) == [("/metadata/tutors", 1)]
    assert counts(get(PATH, others_token, mentor="coach")) == [("/metadata/theirs", 1)]
    assert get(PATH, others_token, mentor="tutor")[0] == 404


# --- its page


def test_the_page_shows_it_and_links_to_sessions_that_are_there(dora: Client, coach: Mentor) -> None:
    session = make_session(coach)
    refusal(coach, "2026-11-10", "/metadata/<b>", count=1234, last_session=session.pk)
    refusal(coach, "2026-11-10", "/metadata/gone", last_session=uuid.uuid4())
    page = Page(dora, "/analytics/coverage/", mentor="coach", tenant="demo")
    assert page.found(r'<th scope="row"><code><bdi>(/.*?)</bdi>') == ["/metadata/<b>", "/metadata/gone"]
    assert page.found(r'data-label="Told">(.*?)</td>')[0] == "metadata_too_large Of 2026-11-10."
    assert page.source.count("/analytics/sessions/") == 1
    assert page.link("session") == f"/analytics/sessions/{session.pk}/"


def test_the_page_of_nothing_refused(dora: Client, coach: Mentor) -> None:
    assert "None: whatever clients sent" in Page(dora, "/analytics/coverage/", mentor="coach").source


def test_a_superuser_sees_each_mentors_own(client: Client, coach: Mentor, strangers: Session) -> None:
    client.force_login(User.objects.create_superuser("root"))
    refusal(strangers.mentor, "2026-11-10", "/metadata/theirs")
    for tenant, found in (("demo", []), ("other", ["/metadata/theirs"])):
        page = Page(client, "/analytics/coverage/", mentor="coach", tenant=tenant)
        assert page.found(r'<th scope="row"><code><bdi>(/.*?)</bdi>') == found
