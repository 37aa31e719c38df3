"""Made-up times for conversations that came without: spread evenly over a range, the same in every run.

Somebody thinks before each message and writes it in a time that its length tells; an answer is begun, as here,
in the moment that its question is stored.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from .files import Turn

AT_ONCE = 0.001
THINKING = (5.0, 60.0)
FIRST_TOKEN = (0.2, 1.2)
PER_CHARACTER = 0.004


@dataclass(frozen=True, slots=True)
class Range:
    """Conversations begin and end within it; `seed` chooses where."""

    begin: datetime
    end: datetime
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Written:
    """When a message was begun and finished; `ttft` and the difference of both are seconds."""

    created: datetime
    finished: datetime
    ttft: float


def times(turns: Sequence[Turn], within: Range, key: str) -> list[Written]:
    """One for each turn, strictly one after another; `key` names the conversation."""
    dice = random.Random(f"{within.seed} {key}")  # noqa: S311 -- the same in every run is the point
    steps = list(_steps(turns, dice))
    room, length = (within.end - within.begin).total_seconds(), sum(sum(step) for step in steps)
    at = within.begin + timedelta(seconds=dice.random() * max(0.0, room - length))
    pace = min(1.0, room / length) if length else 1.0
    written = []
    for pause, ttft, rest in steps:
        created = at + timedelta(seconds=pause * pace)
        at = created + timedelta(seconds=(ttft + rest) * pace)
        written.append(Written(created, at, ttft * pace))
    return written


def _steps(turns: Sequence[Turn], dice: random.Random) -> Iterator[tuple[float, float, float]]:
    """(seconds before it is begun, to its first token, from there to its end) of each turn."""
    before = ""
    for turn in turns:
        if turn.role == "mentor" and before == "user":
            yield AT_ONCE, dice.uniform(*FIRST_TOKEN), len(turn.text) * PER_CHARACTER
        elif turn.role == "mentor":
            yield dice.uniform(*FIRST_TOKEN), 0.0, len(turn.text) * PER_CHARACTER
        else:
            yield dice.uniform(*THINKING) if before else 0.0, 0.0, 0.0
        before = turn.role
