"""Redis comes and goes, and stops answering: it costs speed and never a message."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from .stage import Stage, elsewhere, numbers, resume, text_of
from .traffic import Talker, all_faults, endings, refusals, talking, tell_figures
from .web import Web, frozen


@pytest.fixture(scope="module")
def outage(stage: Stage, pair: list[Web]) -> Iterator[list[Talker]]:
    """Twenty users talk on while Redis is away for three seconds."""
    with talking(stage, pair, 20) as talkers:
        time.sleep(1.5)
        stage.redis.stop()
        time.sleep(3)
        stage.redis.start()
        time.sleep(3)
    tell_figures(talkers)
    yield talkers


def seconds_to_first_frame(stage: Stage, web: Web) -> float:
    talk = stage.talk(web, "brief")
    began = time.monotonic()
    talk.put(talk.payload("How long?"))
    assert "generation_id" in talk.get(30)
    took = time.monotonic() - began
    talk.rest()
    talk.close()
    return took


def test_nobody_is_refused_because_redis_is_away(outage: list[Talker]) -> None:
    assert refusals(outage) == set()
    assert min(len(talker.told) for talker in outage) > 5


def test_no_message_and_no_context_is_lost_with_redis(stage: Stage, outage: list[Talker]) -> None:
    assert all_faults(stage, outage) == []
    assert set(endings(outage)) == {"complete"}


def test_nobody_waits_for_a_redis_that_is_away(outage: list[Talker]) -> None:
    assert max(one.waited for talker in outage for one in talker.told) < 2.5


def test_once_redis_is_back_another_process_knows_the_events(
    stage: Stage, outage: list[Talker], one: Web, two: Web
) -> None:
    talk = stage.talk(one, "steady")
    talk.put(talk.payload("Tell me."))
    seen = [talk.get() for _ in range(10)]
    missed = resume(elsewhere(talk, two), seen[0]["generation_id"], after=10)
    told = seen + missed  # pieces that a slow machine brings at once are one event
    assert numbers(told) == list(range(1, len(told) + 1))
    assert text_of(told) == stage.answer(seen[0]["generation_id"]).content


def test_a_redis_that_swallows_everything_is_waited_for_once(stage: Stage, one: Web) -> None:
    usual = seconds_to_first_frame(stage, one)
    with frozen(stage.redis):
        first, second, third = (seconds_to_first_frame(stage, one) for _ in range(3))
    print(f"first frame after {usual:.3f} s, with a frozen Redis {first:.3f}, {second:.3f}, {third:.3f} s")
    assert first < usual + 2.5
    assert (second < usual + 0.5, third < usual + 0.5) == (True, True)
