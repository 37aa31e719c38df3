"""The client of the model wire against servers that speak raw bytes: every way that a body ends or does not."""

from __future__ import annotations

import asyncio
import zlib

import pytest

from chat.llm import http
from chat.llm.http import Cut, Dropped, Garbled

from .raw_server import CHUNKED, FIVE, OK, Script, body_of, byte_by_byte, closing, looped, peer, then_close

# How a body ends


@pytest.mark.parametrize(
    "script",
    [
        FIVE,
        byte_by_byte(FIVE),
        CHUNKED + b"2\r\nhe\r\n3;extension=1\r\nllo\r\n0\r\n\r\n",
        byte_by_byte(CHUNKED + b"5\r\nhello\r\n0\r\nTrailer: 1\r\n\r\n"),
        then_close(OK + b"\r\nhello"),
        then_close(b"HTTP/1.0 200 OK\r\n\r\nhello"),
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nContent-Length: 9\r\n\r\n" + FIVE,
        OK + b"Content-Encoding: gzip\r\nContent-Length: 25\r\n\r\n" + zlib.compress(b"hello", wbits=31),
    ],
    ids=["length", "torn", "chunked", "trailers", "until close", "HTTP/1.0", "1xx", "gzip"],
)
@looped
async def test_a_whole_body_is_heard(script: bytes | Script) -> None:
    async with peer(script) as server:
        assert await server.fetch() == b"hello"


@pytest.mark.parametrize(
    ("script", "kind"),
    [
        (then_close(OK + b"Content-Length: 9\r\n\r\nhello"), Cut),
        (then_close(CHUNKED + b"5\r\nhello\r\n"), Cut),
        (CHUNKED + b"5\r\nhello\r\nnot a length\r\n", Garbled),
        (OK + b"Content-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello", Cut),
    ],
    ids=["short", "no last chunk", "bad chunk", "not gzip"],
)
@looped
async def test_a_broken_body_says_so(script: bytes | Script, kind: type[Exception]) -> None:
    async with peer(script) as server:
        assert await server.fetch() is kind


@pytest.mark.parametrize(
    ("script", "kind"),
    [
        (closing, Dropped),
        (then_close(b"HTTP/1.1 200"), Garbled),
        (b"220 smtp.example.org ESMTP\r\n", Garbled),
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", Garbled),
        (OK + b"X: " + b"x" * 200_000, Garbled),
        (OK + b"X: y\r\n" * 50_000, Garbled),
    ],
    ids=["nothing", "half a head", "no HTTP", "upgrade", "long header", "many headers"],
)
@looped
async def test_what_has_no_head_raises(script: bytes | Script, kind: type[Exception]) -> None:
    async with peer(script) as server:
        with pytest.raises(kind):
            await server.post()


@looped
async def test_a_trailer_is_no_header() -> None:
    async with peer(CHUNKED + b"1\r\na\r\n0\r\nContent-Type: text/html\r\n\r\n") as server:
        assert (await server.post()).content_type == ""


@looped
async def test_a_body_that_was_given_up_is_not_whole_because_the_connection_ends() -> None:
    async with peer(OK + b"\r\nhel") as server:
        response = await server.post()
        assert (await response.read())[0] == b"hel"
        response.give_up(TimeoutError())
        response.release(0)
        await asyncio.sleep(0.05)
        assert isinstance((await response.read())[1], TimeoutError)


@looped
async def test_giving_up_after_the_end_changes_nothing() -> None:
    async with peer(FIVE) as server:
        response = await server.post()
        response.give_up(TimeoutError())
        assert await body_of(response) == b"hello"


@looped
async def test_closing_the_pool_ends_what_is_under_way() -> None:
    async with peer(OK + b"\r\nhel") as server:
        response = await server.post()
        await response.read()
        server.pool.close()
        assert isinstance((await response.read())[1], Cut)


# Connections that serve again


@looped
async def test_a_connection_serves_again() -> None:
    async with peer(FIVE, CHUNKED + b"1\r\na\r\n0\r\n\r\n", FIVE) as server:
        assert [await server.fetch() for _ in range(3)] == [b"hello", b"a", b"hello"]
        assert server.connections == 1


@pytest.mark.parametrize(
    "first",
    [
        OK + b"Connection: close\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        FIVE + FIVE,
        FIVE + b"HTTP/1.1 200",
        FIVE + b"more",
    ],
    ids=["told to close", "HTTP/1.0", "two answers", "part of another", "more than its length"],
)
@looped
async def test_a_connection_that_is_not_sound_serves_once(first: bytes) -> None:
    async with peer(first, FIVE) as server:
        assert [await server.fetch() for _ in range(2)] == [b"hello", b"hello"]
        assert server.connections == 2


