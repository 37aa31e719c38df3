"""Turns per minute of a token, and its calls of a foreign path, counted across processes.

A session's own rate is read from its rows.
"""

from __future__ import annotations

import asyncio
import functools
import time
import weakref
from dataclasses import dataclass
from typing import Any

import structlog
from django.conf import settings
from limits import RateLimitItemPerMinute
from limits import storage as sync_storage
from limits import strategies as sync_strategies
from limits.aio.storage import MemoryStorage, RedisStorage, Storage
from limits.aio.strategies import FixedWindowRateLimiter

from . import limits as chat_limits
from . import telemetry
from .access import Caller
from .errors import RateLimited

log = structlog.get_logger(__name__)
PAUSE_SECONDS = 2.0
_limiters: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, FixedWindowRateLimiter] = (
    weakref.WeakKeyDictionary()
)
_paused_until: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, float] = weakref.WeakKeyDictionary()


async def check_token_rate(caller: Caller) -> None:
    """Count one turn of the caller's token. Raises RateLimited; a counter that is away lets everybody pass."""
    per_minute = chat_limits.current().turns_per_minute_per_token
    if caller.token is None or not per_minute or _is_paused():
        return
    limit = RateLimitItemPerMinute(per_minute, namespace=f"{settings.KEY_PREFIX}:turns")
    try:
        if await _limiter().hit(limit, str(caller.token.id)):
            return
        until = (await _limiter().get_window_stats(limit, str(caller.token.id))).reset_time
    except Exception as error:
        _pause()
        telemetry.CACHE_ERRORS.labels("rate").inc()
        log.warning("cache_error", action="rate", error=type(error).__name__)
        return
    raise RateLimited(retry_after=_seconds_until(until))


def _is_paused() -> bool:
    return time.monotonic() < _paused_until.get(asyncio.get_running_loop(), 0.0)


def _pause() -> None:
    """Nobody waits on a dead counter for a moment; its kept connections are dead too."""
    _paused_until[asyncio.get_running_loop()] = time.monotonic() + PAUSE_SECONDS
    _limiters.pop(asyncio.get_running_loop(), None)


def _seconds_until(timestamp: float) -> float:
    return max(1.0, round(timestamp - time.time(), 1))


def _limiter() -> FixedWindowRateLimiter:
    loop = asyncio.get_running_loop()
    if loop not in _limiters:
        _limiters[loop] = FixedWindowRateLimiter(_storage())
    return _limiters[loop]


def _storage() -> Storage:
    if not settings.REDIS_URL:
        return MemoryStorage()
    return RedisStorage(
        f"async+{settings.REDIS_URL}",
        implementation="redispy",
        socket_timeout=1,
        socket_connect_timeout=1,
    )


# --- calls of a path that Django serves


@dataclass(frozen=True, slots=True)
class Window:
    """Where a token stands in the running minute; `passes`: this call was within its quota."""

    quota: int
    remaining: int
    seconds: int
    passes: bool


_calls_paused_until = 0.0


def count_call(caller: Caller, path: str, per_minute: int) -> Window | None:
    """Count one call of the token at this path. None: nothing is counted, and everybody passes."""
    global _calls_paused_until
    if caller.token is None or not per_minute or time.monotonic() < _calls_paused_until:
        return None
    limit = RateLimitItemPerMinute(per_minute, namespace=f"{settings.KEY_PREFIX}:calls")
    try:
        return _counted(limit, path, str(caller.token.id))
    except Exception as error:
        _calls_paused_until = time.monotonic() + PAUSE_SECONDS
        telemetry.CACHE_ERRORS.labels("rate").inc()
        log.warning("cache_error", action="rate", error=type(error).__name__)
        return None


def _counted(limit: RateLimitItemPerMinute, *names: str) -> Window:
    passes = _call_limiter().hit(limit, *names)
    stats = _call_limiter().get_window_stats(limit, *names)
    seconds = max(1, min(60, round(stats.reset_time - time.time() + 0.5)))
    return Window(limit.amount, max(0, stats.remaining), seconds, passes)


@functools.cache
def _call_limiter() -> sync_strategies.FixedWindowRateLimiter:
    if not settings.REDIS_URL:
        return sync_strategies.FixedWindowRateLimiter(sync_storage.MemoryStorage())
    options: dict[str, Any] = {"socket_timeout": 1, "socket_connect_timeout": 1}
    return sync_strategies.FixedWindowRateLimiter(sync_storage.RedisStorage(settings.REDIS_URL, **options))
