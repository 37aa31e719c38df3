"""A turn that is stopped, and one whose client left: what is told, what is stored, what comes later."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable

import pytest

from chat.models import ChatMessageHistory, Mentor

from .clients import Frame, Socket, events, fetch, request
from .expecting import AN_ID, refusal
from .model_server import Answer, ModelServer

PATH = "/api/mentor/chat/"
PACED = Answer([f"tok{n} " for n in range(200)], gap=0.02)
SHORT = Answer([f"tok{n} " for n in range(8)], gap=0.03)


def answer_of(talk: Socket) -> ChatMessageHistory:
    return ChatMessageHistory.objects.get(session=talk.session_id, sequence=2)


def wait_until(holds: Callable[[], bool], seconds: float = 5) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


# --- stop


def running(talk: Socket, model: ModelServer) -> str:
    """A turn that has begun to answer, and would go on for seconds."""
    model.enqueue(PACED)
    talk.put(talk.payload("Hello."))
    generation: str = talk.get()["generation_id"]
    talk.get()
    return generation


def check_stopped(talk: Socket, told: list[Frame], model: ModelServer) -> None:
    """The turn ended with what had come, the model was told to stop, and the session is free."""
    assert told[-1] == {
        "event": 2 + len(told),
        "generation_id": AN_ID,
        "eos": True,
        "message_id": AN_ID,
        "sequence": 2,
        "status": "stopped",
        "usage": None,
    }
    answer = answer_of(talk)
    text = "tok0 " + "".join(frame.get("data", "") for frame in told)
    assert (answer.status, answer.content) == ("stopped", text)
    assert len(text) < 200
    assert model.client_left()
    assert talk.say("And?").end["status"] == "complete"


def until_detail(talk: Socket) -> list[Frame]:
    """Frames up to the turn's end, less the stopper's own answer."""
    frames: list[Frame] = []
    while not ({"detail": "Stopped"} in frames and any("eos" in frame for frame in frames)):
        frames.append(talk.get())
    frames.remove({"detail": "Stopped"})
    return frames


def test_stop_on_the_same_socket(alice: Socket, model: ModelServer) -> None:
    alice.put({"action": "stop", "generation_id": running(alice, model)})
    check_stopped(alice, until_detail(alice), model)


def test_stop_by_another_socket_with_the_token(alice: Socket, returned: Socket, model: ModelServer) -> None:
    returned.put({"action": "stop", "generation_id": running(alice, model), "token": alice.token})
    assert returned.get() == {"detail": "Stopped"}
    check_stopped(alice, alice.rest(), model)


def test_stop_by_another_socket_with_the_session_token(
    live: str, coach: Mentor, model: ModelServer, returned: Socket
) -> None:
    model.enqueue(PACED)
    visitor = Socket(live, "demo", "coach")
    visitor.put(visitor.payload("Hello."))
    start = visitor.get()
    visitor.session_token = start["session_token"]
    visitor.get()
    ask = {"action": "stop", "generation_id": start["generation_id"]}
    returned.put({**ask, "session_token": start["session_token"]})
    assert returned.get() == {"detail": "Stopped"}
    check_stopped(visitor, visitor.rest(), model)
    visitor.close()


def test_stop_by_ibl_ais_stop_socket(alice: Socket, model: ModelServer) -> None:
    generation = running(alice, model)
    flow = {"name": "coach", "tenant": "demo", "username": "alice", "token": alice.token}
    with alice.open("/ws/langflow-stop-generation/") as stop:
        stop.send(json.dumps({"generation_id": generation, **flow}))
        assert json.loads(stop.recv(10)) == {"detail": "Stopped"}
    check_stopped(alice, alice.rest(), model)


def test_to_stop_what_has_ended_does_no_harm(alice: Socket) -> None:
    alice.put({"action": "stop", "generation_id": alice.say("Hello.").generation_id})
    assert alice.get() == {"detail": "Stopped"}
    assert answer_of(alice).status == "complete"


# --- resume


def left(talk: Socket, model: ModelServer, frames: int = 3) -> str:
    """A turn whose client left after so many frames."""
    model.enqueue(SHORT)
    talk.put(talk.payload("Hello."))
    generation: str = talk.get()["generation_id"]
    for _ in range(frames - 1):
        talk.get()
    talk.close()
    return generation


def test_a_turn_outlives_its_client(alice: Socket, model: ModelServer) -> None:
    left(alice, model)
    wait_until(lambda: answer_of(alice).status != "streaming")
    assert (answer_of(alice).status, answer_of(alice).content) == ("complete", "".join(SHORT.tokens))


@pytest.mark.parametrize("running", [True, False], ids=["running", "over"])
def test_a_socket_resumes_with_exactly_what_it_missed(
    alice: Socket, returned: Socket, model: ModelServer, running: bool
) -> None:
    generation = left(alice, model, frames=3)
    if not running:
        wait_until(lambda: answer_of(alice).status == "complete")
    returned.put({"action": "resume", "generation_id": generation, "after": 3, "token": alice.token})
    frames = returned.rest()
    assert [frame["event"] for frame in frames] == [4, 5, 6, 7, 8, 9, 10]
    assert "".join(frame.get("data", "") for frame in frames) == "".join(SHORT.tokens[2:])
    assert frames[-1]["status"] == "complete"


@pytest.mark.parametrize("after", [0, 1, 9])
def test_a_get_resumes_with_exactly_what_it_missed(alice: Socket, model: ModelServer, after: int) -> None:
    generation = left(alice, model)
    headers = {"Authorization": f"Api-Token {alice.token}", "Last-Event-ID": str(after)}
    with request(alice.url, "GET", f"{PATH}{generation}/", headers=headers) as response:
        frames = list(events(response))
    assert [frame["event"] for frame in frames] == list(range(after + 1, 11))


def test_after_an_unknown_event_the_stored_message_is_told(alice: Socket, returned: Socket) -> None:
    after = 99
    reply = alice.say("Hello.")
    told = {
        "resumed": False,
        "generation_id": reply.generation_id,
        "message": {
            "id": reply.generation_id,
            "sequence": 2,
            "role": "mentor",
            "status": "complete",
            "content": "You said: Hello.",
        },
    }
    returned.put(
        {"action": "resume", "generation_id": reply.generation_id, "after": after, "token": alice.token}
    )
    assert returned.get() == told
    headers = {"Authorization": f"Api-Token {alice.token}", "Last-Event-ID": str(after)}
    with request(alice.url, "GET", f"{PATH}{reply.generation_id}/", headers=headers) as response:
        assert list(events(response)) == [told]


def test_who_has_seen_all_misses_nothing(alice: Socket) -> None:
    reply = alice.say("Hello.")
    headers = {"Authorization": f"Api-Token {alice.token}", "Last-Event-ID": str(reply.end["event"])}
    with request(alice.url, "GET", f"{PATH}{reply.generation_id}/", headers=headers) as response:
        assert list(events(response)) == []


def test_while_it_runs_an_unknown_event_is_told_with_the_text_so_far(
    alice: Socket, returned: Socket, model: ModelServer
) -> None:
    generation = running(alice, model)
    returned.put({"action": "resume", "generation_id": generation, "after": 10_000, "token": alice.token})
    told = returned.get()
    assert (told["resumed"], told["message"]["status"]) == (False, "streaming")
    alice.put({"action": "stop", "generation_id": generation})
    until_detail(alice)


def test_resume_of_a_missing_generation(alice: Socket) -> None:
    alice.put({"action": "resume", "generation_id": str(uuid.uuid4()), "after": 1, "token": alice.token})
    assert alice.get() == refusal(404, "not_found")


@pytest.mark.parametrize("after", ["-1", "one", "1.0", "²", "9" * 30])
def test_a_last_event_id_is_a_number(alice: Socket, after: str) -> None:
    headers = {"Authorization": f"Api-Token {alice.token}", "Last-Event-ID": after.encode("latin-1")}
    answer = fetch(alice.url, "GET", f"{PATH}{uuid.uuid4()}/", headers=headers)  # type: ignore[arg-type]
    assert answer == (400, refusal(400, "invalid_payload", ""))
