"""Counting past days ahead, and counting them again when they change. A task calls it every minute.

A day is counted when it ended more than 25 hours ago; a session older than 24 hours marks its day whenever it
changes. So whatever commits after a day was counted has left a mark, unless one transaction lasted an hour.
"""

from __future__ import annotations

import hashlib
import itertools
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from datetime import time as clock
from typing import Any
from zoneinfo import ZoneInfo

import orjson
from django.db import OperationalError, connection, transaction
from django.utils import timezone
from psycopg.errors import SerializationFailure

from .filters import read_path
from .models import Tenant
from .models.conditions import at_sql
from .models.messages import MEASURED
from .models.rollups import TOTAL, Rollup, RollupDay, RollupMark
from .models.tenants import MOST_PINNED_KEYS

SETTLED = timedelta(hours=25)
# Of one call: the next one goes on where it ended.
BUDGET_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What a tenant's days are counted by."""

    tenant_id: int
    zone: ZoneInfo
    keys: tuple[str, ...]

    @classmethod
    def of(cls, tenant: Tenant) -> Plan:
        return cls(tenant.pk, ZoneInfo(tenant.time_zone), tuple(tenant.pinned_keys))

    @property
    def fingerprint(self) -> str:
        text = orjson.dumps([self.zone.key, self.keys])
        return hashlib.md5(text, usedforsecurity=False).hexdigest()

    def begin(self, day: date) -> datetime:
        return datetime.combine(day, clock(), self.zone)

    def last_settled(self) -> date:
        """The last day that may be counted."""
        local = (timezone.now() - SETTLED).astimezone(self.zone)
        return local.date() - timedelta(days=1)


def available() -> bool:
    """Whether this database has rollups at all."""
    return connection.vendor == "postgresql"


def roll_up(budget: float = BUDGET_SECONDS) -> int:
    """Count the days that are not counted or have changed, the newest first; how many were."""
    if not available():
        return 0
    until, counted = time.monotonic() + budget, 0
    _drop_marks_of_nobody()
    for tenant in Tenant.objects.all():
        plan = Plan.of(tenant)
        for day in _open_days(plan):
            if time.monotonic() > until:
                return counted
            counted += count_day(plan, day)
    return counted


def count_day(plan: Plan, day: date) -> bool:
    """Count one day anew; False where another worker does the same just now."""
    try:
        with transaction.atomic(durable=True), connection.cursor() as cursor:
            # Marks, sessions and counts of one instant: a mark that comes later stays, and so does its day.
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            cursor.execute(
                "SELECT pg_try_advisory_xact_lock(%s, %s)", [plan.tenant_id % 2**31, day.toordinal()]
            )
            if not cursor.fetchone()[0]:
                return False
            _count(plan, day)
    except OperationalError as error:
        if isinstance(error.__cause__, SerializationFailure):
            return False
        raise
    return True


def forget(tenant_id: int, moments: Iterable[datetime]) -> None:
    """Drop what was counted of the days of these moments; they are counted again from the rows that are there."""
    tenant = Tenant.objects.filter(pk=tenant_id).first()
    if tenant is None or not available():
        return
    zone = Plan.of(tenant).zone
    days = {moment.astimezone(zone).date() for moment in moments}
    # The zone may have been another when they were counted.
    for day in sorted({day + timedelta(days=n) for day in days for n in (-1, 0, 1)}):
        _forget_day(tenant_id, day)


@transaction.atomic
def _forget_day(tenant_id: int, day: date) -> None:
    with connection.cursor() as cursor:
        # Whoever counts it now has begun before: theirs is waited for, and dropped too.
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [tenant_id % 2**31, day.toordinal()])
    every = range(TOTAL, MOST_PINNED_KEYS)
    Rollup.objects.filter(tenant_id=tenant_id, key__in=every, other_key__in=every, day=day).delete()
    RollupDay.objects.filter(tenant_id=tenant_id, day=day).delete()


