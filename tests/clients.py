"""Clients as users have them: a WebSocket, an event stream, plain HTTP."""

from __future__ import annotations

import http.client
import json
import struct
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from websockets.sync.client import ClientConnection, connect

Frame = dict[str, Any]
TalkMaker = Callable[..., Any]  # the `talk` fixture: a Socket or a Stream, as the test runs over either door


def new_session() -> str:
    return str(uuid.uuid4())


def is_last(frame: Frame) -> bool:
    return "eos" in frame or "error" in frame or frame.get("resumed") is False


def announce(connection: ClientConnection, size: int) -> None:
    """Begin a text frame of so many bytes, and send none of them.

    Who is still sending when the server hangs up may not hear why it did.
    """
    connection.socket.sendall(struct.pack("!BBQI", 0x81, 0x80 | 127, size, 0))


@dataclass
class Reply:
    """All frames of one turn."""

    frames: list[Frame]

    @property
    def start(self) -> Frame:
        return self.frames[0]

    @property
    def end(self) -> Frame:
        return self.frames[-1]

    @property
    def text(self) -> str:
        return "".join(frame.get("data", "") for frame in self.frames)

    @property
    def generation_id(self) -> str:
        return self.start["generation_id"]

    @property
    def version(self) -> int:
        return self.start["context"]["version"]


@dataclass
class Talk:
    """One user's talk with one mentor over one door: what stays the same from turn to turn."""

    url: str
    tenant: str
    mentor: str
    token: str | None = None
    username: str | None = None
    session_token: str | None = None
    session_id: str = field(default_factory=new_session)
    headers: dict[str, str] = field(default_factory=dict)

    def payload(self, prompt: str, **more: Any) -> Frame:
        flow = {"name": self.mentor, "tenant": self.tenant}
        if self.username:
            flow["username"] = self.username
        payload = {"session_id": self.session_id, "flow": flow, "prompt": prompt, "token": self.token}
        if self.session_token:
            payload["session_token"] = self.session_token
        return {**payload, **more}

    def keep(self, reply: Reply) -> Reply:
        self.session_token = reply.start.get("session_token", self.session_token)
        return reply


class Socket(Talk):
    """Over /ws/chat/."""

    _socket: ClientConnection | None = None

    @property
    def socket(self) -> ClientConnection:
        if self._socket is None:
            self._socket = self.open()
        return self._socket

    def open(self, path: str = "/ws/chat/") -> ClientConnection:
        url = self.url.replace("http", "ws", 1) + path
        return connect(
            url,
            additional_headers=self.headers,
            max_size=None,
            open_timeout=10,
            # Like a browser, which answers pings and sends none. Each ping would also draw from the global
            # `random`, behind the back of whichever Hypothesis strategy draws at that moment.
            ping_interval=None,
            compression=None,
            legacy=True,
        )

    def put(self, frame: Frame | str | bytes) -> None:
        self.socket.send(json.dumps(frame) if isinstance(frame, dict) else frame)

    def get(self, timeout: float = 10) -> Frame:
        frame: Frame = json.loads(self.socket.recv(timeout=timeout))
        return frame

    def rest(self, timeout: float = 10) -> list[Frame]:
        frames = [self.get(timeout)]
        while not is_last(frames[-1]):
            frames.append(self.get(timeout))
        return frames

    def say(self, prompt: str, **more: Any) -> Reply:
        self.put(self.payload(prompt, **more))
        return self.keep(Reply(self.rest()))

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


class Stream(Talk):
    """Over POST /api/mentor/chat/."""

    def say(self, prompt: str, **more: Any) -> Reply:
        _, frames = self.post(json.dumps(self.payload(prompt, **more)).encode())
        return self.keep(Reply(frames))

    def post(self, body: bytes, path: str = "/api/mentor/chat/") -> tuple[int, list[Frame]]:
        with request(self.url, "POST", path, body, self.headers) as response:
            return response.status, list(events(response))

    def put(self, frame: Frame | str | bytes) -> None:
        raw = json.dumps(frame) if isinstance(frame, dict) else frame
        self._answer = self.post(raw.encode() if isinstance(raw, str) else raw)[1]

    def get(self, timeout: float = 10) -> Frame:
        return self._answer.pop(0)

    def close(self) -> None:
        pass


class Response(http.client.HTTPResponse):
    pass


def request(
    url: str, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
) -> Any:
    """An HTTP response to read (and close) as it comes."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=20)
    connection.request(method, path, body, {"Content-Type": "application/json", **(headers or {})})
    return connection.getresponse()


def fetch(
    url: str, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
) -> tuple[int, Any]:
    """(status, JSON body)."""
    raw = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    with request(url, method, path, raw, headers) as response:
        text = response.read()
        return response.status, json.loads(text) if text else None


def events(response: Any) -> Iterator[Frame]:
    """The events of a stream, or the one JSON body that refuses it."""
    if not response.headers["content-type"].startswith("text/event-stream"):
        yield json.loads(response.read())
        return
    event_id = None
    for line in response:
        if line.startswith(b"id: "):
            event_id = int(line[4:])
        elif line.startswith(b"data: "):
            frame = json.loads(line[6:])
            assert frame.get("event") == event_id or "resumed" in frame
            yield frame
