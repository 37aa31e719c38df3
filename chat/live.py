"""The turns that this process runs: their events, their leases, and the calls to stop.

An event is kept here until its turn ends, so a reader may be slow or leave; five times a second what is new
goes to the event log, where any process finds it for a client that comes back.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
import uuid
import weakref
from collections.abc import Callable
from typing import Any
from uuid import UUID

import orjson
import structlog
from channels.layers import get_channel_layer
from django.conf import settings

from . import leases, news, telemetry
from .cache import Wakes, store
from .database import in_database
from .errors import LeaseLost, Unavailable
from .feeds import Feed
from .tallies import Tally

log = structlog.get_logger(__name__)
TICK_SECONDS = 0.2
WAKE_SECONDS = 1.0
LAST_WORDS_SECONDS = 3.0
# The least time between two data frames of a turn: half of what a screen shows one picture for.
FRAME_SECONDS = 0.008


class LiveTurn:
    """One running turn: the frames so far, and who waits for the next."""

    def __init__(self, held: leases.Held, door: str) -> None:
        self.held = held
        self.door = door
        self.generation_id = str(held.answer)
        self.frames: list[str] = []
        self.texts: list[str] = []
        self.done = False
        self.stop_reason: str | None = None
        self.logged = 0
        self.log_broken = False
        self.beaten_at = time.monotonic()
        self.task: asyncio.Task[None] | None = None
        self.streaming = False
        self.feeds: list[Feed] = []
        self._told_at = -FRAME_SECONDS
        self._untold: list[str] = []
        self._timer: asyncio.TimerHandle | None = None
        self._data_head = f'{{"generation_id":"{self.generation_id}","event":'

    def emit(self, frame: dict[str, Any]) -> None:
        """Append a frame; it is given its number within the turn."""
        self._append(orjson.dumps({"event": len(self.frames) + 1, **frame}).decode())

    def emit_text(self, text: str) -> None:
        """Tell text in a data frame: at once, or with what follows where the frame before is FRAME_SECONDS young.

        A frame costs as much as four tokens; nobody sees more of them than the screen shows.
        """
        self.texts.append(text)
        self._untold.append(text)
        if self._timer is None:
            wait = self._told_at + FRAME_SECONDS - time.monotonic()
            if wait <= 0:
                self.tell()
            else:
                self._timer = asyncio.get_running_loop().call_later(wait, self.tell)

    def tell(self) -> None:
        """Append what is not told yet as a data frame, by hand: there are many of them in a turn."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._untold:
            self._told_at = time.monotonic()
            text = orjson.dumps("".join(self._untold)).decode()
            self._untold.clear()
            self._append(f'{self._data_head}{len(self.frames) + 1},"data":{text}}}')

    def end(self, frame: dict[str, Any]) -> None:
        self.tell()
        self.done = True
        self.texts.clear()  # stored by now: a slow reader's frames need not be kept twice
        self.emit(frame)

    def _append(self, frame: str) -> None:
        self.frames.append(frame)
        for feed in self.feeds:
            feed.push()

    def follow(self, after: int = 0) -> Feed:
        """The frames after the first `after` ones, as they come, to the last."""
        return Feed(self, after)

    def stop(self, reason: str) -> None:
        """End the stream now: `stopped` by somebody's wish, `interrupted` by ours, `lost` with the lease."""
        if self.stop_reason is None:
            self.stop_reason = reason
            # Only the stream is cut: a task that has not begun sees the reason, one that stores is let be.
            if self.streaming and self.task is not None:
                self.task.cancel()

    @property
    def content(self) -> str:
        return "".join(self.texts)


class BoundedLock(asyncio.Lock):
    """A lock that is waited for no longer than the database's own."""

    async def __aenter__(self) -> None:
        """Raises Unavailable."""
        if not self.locked():
            await self.acquire()
            return
        try:
            async with asyncio.timeout(settings.DATABASE_LOCK_TIMEOUT_MS / 1000):
                await self.acquire()
        except TimeoutError:
            raise Unavailable() from None


