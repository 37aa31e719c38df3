"""The same facets, row by row in Python: for SQLite and small data."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from chat.filters.conditions import MISSING, Path, at, type_of

from .counts import canonical


def keys(
    rows: QuerySet[Any], column: str, above: list[Path], most: int
) -> list[tuple[Path, int, dict[str, int]]]:
    """The keys of the objects at these paths that most sessions have: path, sessions, sessions by type."""
    having: dict[Path, dict[str, set[UUID]]] = defaultdict(lambda: defaultdict(set))
    for session, context in _contexts(rows, column):
        for path in above:
            inner = at(context, path)
            for key, value in inner.items() if isinstance(inner, dict) else ():
                having[*path, key][type_of(value)].add(session)
    found = [
        (path, len(set().union(*types.values())), {kind: len(ids) for kind, ids in types.items()})
        for path, types in having.items()
    ]
    return sorted(found, key=lambda row: (-row[1], row[0]))[:most]


def values(
    rows: QuerySet[Any], column: str, path: Path, limit: int
) -> tuple[int, int, list[tuple[str, int]]]:
    """How many sessions have the key, how many values it has, and those of the most sessions."""
    having: dict[str, set[UUID]] = defaultdict(set)
    for session, context in _contexts(rows, column):
        value = at(context, path)
        if value is not MISSING:
            having[canonical(value)].add(session)
    found = sorted(((text, len(ids)) for text, ids in having.items()), key=lambda row: (-row[1], row[0]))
    return len(set().union(*having.values())), len(having), found[:limit]


def examples(
    rows: QuerySet[Any], column: str, wanted: list[tuple[Path, str]]
) -> list[tuple[str, str] | None]:
    """For each path and type a value, as JSON text, and the session that has it."""
    found: dict[int, tuple[str, str]] = {}
    for session, context in _contexts(rows, column):
        for number, (path, kind) in enumerate(wanted):
            value = at(context, path)
            if value is not MISSING and type_of(value) == kind:
                found.setdefault(number, (canonical(value), str(session)))
    return [found.get(number) for number in range(len(wanted))]


def _contexts(rows: QuerySet[Any], column: str) -> Iterator[tuple[UUID, Any]]:
    session = "id" if column == "metadata" else "session_id"
    for found, value in rows.order_by().values_list(session, column).iterator():
        yield found, (value or {}).get("client_context") if column == "metadata" else value
