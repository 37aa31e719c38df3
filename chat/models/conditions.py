"""A filter's condition on a jsonb column, as an expression that Django puts into its WHERE.

The meaning is `chat.filters.matches`. PostgreSQL is asked in SQL that says the same; where equality can be said
as containment, it is, because that has an index. SQLite calls the function itself, row by row.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import product
from typing import Any

from django.db.models import BooleanField, Expression, F

from ..filters.conditions import ORDERS, Condition, Path, loads, matches
from ..filters.values import each
from ..strict_json import dumps

Sql = tuple[str, list[Any]]
SIGNS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
# Each doubles what containment must be asked.
MOST_NUMBERS = 2


class Holds(Expression):
    """Whether a condition holds of the context in a column: Session.metadata's, or a snapshot's own."""

    conditional = True

    def __init__(self, column: str, condition: Condition, within: str = "") -> None:
        super().__init__(output_field=BooleanField())
        self.column, self.condition, self.within = F(column), condition, within

    def get_source_expressions(self) -> list[Any]:
        return [self.column]

    def set_source_expressions(self, expressions: Sequence[Any]) -> None:
        (self.column,) = expressions

    @property
    def is_indexed(self) -> bool:
        """Whether PostgreSQL's index on a session's context can find the rows."""
        return _is_contained(self.condition)

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Sql:
        known_to_sqlite(connection, "context_holds", 6, _holds_in_sqlite)
        sql, params = compiler.compile(self.column)
        one = self.condition
        asked = [self.within, one.root, json.dumps(one.path), one.operator, one.operand]
        return f"context_holds({sql}, %s, %s, %s, %s, %s)", [*params, *asked]

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Sql:
        sql, params = compiler.compile(self.column)
        if self.within:
            # Written as the index has it.
            sql = f"({sql} -> '{self.within}')"
        if params:
            raise TypeError("A condition is asked of a column.")
        return condition_sql(sql, self.condition)


def known_to_sqlite(connection: Any, name: str, arity: int, function: Any) -> None:
    """Make a function known to a connection, once: while rows are read SQLite refuses to hear of it again."""
    connection.ensure_connection()
    known = vars(connection).setdefault("known_functions", {})
    if known.get(name) is not connection.connection:
        connection.connection.create_function(name, arity, function, deterministic=True)
        known[name] = connection.connection


def _holds_in_sqlite(
    text: str | None, within: str, root: Any, path: str, operator: str, operand: str
) -> bool:
    context = loads(text or "{}")
    return matches(context.get(within, {}) if within else context, _condition(root, path, operator, operand))


@lru_cache(256)
def _condition(root: Any, path: str, operator: str, operand: str) -> Condition:
    return Condition(root, tuple(json.loads(path)), operator, operand)


def condition_sql(context: str, condition: Condition) -> Sql:
    """WHERE text of PostgreSQL for a condition on a jsonb expression; never NULL, but of a NULL context."""
    operator, operand = condition.operator, condition.operand
    if operator in ("eq", "in"):
        return _any_equal(context, condition)
    if operator == "ne":
        sql, params = _equal(context, condition.path, operand)
        return f"({sql} IS NOT TRUE)", params
    value, params = at_sql(context, condition.path)
    if operator in ORDERS:
        return _ordered(value, params, SIGNS[operator], operand)
    if operator == "exists":
        return f"({value} IS {'NOT ' if json.loads(operand) else ''}NULL)", params
    if operator == "type":
        return f"COALESCE(jsonb_typeof({value}) = %s, false)", [*params, json.loads(operand)]
    if operator == "startswith":
        text = f"CASE WHEN jsonb_typeof({value}) = 'string' THEN starts_with({value} #>> '{{}}', %s) ELSE false END"
        return text, [*params, *params, json.loads(operand)]
    return _contains(value, params, operand)


def at_sql(context: str, path: Path) -> Sql:
    """The value at a path as a jsonb expression, NULL where it is missing."""
    sql = context
    params: list[Any] = []
    for step in path:
        if isinstance(step, int):
            # Into an array by number, into an object by the key of that spelling; nothing else looks so.
            sql, params = f"({sql} #> %s)", [*params, [str(step)]]
        else:
            sql, params = f"({sql} -> %s::text)", [*params, step]
    return sql, params


# --- equality


def _any_equal(context: str, condition: Condition) -> Sql:
    operands = each(condition.operand) if condition.operator == "in" else [condition.operand]
    pieces = [_equal(context, condition.path, operand) for operand in operands] or [("false", [])]
    return "(" + " OR ".join(sql for sql, _ in pieces) + ")", [p for _, params in pieces for p in params]


def _equal(context: str, path: Path, operand: str) -> Sql:
    """Containment finds the rows. It says it all only of a scalar that keys alone lead to: an array or object
    may hold more than what is asked for, and a number stands for one element while containment means any."""
    contained, asked = "", []
    if _numbers(path) <= MOST_NUMBERS:
        asked = list(_documents(path, operand))
        contained = "(" + " OR ".join([f"{context} @> %s::jsonb"] * len(asked)) + ")"
        if not _numbers(path) and operand[:1] not in ("[", "{"):
            return contained, asked
    value, params = at_sql(context, path)
    exact = f"COALESCE({value} = %s::jsonb, false)"
    return f"({contained} AND {exact})" if contained else exact, [*asked, *params, operand]


def _documents(path: Path, operand: str) -> Iterator[str]:
    """What a context contains whose value at the path is this: {"a":{"b":1}} for a.b, and for a.0 both
    {"a":[1]} and {"a":{"0":1}}."""
    for in_array in product((True, False), repeat=_numbers(path)):
        document, kinds = operand, list(in_array)
        for step in reversed(path):
            if isinstance(step, int) and kinds.pop():
                document = f"[{document}]"
            else:
                document = f"{{{dumps(str(step))}:{document}}}"
        yield document


def _numbers(path: Path) -> int:
    return sum(isinstance(step, int) for step in path)


def _is_contained(condition: Condition) -> bool:
    return condition.operator in ("eq", "in") and _numbers(condition.path) <= MOST_NUMBERS


# --- order and content


def _ordered(value: str, params: list[Any], sign: str, operand: str) -> Sql:
    if operand[:1] == '"':
        text = f"CASE WHEN jsonb_typeof({value}) = 'string' THEN ({value} #>> '{{}}') COLLATE \"C\" {sign} %s"
        return f"{text} ELSE false END", [*params, *params, json.loads(operand)]
    number = f"COALESCE(jsonb_typeof({value}) = 'number' AND {value} {sign} %s::jsonb, false)"
    return number, [*params, *params, operand]


def _contains(value: str, params: list[Any], operand: str) -> Sql:
    """Text has the text, an array the element, an object the key."""
    array = f"EXISTS (SELECT 1 FROM jsonb_array_elements({value}) AS item WHERE item = %s::jsonb)"  # noqa: S608
    cases, given = [f"WHEN 'array' THEN {array}"], [*params, *params, operand]
    if operand[:1] == '"':
        cases += [
            f"WHEN 'string' THEN strpos({value} #>> '{{}}', %s) > 0",
            f"WHEN 'object' THEN {value} ? %s",
        ]
        given += [*params, json.loads(operand), *params, json.loads(operand)]
    return f"(CASE jsonb_typeof({value}) {' '.join(cases)} ELSE false END)", given
