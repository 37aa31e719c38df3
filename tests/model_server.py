"""A scripted OpenAI-compatible server: a real HTTP server that answers, stalls, lies and breaks as told.

In a test it runs in a thread (`with ModelServer() as server`) and plays what was enqueued, in order. As a
process (`python -m tests.model_server --port 9000`) a request chooses by its model's name: `tokens-50`,
`burst-50`, `paced-20ms-50`, `slow-500ms`, `hang`, `cut-3`, `refuse-401`, `refuse-429`, `refuse-500`, `drop`,
`garbage`, `html`, `empty`, `json`. Any other name gets "You said: …" in a few chunks.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import re
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from aiohttp import web

FRAME = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1_700_000_000, "model": "scripted"}
DONE = b"data: [DONE]\n\n"
FOREVER = 3600.0
TOLD_CHARACTERS = 40


def event(**fields: Any) -> bytes:
    """One server-sent event with these fields beside those that every chunk has."""
    return b"data: " + json.dumps(FRAME | fields, ensure_ascii=False).encode() + b"\n\n"


def delta(text: str) -> bytes:
    return event(choices=[{"index": 0, "delta": {"content": text}, "finish_reason": None}])


def finish(reason: str = "stop") -> bytes:
    return event(choices=[{"index": 0, "delta": {}, "finish_reason": reason}])


def usage(prompt: int, completion: int) -> bytes:
    counts = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
    return event(choices=[], usage=counts)


def numbered(count: int) -> list[str]:
    return [f"tok{number} " for number in range(count)]


@dataclass(frozen=True, slots=True)
class Call:
    """One request to be answered, and the bytes that came with it."""

    request: web.Request
    body: bytes

    @property
    def prompt(self) -> str:
        """What the user said last."""
        messages = json.loads(self.body)["messages"]
        return next((m["content"] for m in reversed(messages) if m["role"] == "user"), "")

    async def begin(self, kind: str = "text/event-stream") -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": kind})
        await response.prepare(self.request)
        return response

    def hang_up(self) -> None:
        if self.request.transport is not None:
            self.request.transport.close()


class Behaviour(Protocol):
    """How one request is answered."""

    async def play(self, call: Call) -> web.StreamResponse: ...


@dataclass(frozen=True)
class Raw:
    """These bytes, each part by itself and `gap` seconds apart; then the body ends, or the connection."""

    parts: list[bytes]
    kind: str = "text/event-stream"
    first: float = 0.0
    gap: float = 0.0
    cut: bool = False

    async def play(self, call: Call) -> web.StreamResponse:
        response = await call.begin(self.kind)
        for number, part in enumerate(self.parts):
            await asyncio.sleep(self.gap if number else self.first)
            await response.write(part)
        if self.cut:
            call.hang_up()
        else:
            await response.write_eof()
        return response


@dataclass(frozen=True)
class Answer:
    """A whole answer, one write to a token (`together`: one to all), the first after `first` seconds."""

    tokens: list[str]
    gap: float = 0.0
    first: float = 0.0
    together: bool = False
    reason: str = "stop"
    usage: tuple[int, int] | None = (7, 3)

    async def play(self, call: Call) -> web.StreamResponse:
        counted = usage(*self.usage) if self.usage else b""
        parts = [*map(delta, self.tokens), finish(self.reason) + counted + DONE]
        parts = [b"".join(parts)] if self.together else parts
        return await Raw(parts, first=self.first, gap=self.gap).play(call)


@dataclass(frozen=True)
class Echo:
    """The default: repeats how the last user message begins."""

    async def play(self, call: Call) -> web.StreamResponse:
        return await Answer(["You ", "said: ", call.prompt[:TOLD_CHARACTERS]]).play(call)


@dataclass(frozen=True)
class CutAfter:
    """So many tokens, then the connection is closed in mid-answer."""

    count: int
    gap: float = 0.0

    async def play(self, call: Call) -> web.StreamResponse:
        return await Raw([delta(token) for token in numbered(self.count)], gap=self.gap, cut=True).play(call)


@dataclass(frozen=True)
class Refuse:
    """A status other than 200, with an error body in OpenAI's manner."""

    status: int
    retry_after: str | None = None
    message: str = "Refused."

    async def play(self, call: Call) -> web.StreamResponse:
        headers = {"Retry-After": self.retry_after} if self.retry_after else None
        body = {"error": {"message": self.message, "type": "scripted", "code": None}}
        return web.json_response(body, status=self.status, headers=headers)


@dataclass(frozen=True)
class Hang:
    """Nothing for so many seconds: no headers, or after `after` tokens no more of them."""

    seconds: float = FOREVER
    after: int | None = None

    async def play(self, call: Call) -> web.StreamResponse:
        if self.after is not None:
            response = await call.begin()
            await response.write(b"".join(map(delta, numbered(self.after))))
        await asyncio.sleep(self.seconds)
        return web.Response()


@dataclass(frozen=True)
class Drop:
    """The connection is closed without a byte."""

    async def play(self, call: Call) -> web.StreamResponse:
        call.hang_up()
        return web.Response()