def _count(plan: Plan, day: date) -> None:
    begin, end = plan.begin(day), plan.begin(day + timedelta(days=1))
    RollupMark.objects.filter(tenant_id=plan.tenant_id, at__gte=begin, at__lt=end).delete()
    # Named are all the keys there can be: so the index leads to the day, and not through all of a tenant's.
    every = range(TOTAL, MOST_PINNED_KEYS)
    Rollup.objects.filter(tenant_id=plan.tenant_id, key__in=every, other_key__in=every, day=day).delete()
    with connection.cursor() as cursor:
        cursor.execute(*_counting(plan, day, begin, end))
    RollupDay.objects.update_or_create(
        tenant_id=plan.tenant_id, day=day, defaults={"fingerprint": plan.fingerprint}
    )


def _counting(plan: Plan, day: date, begin: datetime, end: datetime) -> tuple[str, list[Any]]:
    columns, values = [], []
    for number, key in enumerate(plan.keys):
        sql, params = at_sql("metadata -> 'client_context'", read_path(key, key)[0])
        columns.append(f", {sql} AS v{number}")
        values += params
    cells = ", ".join(_cells(len(plan.keys)))
    text = f"""
WITH base AS MATERIALIZED (
  SELECT id, mentor_id, next_sequence - 1 AS messages{"".join(columns)} FROM chat_session
  WHERE tenant_id = %s AND created_at >= %s AND created_at < %s
), cost AS (
  SELECT e.session_id, sum(e.prompt_tokens) AS prompt_tokens, sum(e.completion_tokens) AS completion_tokens
  FROM chat_chatmessagehistoryextra e JOIN base b ON e.session_id = b.id
  WHERE {MEASURED} GROUP BY e.session_id
), failed AS (
  SELECT m.session_id, count(*) AS failures FROM chat_chatmessagehistory m JOIN base b ON m.session_id = b.id
  WHERE m.status IN ('failed', 'interrupted') GROUP BY m.session_id
)
INSERT INTO chat_rollup (tenant_id, mentor_id, day, key, other_key, value, other_value,
  sessions, messages, failures, prompt_tokens, completion_tokens)
SELECT %s, b.mentor_id, %s, c.key, c.other_key, c.value, c.other_value, count(*), sum(b.messages),
  COALESCE(sum(f.failures), 0), COALESCE(sum(cost.prompt_tokens), 0), COALESCE(sum(cost.completion_tokens), 0)
FROM base b LEFT JOIN cost ON cost.session_id = b.id LEFT JOIN failed f ON f.session_id = b.id
CROSS JOIN LATERAL (VALUES {cells}) AS c (key, other_key, value, other_value)
GROUP BY b.mentor_id, c.key, c.other_key, c.value, c.other_value
"""  # noqa: S608 -- the keys are parameters
    return text, [*values, plan.tenant_id, begin, end, plan.tenant_id, day]


def _cells(keys: int) -> Iterator[str]:
    """The whole day, each key, and each pair of keys."""
    yield f"({TOTAL}, {TOTAL}, NULL::jsonb, NULL::jsonb)"
    for one in range(keys):
        yield f"({one}, {TOTAL}, b.v{one}, NULL)"
    for one, other in itertools.combinations(range(keys), 2):
        yield f"({one}, {other}, b.v{one}, b.v{other})"


def _open_days(plan: Plan) -> list[date]:
    """Days that may be counted and are not, or have a mark; the newest first."""
    last = plan.last_settled()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT (min(created_at) AT TIME ZONE %s)::date FROM chat_session WHERE tenant_id = %s",
            [plan.zone.key, plan.tenant_id],
        )
        first = cursor.fetchone()[0]
        cursor.execute(
            "SELECT DISTINCT (at AT TIME ZONE %s)::date FROM chat_rollupmark WHERE tenant_id = %s",
            [plan.zone.key, plan.tenant_id],
        )
        marked = {day for (day,) in cursor.fetchall()}
    counted = RollupDay.objects.filter(tenant_id=plan.tenant_id, fingerprint=plan.fingerprint)
    done = set(counted.values_list("day", flat=True)) - marked
    ever = {last - timedelta(days=n) for n in range((last - first).days + 1)} if first else set()
    return sorted((ever | {day for day in marked if day <= last}) - done, reverse=True)


def _drop_marks_of_nobody() -> None:
    RollupMark.objects.exclude(tenant_id__in=Tenant.objects.values("id")).delete()
