"""`GET /api/v1/analytics/coverage/?mentor=`: what a prompt speaks of against what is sent."""

from __future__ import annotations

from chat.models import Mentor, Session

from ..expecting import problem
from .conftest import Get, make_session

PATH = "/api/v1/analytics/coverage/"


def test_a_prompt_against_what_its_clients_send(get: Get, coach: Mentor) -> None:
    coach.system_prompt = (
        "You help in {stateCode} with {{metadata_plan}} at {school.name} and {{user.x}}. "
        "Mind the region, and the licenseType; an exam is an exam."
    )
    coach.save()
    first = make_session(coach, {"stateCode": "NY", "n": 1}, {"stateCode": "CA", "region": "west", "n": "1"})
    second = make_session(coach, {"stateCode": None, "page": {"url": "/a"}})
    assert get(PATH, mentor="coach") == {
        "mentor": {"slug": "coach", "unique_id": str(coach.unique_id), "version": 2},
        "delivery": "user_block",
        "sessions": 2,
        "complete": True,
        "mentioned": [
            {"key": "stateCode", "how": "placeholder", "sessions": 2},
            {"key": "region", "how": "word", "sessions": 1},
        ],
        "never_sent": [
            {"key": "plan", "how": "placeholder"},
            {"key": "school.name", "how": "placeholder"},
            {"key": "licenseType", "how": "word"},
        ],
        "never_mentioned": [
            {"key": "context.n", "sessions": 1, "example": {"value": 1, "session": str(first.pk)}},
            {
                "key": "context.page",
                "sessions": 1,
                "example": {"value": {"url": "/a"}, "session": str(second.pk)},
            },
        ],
        "changing_types": [
            {
                "key": "context.n",
                "types": {"number": 1, "string": 1},
                "examples": [
                    {"value": 1, "session": str(first.pk)},
                    {"value": "1", "session": str(first.pk)},
                ],
            }
        ],
        "refused": [],
    }


def test_a_greetings_placeholders_count_too(get: Get, coach: Mentor) -> None:
    coach.greeting_text = "Hello {user.name}, welcome to {stateCode}."
    coach.save()
    make_session(coach, {"stateCode": "CA"})
    body = get(PATH, mentor="coach")
    assert [one["key"] for one in body["mentioned"]] == ["stateCode"]
    assert body["never_sent"] == [{"key": "user.name", "how": "placeholder"}]


def test_a_key_within_one_that_is_mentioned_is_mentioned(get: Get, coach: Mentor) -> None:
    coach.system_prompt = "At {school.name}; see the order."
    coach.save()
    make_session(coach, {"school": {"name": "Hill", "size": 3}, "order": {"id": 1}})
    body = get(PATH, mentor="coach")
    assert [row["key"] for row in body["never_mentioned"]] == ["context.school.size"]
    assert body["never_sent"] == []


def test_a_mentor_that_nobody_has_talked_to(get: Get, coach: Mentor) -> None:
    coach.system_prompt = "You help in {stateCode}."
    coach.save()
    body = get(PATH, mentor=str(coach.unique_id))
    assert (body["sessions"], body["never_sent"]) == (0, [{"key": "stateCode", "how": "placeholder"}])
    assert body["never_mentioned"] == body["changing_types"] == body["mentioned"] == body["refused"] == []


def test_a_filter_narrows_it(get: Get, cast: list[Session]) -> None:
    body = get(PATH, mentor="coach", user="bob")
    assert [row["key"] for row in body["never_mentioned"]] == ["context.stateCode"]


def test_one_mentor_must_be_named(get: Get, cast: list[Session]) -> None:
    assert get(PATH) == (400, problem(400, "invalid_filter", "?mentor"))
    assert get(PATH, mentor__in="coach,tutor") == (400, problem(400, "invalid_filter", "?mentor"))
