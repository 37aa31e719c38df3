"""Who may do what: an owner gets it, a stranger gets the answer that a missing thing gives."""

from __future__ import annotations

import json
import uuid
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from chat.models import ApiToken, ChatMessageHistory, Mentor, Session, Tenant

from .clients import Frame, Socket, Stream, TalkMaker, fetch
from .expecting import refusal
from .model_server import Answer, ModelServer

NO_SESSION = refusal(404, "not_found", "/session_id")
NO_MENTOR = refusal(404, "not_found", "/flow")
UNKNOWN_TOKEN = refusal(401, "authentication_failed")
PACED = Answer([f"tok{n} " for n in range(100)], gap=0.02)


@pytest.fixture
def reading_token(demo: Tenant) -> str:
    return ApiToken.issue(demo, scope="read_all", name="reader")[1]


def signed_in(url: str, name: str, *tenants: Tenant) -> dict[str, str]:
    """The headers of a member of staff's browser on our own page."""
    user = User.objects.create_user(name, is_staff=True)
    user.tenants.add(*tenants)
    client = Client()
    client.force_login(user)
    return {"Cookie": f"sessionid={client.cookies['sessionid'].value}", "Origin": url}


@pytest.fixture
def alices(talk: TalkMaker, token: str) -> Socket | Stream:
    """Alice's session, which has one turn."""
    one = talk(token=token, username="alice")
    one.say("Hello.", metadata={"stateCode": "CA"})
    return one


def stored() -> tuple[int, int]:
    return Session.objects.count(), ChatMessageHistory.objects.count()


def refused(talk: Socket | Stream, model: ModelServer) -> Frame:
    """What a turn is told that is refused: nothing is stored for it, and the model does not hear of it."""
    before = stored(), len(model.received)
    (frame,) = talk.say("Tell me all.", metadata={"stateCode": "NY"}).frames
    assert (stored(), len(model.received)) == before
    return frame


# --- a session


def test_its_owner_continues_a_session(alices: Socket | Stream) -> None:
    assert alices.say("And now?").start["sequence"] == 4
    assert Session.objects.get().user_id == "alice"


def test_a_token_that_names_nobody_acts_in_its_whole_tenant(
    talk: TalkMaker, alices: Socket, token: str
) -> None:
    assert talk(token=token, session_id=alices.session_id).say("Hello.").start["sequence"] == 4


def test_a_stranger_cannot_continue_a_session(
    talk: TalkMaker,
    alices: Socket,
    model: ModelServer,
    token: str,
    others_token: str,
    live: str,
    other: Tenant,
    demo: Tenant,
) -> None:
    strangers = {
        "a token that names another user": ({"token": token, "username": "bob"}, NO_SESSION),
        "another tenant's token": ({"token": others_token, "username": "alice"}, NO_MENTOR),
        "anonymous": ({}, NO_SESSION),
        "anonymous, naming the user": ({"username": "alice"}, NO_SESSION),
        "staff who are no members": ({"headers": signed_in(live, "eve", other)}, NO_SESSION),
        "staff who are members": ({"headers": signed_in(live, "dora", demo)}, NO_SESSION),
        "an unknown token": ({"token": "mk_guessed", "username": "alice"}, UNKNOWN_TOKEN),
    }
    told = {
        name: refused(talk(session_id=alices.session_id, **who), model)
        for name, (who, _) in strangers.items()
    }
    assert told == {name: expected for name, (_, expected) in strangers.items()}
    assert Session.objects.get().client_context == {"stateCode": "CA"}


def test_another_sessions_token_proves_nothing(talk: TalkMaker, model: ModelServer) -> None:
    mine, theirs = talk(), talk()
    mine.say("Hello.")
    theirs.say("Hello.")
    thief = talk(session_id=theirs.session_id, session_token=mine.session_token)
    assert refused(thief, model) == refusal(401, "authentication_failed")


def test_a_session_token_must_fit_even_where_there_is_no_session(talk: TalkMaker, model: ModelServer) -> None:
    assert refused(talk(session_token="guessed"), model) == refusal(401, "authentication_failed")


def test_another_tenants_session_is_no_id_for_a_first_turn(
    talk: TalkMaker, alices: Socket, model: ModelServer, other: Tenant, others_token: str
) -> None:
    Mentor(tenant=other, slug="coach", name="Coach").save()
    first = talk(session_id=alices.session_id, token=others_token, username="alice")
    first.tenant = "other"
    assert refused(first, model) == NO_SESSION


def test_a_session_keeps_its_mentor(
    talk: TalkMaker, alices: Socket, model: ModelServer, tutor: Mentor
) -> None:
    alices.mentor = "tutor"
    assert refused(alices, model) == refusal(409, "flow_mismatch", "/flow")


