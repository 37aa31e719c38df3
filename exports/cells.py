"""How a value is spelled in a file, said twice: in PostgreSQL's SQL, and in Python for other databases.

A form is what the text is for: `csv` is kept safe from spreadsheets, `csv-raw` is not, `jsonl`, and `arrow`: CSV
that pyarrow alone reads. Both spellings give the same text; a test walks them side by side.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final, Literal

from chat.filters.conditions import MISSING, Path, type_of
from chat.models.conditions import Sql, at_sql
from chat.strict_json import dumps

from . import shown
from .columns import SNAPSHOT, Column, ValueType
from .records import spell

Form = Literal["csv", "csv-raw", "jsonl", "arrow"]

# What a spreadsheet takes for the beginning of a formula, also written at full width.
_OPENS: Final = "=+-@\t\r\n＋－＝＠"
# What begins so and can be none: a number, and a telephone number, groups of digits with single blanks between.
_PLAIN: Final = r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?|\+[0-9]+( [0-9]+)+"
_IS_PLAIN: Final = re.compile(_PLAIN)
_CODES: Final = ", ".join(str(ord(character)) for character in _OPENS)


def guard(text: str) -> str:
    """With an apostrophe before what a spreadsheet would run, also where it stands behind quotes."""
    begins = text.lstrip('"')[:1]
    if not begins or begins not in _OPENS + "\0" or _IS_PLAIN.fullmatch(text):
        return text
    return f"'{text}"


def guard_sql(text: str) -> str:
    # The first test alone is asked of nearly every cell.
    begins = f"""ascii({text}) IN (34, {_CODES}) AND ascii(ltrim({text}, '"')) IN ({_CODES})"""
    return f"CASE WHEN {begins} AND {text} !~ '^({_PLAIN})$' THEN '''' || {text} ELSE {text} END"


# --- in SQL


def cell_sql(column: Column, form: Form, *, keeps: bool = False) -> Sql:
    """The text of a cell, or its json; NULL where there is nothing. `keeps`: some mentor keeps something back."""
    if keeps:
        column = shown.column(column)
    if column.kind == "value":
        return _value_sql(column, form, shown.value_sql if keeps else at_sql)
    sql = _plain_sql(column, form)
    return shown.text_sql(sql) if keeps and column.kind == "context" else sql, []


def _plain_sql(column: Column, form: Form) -> str:
    sql, in_json = column.sql, form == "jsonl"
    match column.kind:
        case "text":
            sql = f"to_json({sql})" if in_json else guard_sql(sql) if form == "csv" else sql
        case "word":
            sql = f"""'"' || ({sql}) || '"'""" if in_json else sql
        case "json":
            sql = compact_sql(sql)
        case "context":
            sql = _snapshot_sql(sql) if sql == SNAPSHOT else _in_force_sql(sql)
        case "time":
            # The transaction's time zone is UTC.
            text = f"btrim(to_json(({sql})::timestamp)::text, '\"') || 'Z'"
            sql = sql if form == "arrow" else f"""'"' || {text} || '"'""" if in_json else text
        case "flag":
            sql = f"({sql})::text"
        case "integer" | "real" if in_json:
            sql = f"({sql})::text"
    return sql


# A version's text has the keys in the client's order; it counts as long as it says what the row says. Nearly every
# message was written under the version that its session still has.
def _snapshot_sql(context: str) -> str:
    of_another = f"""(SELECT v.text FROM chat_sessioncontextversion v WHERE v.session_id = m.session_id
  AND v.number = e.context_version AND v.value = {context})"""  # noqa: S608
    return f"""CASE WHEN e.context_version = s.context_version AND s.version_value = {context} THEN s.version_text
  WHEN {context} IS NULL THEN '{{}}' ELSE COALESCE({of_another}, {compact_sql(context)}) END"""


def _in_force_sql(context: str) -> str:
    written = compact_sql(f"COALESCE({context}, '{{}}')")
    return f"CASE WHEN s.version_value = {context} THEN s.version_text ELSE {written} END"


def _value_sql(column: Column, form: Form, at: Callable[[str, Path], Sql]) -> Sql:
    """What stands at a path of a context. The cell of a scalar is its text, and of null it is empty."""
    value, params = at(column.sql, column.path)
    nested = f"WHEN jsonb_typeof({value}) IN ('object', 'array') THEN {compact_sql(value)}"
    text = f"({value} #>> '{{}}')"
    if form == "jsonl" or (form == "arrow" and column.value_type == "json"):
        sql = f"CASE {nested} ELSE {value}::text END"
    elif form == "arrow":
        sql = f"CASE WHEN {_IS_SQL[column.value_type].format(value=value)} THEN {text} END"
    else:
        sql = f"CASE {nested} ELSE {guard_sql(text) if form == 'csv' else text} END"
    return sql, params * sql.count(value)


_WHOLE = "jsonb_typeof({value}) = 'number' AND ({value} #>> '{{}}') ~ '^-?[0-9]{{1,18}}$'"
_IS_SQL: Final[dict[ValueType, str]] = {
    "string": "jsonb_typeof({value}) = 'string'",
    "boolean": "jsonb_typeof({value}) = 'boolean'",
    "number": "jsonb_typeof({value}) = 'number'",
    "integer": f"CASE WHEN {_WHOLE} THEN true ELSE false END",
}


def compact_sql(document: str) -> str:
    """jsonb's text without its blanks: in a fast way, which would lose nulls, and a slow one."""
    text = f"({document})::text"
    fast = f"json_strip_nulls({text}::json)::text"
    slow = rf"""regexp_replace({text}, '("(?:[^"\\]|\\.)*")| ', '\1', 'g')"""
    return (
        f"CASE WHEN {text} = '{{}}' THEN '{{}}' WHEN strpos({text}, 'null') = 0 THEN {fast} ELSE {slow} END"
    )


