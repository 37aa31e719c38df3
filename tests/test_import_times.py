"""The made-up times of imported conversations."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import models

from chat.filters.moments import Moment
from chat.importing.files import Turn
from chat.importing.timing import Range, times
from chat.models import ChatMessageHistory, Session

from .recordings import TALK, UNEVEN, imported, written

MARCH: dict[str, Any] = {
    "repeat": 20,
    "since": Moment.parse("2026-03-01"),
    "until": Moment.parse("2026-03-02"),
}


@pytest.mark.django_db
def test_conversations_lie_within_the_range(tmp_path: Path) -> None:
    imported(written(tmp_path, TALK, UNEVEN), **MARCH)
    found = ChatMessageHistory.objects.aggregate(
        first=models.Min("created_at"), last=models.Max("finished_at")
    )
    assert datetime(2026, 3, 1, tzinfo=UTC) <= found["first"]
    assert found["last"] <= datetime(2026, 3, 3, tzinfo=UTC)
    days = {session.created_at.date() for session in Session.objects.all()}
    assert len(days) == 2


@pytest.mark.django_db
def test_a_session_begins_and_ends_with_its_messages(tmp_path: Path) -> None:
    imported(written(tmp_path, TALK))
    session = Session.objects.get()
    rows = list(ChatMessageHistory.objects.order_by("sequence"))
    assert (session.created_at, session.updated_at) == (rows[0].created_at, rows[-1].finished_at)
    assert [row.created_at for row in rows] == sorted({row.created_at for row in rows})


TURNS = [Turn("user", "Hi", None), Turn("mentor", "Hello.", None), Turn("mentor", "What?", None)]
DAY = Range(datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 2, tzinfo=UTC))


def test_times_are_the_same_in_every_run_and_others_by_another_seed() -> None:
    assert times(TURNS, DAY, "a") == times(TURNS, DAY, "a")
    assert times(TURNS, DAY, "a") != times(TURNS, DAY, "b")
    assert times(TURNS, DAY, "a") != times(TURNS, Range(DAY.begin, DAY.end, 1), "a")


def test_a_short_range_makes_a_conversation_short() -> None:
    second = Range(DAY.begin, DAY.begin + timedelta(seconds=1))
    found = times(TURNS * 50, second, "a")
    assert (found[0].created, found[-1].finished <= second.end) == (DAY.begin, True)


def test_one_message_needs_no_time() -> None:
    [only] = times(TURNS[:1], DAY, "a")
    assert DAY.begin <= only.created == only.finished <= DAY.end
