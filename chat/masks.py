"""How a value is shown that may not be seen: a mark, and of a longer one its end."""

from __future__ import annotations

from typing import Final

MASK: Final = "•••"
SHOWN: Final = 4
# Of what is shorter than this nothing is shown: four of its characters would be too many.
LONG_ENOUGH: Final = 9


def end_of(text: str) -> str:
    return MASK + (text[-SHOWN:] if len(text) >= LONG_ENOUGH else "")


def is_masked(text: str) -> bool:
    """What was read from here and is sent again."""
    return text.startswith(MASK) and len(text) <= len(MASK) + SHOWN
