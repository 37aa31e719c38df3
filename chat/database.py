"""Database work of asynchronous code: sync rules in a bounded pool of threads, a connection each; and of
readers: in bounded time.

Channels' own way runs the work of all sockets in one thread, where one locked row stalls every stranger.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import threading
from collections.abc import Callable, Iterator
from queue import SimpleQueue
from typing import Any, ParamSpec, TypeVar

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection, connections, transaction
from psycopg.errors import QueryCanceled

from .errors import TooSlow, Unavailable

P = ParamSpec("P")
R = TypeVar("R")


class Threads:
    """A bounded pool of threads. concurrent.futures does the same with three more locks a call."""

    def __init__(self, count: int) -> None:
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._threads = [
            threading.Thread(target=self._work, name=f"database-{n}", daemon=True) for n in range(count)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, work: Callable[[], R]) -> asyncio.Future[R]:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[R] = loop.create_future()
        self._jobs.put((loop, future, work))
        return future

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            loop, future, work = job
            try:
                done: tuple[Any, BaseException | None] = (work(), None)
            except BaseException as error:
                done = (None, error)
            # A loop that was closed meanwhile waits for nothing any more.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(_settle, future, *done)
            del job, future, work, done
        connections.close_all()

    def close(self) -> None:
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            thread.join()


Job = tuple[asyncio.AbstractEventLoop, "asyncio.Future[Any]", Callable[[], Any]]


def _settle(future: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
    if future.done():
        return  # nobody waits any more; what the work stored is stored
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)


@functools.cache
def _threads() -> Threads:
    return Threads(settings.DATABASE_THREADS)


async def in_database(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """What the sync rule returns, run in one of the database threads.

    Raises Unavailable when the database is away, a lock is held too long, or all connections are taken.
    """
    return await _threads().submit(functools.partial(_unit, function, *args, **kwargs))


def _unit(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    try:
        return _reconnecting(function, *args, **kwargs)
    except (OperationalError, InterfaceError) as error:
        raise Unavailable() from error


def _reconnecting(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Run once more on a new connection if the kept one had died before the work began."""
    kept = connection.connection
    try:
        return function(*args, **kwargs)
    except (OperationalError, InterfaceError):
        if not _had_died(kept):
            raise
    # Nothing of the first try is stored: rules write in transactions, and ids they write are unique, so even
    # a commit whose answer was lost turns the second try into a duplicate and not into a second row.
    return function(*args, **kwargs)


def _had_died(kept: Any) -> bool:
    """Whether an error came of a kept connection that was dead, and there may be a better one."""
    if connection.connection is kept and connection.is_usable():
        return False
    if connection.connection is kept:
        connection.close()
        return kept is not None
    # The end of a transaction has put another connection in its place, or has waited for one in vain.
    return kept is not None and connection.connection is not None


def close_threads() -> None:
    """End the pool and its connections (tests, shutdown)."""
    _threads().close()
    _threads.cache_clear()


def release() -> None:
    """Give this thread's connection back, before it waits long for something else."""
    if not connection.in_atomic_block:
        connection.close()


# --- questions


@contextlib.contextmanager
def bounded() -> Iterator[None]:
    """Reads in one transaction, none of which may take longer than READ_TIMEOUT_MS (PostgreSQL).

    Raises TooSlow.
    """
    if connection.vendor != "postgresql":
        yield
        return
    try:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute(f"SET LOCAL statement_timeout = {int(settings.READ_TIMEOUT_MS)}")
            yield
    except OperationalError as error:
        if was_stopped(error):
            raise TooSlow() from error
        raise


def was_stopped(error: BaseException) -> bool:
    """Whether PostgreSQL gave a statement up because its time was over."""
    return isinstance(error.__cause__, QueryCanceled)
