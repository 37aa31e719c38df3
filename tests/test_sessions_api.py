"""`POST /api/ai-mentor/orgs/{org}/users/{user_id}/sessions/`, and how anonymous users continue a session."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import OperationalError
from django.test import Client, RequestFactory

from chat.models import ApiToken, ChatMessageHistory, Mentor, Session, Tenant
from chat.problems import problem as told_as_problem

from .clients import Frame, Stream, TalkMaker, events, fetch, request
from .expecting import A_SECRET, AN_ID, SENTENCE, problem, refusal
from .model_server import ModelServer

NO_SESSION = refusal(404, "not_found", "/session_id")
UNSIGNED = refusal(401, "authentication_failed")


def path(org: str = "demo", user: str | None = None) -> str:
    users = "" if user is None else f"users/{user}/"
    return f"/api/ai-mentor/orgs/{org}/{users}sessions/"


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Api-Token {token}"}


def made(url: str, user: str | None = None, token: str | None = None) -> Frame:
    """A session with the coach, made over REST."""
    status, body = fetch(url, "POST", path(user=user), {"mentor": "coach"}, bearer(token) if token else None)
    assert status == 200, body
    answer: Frame = body
    return answer


# --- making one


def test_an_anonymous_session_comes_with_its_token(live: str, coach: Mentor) -> None:
    assert made(live) == {
        "session_id": AN_ID,
        "session_token": A_SECRET,
        "mentor": "coach",
        "mentor_unique_id": str(coach.unique_id),
        "tools": [],
        "enable_artifacts": False,
        "artifacts": [],
    }
    session = Session.objects.get()
    assert (session.anonymous, session.user_id, session.mentor) == (True, "", coach)
    assert uuid.UUID(str(session.id)).version == 4


def test_a_users_session_needs_none(live: str, coach: Mentor, token: str) -> None:
    assert made(live, "alice", token) == {
        "session_id": AN_ID,
        "mentor": "coach",
        "mentor_unique_id": str(coach.unique_id),
        "tools": [],
        "enable_artifacts": False,
        "artifacts": [],
    }
    session = Session.objects.get()
    assert (session.anonymous, session.user_id) == (False, "alice")


def test_a_user_id_is_opaque(live: str, coach: Mentor, token: str) -> None:
    made(live, "https%3A%2F%2Fid.example%2F%E6%99%AF%20%2B1".replace("%2F", "-"), token)
    assert Session.objects.get().user_id == "https:--id.example-景 +1"


def test_staff_make_their_own(live: str, coach: Mentor, demo: Tenant) -> None:
    user = User.objects.create_user("dora", is_staff=True)
    user.tenants.add(demo)
    client = Client(HTTP_HOST="127.0.0.1")
    client.get("/admin/login/")
    csrf = client.cookies["csrftoken"].value
    client.force_login(user)
    cookies = f"sessionid={client.cookies['sessionid'].value}; csrftoken={csrf}"
    headers = {"Cookie": cookies, "X-CSRFToken": csrf, "Origin": live}
    assert fetch(live, "POST", path(user="staff:dora"), {"mentor": "coach"}, headers)[0] == 200
    assert Session.objects.get().user_id == "staff:dora"
    assert fetch(live, "POST", path(user="alice"), {"mentor": "coach"}, headers)[0] == 404


# --- who may not


def test_nobody_makes_a_session_for_a_user_without_a_token(live: str, coach: Mentor) -> None:
    assert fetch(live, "POST", path(user="alice"), {"mentor": "coach"}) == (
        404,
        problem(404, "not_found", "/mentor"),
    )
    assert not Session.objects.exists()


def test_a_missing_mentor_and_a_foreign_one_are_told_alike(
    live: str, coach: Mentor, demo: Tenant, other: Tenant
) -> None:
    Mentor(tenant=demo, slug="closed", name="Closed").save()
    _, others = ApiToken.issue(other, scope="write_all", name="mallory")
    asked = [
        fetch(live, "POST", path(org, user), {"mentor": mentor}, bearer(others) if user else None)
        for org, user, mentor in [
            ("demo", "alice", "coach"),
            ("demo", "alice", "nobody"),
            ("nowhere", "alice", "coach"),
            ("demo", None, "closed"),
            ("demo", None, "nobody"),
            ("nowhere", None, "coach"),
            ("%00", None, "coach"),
        ]
    ]
    assert asked == [(404, problem(404, "not_found", "/mentor"))] * len(asked)
    assert len({body["detail"] for _, body in asked}) == 1


def test_a_token_that_is_none(live: str, coach: Mentor) -> None:
    body = {**problem(401, "authentication_failed"), "detail": SENTENCE}
    assert fetch(live, "POST", path(), {"mentor": "coach"}, bearer("mk_old")) == (401, body)


def test_a_reading_token_makes_none(live: str, coach: Mentor, demo: Tenant) -> None:
    _, reader = ApiToken.issue(demo, scope="read_all", name="reader")
    answer = fetch(live, "POST", path(user="alice"), {"mentor": "coach"}, bearer(reader))
    assert answer == (403, problem(403, "permission_denied"))


@pytest.mark.parametrize("user", ["%00", "a%00b"])
def test_a_user_id_is_text(live: str, coach: Mentor, token: str, user: str) -> None:
    answer = fetch(live, "POST", path(user=user), {"mentor": "coach"}, bearer(token))
    assert answer == (400, problem(400, "invalid_payload", ""))


def test_a_user_id_has_an_end(live: str, coach: Mentor, token: str) -> None:
    answer = fetch(live, "POST", path(user="x" * 256), {"mentor": "coach"}, bearer(token))
    assert answer == (400, problem(400, "invalid_payload", ""))


def test_only_post_and_only_json(live: str, coach: Mentor) -> None:
    status, body = fetch(live, "GET", path())
    assert (status, body["code"], body["detail"]) == (405, "method_not_allowed", SENTENCE)
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    status, body = fetch(live, "POST", path(), b"mentor=coach", form)
    assert (status, body["code"], body["detail"]) == (415, "unsupported_media_type", SENTENCE)


def test_while_the_database_is_away_a_caller_is_told_so() -> None:
    asked = {"request": RequestFactory().post(path())}
    response = told_as_problem(OperationalError("the connection is closed"), asked)
    assert response is not None
    assert (response.status_code, response.data) == (503, problem(503, "unavailable"))


# --- continuing it


def test_a_made_session_is_used_with_its_token(talk: TalkMaker, live: str) -> None:
    session = made(live)
    one = talk(session_id=session["session_id"], session_token=session["session_token"])
    start = one.say("Hello.").start
    assert (start["sequence"], "session_token" in start) == (2, False)
    assert one.say("And?").end["status"] == "complete"


def test_a_made_session_is_the_users_only(talk: TalkMaker, live: str, token: str) -> None:
    session = made(live, "alice", token)
    bob = talk(session_id=session["session_id"], token=token, username="bob")
    assert bob.say("Hello.").frames == [NO_SESSION]
    alice = talk(session_id=session["session_id"], token=token, username="alice")
    assert alice.say("Hello.").end["status"] == "complete"


def test_an_unused_session_cannot_be_taken_over(talk: TalkMaker, live: str, model: ModelServer) -> None:
    mine, theirs = made(live), made(live)
    thieves = [
        (talk(session_id=mine["session_id"]), NO_SESSION),
        (talk(session_id=mine["session_id"], session_token="guessed"), UNSIGNED),
        (talk(session_id=mine["session_id"], session_token=theirs["session_token"]), UNSIGNED),
    ]
    for thief, told in thieves:
        assert thief.say("Hello.").frames == [told]
    assert (ChatMessageHistory.objects.count(), model.received) == (0, [])


def test_a_session_token_is_required_by_default(talk: TalkMaker, model: ModelServer) -> None:
    one = talk()
    one.say("Hello.")
    assert talk(session_id=one.session_id).say("And?").frames == [NO_SESSION]
    assert talk(session_id=one.session_id, session_token=one.session_token).say("And?").end["eos"]


def test_a_session_token_may_come_in_the_header(talk: TalkMaker) -> None:
    one = talk()
    one.say("Hello.")
    again = talk(session_id=one.session_id, headers={"Authorization": f"Session {one.session_token}"})
    assert again.say("And?").end["status"] == "complete"


def test_a_mentor_may_take_the_bare_session_id(talk: TalkMaker, coach: Mentor, live: str) -> None:
    coach.anonymous_continuation = "session_id"
    coach.save()
    one = talk()
    generation = one.say("Hello.").generation_id
    again = talk(session_id=one.session_id)
    assert again.say("And?").start["sequence"] == 4
    assert fetch_events(live, generation)[-1]["status"] == "complete"


def fetch_events(url: str, generation: str) -> list[Frame]:
    with request(url, "GET", f"/api/mentor/chat/{generation}/") as response:
        return list(events(response))


def test_the_bare_session_id_opens_no_users_session(talk: TalkMaker, coach: Mentor, token: str) -> None:
    coach.anonymous_continuation = "session_id"
    coach.save()
    alice = talk(token=token, username="alice")
    alice.say("Hello.")
    assert talk(session_id=alice.session_id).say("And?").frames == [NO_SESSION]


def test_the_tenants_own_token_continues_an_anonymous_session(talk: TalkMaker, token: str) -> None:
    one = talk()
    one.say("Hello.")
    assert talk(session_id=one.session_id, token=token).say("And?").start["sequence"] == 4
    named = talk(session_id=one.session_id, token=token, username="alice")
    assert named.say("And?").frames == [NO_SESSION]


def test_a_session_token_outlives_the_key_that_signed_it(
    live: str, coach: Mentor, model: ModelServer, settings: Any
) -> None:
    """Keys are rotated: the old one is still believed as long as it is listed."""
    session = made(live)
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "the next key"
    ids = {"session_id": session["session_id"], "session_token": session["session_token"]}
    assert Stream(live, "demo", "coach", **ids).say("Hello.").end["status"] == "complete"


def test_a_key_that_has_no_effect_is_named(live: str, coach: Mentor) -> None:
    status, body = fetch(live, "POST", path(), {"mentor": "coach", "metadata": {"a": 1}})
    assert status == 200
    assert [(w["code"], w["pointer"]) for w in body["warnings"]] == [("unknown_key", "/metadata")]


def test_a_page_elsewhere_may_ask_first_and_read_the_answer(live: str, coach: Mentor) -> None:
    origin = {"Origin": "https://school.example"}
    with request(live, "OPTIONS", path(), None, origin) as preflight:
        assert (preflight.status, preflight.headers["access-control-allow-methods"]) == (204, "POST, OPTIONS")
    with request(live, "POST", path(), b'{"mentor": "coach"}', origin) as answer:
        assert (answer.status, answer.headers["access-control-allow-origin"]) == (
            403,
            "https://school.example",
        )
