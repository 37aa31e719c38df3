"""A breakdown from what was counted ahead, where it can be: sums over whole past days, by pinned keys.

Days that were counted and have not changed since come from the rollup, all others from their rows, in one
statement: so both are of one instant, and a day that changes meanwhile is in one of the two and never in both.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any, Final, NamedTuple

from django.db.models import Min
from django.utils import timezone

from chat.database import bounded
from chat.filters import read_path
from chat.filters.conditions import Path
from chat.models import Tenant
from chat.models.conditions import at_sql
from chat.models.messages import MEASURED
from chat.models.rollups import TOTAL
from chat.rollups import Plan
from chat.selections import Selection

from .cells_sql import Table, counting, placed_in
from .counts import Counts
from .counts_sql import FAILED
from .metrics import ADDITIVE, parts_of
from .questions import Key, Question
from .statements import EmptyResultSet, Sql, fetched, joined, rows_of

_SUMS: Final = ("sessions", "messages", "failures", "prompt_tokens", "completion_tokens")
# What a session took, for who asks: each costs a look into its messages.
_COST: Final = """ CROSS JOIN LATERAL (
  SELECT COALESCE(sum(e.prompt_tokens), 0) AS prompt_tokens, COALESCE(sum(e.completion_tokens), 0) AS completion_tokens
  FROM chat_chatmessagehistoryextra e WHERE e.session_id = r.session AND {measured}) AS cost""".replace(
    "{measured}", MEASURED
)
_FAILURES: Final = """ CROSS JOIN LATERAL (
  SELECT count(*) AS n FROM chat_chatmessagehistory m
  WHERE m.session_id = r.session AND m.status IN {failed}) AS failed""".replace("{failed}", FAILED)
# What has no value comes last, and may be all there is.
_VALUES: Final = """), n AS (SELECT v0 AS value, sum(sessions)::bigint AS sessions FROM base GROUP BY v0)
SELECT (sum(sessions) OVER ())::bigint, COALESCE(sum(sessions) FILTER (WHERE value IS NOT NULL) OVER (), 0)::bigint,
  count(value) OVER (), value::text, sessions
FROM n ORDER BY value IS NULL, sessions DESC, value::text COLLATE "C" LIMIT %s"""
# Fields of a filter that a rollup knows as well.
_KNOWN: Final = frozenset({"tenant", "mentor", "since", "until", "query"})


class Values(NamedTuple):
    """How many sessions there are, how many of them have the key, how many values it has, and the first of those."""

    sessions: int
    having: int
    distinct: int
    found: list[tuple[str, int]]


def count(selection: Selection, question: Question, periods: list[datetime]) -> Counts | None:
    """The cells of the question; None where what was counted ahead does not answer it."""
    try:
        base = _asked(selection, question)
    except EmptyResultSet:
        return Table(len(question.by)).counts()
    return base and _counted(base, question, periods)


def values(selection: Selection, path: Path, limit: int) -> Values | None:
    """The values of a pinned key that most sessions have now; None where what was counted ahead does not tell."""
    question = Question(by=(Key("", "context", path),))
    try:
        base = _asked(selection, question)
    except EmptyResultSet:
        return Values(0, 0, 0, [])
    if base is None:
        return None
    found = fetched(Sql("WITH base AS ("), base, Sql(_VALUES, (limit,)))
    if not found:
        return Values(0, 0, 0, [])
    sessions, having, distinct, *_ = found[0]
    return Values(sessions, having, distinct, [(row[3], row[4]) for row in found if row[3] is not None])


def _asked(selection: Selection, question: Question) -> Sql | None:
    """The rows of the question. Raises EmptyResultSet where there are none."""
    if not _may_answer(selection, question):
        return None
    tenant = Tenant.objects.filter(id__in=selection.tenant_ids or ()).first()
    if tenant is None:
        return None
    plan = Plan.of(tenant)
    places = [_place(key, plan) for key in question.by]
    known = [place for place in places if place is not None]
    return _base(selection, question, plan, known) if len(known) == len(places) else None


def _may_answer(selection: Selection, question: Question) -> bool:
    asked = selection.filter
    only_known = asked == type(asked)(**{field: getattr(asked, field) for field in _KNOWN})
    return (
        only_known
        and selection.tenant_ids is not None
        and len(selection.tenant_ids) == 1
        and parts_of(question.metrics) <= ADDITIVE
        and question.interval != "hour"
    )


def _place(key: Key, plan: Plan) -> int | None:
    """Where the key stands among the pinned ones; TOTAL for the mentor, whom every row has."""
    if key.root == "mentor":
        return TOTAL
    pinned: list[Path] = [read_path(written, written)[0] for written in plan.keys]
    return pinned.index(key.path) if key.root == "context" and key.path in pinned else None


def _counted(base: Sql, question: Question, periods: list[datetime]) -> Counts:
    table, keys = Table(len(question.by)), len(question.by)
    columns = ", ".join(_SUMS)
    placed = placed_in(
        base, keys=keys, buckets=question.buckets, periods=periods, columns=columns, weight="sum(sessions)"
    )
    asked = counting([f"sum({part})" for part in _SUMS], keys=keys, by_time=bool(periods))
    table.put(_SUMS, fetched(placed, asked))
    return table.counts()


def _base(selection: Selection, question: Question, plan: Plan, places: list[int]) -> Sql:
    """Rows (at, v0, v1, sessions, messages, …): of a day and its values, or of one session."""
    days = _days(selection, plan)
    ahead = _ahead(selection, question, plan, places)
    rows = _rows(selection, question)
    pieces = [Sql("WITH "), days, Sql(" "), ahead, Sql(" UNION ALL "), rows]
    return joined("", pieces)


def _days(selection: Selection, plan: Plan) -> Sql:
    """The days of the range with their bounds, and those of them that what was counted ahead answers for.

    Raises EmptyResultSet where there is no session at all.
    """
    asked = selection.filter
    since = asked.since.begin(selection.zone) if asked.since else _first(selection, plan)
    if since is None:
        raise EmptyResultSet
    until = asked.until.end(selection.zone) if asked.until else timezone.now() + timedelta(days=1)
    first, last = since.astimezone(plan.zone).date(), until.astimezone(plan.zone).date()
    text = """
