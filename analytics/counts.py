"""What a count gives back, whoever counted: cells of a table, by the places of their values and periods."""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

# Places of a key's values are 0, 1, 2 …; these two stand beside them.
NO_VALUE: Final = -1
OTHER: Final = -2
# Places of the values (None: of the whole), and of the period (None: of the whole time).
Cell = tuple[tuple[int, ...] | None, int | None]


@dataclass(frozen=True, slots=True)
class Counts:
    """For each key the values that have buckets, as JSON text; for each cell its parts."""

    values: tuple[tuple[str, ...], ...]
    cells: dict[Cell, dict[str, Any]]


def canonical(value: Any) -> str:
    """One text for all spellings of a JSON value."""
    if isinstance(value, float | Decimal):
        return format(Decimal(str(value)).normalize(), "f")
    if isinstance(value, dict):
        return "{" + ", ".join(f"{canonical(key)}: {canonical(value[key])}" for key in sorted(value)) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(canonical, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def shown(text: str) -> Any:
    """The value to show for a JSON text: a whole number without its fraction."""
    value = json.loads(text)
    return int(value) if isinstance(value, float) and value.is_integer() else value
