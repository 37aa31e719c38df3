"""What may be lost: the cache of client contexts and the event logs of running turns.

On Redis where there is one, else in this process, behind one interface. Nothing here is the only copy of
anything, so errors are counted and logged and never raised.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import time
import weakref
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

import structlog
from django.conf import settings
from django.core.cache import cache as django_cache
from django_redis import get_redis_connection
from django_redis.exceptions import ConnectionInterrupted
from redis.asyncio import BlockingConnectionPool, Redis
from redis.exceptions import RedisError, ResponseError

from . import telemetry
from .errors import Unavailable

log = structlog.get_logger(__name__)
PAUSE_SECONDS = 2.0
AWAY = (ConnectionInterrupted, RedisError, OSError)
# One command for all turns of a process: a client library's price is by the command. It also wakes who listens to
# their sessions elsewhere.
_APPEND = """
for i, key in ipairs(KEYS) do
  local told = redis.pcall('RPUSH', key, ARGV[i])
  -- Not to one that was forgotten: that is no list.
  if type(told) == 'table' and told.err and not string.find(told.err, 'WRONGTYPE') then
    return told
  end
  redis.call('EXPIRE', key, ARGV[#KEYS + 1])
end
for i = #KEYS + 3, #ARGV do
  redis.call('PUBLISH', ARGV[i], ARGV[#KEYS + 2])
end
"""

# What comes late, of a session that was erased meanwhile, is not kept.
_KEEP = """
if redis.call('EXISTS', KEYS[2]) == 0 then
  redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
end
"""


def context_key(session_id: object) -> str:
    """The key of a session's client context, by the name that others read it under."""
    return f"session_{session_id}_metadata"


def events_key(generation_id: object) -> str:
    return f"{settings.KEY_PREFIX}:turn:{generation_id}:events"


def erased_key(session_id: object) -> str:
    """Of a session whose context the cache takes no more."""
    return f"{settings.KEY_PREFIX}:erased:{session_id}"


def news_key(session_id: object) -> str:
    return f"{settings.KEY_PREFIX}:news:{session_id}"


@dataclass(frozen=True, slots=True)
class Wakes:
    """Sessions that changed, and the process that says so."""

    sessions: Collection[UUID] = ()
    origin: str = ""


NOBODY = Wakes()


class Store(Protocol):
    async def get_context(self, session_id: object) -> str | None:
        """The JSON text of the client context, or None: unknown, expired or unreachable."""

    async def set_context(self, session_id: object, text: str) -> None: ...

    async def log_events(self, frames: Mapping[str, Sequence[str]], wakes: Wakes = NOBODY) -> bool:
        """Append frames to the logs of their generations; False where that did not happen.

        With it goes the word to other processes that sessions have changed.
        """

    async def read_events(self, generation_id: str, after: int) -> list[str]:
        """The frames after the first `after` ones."""

    def forget_events(self, generation_id: object) -> None:
        """Also the frames that are still on their way to the log. Synchronous."""

    def keep_context(self, session_id: object, text: str) -> None:
        """The same as set_context, synchronous; errors are the caller's."""

    def shut(self, sessions: Sequence[object]) -> None:
        """Forget the contexts of these sessions, and take none of them any more; synchronous, errors are raised."""


class RedisStore:
    """One client an event loop, over a pool that makes callers wait and does not fail them."""

    def __init__(self) -> None:
        self._clients: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Redis] = (
            weakref.WeakKeyDictionary()
        )
        self._paused_until = 0.0

    def _client(self) -> Redis:
        loop = asyncio.get_running_loop()
        if loop not in self._clients:
            pool = BlockingConnectionPool.from_url(
                settings.REDIS_URL, max_connections=16, timeout=1, socket_timeout=1, socket_connect_timeout=1
            )
            self._clients[loop] = Redis(connection_pool=pool)
        return self._clients[loop]

    @contextlib.contextmanager
    def _guarded(self, action: str) -> Iterator[bool]:
        """Whether to try at all: after an error nobody waits on a dead cache for a moment, then one asks."""
        now = time.monotonic()
        try_it = now >= self._paused_until
        if try_it and self._paused_until:
            self._paused_until = now + PAUSE_SECONDS
        try:
            yield try_it
        except (TimeoutError, RedisError, OSError) as error:
            self._paused_until = time.monotonic() + PAUSE_SECONDS
            # The kept connections to a Redis that was restarted are all dead: each would fail once more.
            self._clients.pop(asyncio.get_running_loop(), None)
            telemetry.CACHE_ERRORS.labels(action).inc()
            log.warning("cache_error", action=action, error=type(error).__name__)
        else:
            if try_it:
                self._paused_until = 0.0

    async def get_context(self, session_id: object) -> str | None:
        with self._guarded("get_context") as reachable:
            if reachable:
                value = await self._client().get(context_key(session_id))
                return str(value, errors="replace") if isinstance(value, bytes) else value
        return None

    async def set_context(self, session_id: object, text: str) -> None:
        with self._guarded("set_context") as reachable:
            if reachable:
                keys = (context_key(session_id), erased_key(session_id))
                await self._client().eval(_KEEP, 2, *keys, text, settings.CONTEXT_CACHE_SECONDS)

    async def log_events(self, frames: Mapping[str, Sequence[str]], wakes: Wakes = NOBODY) -> bool:
        with self._guarded("log_events") as reachable:
            if reachable:
                keys = [events_key(generation_id) for generation_id in frames]
                texts = ["\n".join(lines) for lines in frames.values()]
                said = [wakes.origin, *map(news_key, wakes.sessions)]
                await self._client().eval(
                    _APPEND, len(keys), *keys, *texts, settings.EVENT_LOG_SECONDS, *said
                )
                return True
        return False

    async def read_events(self, generation_id: str, after: int) -> list[str]:
        with self._guarded("read_events") as reachable:
            if reachable:
                try:
                    blocks = await self._client().lrange(events_key(generation_id), 0, -1)
                except ResponseError:  # forgotten
                    return []
                texts = [block if isinstance(block, str) else block.decode() for block in blocks]
                return "\n".join(texts).split("\n")[after:] if texts else []
        return []

    def forget_events(self, generation_id: object) -> None:
        get_redis_connection().set(events_key(generation_id), "", ex=settings.EVENT_LOG_SECONDS)

    def keep_context(self, session_id: object, text: str) -> None:
        keys = (context_key(session_id), erased_key(session_id))
        get_redis_connection().eval(_KEEP, 2, *keys, text, settings.CONTEXT_CACHE_SECONDS)

    def shut(self, sessions: Sequence[object]) -> None:
        with get_redis_connection().pipeline() as pipe:
            for session_id in sessions:
                pipe.set(erased_key(session_id), "", ex=settings.CONTEXT_CACHE_SECONDS)
                pipe.delete(context_key(session_id))
            pipe.execute()


class LocalStore:
    """The same in this process: the embedded default."""

    def __init__(self) -> None:
        # None: forgotten.
        self._logs: dict[str, tuple[float, list[str] | None]] = {}

    async def get_context(self, session_id: object) -> str | None:
        value: str | None = django_cache.get(context_key(session_id))
        return value

    async def set_context(self, session_id: object, text: str) -> None:
        self.keep_context(session_id, text)

    async def log_events(self, frames: Mapping[str, Sequence[str]], wakes: Wakes = NOBODY) -> bool:
        now = time.monotonic()
        for generation_id, texts in frames.items():
            _, log_so_far = self._logs.pop(generation_id, (now, []))
            more = None if log_so_far is None else [*log_so_far, *texts]
            self._logs[generation_id] = (now + settings.EVENT_LOG_SECONDS, more)
        # In order of their last write: the expired ones stand first.
        while self._logs and next(iter(self._logs.values()))[0] < now:
            del self._logs[next(iter(self._logs))]
        return True

    async def read_events(self, generation_id: str, after: int) -> list[str]:
        return (self._logs.get(generation_id, (0.0, None))[1] or [])[after:]

    def forget_events(self, generation_id: object) -> None:
        self._logs.pop(str(generation_id), None)
        self._logs[str(generation_id)] = (time.monotonic() + settings.EVENT_LOG_SECONDS, None)

    def keep_context(self, session_id: object, text: str) -> None:
        if not django_cache.get(erased_key(session_id)):
            django_cache.set(context_key(session_id), text, settings.CONTEXT_CACHE_SECONDS)

    def shut(self, sessions: Sequence[object]) -> None:
        for session_id in sessions:
            django_cache.set(erased_key(session_id), True, settings.CONTEXT_CACHE_SECONDS)
            django_cache.delete(context_key(session_id))


@functools.cache
def store() -> Store:
    return RedisStore() if settings.REDIS_URL else LocalStore()


def forget_contexts(sessions: Iterable[object]) -> None:
    """Of sessions that are gone. Synchronous; what a dead cache keeps is in force nowhere, and expires."""
    with _forgiven("forget_contexts"):
        django_cache.delete_many([context_key(session_id) for session_id in sessions])


def forget_events(generation_id: object) -> None:
    """Of an answer whose words are gone. Synchronous; what a dead cache keeps expires."""
    with _forgiven("forget_events"):
        store().forget_events(generation_id)


def erase(sessions: Sequence[object], answers: Iterable[object]) -> None:
    """Of sessions and answers that were erased: nothing is kept, and what comes late neither. Raises Unavailable."""
    try:
        store().shut(sessions)
        for generation_id in answers:
            store().forget_events(generation_id)
    except AWAY as error:
        _note("erase", error)
        raise Unavailable("The cache cannot be reached.") from error


_keeping_paused_until = 0.0


def keep_context(session_id: object, text: str) -> None:
    """Of a write beside a turn. Synchronous; a dead cache is not waited for again and again."""
    global _keeping_paused_until
    if time.monotonic() < _keeping_paused_until:
        return
    try:
        store().keep_context(session_id, text)
    except AWAY as error:
        _keeping_paused_until = time.monotonic() + PAUSE_SECONDS
        _note("set_context", error)


@contextlib.contextmanager
def _forgiven(action: str) -> Iterator[None]:
    try:
        yield
    except AWAY as error:
        _note(action, error)


def _note(action: str, error: Exception) -> None:
    telemetry.CACHE_ERRORS.labels(action).inc()
    log.warning("cache_error", action=action, error=type(error).__name__)
