"""The native wire, frame by frame: a turn, its stop, what a client missed, and the paths that lead there."""

from __future__ import annotations

import asyncio
import http.client
import json
import uuid
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from websockets.exceptions import InvalidStatus

from chat.consumers import ChatConsumer
from chat.errors import Unavailable
from chat.models import ChatMessageHistory, Mentor, Session
from chat.sse import EventStream

from .clients import Socket, Stream, TalkMaker, events, request
from .expecting import A_SECRET, AN_ID, refusal
from .model_server import Answer, ModelServer

PATH = "/api/mentor/chat/"
SHORT = Answer([f"tok{n} " for n in range(8)], gap=0.03)
MISSING = str(uuid.uuid4())


# --- a turn


def test_the_frames_of_a_turn(talk: TalkMaker, model: ModelServer) -> None:
    model.enqueue(Answer(["Hello", " Alice."], gap=0.05, usage=(7, 3)))
    payload = {"client_message_id": "m1", "metadata": {"a": 1}}
    start, *data, end = talk().say("Hello.", **payload).frames
    ids = {"generation_id": AN_ID, "message_id": AN_ID}
    assert start == {
        "event": 1,
        **ids,
        "user_message_id": AN_ID,
        "sequence": 2,
        "client_message_id": "m1",
        "context": {"version": 1, "changed": True, "warnings": []},
        "session_token": A_SECRET,
    }
    assert data == [
        {"event": 2, "generation_id": start["generation_id"], "data": "Hello"},
        {"event": 3, "generation_id": start["generation_id"], "data": " Alice."},
    ]
    assert end == {
        "event": 4,
        "generation_id": start["generation_id"],
        "eos": True,
        "message_id": start["message_id"],
        "sequence": 2,
        "status": "complete",
        "usage": {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10},
    }


def test_what_a_frame_says_is_stored(talk: TalkMaker, model: ModelServer) -> None:
    """Ack after commit: the first frame names rows that are there."""
    start = talk().say("Hello.", client_message_id="m1").start
    asked, answer = ChatMessageHistory.objects.order_by("sequence")
    assert (str(asked.id), str(answer.id)) == (start["user_message_id"], start["message_id"])
    assert start["generation_id"] == start["message_id"]
    assert (asked.sequence, asked.role, asked.status, asked.client_message_id) == (
        1,
        "user",
        "complete",
        "m1",
    )
    assert (answer.sequence, answer.role, answer.status) == (2, "mentor", "complete")
    assert (asked.own_words, answer.content) == ("Hello.", "You said: Hello.")


def test_usage_is_null_where_the_model_counts_nothing(talk: TalkMaker, model: ModelServer) -> None:
    model.enqueue(Answer(["Hi."], usage=None))
    assert talk().say("Hello.").end["usage"] is None


def test_a_session_token_is_given_once_and_only_to_the_anonymous(talk: TalkMaker, token: str) -> None:
    visitor, alice = talk(), talk(token=token, username="alice")
    given = [
        reply.start.get("session_token") for reply in (visitor.say("a"), visitor.say("b"), alice.say("c"))
    ]
    assert given == [A_SECRET, None, None]


def test_what_is_unknown_or_not_yet_supported_is_named_in_warnings(talk: TalkMaker) -> None:
    one = talk()
    odd = {"flow": {"name": "coach", "tenant": "demo", "pathway": "x", "x/y": 1}, "colour": "red"}
    odd |= {"document_filter": {"state": "CA"}, "file_references": [{"file_id": "1"}]}
    warnings = one.say("Hello.", **odd).start["context"]["warnings"]
    assert [(warning["code"], warning["pointer"]) for warning in warnings] == [
        ("unknown_key", "/colour"),
        ("unknown_key", "/flow/x~1y"),
        ("not_supported_yet", "/document_filter"),
        ("not_supported_yet", "/file_references"),
        ("not_supported_yet", "/flow/pathway"),
    ]


def test_ibl_ais_own_payload_has_no_warnings(talk: TalkMaker) -> None:
    """Keys that its clients send with nothing in them."""
    null = dict.fromkeys(["metadata", "document_filter", "token", "token_type", "page_content"])
    start = talk().say("Hello.", **null, file_references=[]).start
    assert start["context"] == {"version": 0, "changed": False, "warnings": []}


@pytest.mark.parametrize("name", ["coach", "Coach", "UUID"])
def test_a_mentor_goes_by_slug_name_or_uuid(talk: TalkMaker, coach: Mentor, name: str) -> None:
    one = talk()
    one.mentor = str(coach.unique_id) if name == "UUID" else name
    assert one.say("Hello.").end["status"] == "complete"


