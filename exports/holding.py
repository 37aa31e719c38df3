"""Which exports hold rows of a user, and what becomes of them when the user is erased.

A file in which the user stands is made anew, from the rows that are left; one that was about them alone is removed.
What a file says of its users is looked for in the file itself, where it has that column: the rows may be gone long
since. Of a file without it every row may be theirs, unless its filter says otherwise.
"""

from __future__ import annotations

import csv
import io
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from chat.errors import InvalidFilter
from chat.filters import Filter
from chat.filters.fields import FIELDS

from . import leases, storage
from .models import UNDER_WAY, Export, Schedule, Wanted

State = Export.State
# What stands in a filter or a name where the user stood.
ERASED = "(erased)"
_OF_USERS = [name for name, field in FIELDS.items() if field.sets in ("user", "not_user")]
_ABOUT_ONE = (Export.Purpose.SESSION_TASK, Export.Purpose.USER_TASK)


@dataclass(frozen=True, slots=True)
class Whose:
    """A user; `elsewhere`: also in other users' sessions something was theirs, and no column says so."""

    tenant_id: int
    user_id: str
    elsewhere: bool = False


def erase(whose: Whose, tell: Callable[[Counter[str]], None]) -> None:
    """Make every file anew that may have rows of this user; `tell` is given counts as they come.

    For when their rows are gone. Safe to run twice. Raises OSError, StoreUnavailable.
    """
    tenant_id, user_id = whose.tenant_id, whose.user_id
    for schedule in Schedule.objects.filter(tenant_id=tenant_id):
        if _names(schedule, user_id):
            _unname_schedule(schedule, user_id)
            tell(Counter(schedules_changed=1))
    for export_id in list(_of(tenant_id).values_list("id", flat=True)):
        if counts := _erase_from(export_id, whose):
            tell(counts)


def count(whose: Whose) -> Counter[str]:
    """How many files hold rows of this user, or may."""
    held = sum(_may_hold(export, whose) for export in _of(whose.tenant_id).iterator())
    schedules = Schedule.objects.filter(tenant_id=whose.tenant_id)
    named = sum(_names(row, whose.user_id) for row in schedules)
    return +Counter(exports=held, schedules_changed=named)


def _of(tenant_id: int) -> QuerySet[Export]:
    return Export.objects.filter(tenant_id=tenant_id).order_by("created_at")


def _erase_from(export_id: UUID, whose: Whose) -> Counter[str]:
    """Looked at again for as long as somebody else changes it meanwhile: a worker that takes it, or is done."""
    while export := Export.objects.filter(id=export_id).first():
        outcome = _what_becomes_of(export, whose)
        if outcome is None or _anew(export, outcome):
            _unname_export(export, whose.user_id)
            noun = "exports_made_anew" if outcome == State.REQUESTED else "exports_removed"
            return Counter({noun: 1} if outcome else {})
    return Counter()


def _what_becomes_of(export: Export, whose: Whose) -> str | None:
    """The state that it goes on in; None: it stays as it is."""
    there = export.state in UNDER_WAY or export.stored_as != ""
    if there and _is_about(export, whose.user_id):
        return State.EXPIRED if export.state == State.READY else State.CANCELLED
    return State.REQUESTED if _may_hold(export, whose) else None


def _anew(export: Export, state: str) -> bool:
    """What is ready goes first: a job that breaks off here finds that its file is missing, and goes on with it.

    What is being made goes once its maker can store it no more.
    """
    storage.remove_made(export)
    begun = leases.begin_anew(export, state)
    storage.remove_made(export)
    return begun


# --- who holds what


def _may_hold(export: Export, whose: Whose) -> bool:
    if export.state == State.REQUESTED and export.resume is None:
        return False
    if export.state not in UNDER_WAY and not export.stored_as:
        return False
    if whose.elsewhere or export.state != State.READY:
        return whose.elsewhere or not _leaves_out(export, whose.user_id)
    return not _leaves_out(export, whose.user_id) and _stands_in(export, whose.user_id)


def _leaves_out(export: Export, user_id: str) -> bool:
    """Whether its filter is of other users."""
    try:
        asked: Filter = export.filter()
    except InvalidFilter:
        return False
    others = bool(asked.user) and user_id not in asked.user
    return others or user_id in asked.not_user or asked.anonymous is True


def _stands_in(export: Export, user_id: str) -> bool:
    if "user" not in (export.manifest or {}).get("columns", ()):
        return True
    try:
        with storage.store().open(export.stored_as, "rb") as file:
            return any(_is(cell, user_id) for cell in _READ[export.format](file))
    except FileNotFoundError:
        return True


def _is(cell: object, user_id: str) -> bool:
    """In CSV a quote may stand before what a spreadsheet would run."""
    return cell in (user_id, f"'{user_id}")


def _csv(file: Any) -> Iterator[object]:
    csv.field_size_limit(sys.maxsize)
    with io.TextIOWrapper(file, "utf-8-sig", newline="") as text:
        yield from (row["user"] for row in csv.DictReader(text))


def _jsonl(file: Any) -> Iterator[object]:
    yield from (json.loads(line)["user"] for line in file)


def _parquet(file: Any) -> Iterator[object]:
    from pyarrow import parquet

    for batch in parquet.ParquetFile(file).iter_batches(columns=["user"]):
        yield from batch.column(0).to_pylist()


_READ: dict[str, Callable[[Any], Iterator[object]]] = {"csv": _csv, "jsonl": _jsonl, "parquet": _parquet}


# --- names


def _names(row: Wanted, user_id: str) -> bool:
    return getattr(row, "name", "") == user_id or _without(row.query, user_id) != row.query


def _is_about(row: Wanted, user_id: str) -> bool:
    """Whether it asks for this user and nobody else."""
    if isinstance(row, Export) and row.purpose in _ABOUT_ONE and row.name == user_id:
        return True
    with suppress(InvalidFilter):
        return row.filter().user == (user_id,)
    return False


def _without(query: list[Any], user_id: str) -> list[Any]:
    return [[name, _unnamed(name, text, user_id)] for name, text in query]


def _unnamed(name: str, text: str, user_id: str) -> str:
    if name not in _OF_USERS:
        return text
    with suppress(ValueError):
        users = FIELDS[name].read(text)
        if user_id in users:
            # One that is left by itself would be read as a list where it has a comma: it is written as JSON.
            left = [one for one in users if one != user_id]
            return ",".join([*map(_written, left), ERASED]) if name.endswith("__in") else ERASED
    return text


def _written(user: str) -> str:
    return json.dumps(user, ensure_ascii=False)


def _unname_export(export: Export, user_id: str) -> None:
    if not _names(export, user_id):
        return
    row = Export.objects.filter(id=export.id)
    row.update(query=_without(export.query, user_id))
    row.filter(name=user_id).update(name=ERASED)
    manifest = row.values_list("manifest", flat=True).first()
    if manifest is not None:
        row.update(manifest={**manifest, "filter": _without(manifest["filter"], user_id)})


def _unname_schedule(schedule: Schedule, user_id: str) -> None:
    if _is_about(schedule, user_id):
        schedule.active = False
    schedule.query = _without(schedule.query, user_id)
    if schedule.name == user_id:
        # Of a tenant's schedules each has a name of its own.
        schedule.name = f"{ERASED} {schedule.pk}"
    schedule.save()
