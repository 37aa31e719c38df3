"""The model wire over real HTTP on loopback: each failure is told apart, and a second try made where it helps."""

from __future__ import annotations

import asyncio
import socket
import time
from email.utils import formatdate

import pytest

from chat import errors, llm
from chat.llm.answer import EVENT_BYTES, retry_after
from tests import model_server as fake
from tests.model_server import DONE, EMPTY, GARBAGE, HTML, ModelServer, Raw, delta, event
from tests.services import free_port

from .hearing import Heard, ask, listen, request

CHUNKED = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
REDIRECT = b"HTTP/1.1 302 Found\r\nLocation: /v1/chat/completions\r\nContent-Length: 0\r\n\r\n"


@pytest.mark.parametrize(
    ("behaviour", "error", "requests"),
    [
        (fake.Refuse(401), errors.ModelUnauthorized, 1),
        (fake.Refuse(403), errors.ModelUnauthorized, 1),
        (fake.Refuse(400), errors.ModelError, 1),
        (fake.Wire(REDIRECT), errors.ModelError, 1),
        (fake.Refuse(500), errors.ModelError, 2),
        (fake.Refuse(503, retry_after="30"), errors.ModelError, 1),
        (fake.Refuse(429, retry_after="0.05"), errors.ModelRateLimited, 2),
        (fake.Refuse(429, retry_after="30"), errors.ModelRateLimited, 1),
        (fake.Refuse(429), errors.ModelRateLimited, 1),
        (fake.Drop(), errors.ModelUnreachable, 2),
        (fake.CutAfter(0), errors.ModelCut, 1),
        (GARBAGE, errors.ModelGarbage, 1),
        (HTML, errors.ModelGarbage, 1),
        (Raw([b"<html>"], kind="text/plain"), errors.ModelGarbage, 1),
        (Raw([b"data: 5\n\n"]), errors.ModelGarbage, 1),
        (Raw([b'data: {"choices": [[]]}\n\n']), errors.ModelGarbage, 1),
        (Raw([b"data: " + b"[" * 100_000 + b"\n\n"]), errors.ModelGarbage, 1),
        (Raw([b"data: " + b"x" * (EVENT_BYTES + 1)]), errors.ModelGarbage, 1),
        (Raw([b'{"detail": "no such thing"}'], kind="application/json"), errors.ModelGarbage, 1),
        (Raw([b'{"choices": ['], kind="application/json"), errors.ModelGarbage, 1),
        (Raw([event(error={"message": "overloaded"})]), errors.ModelError, 2),
        (Raw([event(error={"message": "too long", "code": 400})]), errors.ModelError, 1),
        (Raw([event(error={"message": "slow down", "code": "429"})]), errors.ModelRateLimited, 1),
        (EMPTY, errors.ModelEmpty, 1),
        (fake.PlainJson(""), errors.ModelEmpty, 1),
        (Raw([]), errors.ModelEmpty, 1),
        (fake.Wire(b"220 mail.example.com ESMTP\r\n"), errors.ModelGarbage, 1),
        (fake.Wire(CHUNKED + b"zz\r\nnot a chunk"), errors.ModelGarbage, 1),
        (fake.Wire(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\nnot gzip"), errors.ModelCut, 1),
    ],
)
def test_each_failure_is_told_apart(
    server: ModelServer, behaviour: fake.Behaviour, error: type[errors.ModelError], requests: int
) -> None:
    server.enqueue(behaviour, behaviour)
    heard = ask(server.url)
    assert (type(heard.error), heard.chunks, len(server.received)) == (error, [], requests)


def test_a_server_that_is_not_there_is_unreachable() -> None:
    heard = ask(f"http://127.0.0.1:{free_port()}/v1")
    assert type(heard.error) is errors.ModelUnreachable


@pytest.mark.parametrize(
    "address", ["ftp://localhost/v1", "not an address", "", "http://a..b", "http://u:p@localhost"]
)
def test_an_address_that_is_none_is_unreachable(address: str) -> None:
    assert type(ask(address).error) is errors.ModelUnreachable


def test_a_server_that_does_not_accept_is_a_timeout() -> None:
    with socket.socket() as full, socket.socket() as first, socket.socket() as second:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for waiting in (first, second):
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        heard = ask(f"http://127.0.0.1:{full.getsockname()[1]}/v1", connect_timeout=0.1)
    assert type(heard.error) is errors.ModelTimeout


@pytest.mark.parametrize(
    "behaviour", [fake.Hang(), fake.Hang(after=0), Raw([b": working\n\n"] * 50, gap=0.05)]
)
def test_no_first_token_in_time_is_a_timeout(server: ModelServer, behaviour: fake.Behaviour) -> None:
    server.enqueue(behaviour)
    started = time.monotonic()
    heard = ask(server.url, first_token_timeout=0.3, idle_timeout=0.1)
    assert type(heard.error) is errors.ModelTimeout
    assert 0.25 < time.monotonic() - started < 2
    assert len(server.received) == 1
    assert server.client_left()


def test_a_stall_in_mid_answer_is_a_timeout_and_keeps_the_text(server: ModelServer) -> None:
    server.enqueue(fake.Hang(after=2))
    heard = ask(server.url, idle_timeout=0.2)
    assert (heard.text, type(heard.error)) == ("tok0 tok1 ", errors.ModelTimeout)
    assert server.client_left()


def test_a_listener_that_fails_ends_the_answer_and_hangs_up(server: ModelServer) -> None:
    def full(text: str) -> None:
        raise MemoryError(text)

    async def run() -> None:
        model = llm.OpenAIModel(server.url)
        with pytest.raises(MemoryError, match="tok1"):
            heard: list[str] = []
            await model.answer(request("paced-20ms-10000"), lambda t: full(t) if heard else heard.append(t))
        await llm.close()

    asyncio.run(run())
    assert server.client_left()


def test_an_answer_without_end_is_ended_by_the_total_time(server: ModelServer) -> None:
    heard = ask(server.url, request("paced-20ms-10000"), total_timeout=1.5)
    assert heard.text.startswith("tok0 tok1 ")
    assert type(heard.error) is errors.ModelTimeout


def test_a_cut_in_mid_answer_keeps_the_text_and_is_not_tried_again(server: ModelServer) -> None:
    server.enqueue(fake.CutAfter(3))
    heard = ask(server.url)
    assert (heard.text, type(heard.error)) == ("tok0 tok1 tok2 ", errors.ModelCut)
    assert len(server.received) == 1


def test_a_body_that_ends_without_a_finish_reason_is_a_cut(server: ModelServer) -> None:
    server.enqueue(Raw([delta("Hel"), delta("lo"), b'data: {"choices": [{"del']))
    heard = ask(server.url)
    assert (heard.text, type(heard.error)) == ("Hello", errors.ModelCut)


@pytest.mark.parametrize(
    ("part", "error"),
    [
        (b"data: {not json\n\n", errors.ModelGarbage),
        (event(error={"message": "overloaded"}), errors.ModelError),
    ],
)
def test_text_before_a_bad_event_is_kept(
    server: ModelServer, part: bytes, error: type[errors.ModelError]
) -> None:
    server.enqueue(Raw([delta("Hello") + part + delta("never"), DONE]))
    heard = ask(server.url)
    assert (heard.text, type(heard.error), len(server.received)) == ("Hello", error, 1)


@pytest.mark.parametrize(
    "first",
    [
        fake.Refuse(500),
        fake.Refuse(429, retry_after="0"),
        fake.Drop(),
        Raw([event(error={"message": "overloaded"})]),
    ],
)
def test_a_second_try_before_the_first_token_heals(server: ModelServer, first: fake.Behaviour) -> None:
    server.enqueue(first, fake.Answer(["Hello"]))
    heard = ask(server.url)
    assert (heard.text, heard.error, len(server.received)) == ("Hello", None, 2)
    assert server.received[0] == server.received[1]


def test_a_kept_connection_that_was_closed_meanwhile_is_replaced(server: ModelServer) -> None:
    async def two() -> list[Heard]:
        model = llm.OpenAIModel(server.url)
        one = await listen(model, request())
        await asyncio.sleep(0.05)
        two = await listen(model, request())
        await llm.close()
        return [one, two]

    server.enqueue(fake.Answer(["one"]), fake.Drop(), fake.Answer(["two"]))
    assert [heard.text for heard in asyncio.run(two())] == ["one", "two"]
    assert server.peers[0] == server.peers[1] != server.peers[2]


def test_both_tries_share_the_time_of_the_first_token(server: ModelServer) -> None:
    server.enqueue(fake.Refuse(500), fake.Hang())
    started = time.monotonic()
    assert type(ask(server.url, first_token_timeout=0.5).error) is errors.ModelTimeout
    assert time.monotonic() - started < 2


def test_the_wait_that_a_busy_server_asks_for_is_handed_on(server: ModelServer) -> None:
    server.enqueue(fake.Refuse(429, retry_after="17"))
    error = ask(server.url).error
    assert error is not None
    assert error.as_frame()["retry_after"] == 17


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("3", 3),
        ("0.5", 0.5),
        ("-1", 0),
        ("1e999", None),
        ("nan", None),
        ("soon", None),
        (None, None),
        ("9" * 9, 86_400),
    ],
)
def test_a_retry_after_is_read_in_seconds(header: str | None, seconds: float | None) -> None:
    assert retry_after(header) == seconds


def test_a_retry_after_is_read_as_a_date() -> None:
    assert retry_after(formatdate(time.time() + 60, usegmt=True)) == pytest.approx(60, abs=2)
