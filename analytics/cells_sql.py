"""From rows with values to cells, in PostgreSQL: the part of a breakdown that is alike whoever brings the rows.

Rows have an instant `at`, for each key a value v0, v1 (jsonb, NULL where there is none), and what is counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from .counts import NO_VALUE, OTHER, Cell, Counts
from .statements import Sql, joined


class Table:
    """Cells as they come in, and the values that have buckets."""

    def __init__(self, keys: int) -> None:
        self._values: list[list[str]] = [[] for _ in range(keys)]
        self._cells: dict[Cell, dict[str, Any]] = {}

    def put(self, parts: Sequence[str], rows: list[tuple[Any, ...]]) -> None:
        """Rows of `counting`; a part that is NULL in a row is of another row of that cell, or of none."""
        keys = len(self._values)
        for number in range(keys):
            pairs = {(row[keys + number], row[number]) for row in rows if row[number] is not None}
            self._values[number] = [text for _, text in sorted(pairs)]
        for row in rows:
            places = row[keys : 2 * keys]
            cell = (None if None in places or not places else places, row[2 * keys])
            found = zip(parts, row[2 * keys + 1 :], strict=True)
            self._cells.setdefault(cell, {}).update(
                {part: value for part, value in found if value is not None}
            )

    def counts(self) -> Counts:
        return Counts(tuple(map(tuple, self._values)), self._cells)


def placed_in(
    base: Sql, *, keys: int, buckets: int, periods: list[datetime], columns: str, weight: str
) -> Sql:
    """WITH …: the rows (`columns`) with the places k0, k1 of their values and the number t of their period.

    The values of the most weight get a place; `weight` is an aggregate, such as count(*).
    """
    numbers = range(keys)
    places = "".join(
        f", CASE WHEN v{n} IS NULL THEN {NO_VALUE} ELSE COALESCE(top{n}.place, {OTHER}) END AS k{n}"
        for n in numbers
    )
    joins = "".join(f" LEFT JOIN top{n} ON top{n}.value = v{n}" for n in numbers)
    time = ", GREATEST(width_bucket(at, %s::timestamptz[]), 1) - 1 AS t" if periods else ""
    text = f", placed AS MATERIALIZED (SELECT {columns}{places}{time} FROM base{joins})"  # noqa: S608
    return joined(
        "",
        [
            *(Sql("WITH base AS MATERIALIZED ("), base, Sql(")")),
            *(_top(number, buckets, weight) for number in numbers),
            Sql(text, (periods,) if periods else ()),
        ],
    )


def _top(number: int, buckets: int, weight: str) -> Sql:
    order = f'{weight} DESC, v{number}::text COLLATE "C"'
    text = (
        f", top{number} AS (SELECT v{number} AS value, row_number() OVER (ORDER BY {order}) - 1 AS place"  # noqa: S608
        f" FROM base WHERE v{number} IS NOT NULL GROUP BY v{number} ORDER BY {order} LIMIT %s)"
    )
    return Sql(text, (buckets,))


def counting(words: Sequence[str], *, keys: int, by_time: bool, source: str = "placed") -> Sql:
    """SELECT …: for every cell the values of its keys, their places, its period, and these aggregates.

    Cells are the whole, each bucket, and each period of a bucket, or of the whole where there are no keys.
    """
    columns, time = [f"k{n}" for n in range(keys)], ["t"] if by_time else []
    texts = [f"(SELECT value::text FROM top{n} WHERE place = k{n})" for n in range(keys)]  # noqa: S608
    sets = dict.fromkeys(f"({', '.join(one)})" for one in ([], columns, columns + time))
    selected = ", ".join([*texts, *columns, *(time or ["NULL"]), *words])
    return Sql(f" SELECT {selected} FROM {source} GROUP BY GROUPING SETS ({', '.join(sets)})")  # noqa: S608
