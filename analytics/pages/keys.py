"""The keys of a selection's contexts with their values, each a link that narrows the filter to it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from chat.filters.conditions import Path
from chat.selections import Selection

from ..facets import InUse, keys_in_use, values
from .address import Address
from .figures import value_condition
from .words import plural, value_text

OPENED: Final = 3
MOST_VALUES: Final = 10


@dataclass(frozen=True, slots=True)
class Value:
    text: str
    sessions: str
    href: str


@dataclass(frozen=True, slots=True)
class Values:
    """The values of the most sessions; `more` says how many there are beside them."""

    rows: list[Value]
    more: str


@dataclass(frozen=True, slots=True)
class Facet:
    """A key; its values are read with the page, or when it is opened."""

    key: str
    label: str
    sessions: str
    types: str
    by: str
    asks: str
    values: Values | None = None


@dataclass(frozen=True, slots=True)
class Facets:
    rows: list[Facet] = field(default_factory=list)
    complete: bool = True


def facets(selection: Selection, address: Address) -> Facets:
    """Keys that hold plain values, those of the most sessions first; the first few opened. Raises TooSlow."""
    found, complete = keys_in_use(selection, "context")
    plain = [one for one in found if one.types.keys() - {"object"}]
    return Facets(
        [_facet(selection, address, one, number < OPENED) for number, one in enumerate(plain)], complete
    )


def _facet(selection: Selection, address: Address, one: InUse, opened: bool) -> Facet:
    key = one.written("context")
    return Facet(
        key,
        one.written("")[1:],
        f"{one.sessions:,}",
        ", ".join(sorted(one.types)),
        address.link(by=key),
        address.at("/analytics/values/").link(key=key),
        values_of(selection, address, one.path) if opened else None,
    )


def values_of(selection: Selection, address: Address, path: Path) -> Values:
    """Raises TooSlow."""
    found = values(selection, "context", path, MOST_VALUES)
    rows = [
        Value(
            value_text(row["value"]),
            f"{row['sessions']:,}",
            address.narrowed(value_condition("context", path, row)).link(),
        )
        for row in found["results"]
    ]
    if found["missing"]:
        pair = value_condition("context", path, {"missing": True})
        rows.append(Value("", f"{found['missing']:,}", address.narrowed(pair).link()))
    hidden = found["distinct"] - len(found["results"])
    return Values(rows, f"{plural(hidden, 'other value')}" if hidden else "")


def choices(found: Iterable[Facet], chosen: str) -> list[str]:
    """What a breakdown may be by."""
    known = [*(one.key for one in found), "mentor", "user", "status"]
    return known if chosen in known else [chosen, *known]
