"""Pieces of SQL with their parameters, over the rows that a selection means. PostgreSQL's only."""

from __future__ import annotations

from typing import Any, NamedTuple

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import QuerySet

from chat.database import bounded

# For one statement: a sort that goes to disk takes twice as long.
_SETTINGS = "SET LOCAL work_mem = '64MB'"


class Sql(NamedTuple):
    """Text, and what its placeholders stand for, in their order."""

    text: str
    params: tuple[Any, ...] = ()


def joined(separator: str, pieces: list[Sql]) -> Sql:
    return Sql(
        separator.join(piece.text for piece in pieces),
        tuple(param for piece in pieces for param in piece.params),
    )


def rows_of(queryset: QuerySet[Any], **columns: str) -> Sql:
    """`(SELECT …) AS r (…)`: the queryset's rows as a table r, with a name for each of its columns."""
    text, params = queryset.order_by().values_list(*columns.values()).query.sql_with_params()
    return Sql(f"({text}) AS r ({', '.join(columns)})", tuple(params))


def fetched(*pieces: Sql) -> list[tuple[Any, ...]]:
    """The rows of a statement. Raises TooSlow."""
    statement = joined("", list(pieces))
    with bounded(), connection.cursor() as cursor:
        cursor.execute(_SETTINGS)
        cursor.execute(statement.text, statement.params)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows


__all__ = ["EmptyResultSet", "Sql", "fetched", "joined", "rows_of"]
