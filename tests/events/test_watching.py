"""One reader of rows for all listeners of a session: whoever is slow is told later, and nobody is forgotten."""

from __future__ import annotations

import asyncio
import dataclasses
import uuid
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from chat import watching
from chat.happened import Happening, News
from chat.told import Told, moment
from chat.watching import Listener, Proof, Watcher

Scene = Callable[["Rows", Watcher], Coroutine[Any, Any, None]]
PATIENCE = 2.0


class Rows:
    """A session of so many messages, and how often it was read."""

    def __init__(self) -> None:
        self.count = 0
        self.reads = 0
        self.most = 50

    async def read(self, rule: Any, session_id: uuid.UUID, told: Told) -> News | None:
        self.reads += 1
        await asyncio.sleep(0)
        to = min(self.count, told.message + self.most)
        events = [happening(n) for n in range(told.message + 1, to + 1)]
        return News(events, dataclasses.replace(told, message=to), more=to < self.count)


def happening(number: int) -> Happening:
    return Happening("message.created", Told(1, number), moment(number), {}, {})


async def still() -> None:
    pass


ALLOWED = Proof("alice", still)


async def hear(listener: Listener, count: int, pause: float = 0) -> list[int]:
    heard: list[int] = []
    async for event in listener.events(PATIENCE):
        assert event is not None, "nothing was told"
        await asyncio.sleep(pause)
        heard.append(event.told.message)
        if len(heard) == count:
            return heard
    return heard


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch) -> Callable[[Scene], None]:
    """Plays a scene with a watcher of these rows."""

    async def scene_with(rows: Rows, scene: Scene) -> None:
        watcher = Watcher(uuid.uuid4(), lambda: None)
        await scene(rows, watcher)
        for one in list(watcher.listeners):
            one.leave()

    def play(scene: Scene) -> None:
        rows = Rows()
        monkeypatch.setattr(watching, "in_database", rows.read)
        asyncio.run(scene_with(rows, scene))

    return play


def test_what_happens_while_a_listener_sends_is_told_when_it_has(play: Callable[[Scene], None]) -> None:
    async def scene(rows: Rows, watcher: Watcher) -> None:
        listener = watcher.add(Told(1), ALLOWED)
        hearing = asyncio.create_task(hear(listener, 6, pause=0.02))
        for _ in range(6):
            rows.count += 1
            watcher.wake()
            await asyncio.sleep(0.005)
        assert await hearing == [1, 2, 3, 4, 5, 6]

    play(scene)


def test_what_happens_right_after_a_page_was_given_is_told(play: Callable[[Scene], None]) -> None:
    async def scene(rows: Rows, watcher: Watcher) -> None:
        listener = watcher.add(Told(1), ALLOWED)
        rows.count = 1
        while listener.is_waiting:  # noqa: ASYNC110
            await asyncio.sleep(0)
        rows.count = 2
        watcher.wake()
        await asyncio.sleep(0.01)  # the watcher looked, and found nobody who waits
        assert await hear(listener, 2) == [1, 2]

    play(scene)


def test_listeners_at_one_place_are_read_for_once(play: Callable[[Scene], None]) -> None:
    async def scene(rows: Rows, watcher: Watcher) -> None:
        listeners = [watcher.add(Told(1), ALLOWED) for _ in range(100)]
        rows.count = 3
        assert await asyncio.gather(*[hear(one, 3) for one in listeners]) == [[1, 2, 3]] * 100
        assert rows.reads <= 2

    play(scene)


def test_one_who_does_not_read_is_given_one_page(play: Callable[[Scene], None]) -> None:
    async def scene(rows: Rows, watcher: Watcher) -> None:
        deaf, other = watcher.add(Told(1), ALLOWED), watcher.add(Told(1), ALLOWED)
        rows.most, rows.count = 10, 1000
        assert await hear(other, 1000) == list(range(1, 1001))
        assert len(deaf._page) == 10
        assert await hear(deaf, 1000) == list(range(1, 1001))

    play(scene)


def test_one_whose_session_is_gone_is_told_no_more(
    play: Callable[[Scene], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene(rows: Rows, watcher: Watcher) -> None:
        async def nothing(*which: Any) -> None:
            return None

        listener = watcher.add(Told(1), ALLOWED)
        monkeypatch.setattr(watching, "in_database", nothing)
        assert await hear(listener, 1) == []

    play(scene)
