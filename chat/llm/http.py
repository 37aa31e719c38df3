"""A small HTTP/1.1 client for one thing: post a body, and hear the answer as it comes.

A general client spends three times as long on each read as all else that is done with a token. This one is a
protocol over httptools' parser with a pool of kept connections; it follows no redirects and keeps no cookies.
"""

from __future__ import annotations

import asyncio
import ssl
import time
import weakref
import zlib
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import cast
from urllib.parse import urlsplit

import httptools

KEPT_SECONDS = 15.0
HELD_BYTES = 1024 * 1024
HEAD_BYTES = 64 * 1024


class HttpError(Exception):
    """The exchange failed; its kind tells how far it came."""


class NotConnected(HttpError):
    """No connection: refused, or no such host."""


class ConnectTimeout(HttpError):
    """No connection in time."""


class Dropped(HttpError):
    """The connection closed before a byte of the answer."""


class Garbled(HttpError):
    """What came is not HTTP."""


class Cut(HttpError):
    """The body broke off."""


Arrival = tuple[bytes, Exception | None]
Sink = Callable[[bytes, Exception | None], None]


@dataclass(frozen=True, slots=True)
class Address:
    """Where to post to."""

    host: str
    port: int
    tls: bool
    path: str
    name: str

    @classmethod
    def of(cls, url: str) -> Address:
        """Raises ValueError for what is not an http or https address."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("The address must begin with http:// or https:// and name a host.")
        tls = parts.scheme == "https"
        path = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
        host_and_port = parts.netloc.rpartition("@")[2]
        return cls(parts.hostname, parts.port or (443 if tls else 80), tls, path, host_and_port)


class Response:
    """One answer: its status and headers, and its body as it comes."""

    __slots__ = ("_connection", "_decoder", "headers", "status")

    def __init__(self, connection: Connection, status: int, headers: dict[str, str]) -> None:
        self._connection = connection
        self.status = status
        self.headers = headers
        coded = headers.get("content-encoding", "identity").lower() in ("gzip", "x-gzip", "deflate")
        self._decoder = zlib.decompressobj(zlib.MAX_WBITS | 32) if coded else None

    @property
    def content_type(self) -> str:
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    async def read(self) -> Arrival:
        """What has come since the last read: bytes, or at the end none, with a Cut or Garbled if it is a bad one."""
        arrival: asyncio.Future[Arrival] = asyncio.get_running_loop().create_future()

        def arrived(data: bytes, error: Exception | None) -> None:
            self._connection.deliver(None)
            if not arrival.done():
                arrival.set_result((data, error))

        self.deliver(arrived)
        return await arrival

    def deliver(self, sink: Sink) -> None:
        """Hand what has come and what comes to `sink`, at once, up to the end."""
        self._connection.deliver(sink if self._decoder is None else self._decoding(sink))

    def _decoding(self, sink: Sink) -> Sink:
        def decoded(data: bytes, error: Exception | None) -> None:
            assert self._decoder is not None
            try:
                plain = self._decoder.decompress(data) if data else b""
            except zlib.error:
                sink(b"", Cut())
                return
            if plain or not data:
                sink(plain, error)

        return decoded

    def give_up(self, error: Exception) -> None:
        """End the body with this error."""
        self._connection.fail(error)

    def release(self, linger: float) -> None:
        """The rest is not wanted: keep the connection if the body ends within `linger` seconds."""
        self._connection.release(linger)


class Connection(asyncio.Protocol):
    """One connection: at most one exchange at a time."""

    def __init__(self, pool: Pool, address: Address) -> None:
        self._pool = pool
        self._address = address
        self._transport: asyncio.Transport | None = None
        self._reset()
        self._exchanging = False
        self.idle_since = 0.0

    def _reset(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._headers: dict[str, str] = {}
        self._body: list[bytes] = []
        self._held = self._head_bytes = 0
        self._started = self._headed = self._complete = self._paused = self._reusable = False
        self._error: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._sink: Sink | None = None
        self._linger: asyncio.TimerHandle | None = None

    async def post(self, head: bytes, body: bytes) -> Response:
        """Send a request; its response once the headers are there. Raises Dropped or Garbled."""
        assert self._transport is not None
        self._reset()
        self._exchanging = True
        self._transport.write(head + body)
        while not self._headed:
            if self._error is not None:
                raise self._error
            await self._wait()
        return Response(self, self._parser.get_status_code(), self._headers)

    def deliver(self, sink: Sink | None) -> None:
        self._sink = sink
        self._hand_on()

    def _hand_on(self) -> None:
        """Give the sink what there is, and then the end. It may take itself away in the middle of it."""
        if self._body and self._sink is not None:
            body, self._body, self._held = self._body, [], 0
            self._sink(body[0] if len(body) == 1 else b"".join(body), None)
        if self._sink is not None and not self._body and (self._complete or self._error is not None):
            sink, self._sink = self._sink, None
            sink(b"", None if self._complete else self._error)
        if self._paused and not self._body and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()

    async def _wait(self) -> None:
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
        self._hand_on()

    def fail(self, error: Exception) -> None:
        if self._error is None and not self._complete:
            self._error = error
            self._wake()

    def release(self, linger: float) -> None:
        if not self._exchanging:
            return  # released before: it may be somebody else's by now
        if self._complete and self._error is None:
            self._keep_or_close()
        elif linger and self._error is None:
            self._linger = asyncio.get_running_loop().call_later(linger, self.close)
        else:
            self.close()

    def _keep_or_close(self) -> None:
        if self._linger is not None:
            self._linger.cancel()
        if self.is_open and self._reusable and not self._paused:
            self._exchanging = False
            self.idle_since = time.monotonic()
            self._pool.keep(self._address, self)
        else:
            self.close()

    @property
    def is_open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    @property
    def is_fresh(self) -> bool:
        """Whether a kept connection may be used again."""
        return self.is_open and time.monotonic() - self.idle_since < KEPT_SECONDS

    def close(self) -> None:
        if not self._complete and self._error is None:
            self._error = Cut()  # its own end is not the end of a body
        if self._transport is not None:
            self._transport.abort()

    # asyncio's callbacks

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one by its methods only

    def data_received(self, data: bytes) -> None:
        if not self._exchanging:
            self.close()  # an answer to nothing
            return
        self._started = True
        try:
            self._parser.feed_data(data)
            if not self._headed:
                self._count_head(len(data))
        except (Garbled, httptools.HttpParserError, httptools.HttpParserUpgrade):
            self.fail(Garbled())
            self.close()
        self._wake()
        if self._held > HELD_BYTES and not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()

    def _count_head(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > HEAD_BYTES:
            raise Garbled

    def connection_lost(self, error: Exception | None) -> None:
        until_close = "content-length" not in self._headers and "transfer-encoding" not in self._headers
        if self._headed and until_close and error is None and self._error is None:
            self._complete = True
        self.fail(Cut() if self._headed else Garbled() if self._started else Dropped())
        self._wake()
        self._transport = None
        if self._linger is not None:
            self._linger.cancel()

    # the parser's callbacks

    def on_message_begin(self) -> None:
        if self._complete:
            raise Garbled  # more than was asked for

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._headed:  # else a trailer
            self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        self._headed = self._parser.get_status_code() >= 200

    def on_body(self, data: bytes) -> None:
        self._body.append(data)
        self._held += len(data)

    def on_message_complete(self) -> None:
        if not self._headed:  # 100 Continue and its like
            self._headers = {}
            return
        self._complete, self._reusable = True, self._parser.should_keep_alive()
        if self._linger is not None:
            self._keep_or_close()


class Pool:
    """The kept connections of one event loop."""

    def __init__(self) -> None:
        self._idle: defaultdict[Address, list[Connection]] = defaultdict(list)
        self._all: weakref.WeakSet[Connection] = weakref.WeakSet()

    async def post(self, address: Address, head: bytes, body: bytes, *, connect_timeout: float) -> Response:
        """Raises NotConnected, ConnectTimeout, Dropped or Garbled."""
        connection = self._kept(address) or await self._connect(address, connect_timeout)
        try:
            return await connection.post(head, body)
        except BaseException as error:
            connection.close()
            if isinstance(error, Dropped):
                self._forget(
                    address
                )  # who closed one has closed the others: the next try shall not meet them
            raise

    def _kept(self, address: Address) -> Connection | None:
        idle = self._idle[address]
        while idle:
            connection = idle.pop()
            if connection.is_fresh:
                return connection
            connection.close()
        return None

    def _forget(self, address: Address) -> None:
        for connection in self._idle.pop(address, []):
            connection.close()

    async def _connect(self, address: Address, seconds: float) -> Connection:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(seconds):
                _, connection = await loop.create_connection(
                    lambda: Connection(self, address),
                    address.host,
                    address.port,
                    ssl=_tls() if address.tls else None,
                )
        except TimeoutError:
            raise ConnectTimeout from None
        except (OSError, ValueError) as error:
            raise NotConnected(type(error).__name__) from None
        self._all.add(connection)
        return connection

    def keep(self, address: Address, connection: Connection) -> None:
        idle = self._idle[address]
        while idle and not idle[0].is_fresh:  # the latest is used first: without this a crowd's never end
            idle.pop(0).close()
        idle.append(connection)

    def close(self) -> None:
        for connection in list(self._all):
            connection.close()
        self._idle.clear()


_pools: dict[asyncio.AbstractEventLoop, Pool] = {}


def pool() -> Pool:
    """The running loop's own."""
    loop = asyncio.get_running_loop()
    if loop not in _pools:
        for gone in [other for other in _pools if other.is_closed()]:
            del _pools[gone]
        _pools[loop] = Pool()
    return _pools[loop]


async def close() -> None:
    """Close the connections of the running loop, if it has any."""
    closing = _pools.pop(asyncio.get_running_loop(), None)
    if closing is not None:
        closing.close()


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()


def request_head(address: Address, headers: dict[str, str], length: int) -> bytes:
    """The head of a POST. Raises ValueError where a header could end its line."""
    lines = [f"POST {address.path} HTTP/1.1", f"Host: {address.name}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    lines.append(f"Content-Length: {length}")
    if any("\r" in line or "\n" in line for line in lines):
        raise ValueError("A header must be one line.")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