class Process:
    """All running turns of one event loop, and the one task that looks after them."""

    def __init__(self) -> None:
        self.turns: dict[str, LiveTurn] = {}
        self.draining = False
        self.channel = ""
        self.tally = Tally()
        # Sessions that other processes have not been told of since they changed, for the next tick to say.
        self.unannounced: set[UUID] = set()
        # What is to end when this process begins to go down, beside its turns.
        self.at_drain: list[Callable[[], None]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._begins: weakref.WeakValueDictionary[UUID, BoundedLock] = weakref.WeakValueDictionary()
        self._started = asyncio.Lock()
        self._logging = asyncio.Lock()
        self._ticking = False

    async def start(self) -> None:
        """Listen for wake-ups from other processes; safe to call at every turn."""
        if self.channel:
            return
        async with self._started:
            if not self.channel:
                self.channel = f"process.{uuid.uuid4().hex}"
                self.spawn(self._listen())

    def spawn(self, coroutine: Any) -> asyncio.Task[None]:
        """A task that is kept from being collected while it runs."""
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def alone(self, session_id: UUID) -> BoundedLock:
        """One begin of a session at a time: a crowd at one locked row must not hold every database thread."""
        return self._begins.setdefault(session_id, BoundedLock())

    def changed(self, session_id: UUID) -> None:
        """A turn of this session has begun or ended: wake who listens, elsewhere with the next tick."""
        news.ears().hear(session_id)
        self.unannounced.add(session_id)

    def add(self, turn: LiveTurn) -> None:
        self.turns[turn.generation_id] = turn
        telemetry.RUNNING.set(len(self.turns))
        if not self._ticking:
            self._ticking = True
            self.spawn(self._tick())

    async def _tick(self) -> None:
        try:
            while self.turns:
                await asyncio.sleep(TICK_SECONDS)
                await self._log_events()
                self._beat_due()
        finally:
            self._ticking = False

    async def _log_events(self) -> None:
        async with self._logging:  # an event goes to the log once, also while the process drains
            await self._log_new_events()

    async def _log_new_events(self) -> None:
        behind = [t for t in self.turns.values() if t.logged < len(t.frames) and not t.log_broken]
        new = {t.generation_id: t.frames[t.logged :] for t in behind}
        wakes, self.unannounced = Wakes(self.unannounced, news.origin()), set()
        if new or wakes.sessions:
            stored = await store().log_events(new, wakes)
            for turn in behind:
                # A log with a hole tells a reader nothing true: this turn's is given up.
                turn.log_broken = not stored
                turn.logged += len(new[turn.generation_id])
        for turn in [
            t for t in self.turns.values() if t.done and (t.log_broken or t.logged == len(t.frames))
        ]:
            del self.turns[turn.generation_id]
        telemetry.RUNNING.set(len(self.turns))

    def _beat_due(self) -> None:
        now = time.monotonic()
        for turn in self.turns.values():
            if not turn.done and now - turn.beaten_at >= settings.TURN_HEARTBEAT_SECONDS:
                turn.beaten_at = now
                self.spawn(self._beat(turn))

    async def _beat(self, turn: LiveTurn) -> None:
        if turn.done:
            return  # since this was spawned; its text is cleared
        try:
            if await in_database(leases.beat, turn.held, turn.content):
                turn.stop("stopped")
        except LeaseLost:
            if not turn.done:
                turn.stop("lost")
        except Unavailable:
            log.warning("heartbeat_failed", generation_id=turn.generation_id)

    async def _listen(self) -> None:
        """Wake-ups only: what to do is read from the rows; a lost one costs the seconds to the next heartbeat."""
        layer = get_channel_layer()
        while layer is not None:
            try:
                message = await layer.receive(self.channel)
            except Exception as error:
                log.warning("wake_ups_failed", error=type(error).__name__)
                await asyncio.sleep(1)
                continue
            turn = self.turns.get(message.get("generation_id", ""))
            if turn is not None and message.get("type") == "turn.stop":
                turn.stop("stopped")

    async def wake(self, channel: str, generation_id: str) -> None:
        """Tell another process that this turn of its should stop."""
        layer = get_channel_layer()
        if layer is not None:
            with contextlib.suppress(Exception):
                async with asyncio.timeout(WAKE_SECONDS):  # a Redis that swallows it: the heartbeat will do
                    await layer.send(channel, {"type": "turn.stop", "generation_id": generation_id})

    async def drain(self, seconds: float) -> None:
        """Take no new turns; let the running ones finish, mark what is left as interrupted, write what was counted."""
        self.draining = True
        for end in self.at_drain:
            end()
        await self._wait_for_turns(seconds)
        for turn in list(self.turns.values()):
            turn.stop("interrupted")
        await self._wait_for_turns(5)
        await self.tally.write_within(LAST_WORDS_SECONDS)

    async def _wait_for_turns(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and any(not t.done for t in self.turns.values()):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        with contextlib.suppress(Exception):
            await self._log_events()


_processes: dict[asyncio.AbstractEventLoop, Process] = {}


def process() -> Process:
    """The running loop's own."""
    loop = asyncio.get_running_loop()
    if loop not in _processes:
        for closed in [known for known in _processes if known.is_closed()]:
            del _processes[closed]
        _processes[loop] = Process()
    return _processes[loop]


def any_draining() -> bool:
    """Whether this process is going down."""
    return any(known.draining for known in _processes.values())
