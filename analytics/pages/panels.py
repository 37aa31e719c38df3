"""A page is of panels that are asked for one by one: what one cannot answer, the others still do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from django.db import OperationalError

from chat.database import was_stopped
from chat.errors import InvalidFilter, TooSlow

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Panel(Generic[T]):
    """What it shows, or the sentence why it shows nothing."""

    shown: T | None = None
    fault: str = ""
    status: int = 200


def panel(ask: Callable[[], T]) -> Panel[T]:
    try:
        return Panel(ask())
    except (InvalidFilter, TooSlow) as error:
        return Panel(fault=error.message, status=error.status)
    except OperationalError as error:
        # What has no bound of its own is stopped by the one that every statement has.
        if not was_stopped(error):
            raise
        return Panel(fault=TooSlow().message, status=TooSlow.status)
