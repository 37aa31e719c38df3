"""PostgreSQL is restarted, and crashes, under traffic: a late answer or a refusal, never a false word."""

from __future__ import annotations

import dataclasses
import signal
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.clients import Frame, Reply
from tests.model_server import Answer, numbered

from .stage import Stage, text_of
from .traffic import Talker, Told, all_faults, faults, refusals, talking, tell_figures
from .web import Web


@dataclasses.dataclass
class Outage:
    """The users who talked on, and the frames of an answer that streamed all the while."""

    talkers: list[Talker]
    streamed: list[Frame]


def restart(stage: Stage, how: int, away: float) -> None:
    time.sleep(1.5)
    stage.postgres.stop(how)
    time.sleep(away)
    stage.postgres.start()


@pytest.fixture(scope="module")
def outage(stage: Stage, pair: list[Web]) -> Iterator[Outage]:
    """Twenty users talk on while PostgreSQL is restarted, and once more while it crashes and recovers."""
    stage.model.enqueue(Answer(numbered(160), gap=0.05))
    streamer = stage.talk(pair[0], "endless")
    streamer.put(streamer.payload("Stream through it all."))
    streamed = [streamer.get(), streamer.get()]
    with ThreadPoolExecutor() as pool, talking(stage, pair, 20) as talkers:
        rest = pool.submit(streamer.rest, 30)
        restart(stage, signal.SIGINT, away=1)
        restart(stage, signal.SIGQUIT, away=1.5)
        time.sleep(2.5)
    tell_figures(talkers)
    yield Outage(talkers, streamed + rest.result())


def test_whoever_sends_again_has_each_message_once_and_every_word_was_true(
    stage: Stage, outage: Outage
) -> None:
    assert all_faults(stage, outage.talkers) == []
    assert min(len(talker.told) for talker in outage.talkers) > 5


def test_nobody_hears_anything_but_unavailable(outage: Outage) -> None:
    assert refusals(outage.talkers) <= {"unavailable"}


def test_one_who_asks_without_a_database_is_refused_and_taken_when_it_is_back(
    stage: Stage, outage: Outage, one: Web
) -> None:
    talk = stage.talk(one, "brief")
    stage.postgres.stop()
    began = time.monotonic()
    try:
        refusal = talk.say("Anybody there?", client_message_id="one").end
        took = time.monotonic() - began
    finally:
        stage.postgres.start()
    print(f"refused after {took:.2f} s")
    assert (refusal["code"], refusal["status_code"], took < 8) == ("unavailable", 503, True)
    assert talk.say("Anybody there?", client_message_id="one").end["status"] == "complete"
    assert [m.client_message_id for m in stage.messages(talk.session_id)] == ["one", None]
    assert {talk.say("And again?").end["status"] for _ in range(20)} == {"complete"}


def test_an_answer_that_streamed_through_it_is_stored_afterwards(stage: Stage, outage: Outage) -> None:
    answer = stage.answer(outage.streamed[0]["generation_id"])
    assert (answer.status, answer.content) == ("complete", "".join(numbered(160)))
    assert text_of(outage.streamed) == answer.content


def test_the_ledger_would_notice_a_false_acknowledgement(stage: Stage, outage: Outage) -> None:
    talker = outage.talkers[0]
    rows, first = stage.messages(talker.talk.session_id), talker.told[0]
    assert first.reply is not None
    assert faults([Told("never", {})], rows) == ["never is stored 0 times"]
    start = {**first.reply.start, "user_message_id": str(uuid.uuid4())}
    lied_to = dataclasses.replace(first, reply=Reply([start, *first.reply.frames[1:]]))
    assert faults([lied_to], rows) == ["message-0: acknowledged under another id"]
    forgotten = dataclasses.replace(first, context={"since": -1})
    assert faults([forgotten], rows) == ["message-0: another context"]
    assert faults([first], rows[:1] + rows[2:]) != []
