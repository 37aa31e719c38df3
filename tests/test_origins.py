"""Which pages may talk to a mentor: judged with each payload, when the mentor is known."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from chat.models import ApiToken, ChatMessageHistory, Mentor, Session, Tenant

from .clients import Frame, Socket, Stream, TalkMaker, fetch, request
from .expecting import problem, refusal
from .model_server import Answer, ModelServer

LISTED = "https://shop.example"
REFUSED = refusal(403, "origin_not_allowed")
PATH = "/api/mentor/chat/"


@pytest.fixture
def shop(coach: Mentor) -> Mentor:
    """The coach, on a shop's pages."""
    coach.allowed_origins = [LISTED]
    coach.save()
    return coach


@pytest.fixture
def dora(demo: Tenant) -> str:
    """The cookie of a member of demo's staff."""
    user = User.objects.create_user("dora", is_staff=True)
    user.tenants.add(demo)
    client = Client()
    client.force_login(user)
    return f"sessionid={client.cookies['sessionid'].value}"


def last(talk: Socket | Stream) -> Frame:
    end: Frame = talk.say("Hello.").end
    return end


def test_our_own_host_passes(talk: TalkMaker, shop: Mentor, live: str) -> None:
    assert last(talk(headers={"Origin": live}))["status"] == "complete"


def test_a_listed_origin_passes(talk: TalkMaker, shop: Mentor) -> None:
    assert last(talk(headers={"Origin": LISTED}))["status"] == "complete"


def test_a_star_lists_every_origin(talk: TalkMaker, coach: Mentor) -> None:
    coach.allowed_origins = ["*"]
    coach.save()
    assert last(talk(headers={"Origin": "https://anywhere.example"}))["status"] == "complete"


def test_without_an_origin_and_without_cookies_it_is_no_page(talk: TalkMaker, shop: Mentor) -> None:
    assert last(talk())["status"] == "complete"


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "http://shop.example",
        "https://shop.example:8443",
        "https://shop.example.evil.example",
        "https://shop.example/",
        "https://SHOP.example@evil.example",
        "null",
        "",
        "file://",
        "http://[",
        "http://[::1]]:80",
        "https://shop.example, https://shop.example",
    ],
)
def test_an_unlisted_origin_is_refused(
    talk: TalkMaker, shop: Mentor, model: ModelServer, origin: str
) -> None:
    assert last(talk(headers={"Origin": origin})) == REFUSED
    assert (Session.objects.count(), ChatMessageHistory.objects.count(), model.received) == (0, 0, [])


def test_a_token_does_not_open_an_unlisted_origin(talk: TalkMaker, shop: Mentor, token: str) -> None:
    assert last(talk(headers={"Origin": "https://evil.example"}, token=token)) == REFUSED


def test_cookies_without_an_origin_are_refused(talk: TalkMaker, shop: Mentor, dora: str) -> None:
    assert last(talk(headers={"Cookie": dora})) == REFUSED
    assert last(talk(headers={"Cookie": "theme=dark"})) == REFUSED


@pytest.mark.parametrize(
    ("host", "origin", "status"),
    [
        ("chat.example", "https://chat.example", "complete"),
        ("chat.example", "http://chat.example:80", "complete"),
        ("chat.example:8443", "https://chat.example:8443", "complete"),
        ("chat.example:8443", "https://chat.example", None),
        ("rebound.example", "http://rebound.example", None),
        ("chat.example", "https://rebound.example", None),
        ("", "http://", None),
    ],
)
def test_our_own_host_is_one_of_the_allowed_ones(
    talk: TalkMaker, settings: Any, host: str, origin: str, status: str | None
) -> None:
    """The Host header alone proves nothing: an attacker's name may point to our address."""
    settings.ALLOWED_HOSTS = ["chat.example"]
    assert (
        last(Stream(talk().url, "demo", "coach", headers={"Host": host, "Origin": origin})).get("status")
        == status
    )


def test_cookies_count_from_our_own_host(talk: TalkMaker, live: str, dora: str) -> None:
    talk(headers={"Cookie": dora, "Origin": live}).say("Hello.")
    assert (Session.objects.get().user_id, Session.objects.get().anonymous) == ("staff:dora", False)


@pytest.mark.parametrize(
    "key", ["guessed", r'"\000abcdefgh"', "x" * 4000, "", "a=b; sessionid", "景".encode().decode("latin-1")]
)
def test_a_cookie_that_is_none_is_nobodys(talk: TalkMaker, live: str, key: str) -> None:
    assert last(talk(headers={"Cookie": f"sessionid={key}", "Origin": live}))["status"] == "complete"
    assert Session.objects.get().anonymous
    path = "/api/ai-mentor/orgs/demo/sessions/"
    assert fetch(live, "POST", path, {"mentor": "coach"}, {"Cookie": f"sessionid={key}"})[0] == 200


