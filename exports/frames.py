"""An export as a table in memory, for a notebook. It reads everything there is, as its caller may: a trusted door."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal
from urllib.parse import parse_qsl

from django.utils import timezone

from chat.filters import Filter, parse
from chat.selections import Reader, Selection
from chat.strict_json import dumps

from .columns import Grain, choose
from .questions import Question
from .rows import batches, typed
from .writers.parquet import schema_of, table_of

Asked = Filter | str | Mapping[str, Any] | Iterable[tuple[str, str]]


def dataframe(
    filter: Asked = "",
    *,
    grain: Grain = "message",
    columns: list[str] | None = None,
    context_keys: Iterable[str] = (),
    library: Literal["polars", "pandas"] = "polars",
    reader: Reader | None = None,
) -> Any:
    """Rows as a polars frame (or a pandas one), `client_context` as JSON text and `ctx.…` columns typed.

    `filter` is a Filter, or what writes one: "tenant=demo&context.stateCode=CA", or a dict of the same.
    Without a reader it may read every tenant. Raises InvalidFilter, InvalidPayload, NotFound, HiddenKey, TooSlow.
    """
    import pyarrow as pa

    selection = Selection.of(_filter(filter), reader or Reader(None))
    selection.check_conditions("export")
    chosen = choose(grain, columns, list(context_keys))
    question = Question(selection, chosen, grain, "arrow", before=timezone.now())
    question = Question(selection, typed(question), grain, "arrow", question.before)
    schema = schema_of(question.columns)
    tables = [table_of(block, schema) for batch in batches(question) for block in batch.blocks]
    table = pa.concat_tables(tables) if tables else schema.empty_table()
    return table.to_pandas() if library == "pandas" else _polars(table)


def _filter(asked: Asked) -> Filter:
    if isinstance(asked, Filter):
        return asked
    if isinstance(asked, str):
        return parse(parse_qsl(asked, keep_blank_values=True))
    pairs = asked.items() if isinstance(asked, Mapping) else asked
    return parse((name, value if isinstance(value, str) else dumps(value)) for name, value in pairs)


def _polars(table: Any) -> Any:
    import polars

    return polars.from_arrow(table)
