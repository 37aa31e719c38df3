"""Periods of the tenant's calendar: where an hour, a day, a week, a month begins, and all of them in a range."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from chat.errors import InvalidFilter

INTERVALS: Final = ("hour", "day", "week", "month")
MOST: Final = 2_000


def beginning(at: datetime, interval: str, zone: ZoneInfo) -> datetime:
    """Where the period begins that the instant lies in, as local time."""
    local = at.astimezone(zone)
    if interval == "hour":
        return local.replace(minute=0, second=0, microsecond=0)
    day = local.date()
    if interval == "week":
        day -= timedelta(days=day.weekday())
    return _midnight(day.replace(day=1) if interval == "month" else day, zone)


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), zone)


def _following(begin: datetime, interval: str, zone: ZoneInfo) -> datetime:
    if interval == "hour":
        # Of real hours: a day has 23 or 25 of them when the clocks change.
        return (begin.astimezone(UTC) + timedelta(hours=1)).astimezone(zone)
    if interval == "month":
        return _midnight((begin.date() + timedelta(days=31)).replace(day=1), zone)
    return _midnight(begin.date() + timedelta(days=7 if interval == "week" else 1), zone)


def periods(first: datetime, end: datetime, interval: str, zone: ZoneInfo) -> list[datetime]:
    """The beginnings of every period from the one that `first` is in to the last one before `end`.

    Raises InvalidFilter where they would be too many.
    """
    found: list[datetime] = []
    for begin in _from(beginning(first, interval, zone), interval, zone):
        if begin.astimezone(UTC) >= end and found:
            break
        if len(found) == MOST:
            message = f"That would be more than {MOST} points: take a longer interval or a shorter time."
            raise InvalidFilter(message, pointer="?interval")
        found.append(begin)
    return found


def _from(begin: datetime, interval: str, zone: ZoneInfo) -> Iterator[datetime]:
    while True:
        yield begin
        begin = _following(begin, interval, zone)
