"""Points in time of a filter: a day of the tenant's calendar, or an instant."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Final, TypeVar

T = TypeVar("T", bound=date)
_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_INSTANT: Final = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:\d\d)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Moment:
    """A day has the tenant's time zone; an instant brings its own, and is UTC without one."""

    value: date | datetime

    @classmethod
    def parse(cls, text: str) -> Moment:
        """ISO 8601: 2026-11-20, or 2026-11-20T08:00:00+01:00. ValueError for anything else."""
        if _DAY.fullmatch(text):
            return cls(_sane(date.fromisoformat(text)))
        if not _INSTANT.fullmatch(text):
            raise ValueError
        instant = _sane(datetime.fromisoformat(text))
        return cls(instant if instant.tzinfo else instant.replace(tzinfo=UTC))

    def begin(self, zone: tzinfo) -> datetime:
        """The first instant of it."""
        return self.value if isinstance(self.value, datetime) else _begin(self.value, zone)

    def end(self, zone: tzinfo) -> datetime:
        """The instant after it: a day is meant whole, an instant is not part of what ends with it."""
        if isinstance(self.value, datetime):
            return self.value
        return _begin(self.value + timedelta(days=1), zone)

    def __str__(self) -> str:
        return self.value.isoformat()


def _begin(day: date, zone: tzinfo) -> datetime:
    # Where the clock skips midnight or strikes it twice, the earlier of both readings is the day's first.
    return datetime.combine(day, time(), zone).astimezone(UTC)


def _sane(moment: T) -> T:
    """The years at both ends of the calendar would leave it by the time zone or by a day."""
    if not 1 < moment.year < 9999:
        raise ValueError
    return moment
