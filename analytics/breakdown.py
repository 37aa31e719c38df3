"""Breakdown: metrics of a selection by the values of keys and by time, with what has no value beside them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import Min
from django.utils import timezone

from chat.database import bounded
from chat.models import Mentor
from chat.selections import Selection

from . import counts_ahead, counts_plain, counts_sql
from .counts import NO_VALUE, OTHER, Cell, Counts, shown
from .metrics import measured
from .periods import periods
from .questions import Key, Question

Bucket = dict[str, Any]


def breakdown(selection: Selection, question: Question) -> dict[str, Any]:
    """`{metrics, by, interval, time_zone, total, results}`; see docs/integrators/analytics.md.

    Raises InvalidFilter where the time range has too many periods, HiddenKey.
    """
    selection.check_keys(((key.path, "by") for key in question.by if key.path), "operator")
    times = _times(selection, question)
    counts = counted(selection, question, times)
    names = [_names(key, texts) for key, texts in zip(question.by, counts.values, strict=True)]
    places = sorted({cell[0] for cell in counts.cells if cell[0] is not None}, key=_order)
    return {
        "metrics": list(question.metrics),
        "by": [key.written for key in question.by],
        "interval": question.interval,
        "time_zone": selection.zone.key,
        "total": _bucket(counts, question, times, None),
        "results": [
            {"keys": _keys(names, place), **_bucket(counts, question, times, place)} for place in places
        ],
    }


def counted(selection: Selection, question: Question, times: list[datetime]) -> Counts:
    """The one place that decides who counts."""
    if connection.vendor != "postgresql":
        return counts_plain.count(selection, question, times)
    ahead = counts_ahead.count(selection, question, times)
    return counts_sql.count(selection, question, times) if ahead is None else ahead


def _times(selection: Selection, question: Question) -> list[datetime]:
    if question.interval is None:
        return []
    asked, now = selection.filter, timezone.now()
    end = min(asked.until.end(selection.zone), now) if asked.until else now
    if asked.since:
        return periods(asked.since.begin(selection.zone), end, question.interval, selection.zone)
    with bounded():
        first = selection.sessions().aggregate(first=Min("created_at"))["first"]
    return periods(first, end, question.interval, selection.zone) if first else []


def _names(key: Key, texts: tuple[str, ...]) -> list[Bucket]:
    """How each value of a key is told: a mentor by its slug."""
    if key.root != "mentor":
        return [{"value": shown(text)} for text in texts]
    mentors = Mentor.objects.in_bulk([int(text) for text in texts])
    found = [mentors.get(int(text)) for text in texts]
    return [
        {"value": one.slug, "mentor_unique_id": str(one.unique_id)} if one else {"value": None}
        for one in found
    ]


def _keys(names: list[list[Bucket]], places: tuple[int, ...]) -> list[Bucket]:
    aside = {NO_VALUE: {"value": None, "missing": True}, OTHER: {"value": None, "other": True}}
    return [aside[place] if place < 0 else names[number][place] for number, place in enumerate(places)]


def _order(places: tuple[int, ...]) -> list[tuple[int, int]]:
    """Values of the most sessions first, then what the other ones come to, then what has none."""
    return [({OTHER: 1, NO_VALUE: 2}.get(place, 0), place) for place in places]


def _bucket(
    counts: Counts, question: Question, times: list[datetime], places: tuple[int, ...] | None
) -> Bucket:
    bucket = _measures(counts, question, (places, None))
    if question.interval is not None and (places or not question.by):
        bucket["points"] = [
            {"at": time.isoformat(), **_measures(counts, question, (places, number))}
            for number, time in enumerate(times)
        ]
    return bucket


def _measures(counts: Counts, question: Question, cell: Cell) -> Bucket:
    parts = counts.cells.get(cell, {})
    return {metric: measured(metric, parts) for metric in question.metrics}
