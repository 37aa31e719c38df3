"""One law at every door: whichever a context came through, what is kept and what the model is told are the same."""

from __future__ import annotations

import os

import pytest

from .cases import CASES
from .doors import DOORS, OverSocket, OverStream, performed, wanted
from .stage import Place, Visit
from .table import Case, Loss, Outcome, told_alike

AT_HOME = [case for case in CASES if Loss.DEAD not in case.losses]
needs_redis = pytest.mark.skipif(not os.environ.get("REDIS_URL"), reason="needs Redis: make test-services")


def faults(told: list[Outcome], should: list[Outcome]) -> list[tuple[Outcome, Outcome]]:
    """What was told, and what should have been."""
    assert len(told) == len(should)
    return [pair for pair in zip(told, should, strict=True) if not told_alike(*pair)]


@pytest.mark.parametrize("case", AT_HOME, ids=lambda case: case.name)
def test_every_door_leaves_the_same(place: Place, case: Case) -> None:
    for who in case.whos:
        outcomes, left = wanted(place, case, who)
        able = [door for door in DOORS if not door.cannot(case, who)]
        assert {OverSocket, OverStream} <= set(able)
        for door in able:
            at = f"{door.name}, begun by {who.value}"
            told, found = performed(door(place.under(case.rule)), Visit(who), case)
            assert (at, faults(told, outcomes)) == (at, [])
            assert (at, found) == (at, left)


@needs_redis
def test_a_dead_cache_loses_nothing(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the second write on nothing listens where Redis was."""
    [case] = [case for case in CASES if Loss.DEAD in case.losses]
    for who in case.whos:
        outcomes, left = wanted(place, case, who)
        for door in DOORS:
            if not door.cannot(case, who):
                told, found = performed(door(place), Visit(who), case)
                place.cached.revive()
                assert (door.name, faults(told, outcomes)) == (door.name, [])
                assert (door.name, found) == (door.name, left)
