"""SIGTERM: running turns are finished or marked, new ones refused, every client told, and then the end."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from tests.clients import Frame, Socket, Stream

from .stage import Stage, rest_until_closed, text_of
from .web import Web


@dataclass
class Goodbye:
    """What each client of a process heard after its SIGTERM, and how long the process took."""

    turns: list[tuple[list[Frame], int | None]]
    newcomer: tuple[list[Frame], int | None]
    stream: list[Frame]
    newly_refused: bool
    seconds: float


def ask(talk: Socket) -> Socket:
    talk.put(talk.payload("Long, please."))
    talk.get()
    return talk


def is_refused(talk: Socket) -> bool:
    try:
        talk.open().close()
    except OSError:
        return True
    return False


def say_goodbye(stage: Stage, web: Web, mentor: str) -> Goodbye:
    """Three turns and an event stream run, a socket is idle; then SIGTERM, and a new turn is asked for."""
    newcomer = stage.talk(web, mentor)
    assert newcomer.socket
    with ThreadPoolExecutor() as pool:
        stream = Stream(web.url, tenant="demo", mentor=mentor, token=stage.token, username="alice")
        streamed = pool.submit(stream.say, "Long, please.")
        talks = [ask(stage.talk(web, mentor)) for _ in range(3)]
        time.sleep(0.5)
        assert web.process is not None
        web.process.send_signal(signal.SIGTERM)
        exiting = pool.submit(web.seconds_to_exit)
        time.sleep(0.5)
        newcomer.put(newcomer.payload("Me too."))
        refused = is_refused(stage.talk(web, mentor))
        turns = [rest_until_closed(talk) for talk in talks]
        return Goodbye(
            turns, rest_until_closed(newcomer), streamed.result().frames, refused, exiting.result()
        )


@pytest.fixture(scope="module")
def patient(stage: Stage) -> Iterator[Goodbye]:
    """There is time enough for answers of three seconds."""
    with stage.webs(1, DRAIN_SECONDS="8") as (web,):
        yield say_goodbye(stage, web, "patient")


@pytest.fixture(scope="module")
def hasty(stage: Stage) -> Iterator[Goodbye]:
    """There is a second for answers of a minute."""
    with stage.webs(1, DRAIN_SECONDS="1") as (web,):
        yield say_goodbye(stage, web, "endless")


def test_running_turns_are_finished_on_their_open_sockets(stage: Stage, patient: Goodbye) -> None:
    for frames, _ in patient.turns:
        assert frames[-1]["status"] == "complete"
        assert text_of(frames) == stage.answer(frames[-1]["message_id"]).content
    assert (patient.stream[-1]["status"], len(patient.stream)) == ("complete", 62)


def test_a_new_turn_is_told_that_the_server_goes_down(patient: Goodbye) -> None:
    (refusal,), code = patient.newcomer
    assert (refusal["code"], refusal["status_code"], code) == ("draining", 503, 1012)


def test_a_new_connection_is_refused(patient: Goodbye, hasty: Goodbye) -> None:
    assert (patient.newly_refused, hasty.newly_refused) == (True, True)


def test_sockets_are_closed_as_by_a_service_that_restarts(patient: Goodbye, hasty: Goodbye) -> None:
    assert {code for _, code in patient.turns + hasty.turns} == {1012}


def test_a_turn_that_is_cut_off_is_marked_and_its_client_told(stage: Stage, hasty: Goodbye) -> None:
    for frames, _ in hasty.turns:
        assert (frames[-1]["code"], frames[-1]["status"]) == ("draining", "interrupted")
        answer = stage.answer(frames[-1]["message_id"])
        assert (answer.status, answer.content) == ("interrupted", text_of(frames))
        assert len(answer.content) > 50
    assert hasty.stream[-1]["code"] == "draining"


def test_the_process_ends_when_the_turns_have_or_their_time_is_up(patient: Goodbye, hasty: Goodbye) -> None:
    print(f"gone after {patient.seconds:.2f} s (turns of 3 s) and {hasty.seconds:.2f} s (DRAIN_SECONDS 1)")
    assert patient.seconds < 3 + 3
    assert hasty.seconds < 1 + 3
