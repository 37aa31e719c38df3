"""Who may read, write and remove a session's messages, and what a page may say: decided by the credential."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from chat.models import ApiToken, ChatMessageHistory, Mentor, Session, Tenant

from .clients import fetch, request
from .expecting import SENTENCE, problem
from .posting import Poster, bearer, make, message, preflight, signed

NOT_THERE = (404, problem(404, "not_found"))


@pytest.fixture
def session(coach: Mentor) -> Session:
    """A visitor's with the coach."""
    return make(coach, user="")


@pytest.fixture
def backend(live: str, session: Session, token: str) -> Poster:
    return Poster(live, session.pk, bearer(token))


@pytest.fixture
def page(live: str, session: Session) -> Poster:
    """The visitor's own page."""
    return Poster(live, session.pk, signed(session))


def everything(who: Poster, name: str) -> list[tuple[int, Any]]:
    """What is told to each request."""
    asked = [("GET", ""), ("GET", f"{name}/"), ("GET", f"{name}/debug_data/"), ("DELETE", f"{name}/")]
    return [who.at(*one) for one in asked] + [who.at("POST", "", {"content": "Hi."})]


# --- a page


def test_a_page_speaks_for_its_user(page: Poster) -> None:
    told = page.post(id="1", message_type="command", metadata={"footer_items": ["a"], "mine": {"b": None}})
    visitors = {"participant_id": "anonymous", "participant_role": "user"}
    expected = message(
        sender=visitors,
        client_message_id="1",
        message_type="command",
        metadata={"footer_items": ["a"], "mine": {"b": None}},
    )
    assert told == {**expected, "warnings": []}
    assert page.list() == [page.show("1")] == [expected]


def test_keys_that_are_not_a_pages_are_put_aside(page: Poster, backend: Poster) -> None:
    sent = {"attribution": "The bank", "href": "javascript:alert(1)", "debug": {"a": 1}, "mine": 1}
    told = page.post(id="1", metadata=sent, debug_data={"b": 2}, sender={"participant_id": "root"})
    assert told["warnings"] == [
        {"code": "key_not_yours", "pointer": pointer, "message": SENTENCE}
        for pointer in (
            "/metadata/attribution",
            "/metadata/href",
            "/metadata/debug",
            "/debug_data",
            "/sender/participant_id",
        )
    ]
    assert (told["metadata"], told["rejected_metadata"], told["has_debug_data"]) == ({"mine": 1}, None, False)
    assert told["sender"]["participant_id"] == "anonymous"
    aside = {
        "attribution": "The bank",
        "href": "javascript:alert(1)",
        "debug": {"a": 1},
        "debug_data": {"b": 2},
    }
    assert backend.show("1")["rejected_metadata"] == aside
    assert (page.show("1")["rejected_metadata"], backend.debug("1")) == (None, {})


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"sender": {"participant_role": "assistant"}}, "/sender/participant_role"),
        ({"sender": {"participant_role": "service"}}, "/sender/participant_role"),
        ({"message_type": "notice"}, "/message_type"),
        ({"message_type": "command-response"}, "/message_type"),
    ],
)
def test_what_a_page_may_not_say(page: Poster, body: dict[str, Any], pointer: str) -> None:
    told = page.refused(content="Hi.", **body)
    assert told == (403, problem(403, "permission_denied", pointer))
    assert not ChatMessageHistory.objects.exists()


def test_what_is_put_aside_counts_too(page: Poster) -> None:
    told = page.refused(content="", metadata={"debug": {"a": "x" * 20_000}})
    assert told == (413, problem(413, "metadata_too_large", "/metadata"))


def test_a_page_sees_no_debug_data(page: Poster, backend: Poster) -> None:
    name = backend.post(metadata={"debug": {"a": 1}})["id"]
    assert (backend.show(name)["has_debug_data"], page.show(name)["has_debug_data"]) == (True, False)
    assert page.at("GET", f"{name}/debug_data/") == NOT_THERE


def test_a_page_has_so_many_messages_a_minute(page: Poster, backend: Poster, settings: Any) -> None:
    settings.LIMIT_TURNS_PER_MINUTE_PER_SESSION = 3
    for _ in range(3):
        page.post()
    assert page.refused(content="Hi.") == (429, problem(429, "rate_limited"))
    assert backend.post()["sequence"] == 4


def test_a_page_removes_its_users_messages_only(page: Poster, backend: Poster) -> None:
    mine = page.post()["id"]
    theirs = [
        backend.post(sender={"participant_role": "service"})["id"],
        backend.post(sender={"participant_role": "assistant"})["id"],
        backend.post(sender={"participant_id": "somebody"})["id"],
    ]
    assert [page.remove(name) for name in theirs] == [403] * 3
    assert page.remove(mine) == 204


# --- tokens and staff


def test_a_token_that_reads_writes_nothing(live: str, page: Poster, demo: Tenant) -> None:
    name = page.post()["id"]
    reader = Poster(live, page.session_id, bearer(ApiToken.issue(demo, scope="read_all", name="reader")[1]))
    denied = (403, problem(403, "permission_denied"))
    told = everything(reader, name)
    assert [status for status, _ in told[:3]] == [200] * 3
    assert told[3:] == [denied] * 2


