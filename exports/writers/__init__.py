"""Files from batches: what is before the first row, between, and after the last. They yield bytes and keep no file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from exports.columns import Column

from .parquet import ParquetWriter
from .text import CsvWriter, JsonLinesWriter

__all__ = ["WRITERS", "CsvWriter", "JsonLinesWriter", "ParquetWriter", "Writer", "writer_for"]
Writer = CsvWriter | JsonLinesWriter | ParquetWriter
WRITERS: Final[dict[str, type[Writer]]] = {
    "csv": CsvWriter,
    "jsonl": JsonLinesWriter,
    "parquet": ParquetWriter,
}


def writer_for(
    format: str, columns: Sequence[Column], *, formula_safety: bool = True, bom: bool = False
) -> Writer:
    """The writer of a format; safety from formulas and the byte order mark are CSV's alone."""
    if format == "csv":
        return CsvWriter(columns, formula_safety=formula_safety, bom=bom)
    return JsonLinesWriter(columns) if format == "jsonl" else ParquetWriter(columns)
