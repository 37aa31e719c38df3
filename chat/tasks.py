"""What Celery runs. A task takes an id or nothing, calls one rule, and may run twice."""

from __future__ import annotations

import structlog
from celery import shared_task

from . import contexts, lapses, leases, refusals, retention, rollups, signatures

log = structlog.get_logger(__name__)


@shared_task(ignore_result=True)
def reap_turns() -> int:
    """Mark the turns whose process died; sent every ten seconds by the beat."""
    reaped = leases.reap()
    if reaped:
        log.info("turns_reaped", count=reaped)
    return reaped


@shared_task(ignore_result=True)
def retain() -> int:
    """Remove what tenants keep no longer; sent every five minutes by the beat."""
    removed = retention.retain()
    if removed:
        log.info("retention_removed", **removed)
    return removed["sessions"]


@shared_task(ignore_result=True)
def lapse() -> int:
    """Take out values that their mentor's schema keeps no longer; sent every half an hour by the beat."""
    gone = lapses.lapse()
    if gone:
        log.info("values_removed", **gone)
    return gone["context_versions"]


@shared_task(ignore_result=True)
def roll_up() -> int:
    """Count past days ahead, and forget refusals, kept writes and used tokens that are past their time; sent every
    minute."""
    if forgotten := refusals.forget():
        log.info("refusals_forgotten", count=forgotten)
    if forgotten := contexts.forget_writes():
        log.info("kept_writes_forgotten", count=forgotten)
    if forgotten := signatures.forget():
        log.info("used_tokens_forgotten", count=forgotten)
    counted = rollups.roll_up()
    if counted:
        log.info("days_counted", count=counted)
    return counted
