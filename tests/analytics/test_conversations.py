"""`GET /api/v1/analytics/conversations/`: sessions with the whole of their metadata."""

from __future__ import annotations

from chat.models import Session

from ..expecting import problem
from .conftest import Get

PATH = "/api/v1/analytics/conversations/"


def test_a_row_has_the_full_metadata(get: Get, cast: list[Session], strangers: Session) -> None:
    session = cast[0]
    session.metadata["origin"] = "widget"
    session.save()
    assert get(PATH, session=str(session.pk), count="true") == {
        "count": 1,
        "results": [
            {
                "id": str(session.pk),
                "tenant": "demo",
                "mentor": "coach",
                "mentor_unique_id": str(session.mentor.unique_id),
                "user": "alice",
                "anonymous": False,
                "title": "How many hours?",
                "context_version": 2,
                "messages": 4,
                "created_at": "2026-11-10T12:00:00Z",
                "updated_at": "2026-11-10T12:00:00Z",
                "messages_by_role": {"user": 2, "mentor": 2, "operator": 0, "service": 0},
                "model": "scripted",
                "metadata": {
                    "client_context": {
                        "stateCode": "CA",
                        "n": 1.0,
                        "order": {"region": "west"},
                        "a.b c": True,
                    },
                    "origin": "widget",
                },
            }
        ],
        "next": None,
        "previous": None,
    }


def test_pages_show_every_session_once(get: Get, cast: list[Session], strangers: Session) -> None:
    seen, link = [], f"{PATH}?limit=2"
    while link:
        body = get(link)
        seen += [row["id"] for row in body["results"]]
        link = body["next"]
    assert seen == [str(session.pk) for session in sorted(cast, key=lambda one: one.created_at, reverse=True)]


def test_the_filter_of_lists_is_the_filter_of_counts(get: Get, cast: list[Session]) -> None:
    for asked in (
        {"context.stateCode": "CA"},
        {"context.n__type": "string"},
        {"status": "failed"},
        {"search": "Hello"},
    ):
        listed = get(PATH, count="true", **asked)
        counted = get("/api/v1/analytics/breakdown/", **asked)["total"]["sessions"]
        assert len(listed["results"]) == listed["count"] == counted > 0


def test_a_huge_limit_and_a_strange_cursor_are_refused(get: Get, cast: list[Session]) -> None:
    for name, value in [("limit", "101"), ("limit", "0"), ("cursor", "x"), ("count", "yes")]:
        assert get(PATH, **{name: value}) == (400, problem(400, "invalid_filter", f"?{name}"))


def test_a_page_takes_the_same_queries_however_long_it_is(
    get: Get, cast: list[Session], django_assert_max_num_queries: object
) -> None:
    with django_assert_max_num_queries(16):  # type: ignore[operator]
        assert len(get(PATH)["results"]) == 5