@looped
async def test_half_read_bodies_are_not_kept() -> None:
    async with peer(OK + b"Content-Length: 9\r\n\r\nhello", FIVE) as server:
        response = await server.post()
        await response.read()
        response.release(0)
        assert await server.fetch() == b"hello"


@looped
async def test_a_release_that_lingers_keeps_the_connection_if_the_body_ends() -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(CHUNKED + b"1\r\na\r\n")
        await asyncio.sleep(0.05)
        writer.write(b"0\r\n\r\n")

    async with peer(script, FIVE) as server:
        (await server.post()).release(1)
        await asyncio.sleep(0.15)
        assert (await server.fetch(), server.connections) == (b"hello", 1)


@looped
async def test_a_release_does_not_linger_for_ever() -> None:
    async with peer(CHUNKED + b"1\r\na\r\n") as server:
        (await server.post()).release(0.05)
        await asyncio.wait_for(server.closed.wait(), 2)


@looped
async def test_a_second_release_does_not_lend_a_connection_twice() -> None:
    async with peer(FIVE, OK + b"Content-Length: 2\r\n\r\na", FIVE) as server:
        first = await server.post()
        first.release(0)
        first.release(0)
        await server.post()
        assert (await server.fetch(), server.connections) == (b"hello", 2)


@looped
async def test_a_kept_connection_that_the_server_closed_is_not_used() -> None:
    async with peer(then_close(FIVE), FIVE) as server:
        assert await server.fetch() == b"hello"
        await asyncio.sleep(0.05)
        assert await server.fetch() == b"hello"


@looped
async def test_after_one_kept_connection_was_dropped_none_of_the_others_is_tried() -> None:
    async with peer(FIVE, FIVE, FIVE, closing, FIVE) as server:
        for response in [await server.post() for _ in range(3)]:
            response.release(0)
        with pytest.raises(Dropped):
            await server.post()
        assert (await server.fetch(), server.connections) == (b"hello", 4)


@looped
async def test_kept_connections_grow_old(monkeypatch: pytest.MonkeyPatch) -> None:
    async with peer(FIVE, FIVE, FIVE, FIVE) as server:
        for response in [await server.post() for _ in range(3)]:
            response.release(0)
        monkeypatch.setattr(http, "KEPT_SECONDS", 0.0)
        await server.fetch()
        assert (server.connections, len(server.pool._idle[server.address])) == (4, 1)


@looped
async def test_an_answer_to_nothing_closes_the_connection() -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(FIVE)
        await asyncio.sleep(0.05)
        writer.write(FIVE)

    async with peer(script, FIVE) as server:
        await server.fetch()
        await asyncio.sleep(0.15)
        assert (await server.fetch(), server.connections) == (b"hello", 2)


# Waiting


@looped
async def test_who_is_cancelled_while_waiting_hangs_up() -> None:
    async with peer(b"") as server:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(server.post(), 0.1)
        await asyncio.wait_for(server.closed.wait(), 2)


@looped
async def test_a_read_that_was_cancelled_leaves_the_response_usable() -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(CHUNKED)
        await asyncio.sleep(0.1)
        writer.write(b"1\r\na\r\n0\r\n\r\n")

    async with peer(script) as server:
        response = await server.post()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(response.read(), 0.02)
        assert await body_of(response) == b"a"


@looped
async def test_a_body_that_nobody_reads_is_not_taken_in() -> None:
    size = 24 * 1024 * 1024

    async with peer(OK + b"Content-Length: %d\r\n\r\n" % size + bytes(size)) as server:
        response = await server.post()
        await asyncio.sleep(0.3)
        assert response._connection._held < 2 * http.HELD_BYTES
        assert await body_of(response) == bytes(size)


@looped
async def test_a_sink_hears_all_and_the_end() -> None:
    async with peer(byte_by_byte(CHUNKED + b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n")) as server:
        heard: list[tuple[bytes, Exception | None]] = []
        over = asyncio.Event()
        response = await server.post()
        response.deliver(lambda data, error: (heard.append((data, error)), data or over.set()))  # type: ignore[func-returns-value]
        await over.wait()
        assert (b"".join(data for data, _ in heard), heard[-1]) == (b"hello", (b"", None))
