"""Many writers of one conversation at once: no gap, nothing lost that was acknowledged, one value in force."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import cycle, islice

import pytest
from django.db import connections

from .doors import Door, JsonPatch, MergePatch, OverSocket, OverStream, Put, Quickchat
from .stage import Place, Visit
from .table import Outcome, Who, Write

TOGETHER: list[type[Door]] = [OverSocket, OverStream, Put, MergePatch, JsonPatch, Quickchat]
# Who is told one of these sends the same again.
BUSY = {"turn_in_progress", "unavailable", "database_unavailable", "rate_limited"}
SECONDS = 40.0


@dataclass(frozen=True)
class Writer:
    door: Door
    text: str

    def write(self, visit: Visit) -> Outcome:
        """Until it is accepted."""
        until = time.monotonic() + SECONDS
        while time.monotonic() < until:
            told = self.door.put(visit, Write(self.text))
            if told.refused is None:
                return told
            assert told.refused.code in BUSY, told
            time.sleep(0.02)
        raise AssertionError(f"{self.door.name}: never accepted")


def written_by(doors: list[type[Door]], count: int, place: Place, who: Who) -> Visit:
    """So many writers, each with a value of its own, at these doors in turn; what is kept against what they heard."""
    visit = Visit(who)
    place.begin(visit)
    chosen = islice(cycle(doors), count)
    writers = [Writer(door(place), f'{{"n":{n}}}') for n, door in enumerate(chosen)]
    with ThreadPoolExecutor(count) as pool:
        told = list(pool.map(lambda writer: writer.write(visit), writers))
    history = place.versions(visit)
    assert [number for number, _, _ in history] == list(range(1, count + 1))
    assert sorted(text for _, text, _ in history) == sorted(writer.text for writer in writers)
    texts = {number: text for number, text, _ in history}
    heard = [
        (outcome.version, writer) for outcome, writer in zip(told, writers, strict=True) if outcome.version
    ]
    assert [texts[version] for version, _ in heard] == [writer.text for _, writer in heard]
    return visit


def check_in_force(place: Place, visit: Visit) -> None:
    """At the database, in the cache and before the model alike it is the last value."""
    last = place.versions(visit)[-1][1]
    left = place.left(visit, set())
    assert json.loads(left.in_force) == {"client_context": json.loads(last)}
    assert left.cached == last
    assert left.prompts[-1][-1][1].endswith(f"\nn: {json.loads(last)['n']}\n</END CONTEXT METADATA>")


@pytest.mark.parametrize("door", TOGETHER, ids=lambda door: door.name)
def test_eight_writers_at_one_door(place: Place, door: type[Door]) -> None:
    who = Who.TOKEN if door is Quickchat else Who.PAGE
    visit = written_by([door], 8, place, who)
    assert set(place.doors(visit)) == {door.kept_as}
    check_in_force(place, visit)


@pytest.mark.slow
def test_many_writers_at_several_doors(place: Place) -> None:
    """Two hundred on PostgreSQL; SQLite has one write lock for all."""
    doors = [OverSocket, Put, OverStream, Quickchat, Put]
    visit = written_by(doors, 200 if place.postgres else 40, place, Who.TOKEN)
    assert set(place.doors(visit)) == {"websocket", "rest", "sse", "quickchat"}
    check_in_force(place, visit)
    connections.close_all()
