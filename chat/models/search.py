"""Search in what was said, as an expression: `chat.filters.words` says what is found.

PostgreSQL has an index of the words of every finished message and of the week it was written in, which keeps a
common word of years of messages from being read for a question about a month.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from django.db.models import BooleanField, Expression, F
from django.utils import timezone

from ..filters.words import Wanted, pairs, wanted
from .conditions import known_to_sqlite

Sql = tuple[str, list[Any]]
WEEK_SECONDS = 7 * 24 * 3600
# More weeks than this are not worth naming.
MOST_WEEKS = 60


class Says(Expression):
    """Whether a finished message says what is searched for; `since` bounds when it was written from below."""

    conditional = True

    def __init__(self, search: str, since: datetime | None = None) -> None:
        super().__init__(output_field=BooleanField())
        self.columns: list[Any] = [F("text"), F("content"), F("created_at"), F("status")]
        self.search, self.since = search, since

    def get_source_expressions(self) -> list[Any]:
        return self.columns

    def set_source_expressions(self, expressions: Sequence[Any]) -> None:
        self.columns = list(expressions)

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Sql:
        known_to_sqlite(connection, "says", 2, _says_in_sqlite)
        text, content, _, status = self._names(compiler)
        return f"(says(COALESCE({text}, {content}), %s) AND {status} <> 'streaming')", [self.search]

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Sql:
        text, content, created_at, status = self._names(compiler)
        said = f"COALESCE({text}, {content})"
        asked = wanted(self.search)
        # As the index has it, word for word.
        pieces = [f"{status} <> 'streaming'", f"chat_words({said}, {created_at}) @@ %s::tsquery"]
        params: list[Any] = [_query(asked, self.since)]
        for run in sorted(run for run in asked.runs if len(run) > 2):
            # Its pairs may stand apart from each other.
            pieces.append(f"strpos(lower({said}), %s) > 0")
            params.append(run)
        return f"({' AND '.join(pieces)})", params

    def _names(self, compiler: Any) -> list[str]:
        return [compiler.compile(column)[0] for column in self.columns]


def _query(asked: Wanted, since: datetime | None) -> str:
    """PostgreSQL's tsquery text. Words have no character that it would need quoted."""
    parts = [f"'{word}'" for word in sorted(asked.words)]
    parts += [f"'{begin}':*" for begin in sorted(asked.beginnings)]
    for run in sorted(asked.runs):
        parts += [f"'{pair}'" for pair in pairs(run)] or [f"'{run}':*"]
    if since is not None and (weeks := _weeks(since)):
        parts.append("(" + " | ".join(f"'@{week}'" for week in weeks) + ")")
    return " & ".join(parts)


def _weeks(since: datetime) -> range:
    """From that one to the next, by their number; clocks may differ. None where they would be too many."""
    first = int(since.timestamp() // WEEK_SECONDS)
    last = int((timezone.now() + timedelta(days=7)).timestamp() // WEEK_SECONDS)
    return range(first, last + 1) if last - first < MOST_WEEKS else range(0)


def _says_in_sqlite(text: str, search: str) -> bool:
    return _wanted(search).within(text)


_wanted = lru_cache(64)(wanted)