def test_only_an_owner_is_told_of_another_mentor(
    talk: TalkMaker, model: ModelServer, tutor: Mentor, token: str, demo: Tenant
) -> None:
    """A mentor that takes the bare id says nothing of sessions that are not its own."""
    tutor.allow_anonymous, tutor.anonymous_continuation = True, "session_id"
    tutor.save()
    mine = talk()
    mine.say("Hello.")
    guesser = talk(session_id=mine.session_id)
    tutors = talk(
        session_id=mine.session_id, token=ApiToken.issue(demo, scope="write_all", name="t", mentor=tutor)[1]
    )
    guesser.mentor = tutors.mentor = "tutor"
    assert [refused(guesser, model), refused(tutors, model)] == [NO_SESSION, NO_SESSION]


def test_a_missing_mentor_and_a_foreign_one_are_told_alike(
    talk: TalkMaker,
    model: ModelServer,
    tutor: Mentor,
    coach: Mentor,
    others_token: str,
    demo: Tenant,
    live: str,
) -> None:
    bound = ApiToken.issue(demo, scope="write_all", name="tutors", mentor=tutor)[1]
    strangers: list[tuple[str, str, Frame]] = [
        ("demo", "coach", {"token": others_token}),
        ("demo", "nobody", {"token": others_token}),
        ("nowhere", "coach", {"token": others_token}),
        ("demo", "tutor", {}),
        ("demo", "nobody", {}),
        ("demo", "tutor", {"headers": {"Origin": "https://elsewhere.example"}}),
        ("demo", "nobody", {"headers": {"Origin": "https://elsewhere.example"}}),
        ("demo", "coach", {"token": bound}),
        ("demo", "nobody", {"token": bound}),
        ("demo", str(uuid.uuid4()), {"token": bound}),
        ("demo", str(coach.unique_id), {"token": bound}),
        ("demo", "tutor", {"headers": signed_in(live, "eve")}),
    ]
    told = []
    for tenant, mentor, who in strangers:
        one = talk(**who)
        one.tenant, one.mentor = tenant, mentor
        told.append(refused(one, model))
    assert told == [NO_MENTOR] * len(strangers)
    assert len({frame["error"] for frame in told}) == 1


# --- tokens


def test_a_reading_token_may_not_write(
    talk: TalkMaker, alices: Socket, model: ModelServer, reading_token: str
) -> None:
    reader = talk(session_id=alices.session_id, token=reading_token, username="alice")
    assert refused(reader, model) == refusal(403, "permission_denied")


def test_a_revoked_token_counts_no_more_on_an_open_socket(alices: Socket, model: ModelServer) -> None:
    ApiToken.objects.get().revoke()
    assert refused(alices, model) == UNKNOWN_TOKEN


def test_an_expired_token_counts_no_more_on_an_open_socket(alices: Socket, model: ModelServer) -> None:
    ApiToken.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert refused(alices, model) == UNKNOWN_TOKEN


def test_an_edited_token_counts_at_the_very_next_turn(
    alices: Socket, model: ModelServer, tutor: Mentor
) -> None:
    ApiToken.objects.update(scope="read_all")
    assert refused(alices, model) == refusal(403, "permission_denied")
    ApiToken.objects.update(scope="write_all")
    assert alices.say("And now?").end["status"] == "complete"
    ApiToken.objects.update(mentor=tutor)
    assert refused(alices, model) == NO_MENTOR


def test_a_token_that_will_expire_counts_until_then(talk: TalkMaker, demo: Tenant) -> None:
    soon = timezone.now() + timedelta(minutes=1)
    _, secret = ApiToken.issue(demo, scope="write_all", name="soon", expires_at=soon)
    assert talk(token=secret).say("Hello.").end["status"] == "complete"


def test_a_mentors_token_talks_to_its_mentor(talk: TalkMaker, demo: Tenant, coach: Mentor) -> None:
    _, secret = ApiToken.issue(demo, scope="write_all", name="coachs", mentor=coach)
    assert talk(token=secret, username="alice").say("Hello.").end["status"] == "complete"


@pytest.mark.parametrize("scheme", ["Api-Token", "Token", "Bearer", "bearer"])
def test_a_token_may_come_in_the_header(talk: TalkMaker, token: str, scheme: str) -> None:
    one = talk(username="alice", headers={"Authorization": f"{scheme} {token}"})
    assert one.say("Hello.").end["status"] == "complete"
    assert Session.objects.get().user_id == "alice"


def test_a_bad_token_is_not_taken_for_none(talk: TalkMaker, model: ModelServer) -> None:
    """The mentor would let an anonymous user in: whoever shows a token means to be somebody."""
    assert refused(talk(token="mk_old"), model) == UNKNOWN_TOKEN


# --- who the user is


def test_an_anonymous_users_name_is_ignored_with_a_warning(talk: TalkMaker) -> None:
    start = talk(username="alice").say("Hello.").start
    (warning,) = start["context"]["warnings"]
    assert (warning["code"], warning["pointer"]) == ("username_ignored", "/flow/username")
    session = Session.objects.get()
    assert (session.user_id, session.anonymous) == ("", True)