# --- in Python


def cell(column: Column, record: Any, form: Form) -> str | None:
    """The same text."""
    value = column.read(record)
    if column.kind == "value":
        return _value(value, column.value_type, form)
    if value is None:
        return None
    if column.kind in ("json", "context"):
        return str(value)
    return spelled(value, form) if column.kind == "text" else _of_ours(value, form)


def spelled(text: str, form: Form) -> str:
    """Anybody's words."""
    return dumps(text) if form == "jsonl" else guard(text) if form == "csv" else text


def _of_ours(value: Any, form: Form) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return repr(value).removesuffix(".0")
    if isinstance(value, int):
        return str(value)
    text = _moment(value, form) if isinstance(value, datetime) else str(value)
    return f'"{text}"' if form == "jsonl" else text


def _moment(value: datetime, form: Form) -> str:
    """As PostgreSQL writes one: no zeros at the end of a fraction."""
    text = value.astimezone(UTC).replace(tzinfo=None).isoformat(" " if form == "arrow" else "T")
    return (text.rstrip("0") if "." in text else text) + ("+00" if form == "arrow" else "Z")


def _value(value: Any, kind: ValueType, form: Form) -> str | None:
    if value is MISSING:
        return None
    if form == "jsonl" or (form == "arrow" and kind == "json"):
        return spell(value)
    if value is None or (form == "arrow" and not is_a(value, kind)):
        return None
    text = value if isinstance(value, str) else spell(value)
    return guard(text) if form == "csv" and not isinstance(value, dict | list) else text


_INTEGER: Final = re.compile(r"-?[0-9]{1,18}")


def is_a(value: Any, kind: ValueType) -> bool:
    if kind == "integer":
        return type_of(value) == "number" and _INTEGER.fullmatch(spell(value)) is not None
    return type_of(value) == kind


def type_of_value(value: Any) -> ValueType | None:
    """None for what is nothing."""
    if value is MISSING or value is None:
        return None
    if is_a(value, "integer"):
        return "integer"
    name = type_of(value)
    return name if name in ("string", "number", "boolean") else "json"  # type: ignore[return-value]