def test_cookies_do_not_count_from_a_listed_origin(talk: TalkMaker, shop: Mentor, dora: str) -> None:
    talk(headers={"Cookie": dora, "Origin": LISTED}).say("Hello.")
    assert (Session.objects.get().user_id, Session.objects.get().anonymous) == ("", True)


def test_an_unlisted_origin_connects_and_is_judged_by_each_payload(
    live: str, shop: Mentor, model: ModelServer
) -> None:
    one = Socket(live, "demo", "coach", headers={"Origin": "https://new.example"})
    assert last(one) == REFUSED
    shop.allowed_origins = ["https://new.example"]
    shop.save()
    assert last(one)["status"] == "complete"
    shop.allowed_origins = []
    shop.save()
    assert last(one) == REFUSED
    one.close()


@pytest.mark.parametrize("action", ["stop", "resume"])
def test_actions_are_judged_too(
    live: str, coach: Mentor, model: ModelServer, token: str, action: str
) -> None:
    model.enqueue(Answer(["one ", "two "] * 20, gap=0.02))
    alice = Socket(live, "demo", "coach")
    alice.put(alice.payload("Hello."))
    evil = Socket(live, "demo", "coach", headers={"Origin": "https://evil.example"})
    evil.put({"action": action, "generation_id": alice.get()["generation_id"], "token": token})
    assert evil.get() == REFUSED
    alice.close()
    evil.close()


def test_a_session_is_made_for_allowed_pages_only(live: str, shop: Mentor) -> None:
    path = "/api/ai-mentor/orgs/demo/sessions/"
    for origin, status in [(LISTED, 200), (live, 200), ("https://evil.example", 403)]:
        answer = fetch(live, "POST", path, {"mentor": "coach"}, {"Origin": origin})
        assert answer[0] == status
    assert answer[1] == problem(403, "origin_not_allowed")
    assert Session.objects.count() == 2


def test_a_session_is_not_made_by_a_form_of_another_page(live: str, coach: Mentor, dora: str) -> None:
    """A cookie speaks for staff only with Django's CSRF token."""
    path = "/api/ai-mentor/orgs/demo/users/dora/sessions/"
    for headers in ({"Cookie": dora}, {"Cookie": dora, "Origin": "https://evil.example"}):
        assert fetch(live, "POST", path, {"mentor": "coach"}, headers)[0] == 403
    assert not Session.objects.exists()


# --- what a browser asks before, and reads after


def preflight(url: str, path: str, origin: str) -> tuple[int, dict[str, str]]:
    headers = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type",
    }
    with request(url, "OPTIONS", path, headers=headers) as response:
        assert response.read() == b""
        return response.status, {name.lower(): value for name, value in response.headers.items()}


@pytest.mark.parametrize("path", [PATH, f"{PATH}6f1c9a52-3d0e-4b7a-9c1f-2e8d5a7b4c30/", "/api/agent/chat/"])
def test_a_preflight_lets_a_page_ask(live: str, path: str) -> None:
    status, headers = preflight(live, path, LISTED)
    assert status == 204
    assert headers["access-control-allow-origin"] == LISTED
    assert {"GET", "POST"} <= set(headers["access-control-allow-methods"].split(", "))
    assert {"authorization", "content-type", "last-event-id"} == set(
        headers["access-control-allow-headers"].split(", ")
    )
    assert "access-control-allow-credentials" not in headers
    assert headers["vary"].lower() == "origin"


@pytest.mark.parametrize("origin", [LISTED, "https://evil.example"])
def test_a_page_can_read_its_stream_or_why_there_is_none(
    live: str, shop: Mentor, model: ModelServer, origin: str
) -> None:
    body = json.dumps(Stream(live, "demo", "coach").payload("Hello.")).encode()
    with request(live, "POST", PATH, body, {"Origin": origin}) as response:
        assert response.headers["access-control-allow-origin"] == origin
        assert response.headers["vary"].lower() == "origin"
        assert response.status == (200 if origin == LISTED else 403)


def test_a_page_reads_what_it_missed_by_fetch(live: str, shop: Mentor, model: ModelServer) -> None:
    one = Stream(live, "demo", "coach", headers={"Origin": LISTED})
    generation = one.say("Hello.").generation_id
    headers = {"Origin": LISTED, "Authorization": f"Session {one.session_token}", "Last-Event-ID": "2"}
    with request(live, "GET", f"{PATH}{generation}/", headers=headers) as response:
        assert (response.status, response.headers["access-control-allow-origin"]) == (200, LISTED)
        assert response.readline() == b"id: 3\n"


def test_a_token_of_the_tenant_needs_no_origin(
    live: str, shop: Mentor, model: ModelServer, demo: Tenant
) -> None:
    _, secret = ApiToken.issue(demo, scope="write_all", name="server")
    one = Stream(live, "demo", "coach", headers={"Authorization": f"Api-Token {secret}"})
    assert last(one)["status"] == "complete"
