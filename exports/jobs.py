"""What becomes of an export: taken, carried out, stored whole, and after its time removed.

The row is the truth: a task is a nudge, and may come twice, late, or never. A worker that dies leaves a row
whose lease runs out and a work file; the next goes on from there.
"""

from __future__ import annotations

import contextlib
import errno
import shutil
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import structlog
from django.conf import settings
from django.db import Error, InterfaceError, OperationalError
from django.db.models import Q
from django.utils import timezone

from chat.errors import ChatError, ExportGone, ExportNotReady

from . import leases, storage
from .carrying import Carried, carry
from .leases import Cancelled, Held, LeaseLost
from .models import UNDER_WAY, Export
from .pulses import Pulse
from .storage import StoreUnavailable

log = structlog.get_logger(__name__)
State = Export.State
MOST_ATTEMPTS = 5
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
DISK_FULL = "The disk is full: nothing was kept."
GAVE_UP = f"The worker ended {MOST_ATTEMPTS} times before it was done."
OURS = "This failed for a reason of ours; the worker's log has it."


def run(export_id: UUID) -> str | None:
    """Carry one export out; the state it is in afterwards, None where it was not ours to run."""
    held = leases.take(export_id)
    if held is None:
        return None
    export = Export.objects.select_related("tenant").get(id=export_id)
    try:
        _run(export, held)
    except LeaseLost:
        log.warning("export_lost", export=str(export_id))
    return Export.objects.values_list("state", flat=True).filter(id=export_id).first()


def _run(export: Export, held: Held) -> None:
    """Every way to end but one is a row's state. Raises LeaseLost."""
    try:
        _attempt(export, held)
    except Cancelled:
        _end(export, held, State.CANCELLED, "")
    except (OperationalError, InterfaceError, StoreUnavailable) as error:
        _try_again(export, held, error)
    except ChatError as error:
        _end(export, held, State.FAILED, error.message)
    except OSError as error:
        _end(export, held, State.FAILED, _of_the_disk(error))
    except LeaseLost:
        raise
    except Exception:
        log.exception("export_failed", export=str(export.id))
        _end(export, held, State.FAILED, OURS)


def _attempt(export: Export, held: Held) -> None:
    if export.tenant is None:
        raise Cancelled
    if export.attempts > MOST_ATTEMPTS:
        _end(export, held, State.FAILED, GAVE_UP)
        return
    with Pulse(held, export) as pulse:
        carried = carry(export, held, pulse)
        _store(export, held, pulse, carried)


def _store(export: Export, held: Held, pulse: Pulse, carried: Carried) -> None:
    """Move the whole file under its name, and say so last."""
    name = storage.name_of(export, held.fence)
    pulse.enter(Export.Phase.STORING)
    try:
        storage.put(carried.path, name)
        pulse.stop()
        _say_ready(export, held, carried, name)
    except Error:
        raise  # whether the row says so is not known: the next holder removes the file, or nobody need
    except BaseException:
        with contextlib.suppress(Exception):
            storage.store().delete(name)
        raise
    storage.remove_others(export, name)
    storage.clear_work(export)


def _say_ready(export: Export, held: Held, carried: Carried, name: str) -> None:
    leases.complete(
        held,
        rows=carried.rows,
        total=carried.rows,
        bytes=carried.bytes,
        stored_as=name,
        file_name=file_name(export),
        manifest=manifest(export, carried),
        expires_at=timezone.now() + timedelta(days=settings.EXPORTS_KEEP_DAYS),
    )


def _end(export: Export, held: Held, state: str, why: str) -> None:
    """The row first: it is what others go by."""
    leases.finish(held, state=state, error=why[:500])
    storage.clear_work(export)
    with contextlib.suppress(Exception):
        storage.remove_others(export, "")


def _try_again(export: Export, held: Held, error: Exception) -> None:
    """The database or the store is away for a moment. What was read so far stays in the work folder."""
    log.warning("export_interrupted", export=str(export.id), error=type(error).__name__)
    sentence = "The store of exports cannot be reached." if isinstance(error, StoreUnavailable) else ""
    if export.attempts >= MOST_ATTEMPTS:
        _end(export, held, State.FAILED, sentence or GAVE_UP)
    else:
        with contextlib.suppress(Error):
            leases.give_back(held)


