"""What a mentor was not given: refused at the doors, cut, or kept out; counted by `chat.refusals`."""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import Any, Final

from django.db.models import Max, Q, QuerySet, Sum

from chat.database import bounded
from chat.models import Mentor, Refusal
from chat.selections import Selection

MOST_REFUSALS: Final = 50
KIND: Final = ("code", "pointer", "door")
LAST: Final = ("last_at", "last_message", "last_session")


def refused(selection: Selection, mentor: Mentor) -> list[dict[str, Any]]:
    """`[{code, pointer, door, count, last_at, message, session}]`, the most frequent first. Raises TooSlow.

    Of the filter's time: a day of UTC's of which it has a part counts whole.
    """
    rows = _of_days(selection, Refusal.objects.filter(mentor=mentor))
    kinds = rows.values(*KIND).annotate(total=Sum("count"), latest=Max("day"))
    with bounded():
        found = list(kinds.order_by("-total", "-latest", *KIND)[:MOST_REFUSALS])
        last = {_kind(row): row for row in rows.filter(_latest(found)).values(*KIND, *LAST)} if found else {}
    return [_told(row, last[_kind(row)]) for row in found if _kind(row) in last]


def _told(row: dict[str, Any], last: dict[str, Any]) -> dict[str, Any]:
    return {
        **{name: row[name] for name in KIND},
        "count": row["total"],
        "last_at": last["last_at"],
        "message": last["last_message"],
        "session": last["last_session"],
    }


def _of_days(selection: Selection, rows: QuerySet[Refusal]) -> QuerySet[Refusal]:
    since, until = selection.filter.since, selection.filter.until
    if since is not None:
        rows = rows.filter(day__gte=since.begin(selection.zone).astimezone(UTC).date())
    if until is not None:
        last = until.end(selection.zone).astimezone(UTC) - timedelta(microseconds=1)
        rows = rows.filter(day__lte=last.date())
    return rows


def _latest(found: list[dict[str, Any]]) -> Q:
    """The last day's row of each kind."""
    where = Q()
    for row in found:
        where |= Q(day=row["latest"], **{name: row[name] for name in KIND})
    return where


def _kind(row: dict[str, Any]) -> tuple[str, ...]:
    return tuple(row[name] for name in KIND)
