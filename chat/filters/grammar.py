"""Query parameters to a filter. What is not understood is refused by name, and never ignored."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Final
from uuid import UUID

from .conditions import Condition
from .faults import Fault
from .fields import FIELDS
from .moments import Moment
from .paths import read_path, written_path
from .values import operand, written_operand

MOST_CONDITIONS: Final = 20
LONGEST_VALUE: Final = 4_096
_ROOT: Final = re.compile(r"(context|message_context)\.(.+)", re.DOTALL)
_UNSTORABLE: Final = re.compile("[\0\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Filter:
    """Sessions, by what holds of them and of one of their messages. Empty, it is about every session.

    `status`, `role`, `search` and the conditions on `message_context` are about messages: a session is meant
    if one message of it is as they all say; where messages are read, those messages are.
    """

    tenant: str | None = None
    mentor: tuple[str, ...] = ()
    user: tuple[str, ...] = ()
    not_user: tuple[str, ...] = ()
    session: tuple[UUID, ...] = ()
    anonymous: bool | None = None
    since: Moment | None = None
    until: Moment | None = None
    min_messages: int | None = None
    max_messages: int | None = None
    status: tuple[str, ...] = ()
    role: tuple[str, ...] = ()
    search: str = ""
    conditions: tuple[Condition, ...] = ()
    # As it was asked, to be asked again: of a stored schedule, a manifest, a link.
    query: tuple[tuple[str, str], ...] = ()

    @property
    def of_sessions(self) -> tuple[Condition, ...]:
        return tuple(one for one in self.conditions if one.root == "context")

    @property
    def of_messages(self) -> tuple[Condition, ...]:
        return tuple(one for one in self.conditions if one.root == "message_context")

    @property
    def asks_of_messages(self) -> bool:
        """Whether the rows of messages must be read to know which sessions are meant."""
        return bool(self.status or self.role or self.search or self.of_messages)

    def within(self, **changes: Any) -> Filter:
        """The same filter with some of its fields set by a door."""
        return replace(self, **changes)


def parse(parameters: Iterable[tuple[str, str]]) -> Filter:
    """The filter that these parameters write.

    Raises InvalidFilter, with a pointer such as `?context.order__gt`, for the first one that is wrong.
    """
    found: dict[str, Any] = {}
    conditions: list[Condition] = []
    query: list[tuple[str, str]] = []
    for name, text in parameters:
        query.append((name, text))
        try:
            _check_text(name + text)
            if root := _ROOT.fullmatch(name):
                conditions.append(_condition(name, root, text))
                _check_number(conditions)
            else:
                _take_field(found, name, text)
        except Fault as fault:
            raise fault.at(name) from None
    return Filter(**found, conditions=tuple(conditions), query=tuple(query))


def written(condition: Condition) -> tuple[str, str]:
    """The parameter, its name and its text, that writes this condition."""
    behind = "" if condition.operator == "eq" else f"__{condition.operator}"
    name = f"{condition.root}.{written_path(condition.path)}{behind}"
    return name, written_operand(condition.operator, condition.operand)


def _check_text(text: str) -> None:
    if len(text) > LONGEST_VALUE or _UNSTORABLE.search(text):
        raise Fault(
            f"A parameter has at most {LONGEST_VALUE} characters, and neither NUL nor half a surrogate pair."
        )


def _check_number(conditions: list[Condition]) -> None:
    if len(conditions) > MOST_CONDITIONS:
        raise Fault(f"A filter has at most {MOST_CONDITIONS} conditions on keys.")


def _condition(name: str, root: re.Match[str], text: str) -> Condition:
    path, operator = read_path(root[2], name)
    return Condition(root[1], path, operator, operand(operator, text))  # type: ignore[arg-type]


def _take_field(found: dict[str, Any], name: str, text: str) -> None:
    field = FIELDS.get(name)
    if field is None:
        raise Fault("There is no such parameter here. A key of the context is asked for as context.KEY.")
    if field.sets in found:
        raise Fault("What this says is said already: a field is given once.")
    try:
        found[field.sets] = field.read(text)
    except ValueError:
        raise Fault(f"{field.expected}.") from None