days AS MATERIALIZED (
  SELECT day, GREATEST(day::timestamp AT TIME ZONE %s, %s) AS begins,
    LEAST((day + 1)::timestamp AT TIME ZONE %s, %s) AS ends,
    (day::timestamp AT TIME ZONE %s) >= %s AND ((day + 1)::timestamp AT TIME ZONE %s) <= %s AS whole
  FROM (SELECT %s::date + n AS day FROM generate_series(0, %s) AS n) AS d
), clean AS MATERIALIZED (
  SELECT d.day FROM days d JOIN chat_rollupday r ON r.day = d.day AND r.tenant_id = %s AND r.fingerprint = %s
  WHERE d.whole AND NOT EXISTS (
    SELECT 1 FROM chat_rollupmark m WHERE m.tenant_id = %s AND m.at >= d.begins AND m.at < d.ends)
)"""
    zone, tenant = plan.zone.key, plan.tenant_id
    bounds = (zone, since, zone, until, zone, since, zone, until, first, _span(first, last))
    return Sql(text, (*bounds, tenant, plan.fingerprint, tenant))


def _first(selection: Selection, plan: Plan) -> datetime | None:
    """The beginning of the day of the first session there is."""
    with bounded():
        first: datetime | None = selection.sessions().aggregate(first=Min("created_at"))["first"]
    return first and plan.begin(first.astimezone(plan.zone).date())


def _span(first: date, last: date) -> int:
    return min((last - first).days, 40_000)


def _ahead(selection: Selection, question: Question, plan: Plan, places: list[int]) -> Sql:
    pinned = sorted({place for place in places if place != TOTAL})
    key, other = (*pinned, TOTAL, TOTAL)[:2]
    columns = {key: "r.value", other: "r.other_value", TOTAL: "to_jsonb(r.mentor_id)"}
    values = "".join(f", {columns[place]} AS v{number}" for number, place in enumerate(places))
    mentors = selection.mentor_ids()
    # One row for all days where no time is asked for: what comes after goes through all rows more than once.
    day = "r.day" if question.interval else "'-infinity'::date"
    parts = {"sessions", *parts_of(question.metrics)}
    sums = "".join(f", {f'sum(r.{part})::bigint' if part in parts else 0} AS {part}" for part in _SUMS)
    text = (
        f"SELECT ({day}::timestamp AT TIME ZONE %s) AS at{values}{sums}"  # noqa: S608
        " FROM chat_rollup r JOIN clean USING (day)"
        " WHERE r.tenant_id = %s AND r.key = %s AND r.other_key = %s"
    )
    params: list[Any] = [plan.zone.key, plan.tenant_id, key, other]
    if mentors is not None:
        text += " AND r.mentor_id = ANY(%s)"
        params.append(list(mentors))
    groups = "".join(f", v{number}" for number in range(len(places)))
    return Sql(f"{text} GROUP BY at{groups}", tuple(params))


def _rows(selection: Selection, question: Question) -> Sql:
    """The sessions of the days that are not clean, one by one."""
    columns = {"session": "id", "at": "created_at", "mentor": "mentor_id", "next_sequence": "next_sequence"}
    rows = rows_of(selection.sessions(), **columns, metadata="metadata")
    values = [_value(key, number) for number, key in enumerate(question.by)]
    parts = parts_of(question.metrics)
    failed = "failed.n" if "failures" in parts else "0"
    tokens = [f"cost.{part}" if part in parts else "0" for part in ("prompt_tokens", "completion_tokens")]
    return joined(
        "",
        [
            Sql("SELECT r.at"),
            *values,
            Sql(f", 1, r.next_sequence - 1, {failed}, {', '.join(tokens)} FROM days d"),
            Sql(" LEFT JOIN clean c ON c.day = d.day CROSS JOIN LATERAL (SELECT * FROM "),
            rows,
            Sql(" WHERE r.at >= d.begins AND r.at < d.ends) AS r"),
            Sql(_COST if tokens != ["0", "0"] else ""),
            Sql(_FAILURES if failed != "0" else ""),
            Sql(" WHERE c.day IS NULL"),
        ],
    )


def _value(key: Key, number: int) -> Sql:
    if key.root == "mentor":
        return Sql(f", to_jsonb(r.mentor) AS v{number}")
    text, params = at_sql("(r.metadata -> 'client_context')", key.path)
    return Sql(f", {text} AS v{number}", tuple(params))
