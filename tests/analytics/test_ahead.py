"""What was counted ahead gives the numbers that the rows give, whatever has changed since."""

from __future__ import annotations

import random
from typing import Any

import pytest

from analytics import counts_ahead, facets
from analytics.breakdown import breakdown
from analytics.questions import Question, read_keys
from chat import rollups
from chat.filters import parse
from chat.models import Mentor, Rollup, Session, Tenant
from chat.selections import Reader, Selection

from .conftest import answered, make_session

pytestmark = [pytest.mark.services, pytest.mark.django_db(transaction=True)]
SUMS = ("sessions", "messages", "tokens", "failures", "messages_per_session")
RANGES = (
    [],
    [("from", "2026-06-03"), ("to", "2026-06-07")],
    [("from", "2026-06-03T07:30:00Z"), ("to", "2026-06-08T11:00:00Z")],
    [("mentor", "coach")],
    [("mentor", "coach"), ("from", "2026-06-05")],
    [("from", "2031-01-01")],
)
QUESTIONS = (
    Question(SUMS),
    Question(SUMS, read_keys(["context.plan"])),
    Question(SUMS, read_keys(["context.plan"]), buckets=1),
    Question(SUMS, read_keys(["context.order.region", "context.plan"])),
    Question(SUMS, read_keys(["context.plan", "mentor"])),
    Question(SUMS, read_keys(["mentor"]), "week"),
    Question(SUMS, read_keys(["context.plan"]), "day"),
    Question(SUMS, (), "month"),
    Question(("failures",), read_keys(["context.plan"])),
    Question(("messages", "tokens"), read_keys(["context.order.region"]), "day"),
)


@pytest.fixture
def pinned(demo: Tenant) -> Tenant:
    demo.pinned_keys = ["plan", "order.region"]
    demo.time_zone = "Europe/Berlin"
    demo.save()
    return demo


@pytest.fixture
def many(pinned: Tenant, coach: Mentor, tutor: Mentor) -> list[Session]:
    """Eighty sessions of ten days, of seeded chance."""
    chance = random.Random(11)
    return [_session(chance, chance.choice([coach, tutor])) for _ in range(80)]


def _session(chance: random.Random, mentor: Mentor) -> Session:
    context: dict[str, Any] = {"plan": chance.choice(["free", "pro", None, 1, 1.0])}
    if chance.random() < 0.5:
        context["order"] = {"region": chance.choice(["eu", "us"])}
    if chance.random() < 0.2:
        del context["plan"]
    answers = [answered(status=chance.choice(["complete", "failed"])) for _ in range(chance.randint(0, 3))]
    begun = f"2026-06-{chance.randint(1, 10):02}T{chance.randint(0, 23):02}:30"
    return make_session(mentor, context, begun=begun, answers=tuple(answers))


def told(tenant: Tenant, asked: list[tuple[str, str]], question: Question) -> dict[str, Any]:
    selection = Selection.of(parse(asked), Reader(frozenset({tenant.pk})))
    return breakdown(selection, question)


def values(tenant: Tenant, asked: list[tuple[str, str]], *path: str, limit: int = 50) -> dict[str, Any]:
    selection = Selection.of(parse(asked), Reader(frozenset({tenant.pk})))
    return facets.values(selection, "context", path, limit)


def all_told(tenant: Tenant) -> list[dict[str, Any]]:
    found = [told(tenant, asked, question) for asked in RANGES for question in QUESTIONS]
    for asked in RANGES:
        found += [values(tenant, asked, "plan"), values(tenant, asked, "order", "region", limit=1)]
    return found


