"""What a process remembers for some seconds, of rows that are held against the database when they are used."""

from __future__ import annotations

import time
from typing import Any, Final

MOST: Final = 10_000


class Remembered:
    """A small cache by key."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._kept: dict[Any, tuple[float, Any]] = {}

    def get(self, key: Any) -> Any:
        until, value = self._kept.get(key, (0.0, None))
        return value if until > time.monotonic() else None

    def put(self, key: Any, value: Any) -> None:
        if len(self._kept) > MOST:
            self._kept.clear()
        self._kept[key] = (time.monotonic() + self._seconds, value)

    def clear(self) -> None:
        self._kept.clear()
