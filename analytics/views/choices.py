"""Parameters that have one of a few values."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from chat.errors import InvalidFilter
from chat.queries import Query

CONTEXTS: Final = ("context", "message_context")
CHARTS: Final = ("conversations", "headline")
DAYS: Final = {"today": 1, "7d": 7, "30d": 30, "90d": 90}
DATE_FILTERS: Final = (*DAYS, "all_time", "custom", "")


def choice(query: Query, name: str, known: Collection[str], default: str) -> str:
    """Raises InvalidFilter."""
    text = query.take(name) or default
    if text not in known:
        raise InvalidFilter(f"This must be one of {', '.join(known)}.", pointer=f"?{name}")
    return text