def test_staff_act_as_themselves(talk: TalkMaker, live: str, demo: Tenant, tutor: Mentor) -> None:
    one = talk(headers=signed_in(live, "dora", demo), username="alice")
    one.mentor = "tutor"
    (warning,) = one.say("Hello.").start["context"]["warnings"]
    assert warning["code"] == "username_ignored"
    session = Session.objects.get()
    assert (session.user_id, session.anonymous) == ("staff:dora", False)


def test_staff_of_the_same_name_are_not_the_end_user(
    talk: TalkMaker, live: str, demo: Tenant, token: str
) -> None:
    alice = talk(token=token, username="alice")
    alice.say("Hello.")
    staff = talk(headers=signed_in(live, "alice", demo), session_id=alice.session_id)
    assert staff.say("Mine?").end["code"] == "not_found"


@pytest.mark.parametrize(
    "edit", [{"allow_anonymous": False}, {"is_active": False}], ids=["closed to visitors", "switched off"]
)
def test_an_edited_mentor_counts_at_the_very_next_turn(
    talk: TalkMaker, model: ModelServer, coach: Mentor, edit: dict[str, bool]
) -> None:
    one = talk()
    one.say("Hello.")
    for name, value in edit.items():
        setattr(coach, name, value)
    coach.save()
    assert refused(one, model) == NO_MENTOR


# --- a generation


@pytest.fixture
def strangers(live: str, others_token: str, demo: Tenant, tutor: Mentor) -> dict[str, dict[str, str]]:
    """Headers of those who may know the id and still not the answer."""
    _, tutors_token = ApiToken.issue(demo, scope="write_all", name="tutors", mentor=tutor)
    return {
        "nobody": {},
        "another tenant": {"Authorization": f"Api-Token {others_token}"},
        "another mentor": {"Authorization": f"Api-Token {tutors_token}"},
        "a wrong session token": {"Authorization": "Session guessed"},
        "staff who are no members": signed_in(live, "eve"),
    }


def test_a_generation_is_not_there_for_strangers(
    live: str, alices: Socket, strangers: dict[str, dict[str, str]]
) -> None:
    answer = ChatMessageHistory.objects.get(role="mentor").id
    for who in strangers.values():
        theirs = fetch(live, "GET", f"/api/mentor/chat/{answer}/", headers=who)
        missing = fetch(live, "GET", f"/api/mentor/chat/{uuid.uuid4()}/", headers=who)
        assert theirs == missing == (404, refusal(404, "not_found"))


@pytest.mark.parametrize("action", ["stop", "resume"])
def test_strangers_neither_stop_nor_resume(
    live: str, coach: Mentor, model: ModelServer, strangers: dict[str, dict[str, str]], action: str
) -> None:
    model.enqueue(PACED)
    alice = Socket(live, "demo", "coach")
    alice.put(alice.payload("Hello."))
    generation = alice.get()["generation_id"]
    for who in strangers.values():
        stranger = Socket(live, "demo", "coach", headers=who)
        for each in (generation, str(uuid.uuid4())):
            stranger.put({"action": action, "generation_id": each})
            assert stranger.get() == refusal(404, "not_found")
        stranger.close()
    assert ChatMessageHistory.objects.get(role="mentor").status == "streaming"
    alice.close()


def test_a_reading_token_resumes_and_does_not_stop(
    live: str, coach: Mentor, model: ModelServer, token: str, reading_token: str
) -> None:
    model.enqueue(PACED)
    alice = Socket(live, "demo", "coach", token=token)
    alice.put(alice.payload("Hello."))
    reader = Socket(live, "demo", "coach", token=reading_token)
    ask = {"generation_id": alice.get()["generation_id"], "token": reading_token}
    reader.put({"action": "stop", **ask})
    assert reader.get() == refusal(403, "permission_denied")
    reader.put({"action": "resume", **ask})
    assert reader.get()["event"] == 1
    alice.close()
    reader.close()


def test_strangers_do_not_stop_by_the_stop_socket(
    live: str, coach: Mentor, model: ModelServer, others_token: str
) -> None:
    model.enqueue(PACED)
    alice = Socket(live, "demo", "coach")
    alice.put(alice.payload("Hello."))
    flow = {"name": "coach", "tenant": "demo", "username": "alice"}
    with alice.open("/ws/langflow-stop-generation/") as stop:
        for generation in (alice.get()["generation_id"], str(uuid.uuid4())):
            for token in (None, others_token):
                stop.send(json.dumps({"generation_id": generation, "token": token, **flow}))
                assert json.loads(stop.recv(10)) == refusal(404, "not_found")
    assert ChatMessageHistory.objects.get(role="mentor").status == "streaming"
    alice.close()


@pytest.mark.parametrize("header", ["Basic YWxpY2U6c2VjcmV0", "ApiToken mk_x", "mk_x"])
def test_a_scheme_that_is_not_known_is_no_visitor(live: str, coach: Mentor, header: str) -> None:
    one = Stream(url=live, tenant="demo", mentor="coach", headers={"Authorization": header})
    assert one.say("Hello.").end["code"] == "authentication_failed"
