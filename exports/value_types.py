"""Of which one JSON type all values of a key are, so that its column can be of that type.

It is asked before a file with typed columns is begun: every context that the rows will show is looked at once.
"""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import F, QuerySet

from chat.models import ChatMessageHistory
from chat.models.conditions import Sql, at_sql

from . import plain, shown
from .cells import type_of_value
from .columns import SNAPSHOT, Column, ValueType
from .copying import reading
from .questions import Question

BITS: Final[dict[ValueType, int]] = {"string": 1, "integer": 2, "number": 4, "boolean": 8, "json": 16}
# Whole numbers and others are numbers together; what is always missing or null is text that nobody wrote.
_ONE_TYPE: Final[dict[int, ValueType]] = {
    0: "string",
    1: "string",
    2: "integer",
    4: "number",
    6: "number",
    8: "boolean",
}
_BITS_SQL = """COALESCE(bit_or(CASE jsonb_typeof({value}) WHEN 'string' THEN 1 WHEN 'boolean' THEN 8
  WHEN 'number' THEN CASE WHEN ({value} #>> '{{}}') ~ '^-?[0-9]{{1,18}}$' THEN 2 ELSE 4 END
  WHEN 'object' THEN 16 WHEN 'array' THEN 16 ELSE 0 END), 0)"""


def typed(question: Question) -> list[Column]:
    values = [column for column in question.columns if column.kind == "value"]
    found = _in_sql(question, values) if connection.vendor == "postgresql" else _in_python(question, values)
    types = {column.name: _ONE_TYPE.get(bits, "json") for column, bits in zip(values, found, strict=True)}
    return [column.typed(types.get(column.name, "json")) for column in question.columns]


def _in_sql(question: Question, columns: list[Column]) -> list[int]:
    views = question.views
    pieces = [_bits_sql(column, keeps=bool(views)) for column in columns]
    try:
        sql, params = _contexts(question, *(["mentor"] if views else [])).query.sql_with_params()
    except EmptyResultSet:
        return [0] * len(columns)
    asked = ", ".join(piece for piece, _ in pieces)
    given = [param for _, params in pieces for param in params]
    source = f"({sql}) AS k (context)"
    if views:
        told = f"SELECT k.*{shown.COLUMNS} FROM ({sql}) AS k (context, mentor){shown.JOIN.format(mentor='k.mentor')}"  # noqa: S608
        source, params = f"({told}) AS s", (*params, shown.policies(views))
    with reading(), connection.cursor() as cursor:
        cursor.execute(f"SELECT {asked} FROM {source}", [*given, *params])  # noqa: S608
        return list(cursor.fetchone())


def _bits_sql(column: Column, *, keeps: bool) -> Sql:
    row = "s" if keeps else "k"
    document = f"{row}.context" if column.sql == SNAPSHOT else f"({row}.context -> 'client_context')"
    value, params = (shown.value_sql if keeps else at_sql)(document, column.path)
    sql = _BITS_SQL.format(value=value)
    return sql, params * sql.count(value)


def _contexts(question: Question, *more: str) -> QuerySet[Any]:
    """Each context, and with "mentor" whose it is."""
    if question.grain == "session":
        return question.sessions.values_list(F("metadata"), *(["mentor_id"] if more else []))
    rows = question.messages
    if rows is None:
        rows = ChatMessageHistory.objects.filter(session_id__in=question.sessions.values("pk"))
    rows = rows.filter(created_at__lt=question.before)
    return rows.values_list(F("extra__metadata"), *(["session__mentor_id"] if more else []))


def _in_python(question: Question, columns: list[Column]) -> list[int]:
    chosen: list[UUID] = list(question.sessions.values_list("pk", flat=True))
    found = [0] * len(columns)
    for record in plain.records(question, chosen):
        for at, column in enumerate(columns):
            kind = type_of_value(column.read(record))
            found[at] |= BITS[kind] if kind else 0
    return found
