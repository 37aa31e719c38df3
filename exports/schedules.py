"""Schedules open windows: each is a row that is there once, with the export that fills it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import takewhile
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import connection, transaction
from django.utils import timezone

from .calendars import due_times, window_before
from .cuts import safe_cut
from .models import Export, Schedule, ScheduledWindow

# Of one schedule in one go: after a long downtime the rest follows minute by minute.
MOST_AT_ONCE = 24


def open_windows(now: datetime | None = None) -> list[Export]:
    """Open what is due, also what was due while nothing ran. Two at once open nothing twice."""
    now = now or timezone.now()
    cut = min(now, safe_cut())
    active = Schedule.objects.filter(active=True, tenant__isnull=False)
    return [export for key in active.values_list("pk", flat=True) for export in _open(key, now, cut)]


@transaction.atomic
def _open(key: UUID, now: datetime, cut: datetime) -> list[Export]:
    """A row lock, so that of two beats one does it; the unique window holds without it too."""
    locked = Schedule.objects.select_for_update(skip_locked=connection.vendor == "postgresql", of=("self",))
    schedule = locked.select_related("tenant").filter(pk=key, active=True).first()
    if schedule is None or schedule.tenant is None:
        return []
    opened, was = [], schedule.opened_to
    for due, start, end in _due(schedule, now, cut):
        opened += _fill(schedule, due, start, end)
        schedule.opened_to = due
    if schedule.opened_to != was:
        Schedule.objects.filter(pk=key).update(opened_to=schedule.opened_to)
    return opened


def _due(schedule: Schedule, now: datetime, cut: datetime) -> Iterator[tuple[datetime, datetime, datetime]]:
    """(due, start, end), in order. What is not yet safe to read whole waits for the next minute."""
    assert schedule.tenant is not None
    zone = ZoneInfo(schedule.tenant.time_zone)
    times = takewhile(lambda due: due <= now, due_times(schedule, zone, schedule.opened_to))
    for _, due in zip(range(MOST_AT_ONCE), times, strict=False):
        start, end = window_before(due, schedule.window, zone)
        if end > cut:
            return
        yield due, start, end


def _fill(schedule: Schedule, due: datetime, start: datetime, end: datetime) -> list[Export]:
    """The window's row with its export; none where the window was opened before."""
    window, new = ScheduledWindow.objects.get_or_create(
        schedule=schedule, start=start, defaults={"end": end, "due_at": due}
    )
    if not new:
        return []
    window.export = Export.objects.create(
        **schedule.wanted(),
        purpose=Export.Purpose.SCHEDULE,
        name=schedule.name,
        asked_by=schedule.asked_by,
        since=start,
        until=end,
    )
    window.save(update_fields=["export"])
    return [window.export]
