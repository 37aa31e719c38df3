"""Pages of a list by keyset: the thousandth costs what the first does, and none shows a row twice.

A cursor says after which row a page begins, by the values that the list is ordered by. It proves nothing: what
a caller may see is asked anew with every page.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

import orjson
from django.db.models import Model, Q, QuerySet

from .database import bounded
from .errors import InvalidFilter
from .walks import first

M = TypeVar("M", bound=Model)
DEFAULT_LIMIT, MOST = 50, 100


@dataclass(frozen=True, slots=True)
class Page(Generic[M]):
    """Rows in the list's order, and the cursors of the pages beside it (None: there is none)."""

    rows: list[M]
    next: str | None
    previous: str | None


def page(
    rows: QuerySet[M],
    *,
    by: str = "created_at",
    newest_first: bool = True,
    cursor: str = "",
    limit: int = DEFAULT_LIMIT,
) -> Page[M]:
    """One page of rows ordered by a time column and then the primary key.

    Raises InvalidFilter (`?cursor`) for a cursor that no page of ours has shown, TooSlow.
    """
    back, at = _read(cursor) if cursor else (False, None)
    falling = newest_first != back
    if at is not None:
        rows = rows.filter(_beyond(by, at, falling))
    with bounded():
        found = first(rows, by=by, falling=falling, limit=limit + 1)
    more, found = len(found) > limit, found[:limit]
    if back:
        found.reverse()
    later, earlier = (at is not None, more) if back else (more, at is not None)
    return Page(
        found,
        _write(False, found[-1], by) if found and later else None,
        _write(True, found[0], by) if found and earlier else None,
    )


def after(row: Model, by: str = "created_at") -> str:
    """The cursor of the page that begins after this row."""
    return _write(False, row, by)


def count(rows: QuerySet[Any]) -> int:
    """How many rows there are. Raises TooSlow where that takes too long to know."""
    with bounded():
        return rows.order_by().count()


def _beyond(by: str, at: tuple[datetime, UUID], falling: bool) -> Q:
    """Past the row in the order. The first comparison alone is what an index on the time can use."""
    sign = "lt" if falling else "gt"
    return Q(**{f"{by}__{sign}e": at[0]}) & (Q(**{f"{by}__{sign}": at[0]}) | Q(**{f"pk__{sign}": at[1]}))


def _write(back: bool, row: Model, by: str) -> str:
    moment: datetime = getattr(row, by)
    return (
        base64.urlsafe_b64encode(orjson.dumps([back, moment.isoformat(), str(row.pk)])).decode().rstrip("=")
    )


def _read(cursor: str) -> tuple[bool, tuple[datetime, UUID]]:
    try:
        back, moment, key = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        at = datetime.fromisoformat(moment)
        # Near the calendar's ends a time zone leads out of it.
        if not isinstance(back, bool) or at.tzinfo is None or not 1 < at.year < 9999:
            raise ValueError
        return back, (at, UUID(key))
    except (ValueError, TypeError, AttributeError, binascii.Error):
        raise InvalidFilter("This cursor is of no page.", pointer="?cursor") from None


def read_limit(text: str | None) -> int:
    """`limit=`: 1 to 100. Raises InvalidFilter."""
    if text is None:
        return DEFAULT_LIMIT
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= MOST or len(text) > 9:
        raise InvalidFilter(f"limit is a whole number from 1 to {MOST}.", pointer="?limit")
    return int(text)
