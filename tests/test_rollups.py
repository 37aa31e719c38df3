"""Counts kept ahead are what the rows say, also after late changes, deletions and a second run."""

from __future__ import annotations

import threading
import uuid
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from chat import rollups
from chat.models import (
    ChatMessageHistory,
    ChatMessageHistoryExtra,
    Mentor,
    Rollup,
    RollupDay,
    RollupMark,
    Session,
    Tenant,
)

pytestmark = [pytest.mark.services, pytest.mark.django_db(transaction=True)]
LONG_AGO = datetime(2026, 3, 10, 12, tzinfo=UTC)


@pytest.fixture
def pinned(demo: Tenant) -> Tenant:
    demo.pinned_keys = ["stateCode", "order.region"]
    demo.save()
    return demo


def began(mentor: Mentor, at: datetime, context: dict[str, Any], messages: int = 2) -> Session:
    """A session of that time, with answers that cost 10 and 20 tokens, the last of which failed."""
    session = Session.objects.create(
        id=uuid.uuid4(),
        tenant=mentor.tenant,
        mentor=mentor,
        created_at=at,
        metadata={"client_context": context},
        next_sequence=messages + 1,
    )
    for sequence in range(1, messages + 1):
        status = "failed" if sequence == messages else "complete"
        message = ChatMessageHistory.objects.create(
            session=session, sequence=sequence, role="mentor", status=status, created_at=at
        )
        ChatMessageHistoryExtra.objects.create(message=message, prompt_tokens=10, completion_tokens=20)
    return session


def by_key(number: int) -> Counter[str]:
    rows = Rollup.objects.filter(key=number, other_key=-1)
    return sum((Counter({str(row.value): row.sessions}) for row in rows), Counter())


def test_each_pinned_key_and_pair_is_counted_by_day(pinned: Tenant, coach: Mentor) -> None:
    for context in (
        {"stateCode": "CA", "order": {"region": 1}},
        {"stateCode": "CA"},
        {"stateCode": None},
        {},
    ):
        began(coach, LONG_AGO, context)
    rollups.roll_up()
    assert by_key(0) == {"CA": 2, "None": 2}
    pairs = Rollup.objects.filter(key=0, other_key=1).values_list("value", "other_value", "sessions")
    assert sorted(map(str, pairs)) == sorted(
        map(str, [("CA", 1, 1), ("CA", None, 1), (None, None, 1), (None, None, 1)])
    )


def test_a_missing_key_is_not_a_null(pinned: Tenant, coach: Mentor) -> None:
    began(coach, LONG_AGO, {"stateCode": None})
    began(coach, LONG_AGO, {})
    rollups.roll_up()
    with connection.cursor() as cursor:
        cursor.execute("SELECT value::text FROM chat_rollup WHERE key = 0 AND other_key = -1 ORDER BY value")
        assert cursor.fetchall() == [("null",), (None,)]


def test_the_whole_day_is_counted_with_what_it_cost(pinned: Tenant, coach: Mentor) -> None:
    began(coach, LONG_AGO, {}, messages=3)
    began(coach, LONG_AGO, {}, messages=1)
    rollups.roll_up()
    total = Rollup.objects.get(key=-1)
    assert (total.day.isoformat(), total.mentor_id) == ("2026-03-10", coach.pk)
    assert (total.sessions, total.messages, total.failures) == (2, 4, 2)
    assert (total.prompt_tokens, total.completion_tokens) == (40, 80)


def test_a_day_is_the_tenants(pinned: Tenant, coach: Mentor) -> None:
    pinned.time_zone = "Asia/Tokyo"
    pinned.save()
    began(coach, datetime(2026, 3, 10, 16, tzinfo=UTC), {})
    rollups.roll_up()
    assert Rollup.objects.get(key=-1).day.isoformat() == "2026-03-11"


def test_today_is_left_to_its_rows(pinned: Tenant, coach: Mentor) -> None:
    began(coach, timezone.now(), {})
    began(coach, timezone.now() - timedelta(hours=23), {})
    assert rollups.roll_up() == 0
    assert not Rollup.objects.exists()


