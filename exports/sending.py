"""Files on their way to a client, in pieces: never whole in memory, at the pace of who reads."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import CancelledError
from typing import Any

from django.core.handlers.asgi import ASGIRequest
from django.db import connections
from django.http import StreamingHttpResponse
from rest_framework.request import Request

from chat.errors import Unavailable

Source = Callable[[], Iterator[bytes]]
CONTENT_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "jsonl": "application/x-ndjson",
    "json": "application/json",
    "parquet": "application/vnd.apache.parquet",
}
# A reader that takes nothing for so long has gone, and what it holds open in the database is given up.
PATIENCE_SECONDS = 60.0
# In this process: each has a thread, and one that reads rows a connection.
_room = threading.BoundedSemaphore(8)


def attachment(request: Request, source: Source, name: str, kind: str) -> StreamingHttpResponse:
    """An answer that a browser saves and never shows. Raises Unavailable."""
    # Django would gather a plain iterator whole before it sends the first piece.
    content: Any = Feed(source) if isinstance(request._request, ASGIRequest) else source()
    headers = {
        "Content-Disposition": f'attachment; filename="{name}"',
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "private, no-store",
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "X-Accel-Buffering": "no",
    }
    return StreamingHttpResponse(content, content_type=CONTENT_TYPES[kind], headers=headers)


class Feed:
    """The pieces of a synchronous source, which lives in one thread from its first to its last.

    Django closes it with the answer, also when the client has gone and where no piece was ever asked for.
    """

    def __init__(self, source: Source) -> None:
        if not _room.acquire(blocking=False):
            raise Unavailable("Too many downloads are under way at this server: try again.", retry_after=5)
        self._source, self._gone, self._begun = source, threading.Event(), False
        self._queue: asyncio.Queue[bytes | BaseException | None] = asyncio.Queue(maxsize=4)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        self._loop, self._begun = asyncio.get_running_loop(), True
        threading.Thread(target=self._feed, name="export-feed", daemon=True).start()
        while (piece := await self._queue.get()) is not None:
            if isinstance(piece, BaseException):
                raise piece
            yield piece

    def close(self) -> None:
        if self._gone.is_set():
            return
        self._gone.set()
        if not self._begun:
            _room.release()
            return
        with contextlib.suppress(RuntimeError):  # of a loop that has ended
            self._loop.call_soon_threadsafe(self._make_room)

    def _make_room(self) -> None:
        """A put that waits hears now that nobody reads."""
        while not self._queue.empty():
            self._queue.get_nowait()

    def _feed(self) -> None:
        pieces = self._source()
        try:
            if all(self._put(piece) for piece in pieces):
                self._put(None)
        except Exception as error:
            self._put(error)
        finally:
            if hasattr(pieces, "close"):
                pieces.close()
            connections.close_all()
            _room.release()

    def _put(self, item: bytes | BaseException | None) -> bool:
        """Whether there is somebody to read on."""
        if self._gone.is_set():
            return False
        try:
            asyncio.run_coroutine_threadsafe(self._queue.put(item), self._loop).result(PATIENCE_SECONDS)
        except (TimeoutError, CancelledError, RuntimeError):
            return False
        return not self._gone.is_set()
