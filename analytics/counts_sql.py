"""A breakdown counted by PostgreSQL from sessions and messages: sets of rows, and never a row in Python.

Sessions are counted whole, unless the question is about messages: then those that are meant, one by one.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from chat.models.conditions import at_sql
from chat.models.messages import MEASURED
from chat.selections import Selection

from .cells_sql import Table, counting, placed_in
from .counts import Counts
from .metrics import PARTS, TIMES, parts_of
from .questions import Key, Question
from .statements import EmptyResultSet, Sql, fetched, joined, rows_of

FAILED: Final = "('failed', 'interrupted')"
_OF_SESSION: Final = {
    **{"tenant": "tenant_id", "mentor": "mentor_id", "user_id": "user_id", "at": "created_at"},
    **{"session": "id", "next_sequence": "next_sequence", "metadata": "metadata"},
}
_OF_MESSAGE: Final = {
    **{"tenant": "session__tenant_id", "mentor": "session__mentor_id", "user_id": "session__user_id"},
    **{"at": "session__created_at", "session": "session_id", "metadata": "session__metadata"},
    "status": "status",
}
# What a message has in its extra: another row to look up, for who asks.
_MEASURES: Final = ("ttft_ms", "duration_ms", "prompt_tokens", "completion_tokens")
# A user is the tenant's own; sorted by bytes, which is the fastest order.
_WHO: Final = """(CASE WHEN user_id <> '' THEN tenant || ':' || user_id END) COLLATE "C" """
_WHO_OF_ONE_TENANT: Final = """NULLIF(user_id, '') COLLATE "C" """
_PARTS: Final = {
    "users": "count(DISTINCT who)",
    "ttft_p50": "percentile_cont(0.5) WITHIN GROUP (ORDER BY ttft_ms)",
    "ttft_p95": "percentile_cont(0.95) WITHIN GROUP (ORDER BY ttft_ms)",
    "duration_p50": "percentile_cont(0.5) WITHIN GROUP (ORDER BY duration_ms)",
    "duration_p95": "percentile_cont(0.95) WITHIN GROUP (ORDER BY duration_ms)",
    "prompt_tokens": "sum(prompt_tokens)",
    "completion_tokens": "sum(completion_tokens)",
}
_PARTS_OF_SESSIONS: Final = {
    **_PARTS,
    **{"sessions": "count(*)", "messages": "sum(messages)", "failures": "count(m.session_id)"},
}
_PARTS_OF_MESSAGES: Final = {
    **_PARTS,
    **{"sessions": "count(DISTINCT session)", "messages": "count(*)"},
    "failures": f"count(*) FILTER (WHERE status IN {FAILED})",
}
# Session by session through the covering index, in its order: the planner, who counts every page of it as a
# read from disk, would rather read the whole table.
_OF_ITS_ANSWERS: Final = """(SELECT * FROM placed ORDER BY session) AS placed LEFT JOIN LATERAL (
  SELECT ttft_ms, duration_ms, prompt_tokens, completion_tokens FROM chat_chatmessagehistoryextra
  WHERE session_id = placed.session AND {measured} OFFSET 0) AS m ON true""".replace("{measured}", MEASURED)
_ITS_FAILED: Final = (
    f"placed LEFT JOIN chat_chatmessagehistory m ON m.session_id = placed.session AND m.status IN {FAILED}"
)
_SOURCES: Final = {"sessions": "placed", "answers": _OF_ITS_ANSWERS, "failures": _ITS_FAILED}


def count(selection: Selection, question: Question, periods: list[datetime]) -> Counts:
    """The cells of the question; `periods` are the beginnings of those in its range, none without an interval."""
    table, wanted = Table(len(question.by)), parts_of(question.metrics)
    one_by_one = question.reads_messages(selection.filter)
    try:
        base = _base(selection, question, one_by_one)
    except EmptyResultSet:
        return table.counts()
    parts = [part for place in PARTS.values() for part in place if part in wanted]
    placed = _placed(base, question, periods, one_by_one)
    asked = _of_messages(parts) if one_by_one else _of_sessions(parts)
    cells = [
        counting(words, keys=len(question.by), by_time=bool(periods), source=source)
        for source, words in asked
    ]
    table.put(parts, fetched(placed, joined(" UNION ALL", cells)))
    return table.counts()


def _of_messages(parts: list[str]) -> list[tuple[str, list[str]]]:
    return [("placed", [_PARTS_OF_MESSAGES[part] for part in parts])]


def _of_sessions(parts: list[str]) -> list[tuple[str, list[str]]]:
    """For each place that parts are counted at, the parts that are, and NULL for those that are not."""
    return [
        (
            _SOURCES[place],
            [_typed(_PARTS_OF_SESSIONS[part] if part in here else "NULL", part) for part in parts],
        )
        for place, here in PARTS.items()
        if any(part in here for part in parts)
    ]


def _typed(word: str, part: str) -> str:
    return f"({word})::{'float8' if part in TIMES else 'bigint'}"


def _placed(base: Sql, question: Question, periods: list[datetime], one_by_one: bool) -> Sql:
    own = ", ".join(["status", *_measures(question)]) if one_by_one else "messages"
    return placed_in(
        base,
        keys=len(question.by),
        buckets=question.buckets,
        periods=periods,
        columns=f"session, who, {own}",
        weight="count(DISTINCT session)" if one_by_one else "count(*)",
    )


def _base(selection: Selection, question: Question, one_by_one: bool) -> Sql:
    """A row for each session, or for each message, that is meant, with the values v0, v1 that it counts for."""
    if one_by_one:
        rows = rows_of(selection.messages(), **_OF_MESSAGE, **_of_extra(question))
        own = ", ".join(["status", *_measures(question)])
    else:
        rows, own = rows_of(selection.sessions(), **_OF_SESSION), "next_sequence - 1 AS messages"
    who = _WHO_OF_ONE_TENANT if len(selection.tenant_ids or ()) == 1 else _WHO
    values = [_value(key, number) for number, key in enumerate(question.by)]
    return joined("", [Sql(f"SELECT session, {who} AS who, at, {own}"), *values, Sql(" FROM "), rows])


def _measures(question: Question) -> list[str]:
    """The columns of an answer that the metrics are made of."""
    parts = parts_of(question.metrics)
    return [name for name in _MEASURES if any(part.startswith(name.removesuffix("_ms")) for part in parts)]


def _of_extra(question: Question) -> dict[str, str]:
    columns = {name: f"extra__{name}" for name in _measures(question)}
    if any(key.root == "message_context" for key in question.by):
        columns["snapshot"] = "extra__metadata"
    return columns


def _value(key: Key, number: int) -> Sql:
    plain = {"mentor": "mentor", "user": "NULLIF(user_id, '')", "status": "status"}
    if key.root in plain:
        return Sql(f", to_jsonb({plain[key.root]}) AS v{number}")
    context = "snapshot" if key.root == "message_context" else "(metadata -> 'client_context')"
    text, params = at_sql(context, key.path)
    return Sql(f", {text} AS v{number}", tuple(params))
