"""Listening to sessions over the chat's own socket."""

from __future__ import annotations

import time
import uuid
from typing import Any

import pytest
from django.utils import timezone

from chat import removals, telemetry, watching
from chat.models import ApiToken
from tests.clients import Frame, Socket, fetch, new_session
from tests.expecting import Like, refusal
from tests.test_stop_and_resume import wait_until

CA = {"stateCode": "CA"}
A_PLACE = Like("a place", lambda value: isinstance(value, str) and value.startswith("s"))


@pytest.fixture
def ear(alice: Socket, returned: Socket) -> Socket:
    """A socket that listens to Alice's session since there has been a turn."""
    alice.say("Hello.", metadata=CA)
    assert subscribe(returned, alice) == {"subscribed": alice.session_id, "after": A_PLACE}
    return returned


def subscribe(ear: Socket, talk: Socket, **more: Any) -> Frame:
    ear.put({"action": "subscribe", "session_id": talk.session_id, "token": talk.token, **more})
    return ear.get()


def rest(ear: Socket, seconds: float = 0.6) -> list[Frame]:
    """All that comes until nothing does."""
    frames: list[Frame] = []
    try:
        while True:
            frames.append(ear.get(seconds))
    except TimeoutError:
        return frames


def is_quiet(ear: Socket) -> bool:
    return rest(ear) == []


def test_a_socket_is_told_what_happens(alice: Socket, ear: Socket) -> None:
    alice.say("And here?")
    frames = [ear.get() for _ in range(3)]
    assert frames[0] == {
        "type": "message.created",
        "id": A_PLACE,
        "session_id": alice.session_id,
        "timestamp": Like("a time", lambda value: value.endswith("Z")),
        "data": {"message": Like("a message", lambda value: value["content"] == "And here?")},
    }


def test_who_did_not_ask_is_told_nothing_new(alice: Socket, returned: Socket) -> None:
    alice.say("Hello.")
    alice.say("And here?")
    assert is_quiet(alice)
    assert is_quiet(returned)


def test_the_same_socket_talks_and_listens(alice: Socket) -> None:
    alice.say("Hello.")
    assert subscribe(alice, alice)["subscribed"] == alice.session_id
    alice.put(alice.payload("And here?"))
    frames: list[Frame] = []
    while sum("type" in frame for frame in frames) < 3 or not any("eos" in frame for frame in frames):
        frames.append(alice.get())
    assert "message.created" in [frame.get("type") for frame in frames]


def test_a_socket_comes_back_with_what_it_missed(alice: Socket, ear: Socket) -> None:
    alice.say("And here?")
    first = ear.get()
    ear.close()
    assert subscribe(ear, alice, after=first["id"]) == {"subscribed": alice.session_id, "after": first["id"]}
    told = [ear.get() for _ in range(2)]
    while not any(frame["type"] == "message.created" for frame in told):
        told.append(ear.get())
    created = [frame["data"]["message"] for frame in told if frame["type"] == "message.created"]
    assert [message["sequence"] for message in created] == [4]


def test_from_the_beginning_all_there_is_is_told(alice: Socket, returned: Socket) -> None:
    alice.say("Hello.", metadata=CA)
    assert "subscribed" in subscribe(returned, alice, after="0")
    told = [frame["type"] for frame in rest(returned)]
    assert told == ["context.updated", "message.created", "message.created", "session.updated"]


def test_after_unsubscribing_nothing_is_told(alice: Socket, ear: Socket) -> None:
    for _ in range(2):  # what is not subscribed is unsubscribed alike
        ear.put({"action": "unsubscribe", "session_id": alice.session_id})
        assert ear.get() == {"unsubscribed": alice.session_id}
    alice.say("And here?")
    assert is_quiet(ear)


def test_subscribing_again_begins_at_the_other_place(alice: Socket, ear: Socket) -> None:
    alice.say("And here?")
    first = ear.get()
    rest(ear)
    assert subscribe(ear, alice, after=first["id"])["after"] == first["id"]
    alice.say("Sure?")
    frames = rest(ear)
    created = [frame["data"]["message"]["sequence"] for frame in frames if frame["type"] == "message.created"]
    assert created == [4, 5, 6], "each once: the first subscription is over"


