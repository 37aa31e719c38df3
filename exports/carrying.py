"""Rows into a work file: from its beginning, or from where a worker that died had come to.

Each holder writes a file of its own, named by its fence: one that was only frozen, and wakes up when another has
taken over, writes into a file that nobody reads any more.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

from django.utils import timezone

from chat.selections import Reader, Selection

from . import storage
from .columns import SCHEMA_VERSION, choose
from .leases import Held, Progress
from .models import Export, Wanted
from .pulses import Pulse
from .rows import SESSIONS_AT_ONCE, Batch, Key, Question, batches, estimate, typed
from .writers import Writer, writer_for


@dataclass(frozen=True, slots=True)
class Carried:
    """A whole file, and what it holds."""

    path: Path
    rows: int
    bytes: int
    sha256: str
    columns: list[str]
    schema_version: int


@dataclass(slots=True)
class Part:
    """A file that grows, and is known to the byte: how many, and their SHA-256."""

    path: Path
    fence: int
    rows: int = 0
    size: int = 0
    sha256: Any = field(default_factory=hashlib.sha256)

    def write(self, file: Any, data: bytes) -> None:
        file.write(data)
        self.sha256.update(data)
        self.size += len(data)

    def progress(self, key: str | None) -> Progress:
        """With what the next holder needs to go on: the row that came last, and proof of what is before it."""
        resume = {"key": key, "fence": self.fence, "sha256": self.sha256.hexdigest()}
        return Progress(self.rows, self.size, None if key is None else resume)


def carry(export: Export, held: Held, pulse: Pulse, size: int = SESSIONS_AT_ONCE) -> Carried:
    """Write the whole file. Raises OSError, Cancelled, LeaseLost, ChatError, database errors."""
    question, writer = asked(export, selection_of(export))
    part, key = _begin(export, held, writer)
    pulse.expect(estimate(question))
    pulse.enter(Export.Phase.READING)
    with part.path.open("ab", buffering=0) as file:
        if key is None:
            part.write(file, writer.begin())
        for batch in batches(question, after=key, size=size):
            with closing(cast(Any, batch.blocks)):
                _write(part, file, writer, batch, pulse)
        pulse.enter(Export.Phase.CLOSING)
        part.write(file, writer.end())
        os.fsync(file.fileno())
    names = [column.name for column in question.columns]
    return Carried(part.path, part.rows, part.size, part.sha256.hexdigest(), names, SCHEMA_VERSION)


def _write(part: Part, file: Any, writer: Writer, batch: Batch, pulse: Pulse) -> None:
    """Closed at once where the work ends in the middle: its connection is needed for the last word."""
    with closing(cast(Any, writer.write(batch))) as blocks:
        for block in blocks:
            part.write(file, block)
            pulse.check()
    part.rows += batch.rows
    pulse.reached(part.progress(str(batch.key) if writer.resumable else None))


def selection_of(export: Export) -> Selection:
    """What its asker could read, and no more. Raises NotFound, InvalidFilter, HiddenKey."""
    assert export.tenant_id is not None
    selection = Selection.of(export.filter(), Reader(frozenset({export.tenant_id}), export.mentor_id))
    selection.check_conditions("export")
    return selection


def asked(wanted: Wanted, selection: Selection) -> tuple[Question, Writer]:
    """The question of a row that wants rows, and the writer of its form. Raises InvalidPayload, TooSlow."""
    columns = choose(wanted.grain, wanted.columns or None, wanted.context_keys)  # type: ignore[arg-type]
    options = {"formula_safety": wanted.formula_safety, "bom": wanted.bom}
    writer = writer_for(wanted.format, columns, **options)
    # Another try asks for the same rows as the first.
    before = getattr(wanted, "started_at", None) or timezone.now()
    since, until = getattr(wanted, "since", None), getattr(wanted, "until", None)
    question = Question(selection, columns, wanted.grain, writer.form, before, since, until)  # type: ignore[arg-type]
    if wanted.format == Wanted.Format.PARQUET:
        question = replace(question, columns=typed(question))
        writer = writer_for(wanted.format, question.columns)
    return question, writer


def streamed(question: Question, writer: Writer) -> Iterator[bytes]:
    """The whole file as it comes."""
    yield writer.begin()
    for batch in batches(question):
        yield from writer.write(batch)
    yield writer.end()


def _begin(export: Export, held: Held, writer: Writer) -> tuple[Part, Key | None]:
    """A new file, with what an earlier holder had written where that is still there and unharmed."""
    folder = storage.work_folder(export)
    part = Part(folder / f"{held.fence}.part", held.fence)
    resume = export.resume or {}
    before = folder / f"{resume.get('fence')}.part"
    key = None
    if writer.resumable and _copied(before, export.bytes, resume.get("sha256"), part):
        key, part.rows = Key.parse(resume["key"]), export.rows
    for other in folder.iterdir():
        if other != part.path:
            other.unlink()
    return part, key


def _copied(before: Path, length: int, sha256: str | None, part: Part) -> bool:
    """Copy so much of an earlier holder's file, if it is there and is what was written down of it."""
    if sha256 is None or not before.exists():
        return False
    with before.open("rb") as old, part.path.open("wb") as new:
        for piece in _pieces(old, length):
            part.write(new, piece)
    if part.size == length and part.sha256.hexdigest() == sha256:
        return True
    part.path.unlink()
    part.size, part.sha256 = 0, hashlib.sha256()
    return False


def _pieces(file: Any, length: int) -> Iterator[bytes]:
    while length > 0 and (piece := file.read(min(length, storage.PIECE))):
        length -= len(piece)
        yield piece
