"""CSV and JSON lines: the database has written the rows, and what was written is never touched again.

Both can be gone on with after any whole batch.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Sequence
from typing import ClassVar

from exports.cells import Form, guard
from exports.columns import Column
from exports.plain import csv_line
from exports.rows import Batch


class CsvWriter:
    """RFC 4180 in UTF-8, its lines ended by LF. NULL is an empty cell, empty text a quoted one."""

    suffix: ClassVar = "csv"
    content_type: ClassVar = "text/csv; charset=utf-8"
    resumable: ClassVar = True

    def __init__(self, columns: Sequence[Column], *, formula_safety: bool = True, bom: bool = False) -> None:
        self.columns = columns
        self.bom = bom
        self.form: Form = "csv" if formula_safety else "csv-raw"

    def begin(self) -> bytes:
        names = [column.name for column in self.columns]
        header = csv_line([guard(name) for name in names] if self.form == "csv" else names)
        return codecs.BOM_UTF8 + header if self.bom else header

    def write(self, batch: Batch) -> Iterator[bytes]:
        return batch.blocks

    def end(self) -> bytes:
        return b""


class JsonLinesWriter:
    """An object a line, its members in the columns' order; a context is an object and not text."""

    suffix: ClassVar = "jsonl"
    content_type: ClassVar = "application/x-ndjson"
    resumable: ClassVar = True
    form: ClassVar[Form] = "jsonl"

    def __init__(self, columns: Sequence[Column]) -> None:
        self.columns = columns

    def begin(self) -> bytes:
        return b""

    def write(self, batch: Batch) -> Iterator[bytes]:
        return batch.blocks

    def end(self) -> bytes:
        return b""
