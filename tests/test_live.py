"""Running turns of a process: their log is whole, and each of them ends."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
import pytest

from chat import cache
from chat.leases import Held
from chat.live import FRAME_SECONDS, LiveTurn, Process


class SlowStore(cache.LocalStore):
    """A log that takes its time, and remembers what it was sent at once."""

    def __init__(self) -> None:
        super().__init__()
        self.commands: list[tuple[list[str], set[uuid.UUID]]] = []

    async def log_events(
        self, frames: Mapping[str, Sequence[str]], wakes: cache.Wakes = cache.NOBODY
    ) -> bool:
        await asyncio.sleep(0.02)
        self.commands.append((list(frames), set(wakes.sessions)))
        return await super().log_events(frames, wakes)


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> SlowStore:
    slow = SlowStore()
    monkeypatch.setattr("chat.live.store", lambda: slow)
    return slow


def a_turn() -> LiveTurn:
    turn = LiveTurn(Held(uuid.uuid4(), uuid.uuid4(), 1), "websocket")
    turn.emit({"generation_id": turn.generation_id})
    turn.emit_text('Zoë said:\n"Hi"')
    return turn


def test_an_event_goes_to_the_log_once_also_while_the_process_drains(log: SlowStore) -> None:
    async def talk() -> list[Any]:
        process, turn = Process(), a_turn()
        process.turns[turn.generation_id] = turn
        turn.end({"eos": True})
        await asyncio.gather(*[process._log_events() for _ in range(3)])
        assert process.turns == {}
        return await log.read_events(turn.generation_id, 0)

    assert [orjson.loads(frame)["event"] for frame in asyncio.run(talk())] == [1, 2, 3]


def test_the_wake_ups_of_a_turn_ride_with_its_events(log: SlowStore) -> None:
    async def talk() -> LiveTurn:
        process, turn = Process(), a_turn()
        process.changed(turn.held.session_id)
        process.add(turn)
        process.changed(turn.held.session_id)
        turn.end({"eos": True})
        await process._log_events()
        await process._log_events()
        return turn

    turn = asyncio.run(talk())
    assert log.commands == [([turn.generation_id], {turn.held.session_id})]


def test_a_text_frame_made_by_hand_is_json() -> None:
    turn = a_turn()
    text = {"event": 2, "generation_id": turn.generation_id, "data": 'Zoë said:\n"Hi"'}
    assert orjson.loads(turn.frames[1]) == text


def test_no_frame_holds_the_logs_separator() -> None:
    assert not any("\n" in frame for frame in a_turn().frames)


@pytest.mark.parametrize("reason", ["stopped", "interrupted", "lost"])
def test_the_first_reason_to_stop_counts(reason: str) -> None:
    turn = a_turn()
    turn.stop(reason)
    turn.stop("stopped")
    assert turn.stop_reason == reason


def test_begins_of_a_session_wait_for_each_other_and_of_others_do_not() -> None:
    async def talk() -> list[str]:
        process, one, other = Process(), uuid.uuid4(), uuid.uuid4()
        order: list[str] = []

        async def begin(name: str, session: uuid.UUID) -> None:
            async with process.alone(session):
                order.append(f"{name} begins")
                await asyncio.sleep(0.01)
                order.append(f"{name} began")

        await asyncio.gather(begin("a", one), begin("b", one), begin("c", other))
        assert not process._begins
        return order

    assert asyncio.run(talk()) == ["a begins", "c begins", "a began", "c began", "b begins", "b began"]


def test_who_gives_up_waiting_to_begin_does_not_keep_the_next_from_it() -> None:
    async def talk() -> None:
        process, session = Process(), uuid.uuid4()

        async def begin() -> None:
            async with process.alone(session):
                await asyncio.sleep(0.02)

        tasks = [asyncio.create_task(begin()) for _ in range(3)]
        await asyncio.sleep(0.01)
        tasks[1].cancel()
        await asyncio.wait_for(asyncio.gather(tasks[0], tasks[2]), 2)

    asyncio.run(talk())


def test_the_first_text_is_told_at_once_and_fast_ones_after_it_together() -> None:
    async def run() -> tuple[int, list[Any]]:
        turn = a_turn()
        for text in ("one ", "two ", "three"):
            turn.emit_text(text)
        told_at_once = len(turn.frames)
        await asyncio.sleep(3 * FRAME_SECONDS)
        return told_at_once, data_of(turn)

    assert asyncio.run(run()) == (2, [None, 'Zoë said:\n"Hi"', "one two three"])


def test_what_is_not_told_yet_is_told_before_the_end() -> None:
    async def run() -> list[Any]:
        turn = a_turn()
        turn.emit_text("more")
        turn.end({"eos": True})
        await asyncio.sleep(2 * FRAME_SECONDS)
        return data_of(turn)

    assert asyncio.run(run())[2:] == ["more", None]


def data_of(turn: LiveTurn) -> list[Any]:
    return [orjson.loads(frame).get("data") for frame in turn.frames]


def test_frames_that_come_after_their_answer_was_removed_are_kept_nowhere() -> None:
    """A turn that is over has its last ones still to tell."""

    async def talk() -> list[list[str]]:
        log, removed, other = cache.store(), str(uuid.uuid4()), str(uuid.uuid4())
        await log.log_events({removed: ["a"]})
        log.forget_events(removed)
        assert await log.log_events({removed: ["secret"], other: ["b"]})
        return [await log.read_events(one, 0) for one in (removed, other)]

    assert asyncio.run(talk()) == [[], ["b"]]
