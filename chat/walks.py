"""The first rows of a long list of which only some are meant.

PostgreSQL has two ways to the newest fifty sessions with a value in their context: to walk down the list until
it has met fifty, which is quick for a common value and reads everything for an absent one, or to fetch all that
have the value by the index on contexts and sort them, which is the reverse. It chooses by a sample of a hundred
contexts of all tenants and times, if it has one: of 450,000 sessions an absent value took 270 ms where another
tenant had it, and 310 ms after an import that was not analysed yet. So the choice is made here, by what is
found: a bounded walk first, and the index where the walk has met too few (54 and 3 ms).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, TypeVar

from django.db import connections
from django.db.models import F, Model, QuerySet
from django.db.models.expressions import Col, Exists

from .models.conditions import Holds

M = TypeVar("M", bound=Model)
# Rows that are looked at one by one, some 0.6 µs each: first so many, and then, if those promise it, the rest.
# By the index on contexts a row costs four times that, so that at half a million rows both ways to a value that
# one row in two hundred has cost the same, and no value that is spread over the list costs more than 10 ms.
FIRST_WALK, WHOLE_WALK = 2_000, 12_000
# Columns that a list's index leads through.
INDEXED = {"tenant_id", "mentor_id", "user_id", "session_id"}


def first(rows: QuerySet[M], *, by: str, falling: bool, limit: int) -> list[M]:
    """The first rows in the order of a time column and then the primary key, the latest first if it is falling.

    Within a transaction, which it leaves as it was.
    """
    order: list[Any] = [f"-{by}", "-pk"] if falling else [by, "pk"]
    conditions = list(_conditions(rows))
    if not conditions or connections[rows.db].vendor != "postgresql":
        return list(rows.order_by(*order)[:limit])
    found: list[M] = []
    if INDEXED & {_column(child, rows.model._meta.db_table) for child in rows.query.where.children}:
        with _walking(rows.db):
            found, edge = _walked(rows, by, order, limit)
        if edge is None or len(found) >= limit:
            return found
        rows = rows.filter(**{f"{by}__{'lt' if falling else 'gt'}": edge})
    if any(isinstance(one, Holds) and one.is_indexed for one in conditions):
        # What is no column has no order that could tempt the planner to walk on.
        moment = F(by) + timedelta(0)
        order = [moment.desc() if falling else moment.asc(), order[1]]
    return found + list(rows.order_by(*order)[: limit - len(found)])


def _walked(rows: QuerySet[M], by: str, order: list[Any], limit: int) -> tuple[list[M], datetime | None]:
    """What a walk from the beginning meets, and the time up to which it went; None: to the end of the list."""
    falling = order[0] != by
    inside, beyond = (f"{by}__gte", f"{by}__lt") if falling else (f"{by}__lte", f"{by}__gt")
    found: list[M] = []
    for walk in (FIRST_WALK, WHOLE_WALK - FIRST_WALK):
        edge = _edge(rows, by, order[0], walk)
        within = rows if edge is None else rows.filter(**{inside: edge})
        found += within.order_by(*order)[: limit - len(found)]
        if edge is None or len(found) >= limit or len(found) * WHOLE_WALK < limit * FIRST_WALK:
            break
        rows = rows.filter(**{beyond: edge})
    return found, edge


@contextlib.contextmanager
def _walking(alias: str) -> Iterator[None]:
    """Row by row in the order of the list, and not all rows of a stretch at once."""
    with connections[alias].cursor() as cursor:
        cursor.execute("SET LOCAL enable_bitmapscan = off")
        yield
        cursor.execute("SET LOCAL enable_bitmapscan TO DEFAULT")


def _conditions(rows: QuerySet[Any]) -> Iterator[Holds | Exists]:
    """What is asked of the rows that no list is ordered by."""
    for child in rows.query.where.children:
        asked = getattr(child, "lhs", None)
        if isinstance(asked, Holds | Exists):
            yield asked


def _edge(rows: QuerySet[Any], by: str, order: str, walk: int) -> datetime | None:
    """The time of the last row of a walk through the list, whatever is asked of its rows; None: it ends before."""
    everything = rows.model._default_manager.order_by(order)
    base = everything.query.get_initial_alias()
    everything.query.where.children = [
        child for child in rows.query.where.children if _column(child, base) in {*INDEXED, by}
    ]
    edge: datetime | None = everything.values_list(by, flat=True)[walk - 1 : walk].first()
    return edge


def _column(child: Any, base: str) -> str:
    asked = getattr(child, "lhs", None)
    return str(asked.target.attname) if isinstance(asked, Col) and asked.alias == base else ""