def test_a_second_run_has_nothing_to_do(pinned: Tenant, coach: Mentor) -> None:
    began(coach, LONG_AGO, {})
    assert rollups.roll_up() > 200
    before = list(Rollup.objects.values())
    assert rollups.roll_up() == 0
    assert list(Rollup.objects.values()) == before


def changed(session: Session) -> None:
    session.metadata = {"client_context": {"stateCode": "NY"}}
    session.save()


def changed_in_sql(session: Session) -> None:
    with connection.cursor() as cursor:
        change = """jsonb_set(metadata, '{client_context,stateCode}', '"NY"')"""
        cursor.execute(f"UPDATE chat_session SET metadata = {change} WHERE id = %s", [session.pk])


@pytest.mark.parametrize("change", [changed, changed_in_sql])
def test_a_late_change_is_counted(pinned: Tenant, coach: Mentor, change: Any) -> None:
    session = began(coach, LONG_AGO, {"stateCode": "CA"})
    rollups.roll_up()
    change(session)
    assert RollupMark.objects.filter(tenant_id=pinned.pk).exists()
    assert rollups.roll_up() == 1
    assert by_key(0) == {"NY": 1}


def test_what_was_deleted_is_not_counted(pinned: Tenant, coach: Mentor) -> None:
    began(coach, LONG_AGO, {"stateCode": "CA"})
    gone = began(coach, LONG_AGO, {"stateCode": "CA"})
    rollups.roll_up()
    gone.delete()
    assert rollups.roll_up() == 1
    assert by_key(0) == {"CA": 1}


def test_what_came_late_is_counted(pinned: Tenant, coach: Mentor) -> None:
    began(coach, LONG_AGO, {"stateCode": "CA"})
    rollups.roll_up()
    began(coach, LONG_AGO, {"stateCode": "CA"})
    assert rollups.roll_up() == 1
    assert by_key(0) == {"CA": 2}


def test_a_change_while_a_day_is_counted_leaves_its_mark(pinned: Tenant, coach: Mentor) -> None:
    session = began(coach, LONG_AGO, {"stateCode": "CA"})
    rollups.roll_up()
    plan = rollups.Plan.of(pinned)
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        rollups._count(plan, LONG_AGO.date())
        in_another_thread(lambda: changed(session))
    assert by_key(0) == {"CA": 1}
    assert rollups.roll_up() == 1
    assert by_key(0) == {"NY": 1}


def in_another_thread(work: Any) -> None:
    def run() -> None:
        work()
        connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(10)


def test_two_workers_do_not_count_one_day(pinned: Tenant, coach: Mentor) -> None:
    began(coach, LONG_AGO, {})
    plan, seen = rollups.Plan.of(pinned), []
    with transaction.atomic(), connection.cursor() as cursor:
        lock = [plan.tenant_id, LONG_AGO.date().toordinal()]
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", lock)
        in_another_thread(lambda: seen.append(rollups.count_day(plan, LONG_AGO.date())))
    assert seen == [False]


def test_other_pinned_keys_have_every_day_counted_anew(pinned: Tenant, coach: Mentor) -> None:
    began(coach, LONG_AGO, {"stateCode": "CA", "plan": "free"})
    days = rollups.roll_up()
    pinned.pinned_keys = ["plan"]
    pinned.save()
    assert rollups.roll_up() == days
    assert by_key(0) == {"free": 1}


def test_a_tenant_that_goes_takes_its_counts_along(pinned: Tenant, coach: Mentor) -> None:
    began(coach, LONG_AGO, {"stateCode": "CA"})
    rollups.roll_up()
    pinned.delete()
    rollups.roll_up()
    assert not Rollup.objects.exists()
    assert not RollupDay.objects.exists()
    assert not RollupMark.objects.exists()


def test_a_turn_in_an_old_session_leaves_a_mark(pinned: Tenant, talk: Any) -> None:
    conversation = talk()
    conversation.say("Hello.")
    Session.objects.update(created_at=LONG_AGO)
    rollups.roll_up()
    conversation.say("Hello again.", metadata={"stateCode": "CA"})
    assert rollups.roll_up() == 1
    assert by_key(0) == {"CA": 1}
