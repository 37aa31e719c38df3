"""What is kept no longer: sessions in which nothing has happened for as long as their tenant says.

A task calls it every few minutes; it removes some at a time, the oldest first, and says in a row of each day how
many that were.
"""

from __future__ import annotations

import time
from collections import Counter
from datetime import datetime, timedelta

from django.db.models import QuerySet
from django.utils import timezone

from . import erasing, removals
from .models import Erasure, Session, Tenant

AT_ONCE = 100
# Of one call: the next one goes on where it ended.
BUDGET_SECONDS = 20.0


def retain(budget: float = BUDGET_SECONDS) -> Counter[str]:
    """Remove what is past its time, of every tenant; how many rows, by what they were."""
    until, removed = time.monotonic() + budget, Counter[str]()
    for tenant in Tenant.objects.all():
        while tenant.kept_days and time.monotonic() < until:
            counts = _remove_some(tenant)
            removed += counts
            if not counts:
                break
    return removed


def _remove_some(tenant: Tenant) -> Counter[str]:
    before = timezone.now() - timedelta(days=tenant.kept_days)
    sessions = list(_outlived(tenant, before).values_list("pk", flat=True)[:AT_ONCE])
    counts = erasing.by_noun(removals.remove_idle(sessions, before)) if sessions else Counter[str]()
    if counts:
        report(tenant, Erasure.Kind.RETENTION, counts, f"retention of {tenant.kept_days} days")
    return counts


def _outlived(tenant: Tenant, before: datetime) -> QuerySet[Session]:
    # What was active before then has begun before then: that has an index, and the other has none, because each
    # turn would have to write it.
    idle = Session.objects.filter(tenant=tenant, created_at__lt=before, updated_at__lt=before, turn_id=None)
    return idle.order_by("created_at")


def report(tenant: Tenant, kind: str, counts: Counter[str], why: str) -> None:
    """Add these counts to the tenant's row of this day."""
    now = timezone.now()
    made = {"asked_by": why, "finished_at": now}
    row, _ = Erasure.objects.get_or_create(tenant=tenant, kind=kind, day=now.date(), defaults=made)
    erasing.add(row.pk, counts, asked_by=why, finished_at=now)
