"""A turn outlives its client: one that leaves finds, at any process, exactly what it missed."""

from __future__ import annotations

import json
import time

from redis import Redis

from tests.clients import Frame, Socket, Stream, events, request

from .stage import Stage, elsewhere, numbers, resume, text_of
from .web import Web


def leave_after(talk: Socket, events: int) -> list[Frame]:
    """Ask the one-second mentor something, see so many events, and be gone without a goodbye."""
    talk.put(talk.payload("Tell me all of it."))
    seen = [talk.get() for _ in range(events)]
    talk.socket.socket.close()
    return seen


def forget_events(stage: Stage, generation_id: str) -> None:
    """FLUSHALL, as soon as there is something to forget."""
    with Redis.from_url(stage.redis.url) as client:
        deadline = time.monotonic() + 5
        while not client.exists(f"mentor:turn:{generation_id}:events"):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        client.flushall()


def test_the_answer_to_one_who_leaves_at_the_first_event_is_finished(stage: Stage, one: Web) -> None:
    seen = leave_after(stage.talk(one, "steady"), 1)
    answer = stage.settled(seen[0]["generation_id"])
    assert (answer.status, answer.content.split()[-1]) == ("complete", "tok49")


def test_one_who_returns_elsewhere_in_mid_answer_gets_just_what_it_missed(
    stage: Stage, one: Web, two: Web
) -> None:
    talk = stage.talk(one, "steady")
    seen = leave_after(talk, 10)
    missed = resume(elsewhere(talk, two), seen[0]["generation_id"], after=10)
    assert numbers(seen + missed) == list(range(1, len(seen + missed) + 1))
    answer = stage.answer(seen[0]["generation_id"])
    assert (answer.status, answer.content) == ("complete", text_of(seen + missed))


def test_one_who_returns_after_the_end_gets_just_what_it_missed(stage: Stage, one: Web, two: Web) -> None:
    talk = stage.talk(one, "steady")
    seen = leave_after(talk, 3)
    answer = stage.settled(seen[0]["generation_id"])
    missed = resume(elsewhere(talk, two), seen[0]["generation_id"], after=3)
    assert numbers(seen + missed) == list(range(1, len(seen + missed) + 1))
    assert text_of(seen + missed) == answer.content


def test_after_nought_brings_everything(stage: Stage, one: Web, two: Web) -> None:
    talk = stage.talk(one, "brief")
    whole = talk.say("All of it.").frames
    assert resume(elsewhere(talk, two), whole[0]["generation_id"], after=0) == whole


def test_last_event_id_brings_what_was_missed_over_plain_http(stage: Stage, one: Web, two: Web) -> None:
    seen = leave_after(stage.talk(one, "steady"), 10)
    path = f"/api/mentor/chat/{seen[0]['generation_id']}/"
    headers = {"Authorization": f"Api-Token {stage.token}", "Last-Event-ID": "10"}
    with request(two.url, "GET", path, headers=headers) as response:
        missed = list(events(response))
    assert numbers(seen + missed) == list(range(1, len(seen + missed) + 1))
    assert text_of(seen + missed) == stage.answer(seen[0]["generation_id"]).content


def test_an_event_stream_that_is_left_is_finished_too(stage: Stage, one: Web) -> None:
    stream = Stream(one.url, tenant="demo", mentor="steady", token=stage.token)
    body = json.dumps(stream.payload("Tell me all of it.")).encode()
    with request(one.url, "POST", "/api/mentor/chat/", body) as response:
        first = next(events(response))
    assert stage.settled(first["generation_id"]).status == "complete"


def test_when_the_events_are_forgotten_the_stored_message_is_told_plainly(
    stage: Stage, one: Web, two: Web
) -> None:
    talk = stage.talk(one, "brief")
    reply = talk.say("Soon forgotten.")
    forget_events(stage, reply.generation_id)
    (frame,) = resume(elsewhere(talk, two), reply.generation_id, after=2)
    assert frame["resumed"] is False
    assert (frame["message"]["status"], frame["message"]["content"]) == ("complete", reply.text)


def test_events_forgotten_in_mid_answer_are_never_a_silent_gap(stage: Stage, one: Web, two: Web) -> None:
    talk = stage.talk(one, "steady")
    seen = leave_after(talk, 25)
    forget_events(stage, seen[0]["generation_id"])
    (frame,) = resume(elsewhere(talk, two), seen[0]["generation_id"], after=5)
    assert (frame["resumed"], frame["message"]["id"]) == (False, seen[0]["message_id"])


def test_the_first_message_sent_again_brings_its_first_answer_whole(stage: Stage, one: Web, two: Web) -> None:
    talk = stage.talk(one, "steady")
    payload = talk.payload("Only once.", client_message_id="only-once")
    talk.put(payload)
    first = talk.get()
    again = elsewhere(talk, two)
    again.put(payload)
    frames = again.rest()
    assert frames[0] == first
    assert text_of(frames) == stage.answer(first["generation_id"]).content
    assert len(stage.messages(talk.session_id)) == 2
    assert talk.rest() == frames[1:]
