"""Parquet: typed columns, compressed with zstd, a row group at a time.

The database writes CSV, and pyarrow reads it: that is as fast as its binary form, on the connection and under the
timeouts that everything else has. What is at the end of a Parquet file says where everything before it is: one
that was begun cannot be gone on with, and is made anew.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

from exports.cells import Form
from exports.columns import SCHEMA_VERSION, Column
from exports.rows import Batch

# Smaller than usual: a group is in memory three times over while it is compressed.
ROWS_IN_A_GROUP = 16_384
BYTES_IN_A_GROUP = 16 * 1024 * 1024


class ParquetWriter:
    """Times are UTC timestamps, contexts JSON text, a key's column has the one type that its values have."""

    suffix: ClassVar = "parquet"
    content_type: ClassVar = "application/vnd.apache.parquet"
    resumable: ClassVar = False
    form: ClassVar[Form] = "arrow"

    def __init__(self, columns: Sequence[Column]) -> None:
        self.columns = columns
        self._sink = _Sink()
        self._kept: list[Any] = []

    def begin(self) -> bytes:
        import pyarrow.parquet as pq

        self._schema = schema_of(self.columns)
        self._file = pq.ParquetWriter(self._sink, self._schema, compression="zstd", compression_level=1)
        return self._sink.take()

    def write(self, batch: Batch) -> Iterator[bytes]:
        for block in batch.blocks:
            self._kept.append(table_of(block, self._schema))
            if self._is_enough():
                yield self._group()

    def end(self) -> bytes:
        last = self._group()
        self._file.close()
        return last + self._sink.take()

    def _is_enough(self) -> bool:
        rows: int = sum(table.num_rows for table in self._kept)
        size: int = sum(table.nbytes for table in self._kept)
        return rows >= ROWS_IN_A_GROUP or size >= BYTES_IN_A_GROUP

    def _group(self) -> bytes:
        import pyarrow as pa

        if self._kept:
            self._file.write_table(pa.concat_tables(self._kept), row_group_size=1 << 30)
            self._kept.clear()
        return self._sink.take()


class _Sink(io.RawIOBase):
    """A file that is handed on while it is written."""

    def __init__(self) -> None:
        super().__init__()
        self._at = 0
        self._written: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        piece = bytes(data)
        self._written.append(piece)
        self._at += len(piece)
        return len(piece)

    def tell(self) -> int:
        return self._at

    def take(self) -> bytes:
        pieces, self._written = self._written, []
        return b"".join(pieces)


def schema_of(columns: Sequence[Column]) -> Any:
    import pyarrow as pa

    types = {
        "integer": pa.int64(),
        "real": pa.float64(),
        "number": pa.float64(),
        "flag": pa.bool_(),
        "boolean": pa.bool_(),
        "time": pa.timestamp("us", tz="UTC"),
    }
    kinds = {column.name: column.value_type if column.kind == "value" else column.kind for column in columns}
    fields = [pa.field(name, types.get(kind, pa.string())) for name, kind in kinds.items()]
    return pa.schema(fields, metadata={"mentor_context_schema": str(SCHEMA_VERSION)})


def table_of(block: bytes, schema: Any) -> Any:
    """Rows of the form `arrow` as a table."""
    import pyarrow.csv as pc
    from pyarrow import BufferReader

    return pc.read_csv(
        BufferReader(block),
        read_options=pc.ReadOptions(column_names=schema.names, block_size=len(block) + 1, use_threads=False),
        parse_options=pc.ParseOptions(newlines_in_values=True),
        convert_options=pc.ConvertOptions(
            column_types=schema,
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
            true_values=["true"],
            false_values=["false"],
        ),
    ).cast(schema)