def _of_the_disk(error: OSError) -> str:
    if error.errno in FULL:
        return DISK_FULL
    log.error("export_disk_failed", error=errno.errorcode.get(error.errno or 0, "unknown"))
    return "The disk failed: nothing was kept."


# --- what a ready one says of itself


def file_name(export: Export) -> str:
    tenant = export.tenant.key if export.tenant else "export"
    noun = "messages" if export.grain == Export.Grain.MESSAGE else "sessions"
    return f"{tenant}-{noun}-{export.created_at:%Y%m%d-%H%M%S}.{export.format}"


def manifest(export: Export, carried: Carried) -> dict[str, object]:
    """What the file holds and how to tell that it is whole."""
    return {
        "export": str(export.id),
        "schema_version": carried.schema_version,
        "tenant": export.tenant.key if export.tenant else None,
        "filter": export.query,
        "since": export.since.isoformat() if export.since else None,
        "until": export.until.isoformat() if export.until else None,
        "grain": export.grain,
        "format": export.format,
        "columns": carried.columns,
        "formula_safety": export.formula_safety,
        "rows": carried.rows,
        "bytes": carried.bytes,
        "sha256": carried.sha256,
        "started_at": export.started_at.isoformat() if export.started_at else None,
        "finished_at": timezone.now().isoformat(),
    }


def check_ready(export: Export, *, gone_too: bool = True) -> None:
    """Raises ExportNotReady, or ExportGone for one whose file was removed."""
    over = export.expires_at is not None and export.expires_at <= timezone.now()
    if export.state == State.EXPIRED or (export.state == State.READY and over):
        if gone_too or export.manifest is None:
            raise ExportGone()
        return
    if export.state == State.FAILED:
        raise ExportNotReady(f"The export failed. {export.error}")
    if export.state == State.CANCELLED:
        raise ExportNotReady("The export was cancelled.")
    if not export.is_over:
        raise ExportNotReady()


# --- ending before its time, and after it


def end(export: Export) -> None:
    """Stop what runs, forget what waits, remove what is there."""
    leases.cancel(export)
    gone = Export.objects.filter(id=export.id, state=State.READY)
    if gone.update(state=State.EXPIRED, expires_at=timezone.now()):
        _remove(export)


def tidy() -> int:
    """Remove files whose time is over, those of tenants that are gone, and work that nobody does; how many."""
    for export in _deserted():
        leases.cancel(export)
    removed = sum(_remove(export) for export in _outlived()[:1000])
    Export.objects.filter(tenant=None, stored_as="").exclude(state=State.RUNNING).delete()
    _clear_work_folders()
    return removed


def _deserted() -> list[Export]:
    """Asked to end, and their worker does not live to hear of it; or of a tenant that is gone."""
    unwanted = Q(cancel_asked=True) | Q(tenant=None)
    return list(Export.objects.filter(unwanted, state__in=UNDER_WAY))


def _outlived() -> list[Export]:
    over = Q(expires_at__lte=timezone.now()) | Q(tenant=None)
    return list(Export.objects.filter(over).exclude(stored_as=""))


def _remove(export: Export) -> bool:
    """The state first, so that nobody is sent to a file that goes away; the name last, so that it is not lost."""
    row = Export.objects.filter(id=export.id)
    row.filter(state=State.READY).update(state=State.EXPIRED)
    try:
        storage.remove(export)
    except (OSError, StoreUnavailable) as error:
        log.warning("export_not_removed", export=str(export.id), error=type(error).__name__)
        return False
    row.update(stored_as="")
    return True


def _clear_work_folders() -> None:
    """Of exports that are over or unknown: their worker died after the last word."""
    work = Path(settings.EXPORTS_WORK_DIR)
    names = {path.name for path in work.iterdir()} if work.is_dir() else set()
    kept = Export.objects.filter(id__in=[name for name in names if _is_id(name)], state__in=UNDER_WAY)
    for name in names - {str(key) for key in kept.values_list("id", flat=True)}:
        shutil.rmtree(work / name, ignore_errors=True)


def _is_id(name: str) -> bool:
    try:
        return str(UUID(name)) == name
    except ValueError:
        return False
