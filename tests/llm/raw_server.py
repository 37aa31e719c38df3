"""A server that says exactly the bytes it is told to, for the client of the model wire."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvloop

from chat.llm.http import Address, Pool, Response, request_head

OK = b"HTTP/1.1 200 OK\r\n"
FIVE = OK + b"Content-Length: 5\r\n\r\nhello"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


def looped(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """An asynchronous test that is run on each kind of loop."""

    @functools.wraps(test)
    def run(loop: Any, **fixtures: Any) -> None:
        with asyncio.Runner(loop_factory=loop) as runner:
            runner.run(asyncio.wait_for(test(**fixtures), 10))

    own = inspect.signature(test)
    first = inspect.Parameter("loop", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    run.__signature__ = own.replace(parameters=[first, *own.parameters.values()])  # type: ignore[attr-defined]
    return pytest.mark.parametrize("loop", LOOPS.values(), ids=LOOPS)(run)


class Peer:
    """A server that plays one script for each request; it counts its connections."""

    def __init__(self, *scripts: bytes | Script) -> None:
        self.scripts = list(scripts)
        self.connections = 0
        self.requests: list[bytes] = []
        self.closed = asyncio.Event()
        self.pool = Pool()
        self.address: Address

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while not writer.is_closing():
                self.requests.append(await reader.readuntil(b"{}"))
                await self.play(self.scripts.pop(0), reader, writer)
            await writer.wait_closed()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.closed.set()
            writer.close()

    async def play(
        self, script: bytes | Script, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        if callable(script):
            await script(reader, writer)
        else:
            writer.write(script)

    async def post(self, connect_timeout: float = 2) -> Response:
        head = request_head(self.address, {"Accept": "*/*"}, 2)
        return await self.pool.post(self.address, head, b"{}", connect_timeout=connect_timeout)

    async def fetch(self) -> bytes | type[Exception]:
        """A whole exchange: its body, or the kind of its bad end."""
        response = await self.post()
        try:
            return await body_of(response)
        finally:
            response.release(0)


@asynccontextmanager
async def peer(*scripts: bytes | Script, host: str = "127.0.0.1", **options: Any) -> AsyncIterator[Peer]:
    this = Peer(*scripts)
    server = await asyncio.start_server(this.serve, host, 0, **options)
    scheme = "https" if options else "http"
    name = f"[{host}]" if ":" in host else "localhost" if options else host
    this.address = Address.of(f"{scheme}://{name}:{server.sockets[0].getsockname()[1]}/v1")
    try:
        yield this
    finally:
        this.pool.close()
        server.close()


async def body_of(response: Response) -> bytes | type[Exception]:
    body = b""
    while True:
        data, error = await response.read()
        if error is not None:
            return type(error)
        if not data:
            return body
        body += data


async def closing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


def then_close(data: bytes) -> Script:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        writer.close()

    return script


def byte_by_byte(data: bytes) -> Script:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for n in range(len(data)):
            writer.write(data[n : n + 1])
            await asyncio.sleep(0)

    return script
