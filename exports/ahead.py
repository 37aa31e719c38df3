"""Batches read ahead: while one is written down, the database is at work on the next.

Each is read in a thread with a connection of its own, which stops when the few megabytes that it may keep are full.
"""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from queue import Empty, Full, Queue
from typing import TypeVar

from django.db import connection

T = TypeVar("T")
READERS = 2
# Of one batch; a block is about a megabyte.
BLOCKS_KEPT = 8
_HEARTBEAT = 0.2

Blocks = Iterator[bytes]


def read_ahead(pieces: Iterable[tuple[T, Callable[[], Blocks]]]) -> Iterator[tuple[T, Blocks]]:
    """Each piece with its blocks, in order. Of the next ones, READERS - 1 are being read meanwhile."""
    stop = threading.Event()
    waiting: deque[tuple[T, _Reading]] = deque()
    with ThreadPoolExecutor(READERS, "export") as threads:
        try:
            for name, read in pieces:
                reading = _Reading(stop)
                threads.submit(reading.fill, read)
                waiting.append((name, reading))
                if len(waiting) == READERS:
                    yield _taken(waiting.popleft())
            while waiting:
                yield _taken(waiting.popleft())
        finally:
            stop.set()


def _taken(piece: tuple[T, _Reading]) -> tuple[T, Blocks]:
    return piece[0], piece[1].blocks()


class _Reading:
    """The blocks of one batch, between the thread that reads and the one that takes."""

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop
        self._kept: Queue[bytes | BaseException | None] = Queue(BLOCKS_KEPT)

    def fill(self, read: Callable[[], Blocks]) -> None:
        try:
            with contextlib.closing(read()) as blocks:  # type: ignore[type-var]
                if all(self._put(block) for block in blocks):
                    self._put(None)
        except BaseException as error:
            self._put(error)
        finally:
            connection.close()

    def _put(self, item: bytes | BaseException | None) -> bool:
        """False: nobody will take it any more."""
        while not self._stop.is_set():
            with contextlib.suppress(Full):
                self._kept.put(item, timeout=_HEARTBEAT)
                return True
        return False

    def blocks(self) -> Blocks:
        """Raises what reading raised."""
        while (item := self._take()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item

    def _take(self) -> bytes | BaseException | None:
        while True:
            with contextlib.suppress(Empty):
                return self._kept.get(timeout=_HEARTBEAT)
            if self._stop.is_set():
                return None
