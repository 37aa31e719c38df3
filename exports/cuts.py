"""Up to which moment everything is there: what lets successive exports give each message once.

A message is exported when it is final, by the time at which it became so (`finished_at`). That time is taken
before its transaction commits, so a row can appear with a time that is already past. An export therefore ends
at a cut: EXPORTS_CUT_SECONDS before now, longer than a transaction of ours may take and than clocks may differ,
and on PostgreSQL as long before the oldest transaction that is still writing. What came later is the next one's.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection
from django.db.models import Model, Q, QuerySet
from django.db.models.functions import Coalesce, Greatest
from django.utils import timezone

from chat.models import ChatMessageHistory

# An answer may have begun before the cut that it was finished after, but not by more: the reaper ends it.
LONGEST_ANSWER = timedelta(days=7)
# Never before it began, also where two clocks say so: else the index on `created_at` could not be used.
_FINAL = Greatest(Coalesce("finished_at", "created_at"), "created_at")
_NOW = """
SELECT LEAST(clock_timestamp(), (SELECT min(xact_start) FROM pg_stat_activity
  WHERE datname = current_database() AND backend_xid IS NOT NULL AND pid <> pg_backend_pid()))
  - make_interval(secs => %s)
"""


def safe_cut() -> datetime:
    """The latest moment before which nothing more can appear."""
    if connection.vendor != "postgresql":
        return timezone.now() - timedelta(seconds=settings.EXPORTS_CUT_SECONDS)
    with connection.cursor() as cursor:
        cursor.execute(_NOW, [settings.EXPORTS_CUT_SECONDS])
        cut: datetime = cursor.fetchone()[0]
    return cut


def messages_between(
    rows: QuerySet[ChatMessageHistory], since: datetime | None, until: datetime | None
) -> QuerySet[ChatMessageHistory]:
    """Those that became final from `since` on and before `until`; without `until` all, also unfinished ones."""
    if until is None:
        return rows
    rows = rows.exclude(status="streaming").annotate(final_at=_FINAL)
    rows = rows.filter(final_at__lt=until, created_at__lt=until)
    if since is not None:
        rows = rows.filter(final_at__gte=since, created_at__gte=since - LONGEST_ANSWER)
    return rows


def sessions_between(
    rows: QuerySet[Model], since: datetime | None, until: datetime | None
) -> QuerySet[Model]:
    """Those that began from `since` on and before `until`."""
    begun = Q() if until is None else Q(created_at__lt=until)
    return rows.filter(begun if since is None else begun & Q(created_at__gte=since))