def test_a_socket_listens_to_a_handful_of_sessions(alice: Socket, ear: Socket, settings: Any) -> None:
    settings.LIMIT_SUBSCRIPTIONS_PER_SOCKET = 2
    talks = [Socket(alice.url, "demo", "coach", token=alice.token, username="alice") for _ in range(2)]
    for talk in talks:
        talk.say("Hello.")
        talk.close()
    assert "subscribed" in subscribe(ear, talks[0])
    refused = {**refusal(429, "too_many_subscriptions"), "subscribe": talks[1].session_id}
    assert subscribe(ear, talks[1]) == refused
    assert "subscribed" in subscribe(ear, alice), "again is not one more"
    ear.put({"action": "unsubscribe", "session_id": alice.session_id})
    ear.get()
    assert "subscribed" in subscribe(ear, talks[1])


def test_a_stranger_is_told_what_they_are_told_of_a_missing_session(
    alice: Socket, returned: Socket, others_token: str
) -> None:
    alice.say("Hello.")
    not_found, missing = refusal(404, "not_found"), new_session()
    assert subscribe(returned, alice, token=others_token) == {**not_found, "subscribe": alice.session_id}
    assert subscribe(returned, alice, token=None) == {**not_found, "subscribe": alice.session_id}
    assert subscribe(returned, alice, session_id=missing) == {**not_found, "subscribe": missing}


@pytest.mark.parametrize(
    ("wrong", "pointer"),
    [
        ({"after": 7}, "/after"),
        ({"after": "s" * 201}, "/after"),
        ({"session_id": "x"}, "/session_id"),
    ],
)
def test_a_command_that_is_wrong_is_refused(
    alice: Socket, returned: Socket, wrong: Frame, pointer: str
) -> None:
    assert subscribe(returned, alice, **wrong) == refusal(400, "invalid_payload", pointer)


def test_a_place_that_is_none_is_refused_by_the_name_of_its_session(alice: Socket, returned: Socket) -> None:
    refused = {**refusal(400, "invalid_payload", "/after"), "subscribe": alice.session_id}
    assert subscribe(returned, alice, after="7") == refused


def test_a_posted_message_and_its_removal_are_heard_at_once(alice: Socket, ear: Socket, token: str) -> None:
    path, proof = f"/api/v1/sessions/{alice.session_id}/messages/", {"Authorization": f"Api-Token {token}"}
    began = time.monotonic()
    posted = fetch(alice.url, "POST", path, {"content": "Look!", "message_type": "notice"}, proof)[1]
    told = ear.get()
    assert (told["type"], told["data"]["message"]["id"]) == ("message.created", posted["id"])
    rest(ear)
    assert fetch(alice.url, "DELETE", f"{path}{posted['id']}/", None, proof)[0] == 204
    told = ear.get()
    assert (told["type"], told["data"]["message_id"]) == ("message.deleted", posted["id"])
    assert time.monotonic() - began < 3, "not by looking now and then"


def test_a_visitor_listens_with_the_session_token(returned: Socket, live: str) -> None:
    visitor = Socket(live, "demo", "coach")
    visitor.say("Hello.")
    told = subscribe(returned, visitor, session_token=visitor.session_token, token=None)
    assert told["subscribed"] == visitor.session_id
    visitor.say("And here?", metadata=CA)
    assert returned.get()["data"]["author"] is None
    visitor.close()


def test_when_the_session_is_removed_the_socket_is_told_and_stays(alice: Socket, ear: Socket) -> None:
    removals.remove(uuid.UUID(alice.session_id))
    assert ear.get() == {"unsubscribed": alice.session_id}
    assert ear.say("Hello.").end["status"] == "complete"


def test_when_the_token_is_revoked_the_socket_is_told(
    alice: Socket, returned: Socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "LOOK_SECONDS", 0.1)
    monkeypatch.setattr(watching, "CHECK_SECONDS", 0.2)
    alice.say("Hello.")
    subscribe(returned, alice)
    ApiToken.objects.update(revoked_at=timezone.now())
    assert returned.get(8) == {"unsubscribed": alice.session_id}


def test_a_socket_that_closes_listens_no_more(ear: Socket) -> None:
    assert telemetry.LISTENERS._value.get() == 1
    ear.close()
    wait_until(lambda: telemetry.LISTENERS._value.get() == 0)