def test_a_token_that_is_bound_to_a_mentor(
    live: str, page: Poster, demo: Tenant, coach: Mentor, tutor: Mentor
) -> None:
    name = page.post()["id"]
    tokens = [ApiToken.issue(demo, scope="write_all", name=one.slug, mentor=one)[1] for one in (coach, tutor)]
    coachs, tutors = (Poster(live, page.session_id, bearer(token)) for token in tokens)
    assert everything(tutors, name) == [NOT_THERE] * 5
    assert [status for status, _ in everything(coachs, name)] == [200, 200, 200, 204, 201]


def test_staff_may_what_their_tenants_token_may(page: Poster, demo: Tenant) -> None:
    name = page.post(metadata={"href": "/x"})["id"]
    dora = signed_in("dora", demo)
    path = f"{page.path}{name}/"
    assert dora.get(path).json()["rejected_metadata"] == {"href": "/x"}
    body = {"content": "Look.", "sender": {"participant_role": "service"}, "metadata": {"href": "/x"}}
    told = dora.post(page.path, body, content_type="application/json")
    assert (told.status_code, told.json()["metadata"]) == (201, {"href": "/x"})
    assert dora.delete(path).status_code == 204
    asked = dora.post(f"{page.path}?respond=true", body, content_type="application/json")
    assert (asked.status_code, asked.json()) == (403, problem(403, "permission_denied"))


def test_staff_of_nobody_are_strangers(page: Poster) -> None:
    name = page.post()["id"]
    eve = signed_in("eve")
    told = [eve.get(page.path), eve.delete(f"{page.path}{name}/"), eve.get(f"{page.path}{name}/debug_data/")]
    assert [(one.status_code, one.json()) for one in told] == [NOT_THERE] * 3


def signed_in(name: str, *tenants: Tenant) -> Client:
    user = User.objects.create_user(name, is_staff=True)
    user.tenants.add(*tenants)
    client = Client()
    client.force_login(user)
    return client


# --- strangers


def test_a_stranger_is_told_what_is_told_of_nothing(
    live: str, page: Poster, others_token: str, session: Session
) -> None:
    name = page.post()["id"]
    mallory = Poster(live, page.session_id, bearer(others_token))
    assert everything(mallory, name) == [NOT_THERE] * 5
    assert everything(mallory.elsewhere(uuid.uuid4()), name) == [NOT_THERE] * 5
    assert everything(mallory.elsewhere("nothing"), name) == [NOT_THERE] * 5


def test_another_visitors_token_proves_nothing(live: str, page: Poster, coach: Mentor) -> None:
    name = page.post()["id"]
    bob = Poster(live, page.session_id, signed(make(coach, user="")))
    unproved = (401, problem(401, "authentication_failed"))
    assert everything(bob, name) == [unproved] * 5
    assert everything(bob.elsewhere(uuid.uuid4()), name) == [unproved] * 5


def test_a_users_session_has_no_visitor(live: str, coach: Mentor) -> None:
    alices = make(coach)
    assert everything(Poster(live, alices.pk, signed(alices)), "1") == [NOT_THERE] * 5


def test_nobody_is_asked_for_a_token(live: str, page: Poster, coach: Mentor) -> None:
    coach.anonymous_continuation = "session_id"
    coach.save()
    name = page.post()["id"]
    told = everything(Poster(live, page.session_id), name)
    assert told == [(401, problem(401, "authentication_required"))] * 5


# --- pages elsewhere


@pytest.mark.parametrize("closed", [{"is_active": False}, {"allow_anonymous": False}])
def test_a_mentor_that_takes_no_visitors_any_more_is_written_to_by_none(
    page: Poster, coach: Mentor, closed: dict[str, bool]
) -> None:
    page.post(id="1")
    Mentor.objects.filter(pk=coach.pk).update(**closed)
    assert page.at("POST", "", {"content": "Hi."}) == page.at("DELETE", "1/") == NOT_THERE
    assert [one["client_message_id"] for one in page.list()] == ["1"]


def test_a_pages_origin_is_judged(page: Poster, coach: Mentor) -> None:
    coach.allowed_origins = ["https://shop.example"]
    coach.save()
    name = page.post()["id"]
    page.headers["Origin"] = "https://evil.example"
    refused = (403, problem(403, "origin_not_allowed"))
    told = everything(page, name)
    assert [told[0], told[1], told[3], told[4]] == [refused] * 4
    page.headers["Origin"] = "https://shop.example"
    assert [status for status, _ in everything(page, name)] == [200, 200, 404, 204, 201]


def test_a_page_elsewhere_may_ask_first_and_read_the_answer(page: Poster) -> None:
    origin = "https://shop.example"
    assert preflight(page, page.path, origin) == (204, "GET, POST, OPTIONS")
    assert preflight(page, f"{page.path}1/", origin) == (204, "GET, DELETE, OPTIONS")
    for method in ("GET", "POST", "DELETE"):
        path = page.path if method == "POST" else f"{page.path}1/"
        with request(page.url, method, path, b"{}", {**page.headers, "Origin": origin}) as answer:
            assert answer.headers["access-control-allow-origin"] == origin


def test_the_paths_know_no_other_method(page: Poster) -> None:
    for method, path in (
        ("PUT", page.path),
        ("PATCH", f"{page.path}1/"),
        ("POST", f"{page.path}1/debug_data/"),
    ):
        assert fetch(page.url, method, path, {}, page.headers)[0] == 405