@dataclass(frozen=True)
class Wire:
    """These bytes on the connection, which need not be HTTP, and then its end."""

    sent: bytes

    async def play(self, call: Call) -> web.StreamResponse:
        assert call.request.transport is not None
        call.request.transport.write(self.sent)
        return await Drop().play(call)


@dataclass(frozen=True)
class PlainJson:
    """A server that ignores `stream`: the whole chat.completion at once."""

    text: str

    async def play(self, call: Call) -> web.StreamResponse:
        choice = {"index": 0, "message": {"role": "assistant", "content": self.text}, "finish_reason": "stop"}
        counts = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
        return web.json_response(FRAME | {"choices": [choice], "usage": counts})


GARBAGE = Raw([b"data: {not json\n\n"])
HTML = Raw([b"<!doctype html><title>Welcome to the proxy</title>"], kind="text/html")
EMPTY = Raw([finish(), DONE])

# What a model's name asks for; the numbers in it are handed over.
BY_NAME: dict[str, Callable[..., Behaviour]] = {
    r"tokens-(\d+)": lambda count: Answer(numbered(count)),
    r"burst-(\d+)": lambda count: Answer(numbered(count), together=True),
    r"paced-(\d+)ms-(\d+)": lambda gap, count: Answer(numbered(count), gap=gap / 1000),
    r"slow-(\d+)ms": lambda first: Answer(numbered(3), first=first / 1000),
    r"hang": Hang,
    r"cut-(\d+)": CutAfter,
    r"refuse-(\d+)": Refuse,
    r"drop": Drop,
    r"garbage": lambda: GARBAGE,
    r"html": lambda: HTML,
    r"empty": lambda: EMPTY,
    r"json": lambda: PlainJson("The whole answer."),
}


def named(model: str) -> Behaviour:
    for pattern, behaviour in BY_NAME.items():
        if match := re.fullmatch(pattern, model):
            return behaviour(*map(int, match.groups()))
    return Echo()


@dataclass
class Script:
    """What is played and what was heard; safe to read and to add to from another thread."""

    queue: deque[Behaviour] = field(default_factory=deque)
    received: list[bytes] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    peers: list[int] = field(default_factory=list)
    keep: bool = True
    left: threading.Event = field(default_factory=threading.Event)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        call = Call(request, await request.read())
        if self.keep:
            self.note(call)
        behaviour = self.queue.popleft() if self.queue else named(json.loads(call.body).get("model", ""))
        try:
            return await behaviour.play(call)
        except (asyncio.CancelledError, ConnectionError):
            self.left.set()
            raise

    def note(self, call: Call) -> None:
        assert call.request.transport is not None
        self.received.append(call.body)
        self.headers.append(dict(call.request.headers))
        self.peers.append(call.request.transport.get_extra_info("peername")[1])

    async def serve(self, host: str, port: int) -> tuple[web.AppRunner, int]:
        """Start listening; gives the runner, to be cleaned up, and the port."""
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.router.add_post("/v1/chat/completions", self.answer)
        runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, host, port).start()
        return runner, runner.addresses[0][1]


class ModelServer:
    """The server in a thread of its own. `url` ends in /v1; `received` has the exact bodies, in order;
    `peers` the client's port of each, which tells its connections apart."""

    def __init__(self, *, port: int = 0) -> None:
        self.script = Script()
        self.received = self.script.received
        self.headers = self.script.headers
        self.peers = self.script.peers
        self.url = ""
        self._port = port
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="model-server", daemon=True)
        self._ready = threading.Event()
        self._stop = asyncio.Event()

    def enqueue(self, *behaviours: Behaviour) -> None:
        """Play these for the next requests, one each; then requests choose by model name again."""
        self.script.queue.extend(behaviours)

    def forget(self) -> None:
        """Nothing is to be played, nothing was heard."""
        for kept in (self.script.queue, self.received, self.headers, self.peers):
            kept.clear()
        self.script.left.clear()

    def client_left(self, timeout: float = 5.0) -> bool:
        """Did a client hang up in mid-answer? Waits for it up to `timeout` seconds."""
        return self.script.left.wait(timeout)

    def __enter__(self) -> ModelServer:
        self._thread.start()
        if not self._ready.wait(10):
            raise RuntimeError("the model server did not start")
        return self

    def __exit__(self, *exc: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._serve())
        finally:
            self._loop.close()

    async def _serve(self) -> None:
        runner, port = await self.script.serve("127.0.0.1", self._port)
        self.url = f"http://127.0.0.1:{port}/v1"
        self._ready.set()
        await self._stop.wait()
        await runner.cleanup()


async def serve_forever(host: str, port: int) -> None:
    _, bound = await Script(keep=False).serve(host, port)
    print(f"http://{host}:{bound}/v1", flush=True)
    await asyncio.Event().wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one; the address is printed")
    arguments = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve_forever(arguments.host, arguments.port))


if __name__ == "__main__":
    main()