def test_two_sessions_stream_over_one_socket(alice: Socket, model: ModelServer) -> None:
    model.enqueue(SHORT, SHORT)
    for session_id in (str(uuid.uuid4()), str(uuid.uuid4())):
        alice.put(alice.payload("Hello.", session_id=session_id))
    frames = alice.rest() + alice.rest()
    by_turn = {frame["generation_id"]: "" for frame in frames}
    for frame in frames:
        by_turn[frame["generation_id"]] += frame.get("data", "")
    assert list(by_turn.values()) == ["".join(SHORT.tokens)] * 2


# --- one turn at a time


def test_a_second_prompt_meanwhile_is_refused(alice: Socket, returned: Socket, model: ModelServer) -> None:
    model.enqueue(SHORT)
    busy = refusal(409, "turn_in_progress")
    alice.put(alice.payload("Hello."))
    alice.get()
    returned.session_id = alice.session_id
    stream = Stream(alice.url, "demo", "coach", token=alice.token, session_id=alice.session_id)
    assert [returned.say("And?").frames, stream.say("And?", metadata={"a": 1}).frames] == [[busy], [busy]]
    assert (len(model.received), Session.objects.get().context_version) == (1, 0)
    assert alice.rest()[-1]["status"] == "complete"
    assert returned.say("And now?").start["sequence"] == 4


def test_on_the_same_socket_too(alice: Socket, model: ModelServer) -> None:
    model.enqueue(SHORT)
    alice.put(alice.payload("Hello."))
    alice.get()
    alice.put(alice.payload("And?"))
    frames = [frame for frame in alice.rest() if "data" not in frame]
    assert frames == [refusal(409, "turn_in_progress")]
    assert alice.rest()[-1]["status"] == "complete"


# --- paths, methods and headers


@pytest.mark.parametrize("path", ["/ws/chat/", "/ws/langflow/", "/ws/chat"])
def test_the_sockets_paths(alice: Socket, path: str) -> None:
    with alice.open(path) as socket:
        socket.send(json.dumps(alice.payload("Hello.")))
        assert json.loads(socket.recv(10))["event"] == 1


@pytest.mark.parametrize("path", ["/ws/", "/ws/chats/", "/", "/api/mentor/chat/"])
def test_an_unknown_sockets_path_is_refused_at_the_handshake(alice: Socket, path: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        alice.open(path)
    assert refused.value.response.status_code == 403


@pytest.mark.parametrize("path", [PATH, "/api/mentor/chat", "/api/agent/chat/"])
def test_the_streams_paths(alice: Socket, path: str) -> None:
    body = json.dumps(alice.payload("Hello.")).encode()
    with request(alice.url, "POST", path, body) as response:
        assert response.status == 200
        assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert response.headers["cache-control"] == "no-cache, no-transform"
        assert response.headers["x-accel-buffering"] == "no"
        assert list(events(response))[-1]["status"] == "complete"


def test_the_agents_path_may_name_session_and_tenant_in_its_query(alice: Socket) -> None:
    payload = alice.payload("Hello.", flow={"name": "coach"})
    del payload["session_id"]
    path = f"/api/agent/chat/?platform_key=demo&session_id={alice.session_id}"
    with request(alice.url, "POST", path, json.dumps(payload).encode()) as response:
        assert list(events(response))[-1]["status"] == "complete"
    assert str(Session.objects.get().id) == alice.session_id


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "HEAD"])
def test_a_wrong_method_is_told(live: str, db: None, method: str) -> None:
    with request(live, method, PATH) as response:
        assert (response.status, response.headers["allow"]) == (405, "POST, OPTIONS")
        body = response.read()
        assert method == "HEAD" or json.loads(body) == refusal(405, "method_not_allowed")


def test_401_says_how_to_sign_in(live: str, coach: Mentor) -> None:
    body = json.dumps(Stream(live, "demo", "coach", token="mk_old").payload("Hello.")).encode()
    with request(live, "POST", PATH, body) as response:
        assert (response.status, response.headers["www-authenticate"]) == (401, "Api-Token")


@pytest.mark.parametrize("path", ["/api/mentor/chats/", f"{PATH}mine/", f"{PATH}{MISSING}/more/", "/api/"])
def test_an_unknown_path_is_not_found(live: str, db: None, path: str) -> None:
    parts = urlsplit(live)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=20)
    connection.request("GET", path)
    assert connection.getresponse().status == 404


# --- when what is told fails while it is told


async def failing() -> AsyncIterator[str]:
    yield '{"event": 1}'
    raise Unavailable()


@pytest.mark.parametrize("door", [ChatConsumer, EventStream])
def test_a_client_is_told_that_no_more_can_be_told(door: Any) -> None:
    sent: list[str] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(
            message["text"] if "text" in message else message["body"].decode().rpartition("data: ")[2]
        )

    async def tell() -> None:
        consumer = door()
        consumer.base_send = send
        await (consumer._stream if door is EventStream else consumer._pump)(failing())

    asyncio.run(tell())
    assert [json.loads(text) for text in sent if text] == [{"event": 1}, refusal(503, "unavailable")]
