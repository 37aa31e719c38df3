"""Who listens to a session: over the event stream, and over a socket."""

from __future__ import annotations

import contextlib
import http.client
import json
import queue
import socket
import threading
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from .clients import Frame


@dataclass
class Heard:
    """One event."""

    name: str
    id: str
    body: dict[str, Any]

    @property
    def data(self) -> dict[str, Any]:
        data: dict[str, Any] = self.body["data"]
        return data

    @property
    def short(self) -> str:
        """In a word, for a test to compare."""
        match self.name:
            case "message.created":
                message = self.data["message"]
                return f"{message['role']} {message['sequence']} {message['status']}"
            case "message.deleted":
                return f"deleted {self.data['sequence']}"
            case "context.updated":
                return f"context {self.data['version']}"
        return "running" if self.data["running"] else "idle"


class Ear:
    """`GET /api/v1/sessions/{id}/events`, read by a thread of its own."""

    def __init__(
        self, url: str, session_id: str, after: str = "", path: str = "", **headers: str | None
    ) -> None:
        parts = urlsplit(url)
        self._connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
        sent = {name.replace("_", "-"): value for name, value in headers.items() if value is not None}
        if after:
            sent["Last-Event-ID"] = after
        self._connection.request("GET", path or f"/api/v1/sessions/{session_id}/events", headers=sent)
        self.response = self._connection.getresponse()
        self._heard: queue.Queue[Heard | None] = queue.Queue()
        self.lines: list[str] = []
        if self.response.status == 200:
            threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        event: dict[str, str] = {}
        with contextlib.suppress(OSError, http.client.HTTPException, ValueError, AttributeError):
            for raw in self.response:
                line = raw.decode().rstrip("\n")
                self.lines.append(line)
                name, _, value = line.partition(": ")
                if name in ("event", "id", "data"):
                    event[name] = value
                elif not line and "data" in event:
                    self._heard.put(Heard(event["event"], event["id"], json.loads(event["data"])))
                    event = {}
        self._heard.put(None)

    def next(self, timeout: float = 5) -> Heard:
        """The next event; a stream that has ended is a failure."""
        heard = self._heard.get(timeout=timeout)
        assert heard is not None, "the stream has ended"
        return heard

    def hear(self, count: int, timeout: float = 5) -> list[str]:
        return [self.next(timeout).short for _ in range(count)]

    def lasting(self, count: int, timeout: float = 10) -> list[str]:
        """The next events but the session's own, of which there is one for however many changes."""
        heard: list[str] = []
        while len(heard) < count:
            if (one := self.next(timeout)).name != "session.updated":
                heard.append(one.short)
        return heard

    def until(self, short: str, timeout: float = 10) -> list[Heard]:
        heard = [self.next(timeout)]
        while heard[-1].short != short:
            heard.append(self.next(timeout))
        return heard

    def is_quiet(self, seconds: float = 0.5) -> bool:
        try:
            self._heard.get(timeout=seconds)
        except queue.Empty:
            return True
        return False

    def has_ended(self, timeout: float = 5) -> bool:
        """Whether the stream ends, with no more events before that."""
        return self._heard.get(timeout=timeout) is None

    def refusal(self) -> tuple[int, Frame]:
        return self.response.status, json.loads(self.response.read())

    def close(self) -> None:
        with contextlib.suppress(OSError, AttributeError):
            self._connection.sock.shutdown(socket.SHUT_RDWR)
        self._connection.close()
