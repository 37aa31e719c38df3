"""When a schedule is due, and which stretch of time it then exports: in a time zone, with its summer and winter.

Days, weeks and months are the zone's: from midnight to midnight, so that a day may have 23 or 25 hours. Hours are
UTC's, which never repeats or leaves out one. A local time that a change of the clocks leaves out is taken an hour
later, one that comes twice is taken the first time.
"""

from __future__ import annotations

import calendar
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


class Rule(Protocol):
    """What of a schedule says when it is due."""

    every: str
    hour: int
    weekday: int
    day: int


def due_times(rule: Rule, zone: ZoneInfo, after: datetime) -> Iterator[datetime]:
    """The moments after `after` at which it is due, without end, in UTC."""
    if rule.every == "hour":
        moment = _hour(after)
        while True:
            moment += HOUR
            yield moment
    for day in _days(rule, after.astimezone(zone).date() - DAY):
        moment = _at(day, time(rule.hour), zone)
        if moment > after:
            yield moment


def _days(rule: Rule, first: date) -> Iterator[date]:
    while True:
        last = calendar.monthrange(first.year, first.month)[1]
        due = {
            "day": True,
            "week": first.weekday() == rule.weekday,
            "month": first.day == min(rule.day, last),
        }
        if due[rule.every]:
            yield first
        first += DAY


def window_before(moment: datetime, unit: str, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """The last whole hour, day, week or month that has ended by then: from (included) and to (not), in UTC."""
    if unit == "hour":
        end = _hour(moment)
        return end - HOUR, end
    today = moment.astimezone(zone).date()
    end_day = _first_day(today, unit)
    return _midnight(_first_day(end_day - DAY, unit), zone), _midnight(end_day, zone)


def _first_day(day: date, unit: str) -> date:
    """Of the day, the week or the month that this day is in."""
    if unit == "week":
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if unit == "month" else day


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return _at(day, time(), zone)


def _at(day: date, clock: time, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, clock, zone).astimezone(UTC)


def _hour(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
