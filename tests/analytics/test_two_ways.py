"""PostgreSQL counts in SQL, SQLite in Python: on one database, both count alike."""

from __future__ import annotations

import random
from typing import Any

import pytest

from analytics import counts_plain, counts_sql
from analytics.breakdown import breakdown
from analytics.metrics import METRICS, measured
from analytics.questions import Question, read_keys
from chat.filters import parse
from chat.models import Mentor, Session, Tenant
from chat.selections import Reader, Selection

from .conftest import answered, make_session

pytestmark = pytest.mark.services
FILTERS = (
    {},
    {"context.plan": "pro"},
    {"status": "failed"},
    {"message_context.n__gt": "2"},
    {"search": "hours"},
)
KEYS = (
    [],
    ["context.n"],
    ["context.plan", "user"],
    ["message_context.n"],
    ["mentor", "message_context.plan"],
)


@pytest.fixture
def many(coach: Mentor, tutor: Mentor) -> list[Session]:
    """Sixty sessions of seeded chance."""
    chance = random.Random(7)

    def context() -> dict[str, Any]:
        found = {
            "n": chance.choice([1, 2.5, "1", None, True]),
            "plan": chance.choice(["free", "pro", "team"]),
        }
        return {key: value for key, value in found.items() if chance.random() > 0.2}

    return [
        make_session(
            chance.choice([coach, tutor]),
            context(),
            context(),
            user=chance.choice(["alice", "bob", ""]),
            begun=f"2026-11-{chance.randint(1, 9):02}T{chance.randint(0, 23):02}:30",
            answers=tuple(
                answered(chance.random() * 900, status=chance.choice(["complete", "failed"]))
                for _ in range(chance.randint(0, 3))
            ),
        )
        for _ in range(60)
    ]


@pytest.mark.parametrize("interval", [None, "day"])
@pytest.mark.parametrize("keys", KEYS, ids=str)
@pytest.mark.parametrize("filter", FILTERS, ids=str)
def test_both_ways_count_alike(
    many: list[Session], demo: Tenant, filter: dict[str, str], keys: list[str], interval: str | None
) -> None:
    selection = Selection.of(parse(filter.items()), Reader(frozenset({demo.pk})))
    question = Question(METRICS, read_keys(keys), interval, buckets=2)
    found = breakdown(selection, question)
    assert found["results"] or not keys
    times = [session.created_at for session in many] if interval else []
    ways = [way.count(selection, question, sorted(times)[:3]) for way in (counts_sql, counts_plain)]
    told = [
        {cell: [measured(metric, parts) for metric in METRICS] for cell, parts in way.cells.items()}
        for way in ways
    ]
    assert told[0] == told[1]
    assert [[*map(str.strip, texts)] for texts in ways[0].values] == [list(texts) for texts in ways[1].values]
