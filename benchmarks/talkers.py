"""The sockets of the load client: each plays one turn after another, checked to the last token.

A turn that fails, lacks a token or does not end `complete` raises `Failed` with a sentence.
"""

from __future__ import annotations

import asyncio
import statistics
import uuid
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any
from urllib.parse import urlsplit

import httptools
import orjson
from model_server import ANSWER
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

TURN_TIMEOUT = 30.0
STATES = ["CA", "NY", "TX", "WA", "OR", "NV", "AZ", "FL"]


@dataclass
class Plan:
    """What one run does. `dialect` is ours, openai (a model server or a gateway) or chainlit."""

    door: str  # ws, sse
    url: str
    sockets: int
    seconds: float
    dialect: str = "ours"
    warm_turns: int = 1
    stagger: float = 0.0  # seconds over which the sockets start
    metadata_every: int = 0  # change the metadata every so many turns; 0 never
    flow: dict[str, str] = field(default_factory=dict)
    model: str = "back-to-back"
    token: str = ""


class Failed(Exception):
    """A turn was not what a turn has to be."""


class Tally:
    """What all sockets have seen since the start line."""

    def __init__(self) -> None:
        self.unmeasured = 0
        self.clear()

    def clear(self) -> None:
        """Forget the turns before the start line, but not how many they were."""
        self.turns = 0
        self.frames = 0
        self.first_tokens: list[float] = []
        self.latencies: list[float] = []

    def as_json(self, elapsed: float) -> bytes:
        """Milliseconds, except `elapsed` in seconds; `unmeasured` turns were played before the start line."""
        cuts = statistics.quantiles(self.latencies, n=100) if self.turns > 1 else [0.0] * 99
        return orjson.dumps(
            {
                "turns": self.turns,
                "unmeasured": self.unmeasured,
                "elapsed": elapsed,
                "frames_per_turn": self.frames / max(self.turns, 1),
                "ttft_p50": statistics.median(self.first_tokens or [0.0]) * 1000,
                "p50": cuts[49] * 1000,
                "p99": cuts[98] * 1000,
            }
        )


def read_ours(event: dict[str, Any]) -> tuple[str, bool]:
    """The text of one of our frames, and whether the turn has ended well."""
    if "error" in event:
        raise Failed(f"The server answered with an error: {event}")
    if event.get("eos"):
        if event.get("status") != "complete":
            raise Failed(f"The turn did not end complete: {event}")
        return "", True
    return event.get("data", ""), False


def read_openai(event: dict[str, Any]) -> tuple[str, bool]:
    """The text of a chat.completion.chunk; a finish reason ends the turn."""
    if "error" in event:
        raise Failed(f"The server answered with an error: {event}")
    choices = event["choices"]
    if not choices:
        return "", False
    return choices[0]["delta"].get("content") or "", bool(choices[0].get("finish_reason"))


