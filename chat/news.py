"""Wake-ups: this session has changed, look at its rows. They carry nothing else and may be lost.

Who listens in this process is woken at once; other processes over Redis, on a channel for each session that
somebody there listens to: a process hears of no others, and what is said to nobody costs Redis a microsecond.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import time
import uuid
from collections.abc import Callable, Iterable
from typing import Any, Final
from uuid import UUID

import structlog
from django.conf import settings
from django.db import transaction
from django_redis import get_redis_connection
from django_redis.exceptions import ConnectionInterrupted
from redis.asyncio import Redis
from redis.exceptions import RedisError

from . import telemetry
from .cache import PAUSE_SECONDS, news_key

log = structlog.get_logger(__name__)
HEALTH_CHECK_SECONDS: Final = 15
FAILURES = (RedisError, ConnectionInterrupted, OSError, TimeoutError)
Wake = Callable[[], None]


def changed(*sessions: UUID) -> None:
    """Wake whoever listens to these sessions, once the transaction that changes them has committed.

    For synchronous rules; a running turn says it by live.Process.changed.
    """
    transaction.on_commit(functools.partial(_tell, sessions))


def _tell(sessions: Iterable[UUID]) -> None:
    told = list(sessions)
    for ears in list(_ears.values()):
        ears.hear_from_a_thread(told)
    if settings.REDIS_URL:
        _publish(told)


_paused_until = 0.0


def _publish(sessions: Iterable[UUID]) -> None:
    """A dead Redis is not waited for again and again: listeners look by themselves."""
    global _paused_until
    if time.monotonic() < _paused_until:
        return
    try:
        pipe = get_redis_connection("default").pipeline(transaction=False)
        for session_id in sessions:
            pipe.publish(news_key(session_id), origin())
        pipe.execute()
    except FAILURES as error:
        _paused_until = time.monotonic() + PAUSE_SECONDS
        telemetry.CACHE_ERRORS.labels("publish").inc()
        log.warning("cache_error", action="publish", error=type(error).__name__)


def origin() -> str:
    """This process, which need not hear from others what it said itself."""
    return _origin_of(os.getpid())  # a worker's children are forked


@functools.cache
def _origin_of(pid: int) -> str:
    return uuid.uuid4().hex


class Ears:
    """Who in one event loop is to be woken for which session."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._wakes: dict[UUID, Wake] = {}
        self._pubsub: Any = None
        self._task: asyncio.Task[None] | None = None
        self._saying: set[asyncio.Task[None]] = set()

    def listen(self, session_id: UUID, wake: Wake) -> None:
        self._wakes[session_id] = wake
        if settings.REDIS_URL and (self._task is None or self._task.done()):
            self._task = self._loop.create_task(self._hear_others())
        else:
            self._say("subscribe", session_id)

    def leave(self, session_id: UUID) -> None:
        del self._wakes[session_id]
        self._say("unsubscribe", session_id)
        if not self._wakes and self._task is not None:
            self._task.cancel()
            self._task = self._pubsub = None

    def hear(self, session_id: UUID) -> None:
        wake = self._wakes.get(session_id)
        if wake is not None:
            wake()

    def hear_from_a_thread(self, sessions: Iterable[UUID]) -> None:
        for session_id in sessions:
            if session_id in self._wakes:
                with contextlib.suppress(RuntimeError):  # the loop is closed: nobody listens
                    self._loop.call_soon_threadsafe(self.hear, session_id)

    def _say(self, command: str, session_id: UUID) -> None:
        if self._pubsub is not None:
            task = self._loop.create_task(self._said(command, session_id))
            self._saying.add(task)
            task.add_done_callback(self._saying.discard)

    async def _said(self, command: str, session_id: UUID) -> None:
        with contextlib.suppress(*FAILURES, AttributeError):  # the reading of it fails too, and begins anew
            await getattr(self._pubsub, command)(news_key(session_id))

    async def _hear_others(self) -> None:
        while self._wakes:
            try:
                await self._hear_on_one_connection()
            except FAILURES as error:
                telemetry.CACHE_ERRORS.labels("subscribe").inc()
                log.warning("cache_error", action="subscribe", error=type(error).__name__)
                await asyncio.sleep(PAUSE_SECONDS)

    async def _hear_on_one_connection(self) -> None:
        # redis-py's own limit would cut off a connection on which nothing is said for five seconds.
        client = Redis.from_url(
            settings.REDIS_URL,
            socket_timeout=None,
            socket_connect_timeout=2,
            health_check_interval=HEALTH_CHECK_SECONDS,
        )
        async with client, client.pubsub() as pubsub:
            known = set(self._wakes)
            await pubsub.subscribe(*map(news_key, known))
            self._pubsub = pubsub
            try:
                if late := self._wakes.keys() - known:
                    await pubsub.subscribe(*map(news_key, late))
                while True:
                    self._heard(await pubsub.get_message(timeout=HEALTH_CHECK_SECONDS))
            finally:
                if self._pubsub is pubsub:
                    self._pubsub = None

    def _heard(self, message: dict[str, Any] | None) -> None:
        """Also that a subscription holds, now or again: what was said before that was missed."""
        if message is None or message["type"] not in ("message", "subscribe"):
            return
        if message["type"] == "message" and message["data"] == origin().encode():
            return
        with contextlib.suppress(ValueError):
            self.hear(UUID(message["channel"].decode().rpartition(":")[2]))


_ears: dict[asyncio.AbstractEventLoop, Ears] = {}


def ears() -> Ears:
    """The running loop's own."""
    loop = asyncio.get_running_loop()
    if loop not in _ears:
        for closed in [known for known in _ears if known.is_closed()]:
            del _ears[closed]
        _ears[loop] = Ears()
    return _ears[loop]
