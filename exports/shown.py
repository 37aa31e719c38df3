"""What a mentor's policy keeps from exports, in PostgreSQL's SQL: each row by the policy of its session's mentor.

Nothing of this is in a statement whose mentors keep nothing back. Python says the same in `records`; a test walks
both side by side.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from chat.filters.conditions import Path
from chat.masks import LONG_ENOUGH, MASK
from chat.models.conditions import Sql, at_sql
from chat.policies import View
from chat.strict_json import dumps

from .columns import OWN_WORDS, STORED_CONTENT, Column

HIDDEN, MASKED = "s.policy_hidden", "s.policy_masked"
COLUMNS: Final = ", q.hidden AS policy_hidden, q.masked AS policy_masked"
JOIN: Final = """
LEFT JOIN jsonb_to_recordset(%s::jsonb) AS q (mentor bigint, hidden text[], masked text[]) ON q.mentor = {mentor}"""


def policies(views: Mapping[int, View]) -> str:
    """The parameter of JOIN: JSON text. A mentor that is not in it has NULL for both."""
    return dumps(
        [
            {"mentor": mentor, "hidden": sorted(view.hidden), "masked": sorted(view.masked)}
            for mentor, view in views.items()
        ]
    )


def column(one: Column) -> Column:
    """The column with no more in its expression than is shown; a context's text is cut by `text_sql`,
    what stands in it by `value_sql`."""
    if one.sql == STORED_CONTENT:
        sql = f"CASE WHEN {HIDDEN} IS NULL THEN {STORED_CONTENT} ELSE {OWN_WORDS} END"
        return replace(one, sql=sql)
    return one


def text_sql(text: str) -> str:
    """A context's text, its keys in their order."""
    mask = f"to_json({_mask_sql('json')})::text"
    value = f"CASE WHEN k.key = ANY({MASKED}) THEN {mask} ELSE k.value::text END"
    members = f"string_agg(to_json(k.key)::text || ':' || {value}, ',' ORDER BY k.n)"
    return f"""CASE WHEN {HIDDEN} IS NULL THEN {text} ELSE (SELECT '{{' || COALESCE({members}, '') || '}}'
    FROM json_each(({text})::json) WITH ORDINALITY AS k (key, value, n) WHERE k.key <> ALL({HIDDEN})) END"""  # noqa: S608


def value_sql(context: str, path: Path) -> Sql:
    """What stands at a path of a context's jsonb. Scalars alone: a cell asks for it several times."""
    value, params = at_sql(context, path)
    mask, mask_params = _value_mask(context, path) if len(path) == 1 else ("NULL", [])
    key = str(path[0])
    sql = f"""(CASE WHEN {HIDDEN} IS NULL THEN {value} WHEN %s::text = ANY({HIDDEN}) THEN NULL
    WHEN %s::text = ANY({MASKED}) THEN {mask} ELSE {value} END)"""
    return sql, [*params, key, key, *mask_params, *params]


def _value_mask(context: str, path: Path) -> Sql:
    value, params = at_sql(context, path)
    sql = f"CASE WHEN {value} IS NOT NULL THEN to_jsonb({_mask_sql('jsonb', value)}) END"
    return sql, params * sql.count(value)


def _mask_sql(kind: str, value: str = "k.value") -> str:
    """As chat.policies.masked says it."""
    text = f"({value} #>> '{{}}')"
    is_long = f"{kind}_typeof({value}) IN ('string', 'number') AND length({text}) >= {LONG_ENOUGH}"
    return f"CASE WHEN {is_long} THEN '{MASK}' || right({text}, 4) ELSE '{MASK}' END"
