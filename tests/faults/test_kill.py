"""kill -9 of a web process in the middle of eight turns, with another process and a reaper left."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.clients import Frame, Socket, is_last

from .stage import Stage, elsewhere, numbers, rest_until_closed, say_until_free, stop, text_of
from .web import Web

METADATA = {"page": "licensing", "visit": 7}


@dataclass
class Turn:
    """A turn that the killed process had accepted, and all that its client ever saw of it."""

    talk: Socket
    payload: Frame
    seen: list[Frame]
    again: list[Frame] = field(default_factory=list)

    @property
    def generation_id(self) -> str:
        return str(self.seen[0]["generation_id"])


@dataclass
class Crash:
    """What was seen before the kill, and what came after it."""

    turns: list[Turn]
    unheard: list[Socket]
    seconds_until_free: list[float] = field(default_factory=list)
    seconds_until_final: float = 0.0


def accept(stage: Stage, web: Web) -> Turn:
    talk = stage.talk(web, "endless")
    payload = talk.payload("Do not lose this.", metadata=METADATA, client_message_id="one")
    talk.put(payload)
    return Turn(talk, payload, [talk.get()])


def come_back(crash: Crash, turn: Turn, web: Web, killed_at: float) -> None:
    talk = elsewhere(turn.talk, web)
    started = say_until_free(talk)
    crash.seconds_until_free.append(time.monotonic() - killed_at)
    stop(talk, started["generation_id"])
    send_again(turn, web)


def send_again(turn: Turn, web: Web) -> None:
    """The same payload once more, as a client does that saw its socket break."""
    talk = elsewhere(turn.talk, web)
    talk.put(turn.payload)
    turn.again = talk.rest(timeout=60)
    talk.close()


def streaming(stage: Stage, crash: Crash) -> list[Any]:
    sessions = [turn.talk.session_id for turn in crash.turns] + [talk.session_id for talk in crash.unheard]
    sql = "SELECT id FROM chat_chatmessagehistory WHERE status = 'streaming' AND session_id = ANY(%s::uuid[])"
    return stage.rows(sql, sessions)


@pytest.fixture(scope="module")
def crash(stage: Stage, pair: list[Web]) -> Iterator[Crash]:
    """Six turns were acknowledged and two more just sent when the process died; three clients come back."""
    with stage.webs(1) as (victim,):
        crash = Crash(
            [accept(stage, victim) for _ in range(6)], [stage.talk(victim, "endless") for _ in "ab"]
        )
        time.sleep(4.5)
        for talk in crash.unheard:
            talk.put(talk.payload("Maybe too late.", metadata=METADATA, client_message_id="one"))
        victim.kill()
        killed_at = time.monotonic()
    for turn in crash.turns:
        turn.seen += rest_until_closed(turn.talk)[0]
    with stage.worker():
        after(stage, crash, pair[1], killed_at)
    yield crash


def after(stage: Stage, crash: Crash, web: Web, killed_at: float) -> None:
    returning, sending_again = crash.turns[:2], crash.turns[2:4]
    threads = [
        *(threading.Thread(target=come_back, args=(crash, turn, web, killed_at)) for turn in returning),
        *(threading.Thread(target=send_again, args=(turn, web)) for turn in sending_again),
    ]
    for thread in threads:
        thread.start()
    while streaming(stage, crash) and time.monotonic() < killed_at + 90:
        time.sleep(0.2)
    crash.seconds_until_final = time.monotonic() - killed_at
    for thread in threads:
        thread.join()
    print(f"free after {crash.seconds_until_free} s, all final after {crash.seconds_until_final:.1f} s")


def test_every_acknowledged_message_is_stored_with_its_context(stage: Stage, crash: Crash) -> None:
    for turn in crash.turns:
        asked = stage.messages(turn.talk.session_id)[0]
        assert (str(asked.id), asked.text) == (turn.seen[0]["user_message_id"], "Do not lose this.")
        assert asked.context == METADATA
        (session,) = stage.rows("SELECT metadata FROM chat_session WHERE id = %s", turn.talk.session_id)
        assert session.metadata == {"client_context": METADATA}


def test_what_was_not_acknowledged_is_stored_whole_or_not_at_all(stage: Stage, crash: Crash) -> None:
    for talk in crash.unheard:
        stored = [(m.role, m.context) for m in stage.messages(talk.session_id)]
        assert stored in ([], [("user", METADATA), ("mentor", METADATA)])


def test_the_session_takes_a_new_turn_elsewhere_within_ten_seconds(crash: Crash) -> None:
    assert len(crash.seconds_until_free) == 2
    assert max(crash.seconds_until_free) <= 10


def test_the_broken_answer_is_interrupted_with_the_text_that_had_been_flushed(
    stage: Stage, crash: Crash
) -> None:
    for turn in crash.turns:
        answer = stage.answer(turn.generation_id)
        assert answer.status == "interrupted"
        assert len(answer.content) > 100
        assert text_of(turn.seen).startswith(answer.content)


def test_the_same_message_sent_again_brings_its_first_outcome(stage: Stage, crash: Crash) -> None:
    for turn in crash.turns[:4]:
        assert turn.again[0] == turn.seen[0]
        assert (turn.again[-1]["status"], turn.again[-1]["code"]) == ("interrupted", "interrupted")
        assert numbers(turn.again) == list(range(1, len(turn.again) + 1))
        assert [m.client_message_id for m in stage.messages(turn.talk.session_id)].count("one") == 1


def test_the_outcome_told_again_repeats_no_text(stage: Stage, crash: Crash) -> None:
    for turn in crash.turns[:4]:
        assert text_of(turn.again).startswith(stage.answer(turn.generation_id).content)
        assert text_of(turn.again).count("tok0 ") == 1


def test_every_accepted_turn_is_final_within_a_minute_though_nobody_returns(
    stage: Stage, crash: Crash
) -> None:
    assert crash.seconds_until_final <= 60
    assert streaming(stage, crash) == []
    assert all(not is_last(frame) for turn in crash.turns for frame in turn.seen)
