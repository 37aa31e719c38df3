"""Schedules: when they are due, which stretch of time they export, and that each is exported once."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.core.exceptions import ValidationError
from django.db import connection

from chat.models import Tenant
from exports.calendars import due_times, window_before
from exports.models import Export, Schedule, ScheduledWindow
from exports.schedules import MOST_AT_ONCE, open_windows

BERLIN = ZoneInfo("Europe/Berlin")


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def due(zone: str, after: str, count: int = 3, **rule: Any) -> list[str]:
    times = due_times(Schedule(**rule), ZoneInfo(zone), utc(after))
    return [moment.strftime("%m-%d %H:%M") for moment in islice(times, count)]


def window(unit: str, zone: str, moment: str) -> tuple[str, str]:
    start, end = window_before(utc(moment), unit, ZoneInfo(zone))
    return start.strftime("%m-%d %H:%M"), end.strftime("%m-%d %H:%M")


def test_it_is_due_at_the_hour_of_the_tenants_day() -> None:
    assert due("Asia/Kolkata", "2026-11-20T00:00", hour=3) == ["11-20 21:30", "11-21 21:30", "11-22 21:30"]


def test_summer_time_begins_and_ends_between_two_days() -> None:
    assert due("Europe/Berlin", "2026-03-27T12:00", hour=3) == ["03-28 02:00", "03-29 01:00", "03-30 01:00"]
    assert due("Europe/Berlin", "2026-10-23T12:00", hour=3) == ["10-24 01:00", "10-25 02:00", "10-26 02:00"]


def test_an_hour_that_the_clocks_leave_out_is_taken_an_hour_later() -> None:
    assert due("Europe/Berlin", "2026-03-28T12:00", 2, hour=2) == ["03-29 01:00", "03-30 00:00"]


def test_an_hour_that_comes_twice_is_taken_once() -> None:
    assert due("Europe/Berlin", "2026-10-24T12:00", 2, hour=2) == ["10-25 00:00", "10-26 01:00"]


def test_weekly_is_on_its_day_and_monthly_on_the_last_where_the_month_is_short() -> None:
    assert due("UTC", "2026-11-20T00:00", 2, every="week", weekday=6, hour=5) == [
        "11-22 05:00",
        "11-29 05:00",
    ]
    assert due("UTC", "2026-01-31T12:00", 3, every="month", day=31, hour=0) == [
        *("02-28 00:00", "03-31 00:00", "04-30 00:00"),
    ]


def test_hourly_is_every_hour_also_where_the_clocks_change() -> None:
    assert due("Europe/Berlin", "2026-10-25T00:10", 3, every="hour") == [
        *("10-25 01:00", "10-25 02:00", "10-25 03:00"),
    ]


@pytest.mark.parametrize(
    ("unit", "moment", "expected"),
    [
        ("hour", "2026-11-20T08:05", ("11-20 07:00", "11-20 08:00")),
        ("day", "2026-11-20T08:05", ("11-18 23:00", "11-19 23:00")),
        ("day", "2026-03-30T08:00", ("03-28 23:00", "03-29 22:00")),  # 23 hours
        ("day", "2026-10-26T08:00", ("10-24 22:00", "10-25 23:00")),  # 25 hours
        ("week", "2026-11-20T08:05", ("11-08 23:00", "11-15 23:00")),
        ("month", "2026-11-20T08:05", ("09-30 22:00", "10-31 23:00")),
    ],
)
def test_its_window_is_the_last_whole_one(unit: str, moment: str, expected: tuple[str, str]) -> None:
    assert window(unit, "Europe/Berlin", moment) == expected


def test_windows_touch_also_where_midnight_is_left_out() -> None:
    beirut = ZoneInfo("Asia/Beirut")
    moments = [utc("2026-03-27T12:00") + timedelta(days=days) for days in range(5)]
    windows = [window_before(moment, "day", beirut) for moment in moments]
    assert [end for _, end in windows[:-1]] == [start for start, _ in windows[1:]]


# --- rows


@pytest.fixture
def daily(demo: Tenant) -> Schedule:
    demo.time_zone = "Europe/Berlin"
    demo.save()
    row = Schedule(tenant=demo, name="Yesterday", query=[["tenant", "demo"], ["context.stateCode", "CA"]])
    row.opened_to = utc("2026-11-18T12:00")
    row.save()
    return row


def test_it_asks_for_what_its_window_holds(daily: Schedule) -> None:
    (export,) = open_windows(utc("2026-11-19T03:00"))
    assert (export.since, export.until) == (utc("2026-11-17T23:00"), utc("2026-11-18T23:00"))
    assert (export.query, export.purpose, export.name) == (daily.query, "schedule", "Yesterday")
    window = ScheduledWindow.objects.get()
    assert (window.start, window.end, window.export) == (export.since, export.until, export)


def test_it_waits_until_it_is_due(daily: Schedule) -> None:
    assert open_windows(utc("2026-11-19T01:59")) == []
    assert len(open_windows(utc("2026-11-19T02:00"))) == 1


def test_it_opens_no_window_twice(daily: Schedule) -> None:
    open_windows(utc("2026-11-19T03:00"))
    assert open_windows(utc("2026-11-19T03:01")) == []
    Schedule.objects.update(opened_to=utc("2026-11-18T12:00"))  # as of somebody who knew nothing of it
    assert open_windows(utc("2026-11-19T03:02")) == []
    assert Export.objects.count() == 1


def test_it_makes_up_for_a_downtime_day_by_day(daily: Schedule) -> None:
    opened = open_windows(utc("2026-11-21T10:00"))
    assert [export.since for export in opened] == [utc(f"2026-11-{day}T23:00") for day in (17, 18, 19)]


def test_a_long_downtime_is_made_up_for_in_portions(daily: Schedule) -> None:
    Schedule.objects.update(every="hour", window="hour")
    counts = [len(open_windows(utc("2026-11-20T12:30"))) for _ in range(3)]
    assert counts == [MOST_AT_ONCE, MOST_AT_ONCE, 0]
    starts = list(ScheduledWindow.objects.order_by("start").values_list("start", flat=True))
    assert starts == [utc("2026-11-18T12:00") + timedelta(hours=hour) for hour in range(48)]


def test_a_changed_hour_does_not_open_the_day_again(daily: Schedule) -> None:
    open_windows(utc("2026-11-19T03:00"))
    daily.refresh_from_db()
    daily.hour = 8
    daily.save()
    assert open_windows(utc("2026-11-19T10:00")) == []
    assert len(open_windows(utc("2026-11-20T07:00"))) == 1


def test_what_was_due_while_it_was_switched_off_is_left_out(daily: Schedule) -> None:
    daily.active = False
    daily.save()
    assert open_windows(utc("2026-11-20T10:00")) == []
    daily.active = True
    daily.save()
    assert open_windows(utc("2026-11-20T10:00")) == []


def test_a_window_that_may_still_fill_is_not_opened(daily: Schedule, settings: Any) -> None:
    """Its last messages could commit after an export that read it at once."""
    settings.EXPORTS_CUT_SECONDS = 3600
    now = datetime.now(UTC)
    Schedule.objects.update(every="hour", window="hour", opened_to=now - timedelta(hours=1))
    assert open_windows(now) == []
    settings.EXPORTS_CUT_SECONDS = 0
    assert len(open_windows(now)) == 1


def test_the_schedule_of_a_tenant_that_is_gone_is_not_due(daily: Schedule) -> None:
    assert daily.tenant is not None
    daily.tenant.delete()
    assert open_windows(utc("2026-11-21T10:00")) == []


def test_a_window_is_not_longer_than_the_time_between() -> None:
    with pytest.raises(ValidationError, match="A window is not longer"):
        Schedule(every="day", window="week").clean()
    Schedule(every="month", window="day").clean()


@pytest.mark.django_db(transaction=True)
def test_two_beats_at_once_open_each_window_once(daily: Schedule) -> None:
    def beat() -> None:
        open_windows(utc("2026-11-21T10:00"))
        connection.close()

    beats = [threading.Thread(target=beat) for _ in range(4)]
    for thread in beats:
        thread.start()
    for thread in beats:
        thread.join()
    assert (ScheduledWindow.objects.count(), Export.objects.count()) == (3, 3)
