"""Who may write an export's row: its holder, while it renews its lease, and nobody else.

Every write says which fence it holds; a holder that was thought dead finds its fence gone and stops. Leases are
told by the database's clock.
"""

from __future__ import annotations

import os
import socket
import threading
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Now

from .models import Export

State = Export.State
_ALONE = 0x6578706F727473  # "exports": the advisory lock under which leases are given


class LeaseLost(Exception):
    """Another worker has this export now."""


class Cancelled(Exception):
    """Somebody asked for this export to end."""


@dataclass(frozen=True, slots=True)
class Held:
    """What a holder shows to write."""

    id: UUID
    fence: int

    def row(self) -> QuerySet[Export]:
        return Export.objects.filter(id=self.id, fence=self.fence, state=State.RUNNING)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the work file has come; `resume` is how to go on from there, None: only from the start."""

    rows: int = 0
    bytes: int = 0
    resume: dict[str, Any] | None = None


def free() -> QuerySet[Export]:
    """Exports that wait for a worker, first come first served."""
    lapsed = Q(state=State.RUNNING, lease_until__lt=Now())
    return Export.objects.filter(Q(state=State.REQUESTED) | lapsed).order_by("created_at")


@transaction.atomic
def take(export_id: UUID) -> Held | None:
    """The lease, unless another has it, too many run already, or there is nothing to do."""
    _one_at_a_time()
    running = Export.objects.filter(state=State.RUNNING, lease_until__gte=Now()).exclude(id=export_id)
    if running.count() >= settings.EXPORTS_AT_ONCE:
        return None
    taken = free().filter(id=export_id).order_by()
    if not taken.update(
        state=State.RUNNING,
        holder=holder(),
        fence=F("fence") + 1,
        attempts=F("attempts") + 1,
        lease_until=_lease(),
    ):
        return None
    Export.objects.filter(id=export_id, started_at=None).update(started_at=Now())
    return Held(export_id, Export.objects.values_list("fence", flat=True).get(id=export_id))


def _one_at_a_time() -> None:
    """Two that count at once would both find room. SQLite's transactions come one by one as it is."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_ALONE])


def holder() -> str:
    return f"{socket.gethostname()}:{os.getpid()}:{threading.get_ident() % 100_000}"[:100]


def _lease() -> Any:
    return Now() + timedelta(seconds=settings.EXPORTS_LEASE_SECONDS)


def renew(held: Held, phase: str, progress: Progress, total: int | None) -> None:
    """Renew the lease and write the progress down. Raises LeaseLost, Cancelled."""
    found = held.row().update(
        lease_until=_lease(),
        phase=phase,
        rows=progress.rows,
        bytes=progress.bytes,
        resume=progress.resume,
        total=total,
    )
    if not found:
        raise LeaseLost
    if held.row().filter(cancel_asked=True).exists():
        raise Cancelled


def complete(held: Held, **fields: Any) -> None:
    """Ready: the last word of a holder, unless somebody asked for the end before. Raises LeaseLost, Cancelled."""
    told = {"state": State.READY, "error": "", "lease_until": None, "holder": "", "resume": None, **fields}
    if not held.row().filter(cancel_asked=False).update(finished_at=Now(), **told):
        raise Cancelled if held.row().exists() else LeaseLost


def finish(held: Held, **fields: Any) -> None:
    """Failed or cancelled: the last word of a holder. Raises LeaseLost."""
    if not held.row().update(lease_until=None, holder="", finished_at=Now(), resume=None, **fields):
        raise LeaseLost


def give_back(held: Held) -> None:
    """For another try, from where it is."""
    held.row().update(state=State.REQUESTED, lease_until=None, holder="")


def begin_anew(export: Export, state: str) -> bool:
    """Take an export from whoever has it, or back from where it is ready: nothing made before counts any more.

    `state` is requested, to be made again, or one that it ends in. False where it has changed since it was read.
    """
    seen = Export.objects.filter(id=export.id, state=export.state, fence=export.fence)
    told = {"lease_until": None, "holder": "", "resume": None, "rows": 0, "bytes": 0, "attempts": 0}
    gone = {"stored_as": "", "manifest": None, "expires_at": None}
    when = {"finished_at": None, "remade_at": Now()} if state == State.REQUESTED else {"finished_at": Now()}
    return bool(seen.update(state=state, fence=F("fence") + 1, cancel_asked=False, **told, **gone, **when))


def cancel(export: Export) -> None:
    """At once where nobody holds it; else its holder hears of it with its next renewal."""
    waiting = Export.objects.filter(id=export.id).filter(
        Q(state=State.REQUESTED) | Q(state=State.RUNNING, lease_until__lt=Now())
    )
    if not waiting.update(state=State.CANCELLED, finished_at=Now(), lease_until=None, fence=F("fence") + 1):
        Export.objects.filter(id=export.id, state=State.RUNNING).update(cancel_asked=True)