def agree(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    ahead = all_told(tenant)
    monkeypatch.setattr(counts_ahead, "count", lambda *_: None)
    monkeypatch.setattr(counts_ahead, "values", lambda *_: None)
    plain = all_told(tenant)
    monkeypatch.undo()
    assert ahead == plain
    assert any(one["total"]["sessions"] for one in ahead if "total" in one)
    assert any(one["results"] for one in ahead if "distinct" in one)


def test_every_question_is_answered_as_by_the_rows(
    pinned: Tenant, many: list[Session], monkeypatch: pytest.MonkeyPatch
) -> None:
    agree(pinned, monkeypatch)
    rollups.roll_up()
    agree(pinned, monkeypatch)


def test_late_changes_count_at_once(
    pinned: Tenant, many: list[Session], monkeypatch: pytest.MonkeyPatch
) -> None:
    rollups.roll_up()
    many[0].metadata = {"client_context": {"plan": "team"}}
    many[0].save()
    many[1].delete()
    make_session(many[2].mentor, {"plan": "late"}, begun="2026-06-04T10:00", answers=(answered(),))
    agree(pinned, monkeypatch)
    rollups.roll_up()
    agree(pinned, monkeypatch)


def test_it_reads_what_was_counted_and_not_the_rows(pinned: Tenant, many: list[Session]) -> None:
    rollups.roll_up()
    Rollup.objects.filter(key=-1).update(sessions=1_000)
    days = Rollup.objects.filter(key=-1).count()
    assert told(pinned, [], Question())["total"]["sessions"] == 1_000 * days


def test_so_are_the_values_of_a_key(pinned: Tenant, many: list[Session]) -> None:
    rollups.roll_up()
    Rollup.objects.filter(key=0, other_key=-1).update(sessions=1_000)
    found = values(pinned, [], "plan")
    days = Rollup.objects.filter(key=0, other_key=-1)
    assert found["sessions"] == 1_000 * days.count()
    assert found["missing"] == 1_000 * days.filter(value__isnull=True).count()


def test_a_token_that_is_bound_to_a_mentor_has_its_values_and_no_others(
    pinned: Tenant, coach: Mentor, tutor: Mentor, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_session(coach, {"plan": "free"}, begun="2026-06-04T10:00", answers=(answered(),))
    make_session(tutor, {"plan": "pro"}, begun="2026-06-04T10:00", answers=(answered(),))
    rollups.roll_up()
    selection = Selection.of(parse([]), Reader(frozenset({pinned.pk}), coach.pk))
    ahead = facets.values(selection, "context", ("plan",), 50)
    assert ahead["results"] == [{"value": "free", "sessions": 1}]
    assert breakdown(selection, Question(SUMS))["total"]["sessions"] == 1
    monkeypatch.setattr(counts_ahead, "values", lambda *_: None)
    assert facets.values(selection, "context", ("plan",), 50) == ahead


def test_a_tenant_without_a_session_has_no_values(pinned: Tenant) -> None:
    none = {"sessions": 0, "missing": 0, "distinct": 0, "results": []}
    assert values(pinned, [], "plan") == {"key": "context.plan", **none}


def test_a_day_that_changed_is_read_from_its_rows(pinned: Tenant, coach: Mentor) -> None:
    session = make_session(coach, {"plan": "free"}, begun="2026-06-04T10:00")
    rollups.roll_up()
    Rollup.objects.update(sessions=1_000)
    session.save()
    assert told(pinned, [], Question())["total"]["sessions"] == 1


@pytest.mark.parametrize(
    ("asked", "question"),
    [
        ([("user", "alice")], Question()),
        ([("context.plan", "free")], Question()),
        ([("min_messages", "2")], Question()),
        ([("search", "hours")], Question()),
        ([], Question(("users",))),
        ([], Question(("ttft_p50",))),
        ([], Question(interval="hour")),
        ([], Question(by=read_keys(["context.other"]))),
        ([], Question(by=read_keys(["message_context.plan"]))),
        ([], Question(by=read_keys(["user"]))),
    ],
)
def test_what_was_not_counted_ahead_is_asked_of_the_rows(
    pinned: Tenant, asked: list[tuple[str, str]], question: Question
) -> None:
    selection = Selection.of(parse(asked), Reader(frozenset({pinned.pk})))
    assert counts_ahead.count(selection, question, []) is None


def test_several_tenants_are_asked_of_the_rows(pinned: Tenant, other: Tenant) -> None:
    selection = Selection.of(parse([]), Reader(frozenset({pinned.pk, other.pk})))
    assert counts_ahead.count(selection, Question(), []) is None


def test_a_range_before_there_was_anything_is_empty(pinned: Tenant) -> None:
    assert told(pinned, [], Question())["total"] == {"sessions": 0}
