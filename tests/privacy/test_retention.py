"""Sessions go so many days after the last that happened in them, as their tenant says."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from chat import retention, tasks
from chat.models import Erasure, Mentor, Session, Tenant

from ..exports.cast import said

pytestmark = pytest.mark.django_db(transaction=True)


def session(mentor: Mentor, days: float, begun: float | None = None) -> Session:
    """One in which something happened last so many days ago."""
    one = said(mentor, {"stateCode": "CA"}, at=timezone.now() - timedelta(days=begun or days))
    Session.objects.filter(pk=one.pk).update(updated_at=timezone.now() - timedelta(days=days))
    return one


def keep(tenant: Tenant, days: int | None) -> None:
    tenant.retention_days = days
    tenant.save()


def test_what_is_past_its_time_goes_and_nothing_else(coach: Mentor) -> None:
    keep(coach.tenant, 30)
    session(coach, 31)
    young, active = session(coach, 29), session(coach, 1, begun=100)
    assert retention.retain() == {"sessions": 1, "messages": 2, "snapshots": 2}
    assert set(Session.objects.values_list("pk", flat=True)) == {young.pk, active.pk}


def test_without_a_word_everything_is_kept(coach: Mentor) -> None:
    session(coach, 10_000)
    assert retention.retain() == {}


def test_a_tenant_that_says_nothing_takes_the_environments(coach: Mentor, settings: Any) -> None:
    settings.RETENTION_DAYS = 30
    session(coach, 31)
    keep(coach.tenant, 0)
    assert retention.retain() == {}
    keep(coach.tenant, None)
    assert retention.retain()["sessions"] == 1


def test_another_tenants_stay(coach: Mentor, other: Tenant) -> None:
    keep(coach.tenant, 1)
    theirs = Mentor(tenant=other, slug="theirs", name="Theirs")
    theirs.save()
    session(theirs, 100)
    assert retention.retain() == {}


def test_a_running_turn_is_let_be(coach: Mentor) -> None:
    keep(coach.tenant, 1)
    one = session(coach, 2)
    lease = timezone.now() + timedelta(seconds=60)
    Session.objects.filter(pk=one.pk).update(turn_id=uuid.uuid4(), turn_lease_until=lease)
    assert retention.retain() == {}


def test_it_goes_in_batches_and_is_told_of_the_day(coach: Mentor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "AT_ONCE", 2)
    keep(coach.tenant, 30)
    for _ in range(5):
        session(coach, 31)
    assert tasks.retain() == 5
    session(coach, 31)
    assert tasks.retain() == 1
    row = Erasure.objects.get()
    assert (row.kind, row.day, row.asked_by) == (
        "retention",
        timezone.now().date(),
        "retention of 30 days",
    )
    assert row.counts == {"sessions": 6, "messages": 12, "snapshots": 12}
    assert row.finished_at is not None


def test_out_of_time_it_goes_on_with_the_next_call(coach: Mentor) -> None:
    keep(coach.tenant, 30)
    session(coach, 31)
    assert retention.retain(budget=0) == {}
    assert retention.retain()["sessions"] == 1