class Talker:
    """One socket's conversation: sends a turn, gathers its text, checks it, sends the next."""

    def __init__(self, plan: Plan, number: int, tally: Tally) -> None:
        self.plan, self.tally, self.number = plan, tally, number
        self.loop = asyncio.get_running_loop()
        self.session = str(uuid.uuid4())
        self.turn = 0
        self.text: list[str] = []
        self.left = 0
        self.deadline = 0.0
        self.ended = False
        self.done: asyncio.Future[None] | None = None

    def put(self, payload: bytes) -> None:
        """Send one turn; the door says how."""
        raise NotImplementedError

    def read(self, event: Any) -> tuple[str, bool]:
        """The text of one frame or event, and whether it ends the turn."""
        return read_ours(event) if self.plan.dialect == "ours" else read_openai(event)

    def metadata(self) -> dict[str, Any]:
        """About 170 bytes of context; one value moves every `metadata_every` turns."""
        every = self.plan.metadata_every
        return {
            "productGroup": "LICENSING",
            "stateCode": STATES[(self.turn // every) % len(STATES)] if every else "CA",
            "courseId": "life-and-health-2026",
            "progress": {"chapter": 7, "percent": 43.5},
            "lastQuiz": "annuities",
            "examDate": "2026-12-11",
        }

    def payload(self) -> bytes:
        """The next turn as the dialect spells it."""
        if self.plan.dialect == "openai":
            messages = [{"role": "user", "content": "Which licence do I need to sell annuities?"}]
            return orjson.dumps({"model": self.plan.model, "stream": True, "messages": messages})
        return orjson.dumps(
            {
                "session_id": self.session,
                "flow": self.plan.flow,
                "username": f"reader-{self.number}",
                "prompt": "Which licence do I need to sell annuities?",
                "metadata": self.metadata(),
                "token": self.plan.token,
                "client_message_id": f"{self.session}-{self.turn}",
            }
        )

    def begin(self) -> None:
        """Send the next turn now."""
        self.text.clear()
        self.ended = False
        self.turn += 1
        payload = self.payload()
        self.frames = 0
        self.first = 0.0
        self.began = perf_counter()
        self.put(payload)

    def hear(self, data: bytes) -> None:
        """Take one frame or event."""
        self.frames += 1
        text, ended = self.read(orjson.loads(data))
        if text:
            if not self.first:
                self.first = perf_counter()
            self.text.append(text)
        self.ended = self.ended or ended

    def finish(self) -> None:
        """The answer is whole: judge it, count it, and go on unless time is up."""
        now = perf_counter()
        text = "".join(self.text)
        if text != ANSWER or not self.ended:
            raise Failed(f"The answer is not the model's 50 tokens: {text!r}")
        tally = self.tally
        tally.turns += 1
        tally.frames += self.frames
        tally.first_tokens.append(self.first - self.began)
        tally.latencies.append(now - self.began)
        self.left -= 1
        if self.left > 0 or now < self.deadline:
            self.begin()
        elif self.done and not self.done.done():
            self.done.set_result(None)

    def fail(self, error: Exception) -> None:
        """Whoever waits for this socket is told."""
        if self.done and not self.done.done():
            self.done.set_exception(error)

    async def play(self, turns: int, deadline: float, delay: float = 0.0) -> None:
        """Play that many turns, or until the deadline."""
        await asyncio.sleep(delay)
        self.left, self.deadline = turns, deadline
        self.done = self.loop.create_future()
        self.begin()
        limit = max(deadline - perf_counter(), 0.0) + TURN_TIMEOUT
        await asyncio.wait_for(self.done, limit)


class SocketTalker(Talker, WSListener):
    """A talker on a WebSocket."""

    async def connect(self) -> None:
        await ws_connect(lambda: self, self.plan.url, websocket_handshake_timeout=20)

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.transport = transport

    def put(self, payload: bytes) -> None:
        self.transport.send(WSMsgType.TEXT, payload)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type != WSMsgType.TEXT:
            return
        try:
            self.hear(frame.get_payload_as_bytes())
            if self.ended:
                self.finish()
        except Exception as error:
            self.fail(error)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self.fail(Failed("The server closed the socket."))


class StreamTalker(Talker, asyncio.Protocol):
    """A talker that posts on one keep-alive connection and reads the event stream."""

    async def connect(self) -> None:
        address = urlsplit(self.plan.url)
        self.head = (
            f"POST {address.path} HTTP/1.1\r\nHost: {address.netloc}\r\nAccept: text/event-stream\r\n"
            f"Content-Type: application/json\r\nAuthorization: Bearer {self.plan.token or 'none'}\r\n"
            "Content-Length: "
        ).encode()
        await self.loop.create_connection(lambda: self, address.hostname, address.port)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def put(self, payload: bytes) -> None:
        self.parser = httptools.HttpResponseParser(self)
        self.unread = b""
        self.transport.write(b"%s%d\r\n\r\n%s" % (self.head, len(payload), payload))

    def data_received(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserCallbackError as error:
            self.fail(error.__context__ if isinstance(error.__context__, Exception) else error)
        except Exception as error:
            self.fail(error)

    def on_body(self, body: bytes) -> None:
        """Hear each whole event; a comment or a `[DONE]` says nothing."""
        if self.parser.get_status_code() != 200:
            raise Failed(f"The server answered {self.parser.get_status_code()}: {body.decode()}")
        *events, self.unread = (self.unread + body.replace(b"\r\n", b"\n")).split(b"\n\n")
        for event in events:
            _, found, data = event.partition(b"data: ")
            if found and not data.startswith(b"[DONE]"):
                self.hear(data)

    def on_message_complete(self) -> None:
        # The parser is replaced by the next turn, so it must have returned from this callback first.
        self.loop.call_soon(self.close_turn, self.parser.should_keep_alive())

    def close_turn(self, keep_alive: bool) -> None:
        """A turn has ended; on a connection that the server keeps open, as the plan supposes."""
        try:
            if not keep_alive:
                raise Failed("The server does not keep the connection alive.")
            self.finish()
        except Exception as error:
            self.fail(error)

    def connection_lost(self, exc: Exception | None) -> None:
        self.fail(Failed("The server closed the connection."))
