"""What Celery runs. A task takes an id or nothing, calls one rule, and may run twice."""

from __future__ import annotations

from uuid import UUID

import structlog
from celery import shared_task

from chat import erasing

from . import erasures, leases, schedules
from .jobs import run, tidy

log = structlog.get_logger(__name__)
# As the sweep's own pause: a nudge that nobody took by then is sent anew.
NUDGE_SECONDS = 30


@shared_task(ignore_result=True)
def run_export(export_id: str) -> str | None:
    """Carry one export's rows into its file, then see to the next that waits."""
    state = run(UUID(export_id))
    if state is not None:
        log.info("export_ended", export=export_id, state=state)
        if waiting := leases.free().values_list("id", flat=True).first():
            nudge(waiting)
    return state


@shared_task(ignore_result=True)
def sweep() -> int:
    """Nudge what waits or was deserted, remove what has had its time; sent every 30 s by the beat."""
    waiting = list(leases.free().values_list("id", flat=True)[:100])
    for export_id in waiting:
        nudge(export_id)
    if removed := tidy():
        log.info("exports_removed", count=removed)
    return len(waiting)


@shared_task(ignore_result=True)
def open_windows() -> int:
    """Ask for the exports that schedules are due for; sent every minute by the beat."""
    opened = schedules.open_windows()
    for export in opened:
        nudge(export.id)
    if opened:
        log.info("windows_opened", count=len(opened))
    return len(opened)


@shared_task(ignore_result=True)
def erase(erasure_id: str) -> bool:
    """Erase a user."""
    return erasures.try_to_run(UUID(erasure_id))


@shared_task(ignore_result=True)
def sweep_erasures() -> int:
    """Nudge erasures that nobody works on; sent every 30 s by the beat."""
    waiting = list(erasing.deserted().values_list("id", flat=True)[:100])
    for erasure_id in waiting:
        nudge_erasure(erasure_id)
    return len(waiting)


def nudge_erasure(erasure_id: UUID) -> None:
    """The same as nudge, for an erasure."""
    try:
        erase.apply_async((str(erasure_id),), expires=NUDGE_SECONDS, retry=False)
    except Exception as error:
        log.warning("nudge_failed", erasure=str(erasure_id), error=type(error).__name__)


def nudge(export_id: UUID) -> None:
    """Tell a worker now. Where that fails, the sweep finds the row."""
    try:
        run_export.apply_async((str(export_id),), expires=NUDGE_SECONDS, retry=False)
    except Exception as error:
        log.warning("nudge_failed", export=str(export_id), error=type(error).__name__)
