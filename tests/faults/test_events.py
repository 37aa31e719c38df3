"""Listeners of a session while processes die and Redis is away: seconds are lost, and never an event."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import time
from collections.abc import Iterator

import pytest

from tests.clients import Socket, fetch
from tests.ears import Ear

from .stage import Stage
from .web import Web, frozen

LISTENERS = 100


def listen(stage: Stage, web: Web, talk: Socket, after: str = "") -> Ear:
    return Ear(web.url, talk.session_id, after, Authorization=f"Api-Token {stage.token}")


@pytest.fixture
def talk(stage: Stage, one: Web) -> Iterator[Socket]:
    """A session that has had a turn."""
    talk = stage.talk(one, "brief")
    talk.say("Hello.")
    yield talk
    talk.close()


def test_a_wake_up_reaches_another_process_within_a_second(stage: Stage, two: Web, talk: Socket) -> None:
    ear = listen(stage, two, talk)
    ear.next()
    time.sleep(0.5)  # subscribed by now
    took = []
    for _ in range(5):
        began = time.monotonic()
        talk.put(talk.payload("And now?"))
        ear.next()
        took.append(time.monotonic() - began)
        talk.rest()
        ear.until("idle")
    print(f"heard elsewhere after {', '.join(f'{one:.3f}' for one in took)} s")
    assert max(took) < 1
    ear.close()


def test_what_is_written_by_rest_reaches_another_process_at_once(
    stage: Stage, one: Web, two: Web, talk: Socket
) -> None:
    ear = listen(stage, two, talk)
    ear.next()
    time.sleep(0.5)
    path = f"/api/ai-mentor/orgs/demo/users/alice/sessions/{talk.session_id}/"
    began = time.monotonic()
    fetch(one.url, "PUT", path, {"title": "Renamed"}, {"Authorization": f"Token {stage.token}"})
    assert ear.next().data["title"] == "Renamed"
    print(f"a title heard elsewhere after {time.monotonic() - began:.3f} s")
    assert time.monotonic() - began < 1
    ear.close()


def test_a_listener_comes_back_to_another_process(stage: Stage, one: Web, two: Web) -> None:
    talk = stage.talk(one, "steady")
    talk.say("Hello.")
    ear = listen(stage, one, talk)
    ear.next()
    talk.put(talk.payload("And now?"))
    asked = ear.next()
    ear.close()
    again = listen(stage, two, talk, asked.id)
    heard = [one.short for one in again.until("idle")]
    assert [short for short in heard if short != "running"] == ["mentor 4 complete", "idle"]
    talk.rest()
    again.close()


def test_a_listener_of_a_killed_process_hears_of_the_broken_answer(stage: Stage, two: Web) -> None:
    with stage.webs(1) as (web,):
        talk = stage.talk(web, "endless")
        talk.put(talk.payload("On and on."))
        talk.get()
        ear = listen(stage, web, talk)
        first = ear.next()
        assert first.short == "running"
        web.kill()
        assert ear.has_ended()
    again = listen(stage, two, talk, first.id)
    with stage.worker():
        heard = [one.short for one in again.until("idle", timeout=40)]
    assert heard == ["mentor 2 interrupted", "idle"]
    again.close()


def test_without_redis_events_come_by_looking(stage: Stage, two: Web, talk: Socket) -> None:
    ear = listen(stage, two, talk)
    ear.next()
    stage.redis.stop()
    try:
        began = time.monotonic()
        talk.say("And now?")
        heard = [one.short for one in ear.until("idle", timeout=15)]
        took = time.monotonic() - began
    finally:
        stage.redis.start()
    print(f"without Redis heard elsewhere after {took:.3f} s")
    assert (heard[0], heard[-2:]) == ("user 3 complete", ["mentor 4 complete", "idle"])
    assert took < 7
    time.sleep(4)  # subscribed again
    began = time.monotonic()
    talk.say("And now?")
    ear.until("idle")
    print(f"with Redis back after {time.monotonic() - began:.3f} s")
    assert time.monotonic() - began < 2
    ear.close()


def test_a_redis_that_swallows_everything_keeps_no_event(stage: Stage, two: Web, talk: Socket) -> None:
    ear = listen(stage, two, talk)
    ear.next()
    with frozen(stage.redis):
        talk.say("And now?")
        heard = [one.short for one in ear.until("idle", timeout=15)]
    assert heard[-2:] == ["mentor 4 complete", "idle"]
    ear.close()


def test_an_idle_listener_is_still_told_after_a_while(stage: Stage, two: Web, talk: Socket) -> None:
    """redis-py would cut off a connection on which nothing is said for five seconds."""
    ear = listen(stage, two, talk)
    ear.next()
    time.sleep(17)
    assert ": " in ear.lines, "a comment, so that no proxy takes it for dead"
    began = time.monotonic()
    talk.put(talk.payload("And now?"))
    ear.next()
    assert time.monotonic() - began < 1
    talk.rest()
    ear.close()


def test_at_sigterm_streams_end_at_once_and_go_on_elsewhere(stage: Stage, two: Web) -> None:
    with stage.webs(1, DRAIN_SECONDS="8") as (web,):
        talk = stage.talk(web, "patient")
        talk.put(talk.payload("Long, please."))
        talk.get()
        ear = listen(stage, web, talk)
        first = ear.next()
        subscriber = stage.talk(web, "patient")
        subscriber.put({"action": "subscribe", "session_id": talk.session_id, "token": stage.token})
        assert "subscribed" in subscriber.get()
        assert web.process is not None
        web.process.send_signal(signal.SIGTERM)
        began = time.monotonic()
        assert ear.has_ended()
        assert subscriber.get() == {"unsubscribed": talk.session_id}
        assert time.monotonic() - began < 1, "long before the turn ends"
        again = listen(stage, two, talk, first.id)
        assert [one.short for one in again.until("idle")] == ["mentor 2 complete", "idle"]
        talk.rest()
        web.seconds_to_exit()
    again.close()


# --- slow ones


def deaf(stage: Stage, web: Web, talk: Socket) -> socket.socket:
    """Asks for the events and reads none."""
    small = socket.socket()
    small.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    small.connect(("127.0.0.1", web.port))
    path = f"/api/v1/sessions/{talk.session_id}/events"
    small.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Token {stage.token}\r\n\r\n".encode())
    return small


def told_in_the_end(ear: socket.socket, talk: Socket) -> list[int]:
    """The messages that it is told when it reads at last."""
    response, sequences = http.client.HTTPResponse(ear), []
    response.begin()
    while not sequences or sequences[-1] < 100:
        line = response.readline()
        if line.startswith(b"data: ") and b'"message":{' in line:
            sequences.append(json.loads(line[6:])["data"]["message"]["sequence"])
    return sequences


def test_a_hundred_who_read_nothing_cost_a_bounded_memory(stage: Stage) -> None:
    with stage.webs(1, LIMIT_PROMPT_BYTES="65536") as (web,):
        talk = stage.talk(web, "brief")
        for _ in range(10):
            talk.say("x" * 60_000)
        before = web.memory()
        ears = [deaf(stage, web, talk) for _ in range(LISTENERS)]
        time.sleep(1)
        for _ in range(40):
            talk.say("x" * 60_000)
        grown = web.memory() - before
        print(f"{LISTENERS} deaf listeners of 5 MB of events each: grew by {grown:.1f} MiB")
        assert grown < 100
        assert told_in_the_end(ears[0], talk) == list(range(21, 101))
        for ear in ears:
            ear.close()
