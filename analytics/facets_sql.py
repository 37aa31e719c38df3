"""Facets counted by PostgreSQL."""

from __future__ import annotations

from typing import Any, Final

from django.db.models import QuerySet

from chat.filters.conditions import Path
from chat.models.conditions import at_sql

from .statements import EmptyResultSet, Sql, fetched, joined, rows_of

# A session has one context in force, and in it a key has one type: its types add up. Of contexts that a session
# had one after another they do not.
_OF_ALL: Final = """ GROUP BY parent, key, jsonb_typeof(e.value)), kept AS (
  SELECT parent, key, sum(sessions)::bigint AS sessions FROM n GROUP BY parent, key"""
_OF_DISTINCT: Final = """ GROUP BY GROUPING SETS ((parent, key), (parent, key, jsonb_typeof(e.value)))), kept AS (
  SELECT parent, key, sessions FROM n WHERE type IS NULL"""


def keys(
    rows: QuerySet[Any], column: str, above: list[Path], most: int
) -> list[tuple[Path, int, dict[str, int]]]:
    """The keys of the objects at these paths that most sessions have: path, sessions, sessions by type."""
    try:
        base = _base(rows, column)
    except EmptyResultSet:
        return []
    parents = [at_sql("context", path) for path in above]
    objects = [Sql(f"({number}, {sql})", tuple(params)) for number, (sql, params) in enumerate(parents)]
    found: dict[tuple[int, str], tuple[Path, int, dict[str, int]]] = {}
    for parent, key, sessions, kind, of_kind in fetched(
        base,
        Sql(f", n AS (SELECT parent, key, jsonb_typeof(e.value) AS type, {_count(column)} AS sessions"),
        Sql(" FROM base CROSS JOIN LATERAL (VALUES "),
        joined(", ", objects),
        Sql(") AS o (parent, value) CROSS JOIN LATERAL"),
        Sql(" jsonb_each(CASE WHEN jsonb_typeof(o.value) = 'object' THEN o.value END) AS e"),
        Sql(_OF_DISTINCT if column != "metadata" else _OF_ALL),
        Sql(" ORDER BY sessions DESC, parent, key LIMIT %s)", (most,)),
        Sql(" SELECT parent, key, kept.sessions, n.type, n.sessions FROM kept JOIN n USING (parent, key)"),
        Sql(" WHERE n.type IS NOT NULL"),
    ):
        row = found.setdefault((parent, key), ((*above[parent], key), sessions, {}))
        row[2][kind] = of_kind
    return list(found.values())


def values(
    rows: QuerySet[Any], column: str, path: Path, limit: int
) -> tuple[int, int, list[tuple[str, int]]]:
    """How many sessions have the key, how many values it has, and those of the most sessions."""
    try:
        base = _base(rows, column)
    except EmptyResultSet:
        return 0, 0, []
    value, params = at_sql("context", path)
    found = fetched(
        base,
        Sql(f", v AS (SELECT session, {value} AS value FROM base), n AS (", tuple(params)),  # noqa: S608
        Sql(f"SELECT value, {_count(column)} AS sessions FROM v WHERE value IS NOT NULL GROUP BY value)"),  # noqa: S608
        Sql(" SELECT (SELECT count(DISTINCT session) FROM v WHERE value IS NOT NULL), count(*) OVER (),"),
        Sql(
            ' value::text, sessions FROM n ORDER BY sessions DESC, value::text COLLATE "C" LIMIT %s', (limit,)
        ),
    )
    return (*found[0][:2], [row[2:] for row in found]) if found else (0, 0, [])


def _base(rows: QuerySet[Any], column: str) -> Sql:
    """WITH …: a row for each context of a session; of messages that share one, once."""
    if column == "metadata":
        table = rows_of(rows, session="id", metadata=column)
        return joined(
            "",
            [
                Sql("WITH base AS (SELECT session, metadata -> 'client_context' AS context FROM "),
                table,
                Sql(")"),
            ],
        )
    table = rows_of(rows, session="session_id", context=column)
    once = " GROUP BY session, context" if column == "extra__metadata" else ""
    return joined("", [Sql("WITH base AS (SELECT session, context FROM "), table, Sql(f"{once})")])


def _count(column: str) -> str:
    return "count(*)" if column == "metadata" else "count(DISTINCT session)"


def examples(
    rows: QuerySet[Any], column: str, wanted: list[tuple[Path, str]]
) -> list[tuple[str, str] | None]:
    """For each path and type a value, as JSON text, and the session that has it."""
    try:
        base = _base(rows, column)
    except EmptyResultSet:
        return [None] * len(wanted)
    found = fetched(
        base, Sql(" "), joined(" UNION ALL ", [_example(*one, n) for n, one in enumerate(wanted)])
    )
    by_number = {number: (text, str(session)) for number, text, session in found}
    return [by_number.get(number) for number in range(len(wanted))]


def _example(path: Path, kind: str, number: int) -> Sql:
    value, params = at_sql("context", path)
    text = f"(SELECT {number}, {value}::text, session FROM base WHERE jsonb_typeof({value}) = %s LIMIT 1)"  # noqa: S608
    return Sql(text, (*params, *params, kind))
