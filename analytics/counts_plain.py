"""The same breakdown, row by row in Python: for SQLite and small data."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from chat.filters.conditions import MISSING, at
from chat.models import ChatMessageHistory, ChatMessageHistoryExtra
from chat.selections import Selection

from .counts import NO_VALUE, OTHER, Cell, Counts, canonical
from .questions import Key, Question

_FAILED = ("failed", "interrupted")
_OF_ANSWER = ("ttft_ms", "duration_ms", "prompt_tokens", "completion_tokens")


@dataclass
class Fact:
    """A session, or a message of one, that is meant; `values` are JSON texts, None where there is none."""

    session: UUID
    who: str
    at: datetime
    messages: int
    values: tuple[str | None, ...]
    failures: int = 0
    answers: list[tuple[Any, ...]] = field(default_factory=list)


@dataclass
class Tally:
    """What comes together in one cell."""

    sessions: set[UUID] = field(default_factory=set)
    users: set[str] = field(default_factory=set)
    messages: int = 0
    failures: int = 0
    answers: list[tuple[Any, ...]] = field(default_factory=list)

    def add(self, fact: Fact) -> None:
        self.sessions.add(fact.session)
        self.users |= {fact.who} - {""}
        self.messages += fact.messages
        self.failures += fact.failures
        self.answers += fact.answers

    def parts(self) -> dict[str, Any]:
        ttft, duration, prompt, completion = (
            [answer[n] for answer in self.answers if answer[n] is not None] for n in range(4)
        )
        return {
            **{"sessions": len(self.sessions), "users": len(self.users), "messages": self.messages},
            **{"ttft_p50": _percentile(ttft, 0.5), "ttft_p95": _percentile(ttft, 0.95)},
            **{"duration_p50": _percentile(duration, 0.5), "duration_p95": _percentile(duration, 0.95)},
            **{"prompt_tokens": sum(prompt), "completion_tokens": sum(completion)},
            "failures": self.failures,
        }


def _percentile(values: list[float], share: float) -> float | None:
    """Between the two values that the share lies between, as percentile_cont has it."""
    if not values:
        return None
    values = sorted(values)
    place = share * (len(values) - 1)
    low = values[int(place)]
    high = values[min(int(place) + 1, len(values) - 1)]
    return low + (high - low) * (place - int(place))


def count(selection: Selection, question: Question, periods: list[datetime]) -> Counts:
    """The cells of the question; `periods` are the beginnings of those in its range, none without an interval."""
    one_by_one = question.reads_messages(selection.filter)
    facts = list(_messages(selection, question.by) if one_by_one else _sessions(selection, question.by))
    values = tuple(_values(facts, number, question.buckets) for number in range(len(question.by)))
    tallies: dict[Cell, Tally] = {}
    for fact in facts:
        for cell in _cells(fact, values, periods):
            tallies.setdefault(cell, Tally()).add(fact)
    return Counts(values, {cell: tally.parts() for cell, tally in tallies.items()})


def _cells(fact: Fact, values: tuple[tuple[str, ...], ...], periods: list[datetime]) -> set[Cell]:
    places = tuple(_place(value, known) for value, known in zip(fact.values, values, strict=True)) or None
    period = max(bisect_right(periods, fact.at) - 1, 0) if periods else None
    return {(None, None), (places, None), (places, period)}


def _place(value: str | None, known: tuple[str, ...]) -> int:
    if value is None:
        return NO_VALUE
    return known.index(value) if value in known else OTHER


def _values(facts: list[Fact], number: int, most: int) -> tuple[str, ...]:
    pairs = {(fact.values[number], fact.session) for fact in facts}
    counted = Counter(value for value, _ in pairs if value is not None)
    return tuple(sorted(counted, key=lambda value: (-counted[value], value))[:most])


def _sessions(selection: Selection, by: tuple[Key, ...]) -> Iterator[Fact]:
    rows = selection.sessions().values_list(
        "id", "tenant_id", "mentor_id", "user_id", "created_at", "next_sequence", "metadata"
    )
    facts = {row[0]: _fact(row[:5], row[5] - 1, row[6], {}, "", by) for row in rows.iterator()}
    ids = selection.sessions().values("pk")
    answers = ChatMessageHistoryExtra.objects.filter(session__in=ids).values_list("session_id", *_OF_ANSWER)
    for session, *answer in answers.iterator():
        facts[session].answers.append(tuple(answer))
    failed = ChatMessageHistory.objects.filter(session__in=ids, status__in=_FAILED)
    for session in failed.values_list("session_id", flat=True).iterator():
        facts[session].failures += 1
    yield from facts.values()


def _messages(selection: Selection, by: tuple[Key, ...]) -> Iterator[Fact]:
    rows = selection.messages().values_list(
        *(
            "session_id",
            "session__tenant_id",
            "session__mentor_id",
            "session__user_id",
            "session__created_at",
        ),
        *("session__metadata", "extra__metadata", "status"),
        *(f"extra__{name}" for name in _OF_ANSWER),
    )
    for row in rows.order_by().iterator():
        fact = _fact(row[:5], 1, row[5], row[6], row[7], by)
        fact.failures = int(row[7] in _FAILED)
        fact.answers = [row[8:]]
        yield fact


def _fact(row: Any, messages: int, metadata: Any, snapshot: Any, status: str, by: tuple[Key, ...]) -> Fact:
    session, tenant, mentor, user, at_ = row
    roots = {
        **{"mentor": mentor, "user": user or MISSING, "status": status},
        **{"context": metadata.get("client_context") or {}, "message_context": snapshot or {}},
    }
    values = tuple(_text(at(roots[key.root], key.path)) for key in by)
    return Fact(session, f"{tenant}:{user}" if user else "", at_, messages, values)


def _text(value: Any) -> str | None:
    return None if value is MISSING else canonical(value)
