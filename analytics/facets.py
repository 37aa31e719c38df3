"""Facets: the keys that are in use in the sessions of a filter, with their types, and the values of a key.

Arrays are not looked into. What is listed is bounded, and the answer says when there was more.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, Literal

from django.db import connection
from django.db.models import QuerySet

from chat import cursors
from chat.filters import written_path
from chat.filters.conditions import Path
from chat.models import SessionContextVersion
from chat.selections import Selection

from . import counts_ahead, facets_plain, facets_sql
from .counts import shown
from .counts_ahead import Values

MOST_KEYS: Final = 200
MOST_DEPTH: Final = 8
# Which contexts are looked at: those in force now, those that messages were written under, or all there were.
Of = Literal["context", "message_context", "versions"]


@dataclass
class InUse:
    """A key with the number of sessions that have it, by the JSON type of its value."""

    path: Path
    sessions: int = 0
    types: dict[str, int] = field(default_factory=dict)

    def written(self, root: str) -> str:
        return f"{root}.{written_path(self.path)}"


def keys_in_use(selection: Selection, of: Of) -> tuple[list[InUse], bool]:
    """The keys, those of the most sessions first, and whether that is all of them that are shown."""
    find = facets_sql.keys if connection.vendor == "postgresql" else facets_plain.keys
    unseen = selection.unseen("operator")
    rows, column = contexts(selection, of)
    found: list[InUse] = []
    above: list[Path] = [()]
    for _ in range(MOST_DEPTH):
        level = [InUse(*row) for row in find(rows, column, above, MOST_KEYS + 1)]
        level = [one for one in level if str(one.path[0]) not in unseen]
        found += level
        above = [one.path for one in level if "object" in one.types][:MOST_KEYS]
        if not above:
            break
    found.sort(key=lambda one: (-one.sessions, one.written("")))
    return found[:MOST_KEYS], len(found) <= MOST_KEYS and not above


def contexts(selection: Selection, of: Of) -> tuple[QuerySet[Any], str]:
    """Rows of sessions with a context, and the name of the column that it is in."""
    if of == "context":
        return selection.sessions(), "metadata"
    if of == "message_context":
        return selection.messages(), "extra__metadata"
    return SessionContextVersion.objects.filter(session__in=selection.sessions().values("pk")), "value"


def keys(selection: Selection, of: Of) -> dict[str, Any]:
    """`{of, sessions, complete, results: [{key, sessions, types}]}`"""
    found, complete = keys_in_use(selection, of)
    return {
        "of": of,
        "sessions": cursors.count(selection.sessions()),
        "complete": complete,
        "results": [
            {"key": one.written(of), "sessions": one.sessions, "types": dict(sorted(one.types.items()))}
            for one in found
        ],
    }


def values(selection: Selection, of: Of, path: Path, limit: int) -> dict[str, Any]:
    """`{key, sessions, missing, distinct, results: [{value, sessions}]}`: the values that most sessions have.

    Raises HiddenKey.
    """
    selection.check_keys([(path, "key")], "operator")
    told = _values(selection, of, path, limit)
    return {
        "key": f"{of}.{written_path(path)}",
        "sessions": told.sessions,
        "missing": told.sessions - told.having,
        "distinct": told.distinct,
        "results": [{"value": shown(text), "sessions": count} for text, count in told.found],
    }


def _values(selection: Selection, of: Of, path: Path, limit: int) -> Values:
    rows, column = contexts(selection, of)
    if connection.vendor != "postgresql":
        return Values(cursors.count(selection.sessions()), *facets_plain.values(rows, column, path, limit))
    ahead = counts_ahead.values(selection, path, limit) if of == "context" else None
    if ahead is not None:
        return ahead
    return Values(cursors.count(selection.sessions()), *facets_sql.values(rows, column, path, limit))


def examples(selection: Selection, of: Of, wanted: list[tuple[Path, str]]) -> list[dict[str, Any] | None]:
    """For each path and JSON type `{value, session}`: one that there is."""
    find = facets_sql.examples if connection.vendor == "postgresql" else facets_plain.examples
    found = find(*contexts(selection, of), wanted) if wanted else []
    return [one and {"value": shown(one[0]), "session": one[1]} for one in found]
