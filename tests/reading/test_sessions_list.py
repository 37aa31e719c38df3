"""The lists of sessions: the seed's and ibl.ai's of a user, and ours by any filter."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext

from chat.models import ApiToken, ChatMessageHistory, Mentor, Session, Tenant

from ..clients import Socket
from ..expecting import AN_ID, problem
from .conftest import A_TIME, ORDER, Caller, bearer, make_session, visitor

OURS = "/api/v1/sessions/"
SEED = "/api/v1/demo/coach/alice/sessions/"
IBL = "/api/ai-mentor/orgs/demo/users/alice/sessions/"


def ids(body: dict[str, Any]) -> list[str]:
    return [row.get("id") or row["session_id"] for row in body["results"]]


@pytest.mark.parametrize("path", [SEED, IBL])
def test_the_seeds_list_has_the_client_context_of_every_session(
    table: Socket, backend: Caller, coach: Mentor, path: str
) -> None:
    row = {
        "session_id": table.session_id,
        "title": "What are the licensing requirements?",
        "mentor": "coach",
        "mentor_unique_id": str(coach.unique_id),
        "platform_key": "demo",
        "user_id": "alice",
        "client_context": ORDER,
        "context_version": 3,
        "message_count": 10,
        "is_shared": False,
        "created_at": A_TIME,
        "updated_at": A_TIME,
    }
    assert backend(path) == (200, {"count": 1, "next": None, "previous": None, "results": [row]})


def test_our_list_is_of_the_whole_tenant(backend: Caller, coach: Mentor) -> None:
    visitors = make_session(coach, user="", context={"a": 1})
    row = {
        "id": str(visitors.pk),
        "tenant": "demo",
        "mentor": "coach",
        "mentor_unique_id": str(coach.unique_id),
        "user": None,
        "anonymous": True,
        "title": "Question 1.",
        "client_context": {"a": 1},
        "context_version": 1,
        "messages": 2,
        "created_at": "2026-11-20T08:00:00Z",
        "updated_at": "2026-11-20T08:00:00Z",
    }
    assert backend(OURS) == (200, {"results": [row], "next": None, "previous": None})


# --- which


def test_our_list_takes_the_whole_grammar(backend: Caller, coach: Mentor) -> None:
    wanted = make_session(coach, context={"stateCode": "CA", "year": 2026})
    make_session(coach, context={"stateCode": "CA", "year": "2026"})
    make_session(coach, user="bob", context={"stateCode": "NY", "year": 2026})
    body = backend(f"{OURS}?context.stateCode=CA&context.year__gte=2026&user=alice&count=true")[1]
    assert (ids(body), body["count"]) == ([str(wanted.pk)], 1)


@pytest.mark.parametrize("path", [SEED, IBL])
def test_our_filters_work_at_foreign_paths_too(backend: Caller, coach: Mentor, path: str) -> None:
    wanted = make_session(coach, context={"stateCode": "CA"})
    make_session(coach, context={"stateCode": "NY"})
    make_session(coach, user="bob", context={"stateCode": "CA"})
    assert ids(backend(f"{path}?context.stateCode=CA")[1]) == [str(wanted.pk)]


def test_a_users_list_is_that_users_at_that_mentor(backend: Caller, coach: Mentor, tutor: Mentor) -> None:
    make_session(coach, user="bob")
    elsewhere, here = make_session(tutor, minutes=1), make_session(coach, minutes=2)
    assert ids(backend(SEED)[1]) == [str(here.pk)]
    assert ids(backend(IBL)[1]) == [str(here.pk), str(elsewhere.pk)]
    assert ids(backend(f"/api/v1/demo/{tutor.unique_id}/alice/sessions/")[1]) == [str(elsewhere.pk)]


def test_ibls_dates_are_our_from_and_to(backend: Caller, coach: Mentor) -> None:
    make_session(coach)
    wanted = make_session(coach, minutes=24 * 60)
    query = "start_date=2026-11-21&end_date=2026-11-21&platform_key=demo&mentor_unique_id="
    assert ids(backend(f"{IBL}?{query}")[1]) == [str(wanted.pk)]


def test_what_ibl_asks_in_vain_is_named(backend: Caller, coach: Mentor) -> None:
    answer = backend.answer(f"{IBL}?usergroup_ids=1&topic=fees&usergroup_ids=2")
    assert (answer.status_code, answer["X-Ignored-Parameters"]) == (200, "topic, usergroup_ids")


# --- titles


def test_a_title_is_how_the_first_prompt_begins_until_one_is_set(backend: Caller, coach: Mentor) -> None:
    make_session(coach, title="Fees")
    long = make_session(coach, minutes=1)
    words = "What topics\n are on " + "the exam and " * 20
    ChatMessageHistory.objects.filter(session=long, sequence=1).update(text=words)
    make_session(coach, turns=0, minutes=2)
    shown = "What topics are on the exam and the exam and the exam and the exam and the exam…"
    assert [row["title"] for row in backend(OURS)[1]["results"]] == ["", shown, "Fees"]


def test_words_without_blanks_are_cut_anywhere(backend: Caller, coach: Mentor) -> None:
    session = make_session(coach)
    ChatMessageHistory.objects.filter(session=session, sequence=1).update(text="景" * 300)
    assert backend(OURS)[1]["results"][0]["title"] == "景" * 80 + "…"


@pytest.mark.parametrize("path", [OURS, SEED, IBL])
def test_a_long_list_costs_as_many_queries_as_a_short_one(backend: Caller, coach: Mentor, path: str) -> None:
    make_session(coach)
    with CaptureQueriesContext(connection) as one:
        backend(path)
    for minute in range(9):
        make_session(coach, minutes=minute)
    with CaptureQueriesContext(connection) as ten:
        assert len(backend(path)[1]["results"]) == 10
    assert len(ten) == len(one)
    assert sum(query["sql"].startswith("SELECT") for query in one) <= 9


# --- pages


@pytest.mark.parametrize("path", [OURS, SEED, IBL])
def test_pages_follow_each_other_both_ways(backend: Caller, coach: Mentor, path: str) -> None:
    made = [str(make_session(coach, minutes=minute).pk) for minute in range(5)]
    one = backend(f"{path}?limit=2")[1]
    two = backend(one["next"])[1]
    three = backend(two["next"])[1]
    assert [*ids(one), *ids(two), *ids(three)] == made[::-1]
    assert (one["previous"], three["next"]) == (None, None)
    assert ids(backend(three["previous"])[1]) == ids(two)


def test_a_page_does_not_move_when_a_session_begins(backend: Caller, coach: Mentor) -> None:
    older, newer = make_session(coach), make_session(coach, minutes=1)
    one = backend(f"{IBL}?limit=1")[1]
    make_session(coach, minutes=2)
    assert (ids(one), ids(backend(one["next"])[1])) == ([str(newer.pk)], [str(older.pk)])


def test_ibls_pages_by_number_lead_to_cursors(backend: Caller, coach: Mentor) -> None:
    made = [str(make_session(coach, minutes=minute).pk) for minute in range(5)][::-1]
    two = backend(f"{IBL}?page=2&page_size=2&context.a__exists=false")[1]
    assert ids(two) == made[2:4]
    assert "page=" not in two["next"]
    assert "context.a__exists=false" in two["next"]
    assert ids(backend(two["next"])[1]) == made[4:]
    assert ids(backend(two["previous"])[1]) == made[:2]
    assert ids(backend(f"{IBL}?page=9")[1]) == []


def test_no_page_is_sought_by_counting_rows(backend: Caller, coach: Mentor) -> None:
    for minute in range(3):
        make_session(coach, minutes=minute)
    link = backend(f"{OURS}?limit=1")[1]["next"]
    with CaptureQueriesContext(connection) as queries:
        backend(link)
    assert not any("OFFSET" in query["sql"] or "COUNT(" in query["sql"] for query in queries)


def test_ibls_count_stops_counting(backend: Caller, coach: Mentor, monkeypatch: pytest.MonkeyPatch) -> None:
    make_session(coach)
    monkeypatch.setattr("chat.views.ibl.MOST_COUNTED", 1)
    assert backend(IBL)[1]["count"] == 1
    make_session(coach)
    assert backend(IBL)[1]["count"] is None


# --- who may not


@pytest.mark.parametrize("path", [OURS, SEED, IBL])
def test_a_list_needs_a_token_that_reads(coach: Mentor, reader: Caller, path: str) -> None:
    session = make_session(coach, user="")
    assert Caller({})(path) == (401, problem(401, "authentication_required"))
    assert Caller(bearer("mk_old"))(path) == (401, problem(401, "authentication_failed"))
    assert Caller(visitor(session.pk))(path) == (403, problem(403, "permission_denied"))
    assert reader(path)[0] == 200


def test_a_stranger_sees_nothing(coach: Mentor, mallory: Caller) -> None:
    make_session(coach)
    assert mallory(OURS)[1]["results"] == []
    assert mallory(f"{OURS}?tenant=demo") == (404, problem(404, "not_found"))
    for path in [SEED, IBL, "/api/v1/nowhere/coach/alice/sessions/", "/api/v1/demo/nobody/alice/sessions/"]:
        assert mallory(path) == (404, problem(404, "not_found"))


def test_a_token_of_one_mentor_reads_that_mentor(demo: Tenant, coach: Mentor, tutor: Mentor) -> None:
    secret = ApiToken.issue(demo, scope="read_all", name="bound", mentor=tutor)[1]
    make_session(coach)
    mine = make_session(tutor)
    bound = Caller(bearer(secret))
    assert [ids(bound(path)[1]) for path in [OURS, IBL]] == [[str(mine.pk)]] * 2
    assert bound(SEED) == bound("/api/v1/demo/nobody/alice/sessions/") == (404, problem(404, "not_found"))


def test_members_of_staff_read_their_tenants(coach: Mentor, demo: Tenant, other: Tenant) -> None:
    make_session(coach)
    for tenant, found in [(demo, 200), (other, 404)]:
        user = User.objects.create_user(f"of {tenant.key}", is_staff=True)
        user.tenants.add(tenant)
        caller = Caller({})
        caller.client.force_login(user)
        assert caller(IBL)[0] == caller(SEED)[0] == found
        assert len(caller(OURS)[1]["results"]) == (found == 200)


# --- bad input


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("limit=0", "?limit"),
        ("limit=101", "?limit"),
        ("limit=9999999999999999", "?limit"),
        ("limit=1&limit=2", "?limit"),
        ("limit=%C2%B2", "?limit"),
        ("cursor=nonsense", "?cursor"),
        ("colour=red", "?colour"),
        ("context.a__near=1", "?context.a__near"),
        ("user=%00", "?user"),
        ("min_messages=-1", "?min_messages"),
    ],
)
@pytest.mark.parametrize("path", [OURS, "/api/ai-mentor/orgs/demo/users/alice/sessions/"])
def test_a_parameter_that_is_wrong_is_named(
    backend: Caller, coach: Mentor, path: str, query: str, pointer: str
) -> None:
    assert backend(f"{path}?{query}") == (400, problem(400, "invalid_filter", pointer))


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("page=0", "?page"),
        ("page=101", "?page"),
        ("page=2&cursor=x", "?page"),
        ("page_size=1000", "?page_size"),
        ("start_date=tomorrow", "?start_date"),
        ("user=bob", "?user"),
        ("platform_key=other", "?platform_key"),
        ("platform_key=%00", "?tenant"),
    ],
)
def test_a_foreign_parameter_is_named_as_it_was_sent(
    backend: Caller, coach: Mentor, query: str, pointer: str
) -> None:
    status, body = backend(f"{IBL}?{query}")
    assert (status, body["errors"][0]["pointer"]) == (400, pointer.replace("?tenant", "?platform_key"))


@pytest.mark.parametrize("path", ["demo/coach/a%00b", "demo/%00/alice", "%00/coach/alice", "demo/coach/%ff"])
def test_what_no_name_can_be_names_nothing(backend: Caller, coach: Mentor, path: str) -> None:
    status, body = backend(f"/api/v1/{path}/sessions/")
    assert (status, body.get("results")) in [(404, None), (200, [])]


def test_a_very_long_name_names_nothing(backend: Caller, coach: Mentor) -> None:
    assert backend(f"/api/v1/demo/{'x' * 3000}/alice/sessions/")[0] == 404
    assert backend(f"/api/v1/demo/coach/{'x' * 3000}/sessions/")[1]["results"] == []


def test_only_reading_is_known_here(backend: Caller, coach: Mentor) -> None:
    assert backend(OURS, "post", body={})[0] == backend(SEED, "delete")[0] == 405
    assert Session.objects.count() == 0


def test_ids_are_listed_plainly(backend: Caller, coach: Mentor) -> None:
    made = [str(make_session(coach, minutes=minute).pk) for minute in range(3)]
    answer = backend.answer("/api/ai-mentor/orgs/demo/users/alice/sessionid/?limit=2&start_date=2026-11-20")
    assert answer.json() == [{"id": made[2]}, {"id": made[1]}]
    link = answer["Link"].removeprefix("<").removesuffix('>; rel="next"')
    assert backend(link) == (200, [{"id": made[0]}])


def test_recent_messages_are_the_newest_sessions_last_words(backend: Caller, coach: Mentor) -> None:
    make_session(coach, turns=9, context={"a": 1})
    status, (row,) = backend("/api/ai-mentor/orgs/demo/users/alice/recent-messages/?mentor=coach")
    assert [message["sequence"] for message in row.pop("messages")] == list(range(18, 8, -1))
    assert (status, row["title"], row["client_context"], row["session_id"]) == (
        200,
        "Question 1.",
        {"a": 1},
        AN_ID,
    )
