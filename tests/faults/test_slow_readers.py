"""A client that reads nothing costs the server its answer's size and no more, and nobody else anything."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from websockets.sync.client import connect

from tests.clients import Frame, Socket, events
from tests.model_server import Answer

from .stage import Stage, text_of
from .web import Web

SOCKETS, STREAMS = 10, 10
ANSWER_BYTES = 1024 * 1024  # LIMIT_ANSWER_BYTES, which cuts what the model says here
# An answer is held as pieces, as frames, whole when it is stored, and in what malloc has not given back:
# 3 to 5 MiB each were measured. Pieces that pile up for a reader would add to that without end.
MIB_PER_ANSWER = 7
LONG = Answer(["x" * 1023 + " "] * 1100)


@dataclass
class Jam:
    """Twenty answers of a MiB each for clients that read nothing."""

    web: Web
    sockets: list[Socket]
    streams: list[Iterator[Frame]]
    generations: list[str]
    grown: float
    strangers: list[float]


def small_buffer(web: Web) -> socket.socket:
    small = socket.socket()
    small.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    small.connect(("127.0.0.1", web.port))
    return small


def slow_socket(stage: Stage, web: Web) -> Socket:
    """A client that has read no more than one frame ahead."""
    talk = stage.talk(web, "endless")
    url = web.url.replace("http", "ws") + "/ws/chat/"
    talk._socket = connect(
        url,
        sock=small_buffer(web),
        max_queue=1,
        max_size=None,
        compression=None,
        ping_interval=None,
        legacy=True,
    )
    return talk


def slow_stream(stage: Stage, web: Web) -> Iterator[Frame]:
    """The events of a POST, of which none is read ahead."""
    connection = http.client.HTTPConnection("127.0.0.1", web.port)
    connection.sock = small_buffer(web)
    body = json.dumps(stage.talk(web, "endless").payload("Long."))
    connection.request("POST", "/api/mentor/chat/", body, {"Content-Type": "application/json"})
    return events(connection.getresponse())


def seconds_for_a_stranger(stage: Stage, web: Web) -> float:
    talk = stage.talk(web, "brief")
    began = time.monotonic()
    assert talk.say("Am I served?").end["status"] == "complete"
    talk.close()
    return time.monotonic() - began


def warm_up(stage: Stage, web: Web) -> None:
    """What a process needs once, it has; a long answer that is read included."""
    stage.model.enqueue(LONG)
    stage.talk(web, "endless").say("Long.")
    for _ in range(10):
        seconds_for_a_stranger(stage, web)


def ask_and_read_nothing(stage: Stage, web: Web) -> tuple[list[Socket], list[Iterator[Frame]], list[str]]:
    """Nothing but the first frame, which has the answer's id."""
    stage.model.enqueue(*[LONG] * (SOCKETS + STREAMS))
    sockets, generations = [slow_socket(stage, web) for _ in range(SOCKETS)], []
    for talk in sockets:
        talk.put(talk.payload("Long."))
        generations.append(talk.get()["generation_id"])
    streams = [slow_stream(stage, web) for _ in range(STREAMS)]
    generations += [next(stream)["generation_id"] for stream in streams]
    return sockets, streams, generations


@pytest.fixture(scope="module")
def jam(stage: Stage) -> Iterator[Jam]:
    with stage.webs(1, DRAIN_SECONDS="1") as (web,):
        warm_up(stage, web)
        before = web.memory()
        sockets, streams, generations = ask_and_read_nothing(stage, web)
        strangers = [seconds_for_a_stranger(stage, web) for _ in range(10)]
        for generation_id in generations:
            stage.settled(generation_id, 30)
        grown = web.memory() - before
        print(f"grew by {grown:.1f} MiB from {before:.1f}; strangers {max(strangers):.2f} s at most")
        yield Jam(web, sockets, streams, generations, grown, strangers)


def test_twenty_slow_readers_cost_a_bounded_memory(jam: Jam) -> None:
    assert jam.grown < MIB_PER_ANSWER * (SOCKETS + STREAMS)


def test_the_answers_of_slow_readers_are_finished_and_stored(stage: Stage, jam: Jam) -> None:
    answers = [stage.answer(generation_id) for generation_id in jam.generations]
    assert {(answer.status, len(answer.content)) for answer in answers} == {("complete", ANSWER_BYTES)}


def test_others_are_served_meanwhile(jam: Jam) -> None:
    assert max(jam.strangers) < 3


def test_one_who_reads_in_the_end_has_missed_nothing(stage: Stage, jam: Jam) -> None:
    for frames in (jam.sockets[0].rest(), list(jam.streams[0])):
        assert len(text_of(frames)) == ANSWER_BYTES
        assert frames[-1]["status"] == "complete"


def jam_up(stage: Stage, web: Web, talk: Socket) -> None:
    """Ask for more than the system's own buffers take."""
    stage.model.enqueue(*[LONG] * 4)
    more = [stage.talk(web, "endless") for _ in range(4)]
    for another in more:
        talk.put(another.payload("Long."))
    for another in more:
        while not (messages := stage.messages(another.session_id)) or messages[-1].status == "streaming":
            time.sleep(0.05)


def test_one_who_reads_nothing_cannot_ask_for_ever_more(stage: Stage, jam: Jam) -> None:
    jam_up(stage, jam.web, jam.sockets[1])
    asked = [stage.talk(jam.web, "brief") for _ in range(40)]
    for another in asked:
        jam.sockets[1].put(another.payload("One more."))
    time.sleep(1)
    sessions = [another.session_id for another in asked]
    begun = stage.rows("SELECT id FROM chat_session WHERE id = ANY(%s::uuid[])", sessions)
    print(f"{len(begun)} of {len(asked)} more answers were begun for one who reads nothing")
    assert 0 < len(begun) < 16


def test_slow_readers_do_not_keep_a_server_from_its_end(jam: Jam) -> None:
    assert jam.web.process is not None
    jam.web.process.send_signal(signal.SIGTERM)
    seconds = jam.web.seconds_to_exit()
    print(f"gone after {seconds:.2f} s (DRAIN_SECONDS 1) with slow readers left")
    assert seconds < 1 + 9
