"""PostgreSQL's statement for one batch: the columns of the rows of some sessions, in their order.

It begins with the sessions' ids, which the filter has found, and meets every other table by an index, session by
session: what a batch costs does not depend on how much else there is, nothing is sorted, and a session of a
million messages needs no more memory than one of ten. The planner would hash and sort, so it is told not to.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from chat.models.conditions import Sql
from chat.models.messages import MEASURED
from chat.policies import View
from chat.strict_json import dumps

from . import shown
from .cells import Form, cell_sql
from .columns import Column, Grain

PLANNING: Final = (
    "SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off; SET LOCAL enable_material = off; "
    "SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off; SET LOCAL random_page_cost = 1.1; "
    "SET LOCAL max_parallel_workers_per_gather = 0; "
    "SET LOCAL TimeZone = 'UTC'; SET LOCAL DateStyle = 'ISO'; SET LOCAL extra_float_digits = 1"
)
# Sorted here, as few and narrow rows; who joins to it laterally takes them one after the other. What no column
# asks for, PostgreSQL leaves out.
_SESSIONS = """(SELECT c.place, s.*, p.slug AS mentor_slug, p.unique_id AS mentor_unique_id, t.key AS tenant_key,
  v.value AS version_value, v.text AS version_text{shown}
FROM unnest({ids}) WITH ORDINALITY AS c(id, place) JOIN chat_session s ON s.id = c.id
LEFT JOIN chat_mentor p ON p.id = s.mentor_id LEFT JOIN chat_tenant t ON t.id = s.tenant_id
LEFT JOIN chat_sessioncontextversion v ON v.session_id = s.id AND v.number = s.context_version{policies}
ORDER BY c.place OFFSET 0) s"""
_MESSAGES = """SELECT r.* FROM {sessions} CROSS JOIN LATERAL (SELECT {cells} FROM chat_chatmessagehistory m
LEFT JOIN chat_chatmessagehistoryextra e ON e.message_id = m.id
WHERE m.session_id = s.id AND {where} ORDER BY m.sequence) r"""
_OF_SESSIONS = "SELECT {cells} FROM {sessions} {joins} ORDER BY s.place"
_JOINS: Final = {
    "a": """LEFT JOIN LATERAL (SELECT count(*) FILTER (WHERE role = 'user') AS prompts,
  count(*) FILTER (WHERE role = 'mentor') AS answers, max(created_at) AS last_at,
  count(*) FILTER (WHERE role = 'mentor' AND status IN ('failed', 'interrupted')) AS failures
  FROM chat_chatmessagehistory WHERE session_id = s.id) a ON true""",
    "x": """LEFT JOIN LATERAL (SELECT sum(prompt_tokens) AS prompt_tokens, sum(completion_tokens) AS completion_tokens
  FROM chat_chatmessagehistoryextra WHERE session_id = s.id AND {measured}) x ON true""".replace(
        "{measured}", MEASURED
    ),
    "f": """LEFT JOIN LATERAL (SELECT COALESCE(text, content) AS words FROM chat_chatmessagehistory
  WHERE session_id = s.id AND role = 'user' AND message_type = 'chat' AND deleted_at IS NULL
  ORDER BY sequence LIMIT 1) f ON true""",
}
_ALIAS: Final = re.compile(r"\b([axf])\.")
# A function of PostgreSQL takes 100 arguments.
_AT_ONCE: Final = 30


def copy_sql(
    grain: Grain,
    columns: Sequence[Column],
    form: Form,
    ids: str,
    where: Sql,
    views: Mapping[int, View] = MappingProxyType({}),
) -> Sql:
    """COPY of a batch. `ids` are the sessions' as an array's literal, `where` is about the alias m, `views` are
    those of mentors that keep something back.

    A row is a line of JSON, or of CSV whose NULL is empty and whose empty text is quoted.
    """
    cells = [cell_sql(column, form, keeps=bool(views)) for column in columns]
    if form == "jsonl":
        selected, params = _json_sql(columns, cells)
        # No character of a JSON text is one of these: nothing in it is quoted or doubled.
        options = "FORMAT csv, QUOTE E'\\x01', DELIMITER E'\\x02', ESCAPE E'\\x01'"
    else:
        # Named, as r.* would not know two of one expression apart.
        selected = ", ".join(f"{sql} AS c{at}" for at, (sql, _) in enumerate(cells))
        params = [param for _, given in cells for param in given]
        options = "FORMAT csv"
    sessions, policies = _sessions(ids, views)
    query = _MESSAGES if grain == "message" else _OF_SESSIONS.replace("{joins}", _joins(columns))
    query = query.replace("{sessions}", sessions).replace("{cells}", selected).replace("{where}", where[0])
    given = [*policies, *params, *where[1]] if grain == "message" else [*params, *policies, *where[1]]
    return f"COPY ({query}) TO STDOUT ({options})", given


def _sessions(ids: str, views: Mapping[int, View]) -> Sql:
    sql = _SESSIONS.replace("{ids}", f"'{ids}'::uuid[]")
    if not views:
        return sql.replace("{shown}", "").replace("{policies}", ""), []
    join = shown.JOIN.format(mentor="s.mentor_id")
    return sql.replace("{shown}", shown.COLUMNS).replace("{policies}", join), [shown.policies(views)]


def _joins(columns: Sequence[Column]) -> str:
    named = {alias for column in columns for alias in _ALIAS.findall(column.sql)}
    return "\n".join(join for alias, join in _JOINS.items() if alias in named)


def _json_sql(columns: Sequence[Column], cells: Sequence[Sql]) -> Sql:
    """An object of the cells, in their order."""
    pieces: list[str] = []
    params: list[Any] = []
    for at, (column, (sql, given)) in enumerate(zip(columns, cells, strict=True)):
        pieces += [f"%s, COALESCE({sql}, 'null')"]
        params += [("," if at else "{") + dumps(column.name) + ":", *given]
    groups = [f"concat({', '.join(pieces[at : at + _AT_ONCE])})" for at in range(0, len(pieces), _AT_ONCE)]
    return " || ".join([*groups, "'}'"]), params
