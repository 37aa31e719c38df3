"""A process that slept too long has lost its turns: it can write nothing more over what came after."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.clients import Frame, Reply, Socket
from tests.model_server import Answer, numbered

from .stage import Stage, elsewhere, say_until_free, text_of
from .web import Web, frozen

Rows = list[tuple[str, str, str]]


@dataclass
class Sleep:
    """What was stored before the process woke up and after, and what the clients of its turns heard."""

    taken: Socket
    before: Rows
    after: Rows
    heard_by_the_taken: list[Frame]
    heard_by_the_kept: list[Frame]
    sent_again: Reply


def rows(stage: Stage, talk: Socket) -> Rows:
    return [(m.role, m.status, m.content) for m in stage.messages(talk.session_id)]


def begin(stage: Stage, web: Web, answer: Answer) -> tuple[Socket, list[Frame]]:
    """A running turn of this answer, and its first two frames."""
    stage.model.enqueue(answer)
    talk = stage.talk(web, "endless")
    talk.put(talk.payload("Begin.", client_message_id="one"))
    return talk, [talk.get(), talk.get()]


@pytest.fixture(scope="module")
def sleep(stage: Stage, pair: list[Web]) -> Iterator[Sleep]:
    """A process sleeps past its lease (3 s here) in three turns.

    Another process takes over one of them, and is sent the message of another again; nobody reaps.
    """
    with stage.webs(1, TURN_LEASE_SECONDS="3", TURN_HEARTBEAT_SECONDS="1") as (sleeper,):
        taken, heard_by_the_taken = begin(stage, sleeper, Answer(numbered(400), gap=0.05))
        kept, heard_by_the_kept = begin(stage, sleeper, Answer(numbered(80), gap=0.05))
        waited_for, _ = begin(stage, sleeper, Answer(numbered(400), gap=0.05))
        time.sleep(2.5)
        with frozen(sleeper):
            time.sleep(1)
            stage.model.enqueue(Answer(["Taken ", "over."]))
            usurper = elsewhere(taken, pair[1])
            second = Reply([say_until_free(usurper), *usurper.rest()])
            assert second.text == "Taken over."
            before = rows(stage, taken)
            sent_again = elsewhere(waited_for, pair[1]).say("Begin.", client_message_id="one")
        heard_by_the_taken += taken.rest()
        heard_by_the_kept += kept.rest()
        time.sleep(2.5)
        yield Sleep(taken, before, rows(stage, taken), heard_by_the_taken, heard_by_the_kept, sent_again)


def test_one_that_lost_its_lease_can_write_nothing(sleep: Sleep) -> None:
    assert sleep.before == sleep.after


def test_the_first_answer_is_interrupted_and_the_second_is_whole(sleep: Sleep) -> None:
    assert [(role, status) for role, status, _ in sleep.before] == [
        ("user", "complete"),
        ("mentor", "interrupted"),
        ("user", "complete"),
        ("mentor", "complete"),
    ]
    assert sleep.before[1][2].startswith("tok0 tok1 ")
    assert sleep.before[3][2] == "Taken over."


def test_its_client_is_told(sleep: Sleep) -> None:
    end = sleep.heard_by_the_taken[-1]
    assert (end["code"], end["status"], end["status_code"]) == ("lease_lost", "interrupted", 409)


def test_a_turn_that_nobody_took_over_goes_on_to_its_end(sleep: Sleep) -> None:
    assert sleep.heard_by_the_kept[-1]["status"] == "complete"
    assert text_of(sleep.heard_by_the_kept) == "".join(numbered(80))


def test_one_who_waits_for_a_lost_holder_needs_no_reaper(stage: Stage, sleep: Sleep) -> None:
    assert sleep.sent_again.end["status"] == "interrupted"
    answer = stage.answer(sleep.sent_again.generation_id)
    assert (answer.status, sleep.sent_again.text.startswith(answer.content)) == ("interrupted", True)


def test_a_session_taken_over_is_usable_afterwards(stage: Stage, sleep: Sleep, two: Web) -> None:
    stage.model.enqueue(Answer(["Good."]))
    assert elsewhere(sleep.taken, two).say("And on we go.").text == "Good."
