"""Frames reach their readers: at once while they keep up, later when not, and never at the turn's cost."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from chat.feeds import Feed, deliver, started

Sent = list[str]


class Turn:
    """A running turn of one letter a frame."""

    def __init__(self, frames: str = "") -> None:
        self.frames = list(frames)
        self.done = False
        self.feeds: list[Feed] = []

    def emit(self, frames: str, *, last: bool = False) -> None:
        for n, frame in enumerate(frames):
            self.done = last and n == len(frames) - 1
            self.frames.append(frame)
            for feed in self.feeds:
                feed.push()

    def read_by(self, send: Callable[[str], Any], after: int = 0) -> asyncio.Task[None]:
        return asyncio.get_running_loop().create_task(Feed(self, after).send_to(send))


class Reader:
    """Takes what it is sent when its gate is open."""

    def __init__(self, *, is_open: bool = True) -> None:
        self.sent: Sent = []
        self.gate = asyncio.Event()
        self.fails_at = ""
        if is_open:
            self.gate.set()

    async def __call__(self, frame: str) -> None:
        if not self.gate.is_set():
            await self.gate.wait()
        if frame == self.fails_at:
            raise ConnectionError("gone")
        self.sent.append(frame)

    @property
    def text(self) -> str:
        return "".join(self.sent)


def run(work: Awaitable[None]) -> None:
    async def bounded() -> None:
        await asyncio.wait_for(work, 5)

    asyncio.run(bounded())


async def turns_of_the_loop(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def test_a_reader_that_keeps_up_is_sent_each_frame_within_the_emit() -> None:
    async def talk() -> None:
        turn, reader = Turn(), Reader()
        reading = turn.read_by(reader)
        await asyncio.sleep(0)
        for n, frame in enumerate("abc"):
            turn.emit(frame, last=n == 2)
            assert reader.text == "abc"[: n + 1]
        await reading

    run(talk())


@pytest.mark.parametrize(("after", "text"), [(0, "abc"), (2, "c"), (3, "")])
def test_a_turn_that_ended_before_anybody_followed_is_read_from_where_it_is_asked(
    after: int, text: str
) -> None:
    async def talk() -> None:
        turn, reader = Turn("abc"), Reader()
        turn.done = True
        await turn.read_by(reader, after)
        assert (reader.text, turn.feeds) == (text, [])

    run(talk())


def test_a_reader_that_blocks_gets_all_in_order_later() -> None:
    async def talk() -> None:
        turn, reader = Turn("a"), Reader(is_open=False)
        reading = turn.read_by(reader)
        await asyncio.sleep(0)
        turn.emit("bc", last=True)
        assert reader.text == ""
        reader.gate.set()
        await reading
        assert reader.text == "abc"

    run(talk())


def test_a_reader_that_blocks_in_the_middle_loses_nothing() -> None:
    async def talk() -> None:
        turn, reader = Turn(), Reader()
        reading = turn.read_by(reader)
        await asyncio.sleep(0)
        for frames in ("ab", "cd", "ef"):
            reader.gate.clear()
            turn.emit(frames)
            await turns_of_the_loop()
            reader.gate.set()
            await turns_of_the_loop()
        turn.emit("g", last=True)
        await reading
        assert reader.text == "abcdefg"

    run(talk())


def test_two_readers_do_not_wait_for_each_other() -> None:
    async def talk() -> None:
        turn, quick, slow = Turn(), Reader(), Reader(is_open=False)
        readings = [turn.read_by(slow), turn.read_by(quick)]
        await asyncio.sleep(0)
        turn.emit("abc", last=True)
        assert (quick.text, slow.text) == ("abc", "")
        slow.gate.set()
        await asyncio.gather(*readings)
        assert slow.text == "abc"

    run(talk())


@pytest.mark.parametrize("is_open", [True, False], ids=["at once", "after a wait"])
def test_what_the_sending_raises_reaches_the_reader_and_not_the_turn(is_open: bool) -> None:
    async def talk() -> None:
        turn, gone, other = Turn(), Reader(is_open=is_open), Reader()
        gone.fails_at = "b"
        reading, _ = turn.read_by(gone), turn.read_by(other)
        await asyncio.sleep(0)
        turn.emit("abc")
        gone.gate.set()
        with pytest.raises(ConnectionError):
            await reading
        turn.emit("d", last=True)
        assert (gone.text, other.text, turn.feeds) == ("a", "abcd", turn.feeds[:1])

    run(talk())


def test_a_sending_that_meets_something_cancelled_does_not_cancel_the_turn() -> None:
    async def talk() -> None:
        async def send(frame: str) -> None:
            done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            done.cancel()
            await done

        turn = Turn()
        reading = turn.read_by(send)
        await asyncio.sleep(0)
        turn.emit("a")
        with pytest.raises(asyncio.CancelledError):
            await reading

    run(talk())


def test_who_left_is_sent_nothing_more() -> None:
    async def talk() -> None:
        turn, reader = Turn("abc"), Reader(is_open=False)
        reading = turn.read_by(reader)
        await asyncio.sleep(0)
        reading.cancel()
        reader.gate.set()
        await turns_of_the_loop()
        turn.emit("d", last=True)
        await turns_of_the_loop()
        assert (reader.text, turn.feeds) == ("", [])

    run(talk())


def test_a_sending_that_was_cut_off_cleans_up() -> None:
    async def talk() -> None:
        cleaned: Sent = []

        async def send(frame: str) -> None:
            try:
                await asyncio.sleep(60)
            finally:
                cleaned.append(frame)

        turn = Turn("a")
        reading = turn.read_by(send)
        await turns_of_the_loop()
        reading.cancel()
        await turns_of_the_loop()
        assert cleaned == ["a"]

    run(talk())


def test_an_iterating_reader_may_stop_at_any_frame() -> None:
    async def talk() -> None:
        turn = Turn("abc")
        frames = Feed(turn, 1).__aiter__()
        assert await anext(frames) == "b"
        await frames.aclose()  # type: ignore[attr-defined]
        await turns_of_the_loop()
        assert turn.feeds == []

    run(talk())


def test_an_iterating_reader_hears_to_the_end() -> None:
    async def talk() -> None:
        turn = Turn("ab")
        asyncio.get_running_loop().call_later(0.01, lambda: turn.emit("c", last=True))
        assert [frame async for frame in Feed(turn, 0)] == ["a", "b", "c"]

    run(talk())


def test_other_sources_are_delivered_too() -> None:
    async def talk() -> None:
        async def frames() -> Any:
            for frame in "abc":
                yield frame

        reader = Reader()
        await deliver(frames(), reader)
        assert reader.text == "abc"

    run(talk())


# Coroutines that are started by hand


async def waiting_for(*things: Any) -> None:
    for thing in things:
        await thing


def test_work_that_waits_for_nothing_is_over_at_once() -> None:
    assert started(waiting_for()) is None


def test_the_rest_goes_through_every_kind_of_wait() -> None:
    async def talk() -> None:
        loop = asyncio.get_running_loop()
        early, late = loop.create_future(), loop.create_future()
        loop.call_later(0.01, late.set_result, None)
        rest = started(waiting_for(early, asyncio.sleep(0), late, asyncio.sleep(0.001)))
        early.set_result(None)  # before anybody awaits it
        assert rest is not None
        await rest

    run(talk())


def test_the_rest_raises_what_the_work_raises() -> None:
    async def talk() -> None:
        failed = asyncio.get_running_loop().create_future()
        rest = started(waiting_for(failed))
        failed.set_exception(ConnectionError())
        assert rest is not None
        with pytest.raises(ConnectionError):
            await rest

    run(talk())


def test_cancelling_the_rest_is_heard_by_the_work() -> None:
    async def talk() -> None:
        heard: Sent = []

        async def work() -> None:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                heard.append("cancelled")
                await asyncio.sleep(0)
                heard.append("cleaned up")
                raise

        rest = started(work())
        assert rest is not None
        task = asyncio.get_running_loop().create_task(rest)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert heard == ["cancelled", "cleaned up"]

    run(talk())
