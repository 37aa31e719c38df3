"""One turn at a time across processes, and a stop that is heard wherever it is said."""

from __future__ import annotations

import json
import time

from .stage import Stage, elsewhere, stop, text_of
from .web import Web, frozen


def test_a_second_prompt_at_another_process_is_refused_while_a_turn_runs(
    stage: Stage, one: Web, two: Web
) -> None:
    talk = stage.talk(one, "steady")
    talk.put(talk.payload("First."))
    talk.get()
    (refusal,) = elsewhere(talk, two).say("Second.").frames
    assert (refusal["code"], refusal["status_code"]) == ("turn_in_progress", 409)
    assert talk.rest()[-1]["status"] == "complete"
    assert len(stage.messages(talk.session_id)) == 2


def test_a_stop_at_another_process_is_heard_within_a_second(stage: Stage, one: Web, two: Web) -> None:
    talk = stage.talk(one, "endless")
    talk.put(talk.payload("Go on and on."))
    seen = [talk.get() for _ in range(5)]
    began = time.monotonic()
    assert stop(elsewhere(talk, two), seen[0]["generation_id"]) == {"detail": "Stopped"}
    seen += talk.rest()
    took = time.monotonic() - began
    print(f"stopped elsewhere after {took:.3f} s")
    assert (seen[-1]["status"], took < 1) == ("stopped", True)
    answer = stage.answer(seen[0]["generation_id"])
    assert (answer.status, answer.content) == ("stopped", text_of(seen))


def test_the_second_socket_of_ibl_stops_at_another_process_too(stage: Stage, one: Web, two: Web) -> None:
    talk = stage.talk(one, "endless")
    talk.put(talk.payload("Go on and on."))
    generation_id = talk.get()["generation_id"]
    with elsewhere(talk, two).open("/ws/langflow-stop-generation/") as stopper:
        message = {"generation_id": generation_id, "name": "endless", "tenant": "demo", "token": stage.token}
        stopper.send(json.dumps(message))
        assert json.loads(stopper.recv(timeout=10)) == {"detail": "Stopped"}
    assert talk.rest()[-1]["status"] == "stopped"


def test_without_wake_ups_a_stop_is_heard_at_the_next_heartbeat(stage: Stage, one: Web, two: Web) -> None:
    talk = stage.talk(one, "endless")
    talk.put(talk.payload("Go on and on."))
    generation_id = talk.get()["generation_id"]
    with frozen(stage.redis):
        began = time.monotonic()
        stopper = elsewhere(talk, two)
        stopper.put({"action": "stop", "generation_id": generation_id, "token": stage.token})
        end = talk.rest()[-1]
        took = time.monotonic() - began
        told = stopper.get(30)
        answered = time.monotonic() - began
    print(f"stopped without wake-ups after {took:.3f} s, its stopper told after {answered:.3f} s")
    assert (end["status"], took < 3.5) == ("stopped", True)
    assert (told, answered < 3.5) == ({"detail": "Stopped"}, True)
