"""Who listens to sessions in this process: one reader of rows for all listeners of a session.

A wake-up makes it look at once; wake-ups may be lost, so every few seconds all sessions that are listened to are
looked at in one query. A listener keeps its place and no more than one page of events, which it shares with the
others: one that does not read costs no memory, and what it missed is read from the rows when it reads on.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Iterator
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import structlog

from . import happened, news, telemetry
from .database import in_database
from .errors import ChatError, Draining, Unavailable
from .happened import Happening
from .live import process
from .told import State, Told, is_news

log = structlog.get_logger(__name__)
LOOK_SECONDS: Final = 5.0
CHECK_SECONDS: Final = 20.0
LOOK_AT_ONCE: Final = 200


@dataclass(frozen=True, slots=True)
class Proof:
    """That somebody may listen. `again` raises ChatError when they may no longer; alike for those of one `whose`."""

    whose: Hashable
    again: Callable[[], Awaitable[object]]


class Listener:
    """One who listens to a session. Iterate over `events`, and `leave` when done."""

    def __init__(self, watcher: Watcher, told: Told, proof: Proof) -> None:
        self.told = told
        self.over = False
        self.proof = proof
        self.check_at = time.monotonic() + CHECK_SECONDS
        self._watcher = watcher
        self._page: list[Happening] = []
        self._woken = asyncio.Event()

    @property
    def is_waiting(self) -> bool:
        """Whether it has sent all that it was given."""
        return not self._page and not self.over

    def give(self, page: list[Happening], told: Told) -> None:
        self.told, self._page = told, page
        if page:
            self._woken.set()

    def end(self) -> None:
        """It is over: the session is gone, the listener may not hear more, or this process goes down."""
        self.over = True
        self._woken.set()

    async def events(self, patience: float | None = None) -> AsyncIterator[Happening | None]:
        """Until it is over; None after so many seconds of silence."""
        while True:
            try:
                async with asyncio.timeout(patience):
                    await self._woken.wait()
            except TimeoutError:
                yield None
                continue
            self._woken.clear()
            for event in self._page:
                if self.over:
                    return
                yield event
            if self.over:
                return
            self._page = []
            self._watcher.read_for(self)

    def leave(self) -> None:
        self.over = True
        self._watcher.leave(self)


class Watcher:
    """All who listen to one session here."""

    def __init__(self, session_id: UUID, forget: Callable[[], None]) -> None:
        self.session_id = session_id
        self.listeners: set[Listener] = set()
        self._latest: Told | None = None
        self._forget = forget
        self._woken = asyncio.Event()
        self._task = asyncio.get_running_loop().create_task(self._watch())

    def wake(self) -> None:
        self._woken.set()

    def add(self, told: Told, proof: Proof) -> Listener:
        listener = Listener(self, told, proof)
        self.listeners.add(listener)
        telemetry.LISTENERS.inc()
        self.wake()
        return listener

    def leave(self, listener: Listener) -> None:
        if listener not in self.listeners:
            return
        self.listeners.remove(listener)
        telemetry.LISTENERS.dec()
        if not self.listeners:
            self._task.cancel()
            self._forget()

    def read_for(self, listener: Listener) -> None:
        """It reads on; read the rows for it if others have been told more meanwhile."""
        if listener.told != self._latest:
            self.wake()

    def look(self, state: State | None) -> None:
        """Wake up if the session is gone, or somebody has not been told how it now stands."""
        if state is None or any(is_news(one.told, state) for one in self.listeners if one.is_waiting):
            self.wake()

    async def _watch(self) -> None:
        while True:
            await self._woken.wait()
            self._woken.clear()
            try:
                await self._tell()
            except Unavailable:
                pass  # the next look finds what there is to tell
            except Exception as error:
                log.error("watch_failed", exc_info=error)

    async def _tell(self) -> None:
        """Each place is read for once, however many stand there."""
        # Who is still sending is read for when it is done: unless another's read ends where it stands.
        self._latest = None
        waiting: dict[Told, list[Listener]] = {}
        for one in self.listeners:
            if one.is_waiting:
                waiting.setdefault(one.told, []).append(one)
        for told, group in waiting.items():
            found = await in_database(happened.news_since, self.session_id, told)
            if found is None:
                self.end()
                return
            for one in group:
                one.give(found.events, found.told)
            if found.more:
                self.wake()
            else:
                self._latest = found.told

    def end(self) -> None:
        for one in self.listeners:
            one.end()


class Watch:
    """All watchers of an event loop, and the one task that looks at their sessions now and then."""

    def __init__(self) -> None:
        self._watchers: dict[UUID, Watcher] = {}
        self._looking: asyncio.Task[None] | None = None
        process().at_drain.append(self.end)

    def listen(self, session_id: UUID, told: Told, proof: Proof) -> Listener:
        """Tell what happens after this place. Raises Draining."""
        if process().draining:
            raise Draining()
        watcher = self._watchers.get(session_id)
        if watcher is None:
            watcher = Watcher(session_id, lambda: self._forget(session_id))
            self._watchers[session_id] = watcher
            news.ears().listen(session_id, watcher.wake)
        if self._looking is None or self._looking.done():
            self._looking = asyncio.get_running_loop().create_task(self._look_now_and_then())
        return watcher.add(told, proof)

    def _forget(self, session_id: UUID) -> None:
        del self._watchers[session_id]
        news.ears().leave(session_id)

    def end(self) -> None:
        for watcher in self._watchers.values():
            watcher.end()

    async def _look_now_and_then(self) -> None:
        while self._watchers:
            # Not all processes at once, that were started at once.
            await asyncio.sleep(LOOK_SECONDS * random.uniform(0.8, 1.2))  # noqa: S311
            try:
                await self._look()
                await self._check_who_may_listen()
            except Unavailable:
                pass
            except Exception as error:
                log.error("watch_failed", exc_info=error)

    async def _look(self) -> None:
        for some in _parts(list(self._watchers)):
            found = await in_database(happened.states, some)
            for session_id in some:
                if watcher := self._watchers.get(session_id):
                    watcher.look(found.get(session_id))

    async def _check_who_may_listen(self) -> None:
        """Once for all who listen to a session with the same proof."""
        alike: dict[Hashable, list[Listener]] = {}
        for watcher in self._watchers.values():
            for one in watcher.listeners:
                alike.setdefault(one.proof.whose, []).append(one)
        for some in alike.values():
            if time.monotonic() >= min(one.check_at for one in some):
                await self._check(some)

    async def _check(self, some: list[Listener]) -> None:
        for one in some:
            one.check_at = time.monotonic() + CHECK_SECONDS
        try:
            await some[0].proof.again()
        except Unavailable:
            pass  # nothing can be told now in any case
        except ChatError:
            for one in some:
                one.end()


def _parts(sessions: list[UUID]) -> Iterator[list[UUID]]:
    for begin in range(0, len(sessions), LOOK_AT_ONCE):
        yield sessions[begin : begin + LOOK_AT_ONCE]


_watches: dict[asyncio.AbstractEventLoop, Watch] = {}


def watch() -> Watch:
    """The running loop's own."""
    loop = asyncio.get_running_loop()
    if loop not in _watches:
        for closed in [known for known in _watches if known.is_closed()]:
            del _watches[closed]
        _watches[loop] = Watch()
    return _watches[loop]
