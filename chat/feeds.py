"""How frames reach a reader: at once while it keeps up, by a task of its own when it does not."""

from __future__ import annotations

import asyncio
import functools
import types
from collections.abc import AsyncIterable, AsyncIterator, Callable, Coroutine, Generator
from typing import Any, Protocol

Send = Callable[[str], Coroutine[Any, Any, None]]


class ClientLeft(Exception):
    """The client is gone, in one of the ways that servers say so."""


class Source(Protocol):
    """A running turn: it pushes its feeds when there is a new frame, and after its last one it is done."""

    frames: list[str]
    done: bool
    feeds: list[Feed]


class Feed:
    """One reader of a running turn. It may be slow or leave: neither holds up the turn."""

    def __init__(self, turn: Source, after: int) -> None:
        self._turn = turn
        self._at = after
        self._send: Send | None = None
        self._sending: asyncio.Task[None] | None = None
        self._over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def __aiter__(self) -> AsyncIterator[str]:
        frames: asyncio.Queue[str | None] = asyncio.Queue()

        async def put(frame: str) -> None:
            frames.put_nowait(frame)

        delivery = asyncio.get_running_loop().create_task(self.send_to(put))
        delivery.add_done_callback(lambda _: frames.put_nowait(None))
        try:
            while (frame := await frames.get()) is not None:
                yield frame
        finally:
            delivery.cancel()

    async def send_to(self, send: Send) -> None:
        """Send every frame to the last; raises what the sending of one raised."""
        self._send = send
        self._turn.feeds.append(self)
        try:
            self.push()
            await self._over
        finally:
            self._turn.feeds.remove(self)
            self._send = None  # who left is sent nothing more, whatever was under way
            if self._sending is not None:
                self._sending.cancel()

    def push(self) -> None:
        """Send what is new, here and now as long as nothing waits: a token then wakes no task.

        The first sending that has to wait goes on in a task, and what comes meanwhile after it.
        """
        frames = self._turn.frames
        try:
            while self._sending is None and self._at < len(frames) and self._send is not None:
                self._at += 1
                rest = started(self._send(frames[self._at - 1]))
                if rest is not None:
                    self._sending = asyncio.get_running_loop().create_task(rest)
                    self._sending.add_done_callback(self._sent)
        except (Exception, asyncio.CancelledError) as error:
            self._end(error)  # the reader's own trouble: the turn that pushes must not hear of it
        if self._sending is None and self._turn.done and self._at >= len(frames):
            self._end(None)

    def _sent(self, task: asyncio.Task[None]) -> None:
        self._sending = None
        if task.cancelled() or (error := task.exception()) is None:
            self.push()
        else:
            self._end(error)

    def _end(self, error: BaseException | None) -> None:
        self._send = None
        if self._over.done():
            return
        if error is None:
            self._over.set_result(None)
        else:
            self._over.set_exception(error)


async def deliver(frames: AsyncIterable[str], send: Send) -> None:
    """Send all frames of a turn, in order; raises what the sending of one raised."""
    if isinstance(frames, Feed):
        await frames.send_to(send)
        return
    async for frame in frames:
        await send(frame)


def started(work: Coroutine[Any, Any, None]) -> Coroutine[Any, Any, None] | None:
    """Run a coroutine up to its first wait: None if it is over by then, else its rest, to be awaited.

    What Python 3.12 calls an eager task.
    """
    try:
        waits_for = work.send(None)
    except StopIteration:
        return None
    return _rest(work, waits_for)


async def _rest(work: Coroutine[Any, Any, None], waits_for: Any) -> None:
    await _resumed(work, waits_for)


@types.coroutine
def _resumed(work: Coroutine[Any, Any, None], waits_for: Any) -> Generator[Any, Any, None]:
    while True:
        try:
            answer = yield waits_for
        except BaseException as error:
            step = functools.partial(work.throw, error)
        else:
            step = functools.partial(work.send, answer)
        try:
            waits_for = step()
        except StopIteration:
            return
