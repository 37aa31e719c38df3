"""A context before the first message: the session is made by it, and the first turn goes on with it."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest

from chat import access
from chat.models import Mentor, Session, SessionContextVersion

from ..clients import TalkMaker, fetch, new_session
from ..expecting import A_SECRET, problem
from ..model_server import ModelServer
from ..posting import make
from .conftest import CA, Writer, bearer, is_kept_alike, written

pytestmark = pytest.mark.django_db(transaction=True)
COACH = {"name": "coach", "tenant": "demo"}
NO_MENTOR = (404, problem(404, "not_found", "/flow"))


def body(**more: Any) -> dict[str, Any]:
    return {"client_context": CA, "flow": COACH, **more}


@pytest.fixture
def backend(token: str, coach: Mentor) -> Writer:
    """In a session that is not there."""
    return Writer(uuid.uuid4(), bearer(token))


@pytest.fixture
def visitor(coach: Mentor) -> Writer:
    return Writer(uuid.uuid4(), {})


def test_a_token_begins_a_session_without_a_message(backend: Writer) -> None:
    answer = backend.call("PUT", body(user="alice"))
    assert (answer.status_code, answer.json(), answer["ETag"]) == (201, written(), '"1"')
    session = Session.objects.get()
    assert (session.user_id, session.anonymous, session.next_sequence) == ("alice", False, 1)
    assert is_kept_alike(session.pk)
    assert backend.at("PUT", body(user="alice")) == (200, written(changed=False))


@pytest.mark.parametrize("said", [{"flow": {**COACH, "username": "alice"}}, {"user": "alice"}])
def test_the_user_is_named_in_either_place(backend: Writer, said: Any) -> None:
    assert backend.at("PUT", {**body(), **said})[0] == 201
    assert Session.objects.get().user_id == "alice"


def test_the_mentor_may_stand_in_the_address(backend: Writer, coach: Mentor) -> None:
    query = f"?mentor={coach.unique_id}&tenant=demo&user=alice"
    assert backend.at("PUT", {"client_context": CA}, query) == (201, written())
    assert Session.objects.get().mentor == coach
    missing = backend.at("PUT", {"client_context": CA}, "?mentor=coach")
    assert missing == (422, problem(422, "invalid_context", "?tenant"))


def test_an_empty_context_begins_one_too(backend: Writer) -> None:
    told = backend.at("PUT", body(client_context={}))
    assert (told[0], told[1]["version"], told[1]["changed"]) == (201, 0, False)


def test_a_visitor_is_given_the_sessions_token_once(visitor: Writer) -> None:
    status, told = visitor.at("PUT", body())
    secret = told["session_token"]
    assert (status, told) == (201, written(author=None, verified_keys=[], session_token=A_SECRET))
    assert access.is_session_token(secret, uuid.UUID(visitor.session_id))
    page = Writer(visitor.session_id, {"Authorization": f"Session {secret}"})
    assert page.at("PUT", body(client_context={})) == (
        200,
        written(client_context={}, version=2, author=None, verified_keys=[]),
    )
    assert visitor.at("PUT", body()) == (404, problem(404, "not_found"))


def test_a_visitor_who_lost_the_answer_asks_again(visitor: Writer) -> None:
    key = str(uuid.uuid4())
    first = visitor.at("PUT", body(), Idempotency_Key=key)
    assert visitor.at("PUT", body(), Idempotency_Key=key) == first
    assert first[1]["session_token"]
    strangers: list[tuple[Any, str]] = [(body(), str(uuid.uuid4())), (body(client_context={}), key)]
    for sent, other in strangers:
        assert visitor.at("PUT", sent, Idempotency_Key=other)[0] == 404
    Session.objects.update(next_sequence=3)
    assert visitor.at("PUT", body(), Idempotency_Key=key)[0] == 404


def test_a_guessable_key_speaks_for_nobody(visitor: Writer) -> None:
    assert visitor.at("PUT", body(), Idempotency_Key="1")[0] == 201
    assert visitor.at("PUT", body(), Idempotency_Key="1")[0] == 404


def test_who_may_not_talk_to_the_mentor_begins_nothing(
    visitor: Writer, backend: Writer, tutor: Mentor, others_token: str
) -> None:
    asked = {"flow": {"name": "tutor", "tenant": "demo"}}
    assert visitor.at("PUT", {**body(), **asked}) == NO_MENTOR
    assert visitor.at("PUT", body(flow={"name": "nobody", "tenant": "demo"})) == NO_MENTOR
    assert Writer(visitor.session_id, bearer(others_token)).at("PUT", body()) == NO_MENTOR
    twice = (422, problem(422, "invalid_context", "?mentor"))
    assert visitor.at("PUT", body(), "?mentor=coach&tenant=demo") == twice
    assert visitor.at("PUT", body(user="alice"), "?user=bob")[0] == 422
    assert visitor.at("PUT", {"client_context": {}}, "?mentor=%00&tenant=demo")[0] == 404
    assert not Session.objects.exists()


def test_a_session_that_is_there_stays_whose_it_is(backend: Writer, coach: Mentor, tutor: Mentor) -> None:
    alices = backend.elsewhere(make(coach).pk)
    assert alices.at("PUT", body(user="bob")) == (404, problem(404, "not_found"))
    tutors = body(flow={"name": "tutor", "tenant": "demo"})
    assert alices.at("PUT", tutors) == (409, problem(409, "flow_mismatch", "/flow"))
    assert Writer(alices.session_id, {}).at("PUT", body()) == (404, problem(404, "not_found"))
    assert alices.at("PUT", body())[0] == 200


def test_a_condition_that_fails_makes_no_session(backend: Writer) -> None:
    for headers in ({"If_Match": "*"}, {"If_Match": '"1"'}):
        assert backend.at("PUT", body(), **headers) == (412, problem(412, "precondition_failed"))
    assert not Session.objects.exists()
    assert backend.at("PUT", body(), If_None_Match="*")[0] == 201
    assert backend.at("PUT", body(), If_None_Match="*")[0] == 412


def test_an_id_is_a_uuid_of_version_4(backend: Writer) -> None:
    old = backend.elsewhere("6ba7b810-9dad-11d1-80b4-00c04fd430c8")
    assert old.at("PUT", body()) == (422, problem(422, "invalid_context", "/session_id"))
    assert not Session.objects.exists()


def test_without_a_mentor_nothing_is_begun(backend: Writer) -> None:
    assert backend.at("PUT", {"client_context": CA}) == (404, problem(404, "not_found"))


# --- and then the first message


@pytest.fixture
def greeter(coach: Mentor) -> Mentor:
    coach.greeting_text = "Welcome."
    coach.save()
    return coach


def prompt(model: ModelServer) -> str:
    text: str = json.loads(model.received[-1])["messages"][-1]["content"]
    return text


def put(url: str, session_id: str, headers: dict[str, str], **more: Any) -> Any:
    path = f"/api/v1/sessions/{session_id}/context/"
    status, told = fetch(url, "PUT", path, body(**more), headers)
    assert status == 201, told
    return told


def test_the_first_turn_goes_on_with_it(
    talk: TalkMaker, greeter: Mentor, live: str, token: str, model: ModelServer
) -> None:
    session_id = new_session()
    put(live, session_id, bearer(token), user="alice")
    reply = talk(session_id=session_id, token=token, username="alice").say("Hello?")
    assert (reply.start["sequence"], reply.start["context"]["version"]) == (2, 1)
    assert prompt(model).startswith("<GREETING INSTRUCTIONS>")
    assert "stateCode: CA" in prompt(model)


def test_a_visitors_first_turn_needs_the_sessions_token(
    talk: TalkMaker, greeter: Mentor, live: str, model: ModelServer
) -> None:
    session_id = new_session()
    secret = put(live, session_id, {})["session_token"]
    assert talk(session_id=session_id).say("Hello?").end["code"] == "not_found"
    one = talk(session_id=session_id, session_token=secret)
    reply = one.say("Hello?", metadata={"stateCode": "NY"})
    assert (reply.start["sequence"], reply.start["context"]["version"]) == (2, 2)
    assert "session_token" not in reply.start
    assert prompt(model).startswith("<GREETING INSTRUCTIONS>")
    assert SessionContextVersion.objects.get(number=1).door == "rest"
