"""Rows that PostgreSQL writes itself: it sends the bytes of the file, and Python only hands them on."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import OperationalError, connection, transaction
from django.db.models import QuerySet
from django.db.models.expressions import RawSQL
from psycopg import ClientCursor

from chat.database import was_stopped
from chat.errors import TooSlow
from chat.models.conditions import Sql

from .questions import Found, Question
from .statements import PLANNING, copy_sql

# One row comes at a time: what is handed on or parsed should be more.
BLOCK = 1024 * 1024
LONGEST_STATEMENT_MS = 600_000
_FOUND = """SELECT array_agg(k.id ORDER BY k.n)::text, max(k.created_at)
FROM (SELECT k.*, row_number() OVER () AS n FROM ({sessions}) AS k (created_at, id)) AS k
GROUP BY (k.n - 1) / %s ORDER BY (k.n - 1) / %s"""


def find(sessions: QuerySet[Any], size: int) -> list[Found]:
    """The ids of ordered sessions, so many together as an array's literal, each with the time of its last."""
    try:
        sql, params = sessions.values_list("created_at", "pk").query.sql_with_params()
    except EmptyResultSet:
        return []
    with reading(), connection.cursor() as cursor:
        cursor.execute(_FOUND.replace("{sessions}", sql), [*params, size, size])
        return list(cursor.fetchall())


def blocks(question: Question, ids: str, count: list[int]) -> Iterator[bytes]:
    """The rows of these sessions; adds to the count how many there were, at the end."""
    try:
        where = _where(question)
        sql, params = copy_sql(question.grain, question.columns, question.form, ids, where, question.views)
    except EmptyResultSet:
        return
    with reading(), connection.wrap_database_errors, ClientCursor(connection.connection) as cursor:
        cursor.execute(PLANNING)
        block = bytearray()
        with cursor.copy(cursor.mogrify(sql, params)) as copy:
            for row in copy:
                block += row
                if len(block) >= BLOCK:
                    yield bytes(block)
                    block.clear()
        count[0] += cursor.rowcount
        if block:
            yield bytes(block)


def _where(question: Question) -> Sql:
    if question.grain == "session":
        return "true", []
    if question.messages is None:
        return "m.created_at < %s", [question.before]
    # Asked of each message at hand. As a set of ids PostgreSQL would make the whole set again for each session.
    this = question.messages.filter(pk=RawSQL("m.id", ()), created_at__lt=question.before)
    sql, params = this.order_by().values("pk")[:1].query.sql_with_params()
    return f"({sql}) IS NOT NULL", list(params)


@contextlib.contextmanager
def reading() -> Iterator[None]:
    """A transaction whose statements may take their time, but not for ever. Raises TooSlow."""
    try:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute(f"SET LOCAL statement_timeout = {LONGEST_STATEMENT_MS}")
            yield
    except OperationalError as error:
        if was_stopped(error):
            raise TooSlow() from error
        raise
