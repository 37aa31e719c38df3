"""Server-sent events: POST /api/mentor/chat/ starts a turn, GET /api/mentor/chat/{generation_id}/ resumes one.

On Channels' HTTP consumer, which costs two fifths of a Django view that streams.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections import deque
from collections.abc import AsyncIterable
from typing import Any
from urllib.parse import parse_qsl
from uuid import UUID

import orjson
from channels.exceptions import StopConsumer
from channels.generic.http import AsyncHttpConsumer

from . import access, limits
from .consumers import BaseLLMRunnerConsumer
from .database import in_database
from .errors import InvalidPayload, MethodNotAllowed
from .feeds import ClientLeft, deliver
from .following import resume_turn
from .payloads import BaseConsumerPayload
from .requests import Request

HEARTBEAT_SECONDS = 15.0
Headers = list[tuple[bytes, bytes]]
STREAM_HEADERS: Headers = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache, no-transform"),
    (b"x-accel-buffering", b"no"),  # nginx would hold the events back
    (b"x-content-type-options", b"nosniff"),
]
PREFLIGHT_HEADERS: Headers = [
    (b"access-control-allow-headers", b"authorization, content-type, last-event-id"),
    (b"access-control-max-age", b"600"),
]


class StreamingDoor(BaseLLMRunnerConsumer, AsyncHttpConsumer):
    """One request that is answered by a stream of events, from a page of any origin."""

    methods = "GET"

    async def preflight(self) -> None:
        allowed = (b"access-control-allow-methods", f"{self.methods}, OPTIONS".encode())
        await self.send_response(204, b"", headers=[*self.cors(), allowed, *PREFLIGHT_HEADERS])

    async def begin_stream(self) -> None:
        await self.send_headers(headers=[*STREAM_HEADERS, *self.cors()])

    async def refuse(self, frame: dict[str, Any], methods: str) -> None:
        headers: Headers = [
            (b"content-type", b"application/json"),
            (b"x-content-type-options", b"nosniff"),
            *self.cors(),
        ]
        if "retry_after" in frame:
            headers.append((b"retry-after", str(int(frame["retry_after"]) + 1).encode()))
        if frame["status_code"] == 401:
            headers.append((b"www-authenticate", b"Api-Token"))
        if frame["status_code"] == 405:
            headers.append((b"allow", f"{methods}, OPTIONS".encode()))
        await self.send_response(frame["status_code"], orjson.dumps(frame), headers=headers)

    def cors(self) -> Headers:
        """Any page may ask; whether it may talk to the mentor is judged with what it asks. Cookies are never let in."""
        if self.request.origin is None:
            return []
        return [(b"access-control-allow-origin", self.request.origin.encode("latin-1")), (b"vary", b"origin")]


class EventStream(StreamingDoor):
    """One request of the SSE door."""

    door = "sse"
    methods = "GET, POST"
    body_bytes = 0

    async def http_request(self, message: dict[str, Any]) -> None:
        """Gather the body up to its bound, then answer."""
        self.body.append(message.get("body", b""))
        self.body_bytes += len(self.body[-1])
        if message.get("more_body") and self.body_bytes <= limits.current().frame_bytes:
            return
        self.request = Request(self.scope)
        self.own_turns = deque(maxlen=1)
        try:
            await self._answer(b"".join(self.body))
        finally:
            raise StopConsumer

    async def _answer(self, body: bytes) -> None:
        try:
            if self.scope["method"] == "OPTIONS":
                await self.preflight()
                return
            frames = await self._frames(body)
        except Exception as error:
            await self.refuse(self.error_frame(error), "GET" if self._generation_id else "POST")
            self.count_refusal(error)
            return
        await self.begin_stream()
        await self._stream(frames)

    async def _frames(self, body: bytes) -> AsyncIterable[str]:
        match self.scope["method"], self._generation_id:
            case "GET", str(generation_id):
                return await self._resumed(generation_id)
            case "POST", None:
                return await self.process_text_data(self._payload(body))
        raise MethodNotAllowed()

    @property
    def _generation_id(self) -> str | None:
        named: str | None = self.scope["url_route"]["kwargs"].get("generation_id")
        return named

    def _payload(self, body: bytes) -> BaseConsumerPayload:
        """ibl.ai's newer path names tenant and session in the query; the body counts before it."""
        query = dict(parse_qsl(self.scope.get("query_string", b"").decode("latin-1")))
        session_id, tenant = query.get("session_id"), query.get("platform_key")
        if "\0" in f"{session_id}{tenant}":  # of the body the parser lets none in
            raise InvalidPayload("The address must not contain NUL.", pointer="")
        return BaseConsumerPayload.parse(body, limits.current(), session_id=session_id, tenant=tenant)

    async def _resumed(self, generation_id: str) -> AsyncIterable[str]:
        after = self.request.last_event_id or "0"
        if not after.isascii() or not after.isdigit() or len(after) > 9:
            raise InvalidPayload("Last-Event-ID must be the number of an event.", pointer="")
        credentials = await self.request.credentials()
        answer = await in_database(access.access_answer, credentials, UUID(generation_id))
        return resume_turn(answer.id, int(after))

    async def _stream(self, frames: AsyncIterable[str]) -> None:
        heartbeat = Heartbeat(self)

        async def send(frame: str) -> None:
            heartbeat.postpone()
            # As send_body does, less two calls for each token.
            try:
                await self.base_send({"type": "http.response.body", "body": _event(frame), "more_body": True})
            except Exception as error:
                raise ClientLeft from error

        with contextlib.suppress(ClientLeft):  # its turn goes on without it
            try:
                await deliver(frames, send)
            except ClientLeft:
                raise
            except Exception as error:
                await send(orjson.dumps(self.error_frame(error)).decode())
            finally:
                heartbeat.stop()
            with contextlib.suppress(Exception):
                await self.send_body(b"")


class Heartbeat:
    """A comment every quarter of a minute of silence, so that no proxy takes the stream for dead."""

    def __init__(self, stream: EventStream) -> None:
        self._stream = stream
        self._loop = asyncio.get_running_loop()
        self._quiet_since = self._loop.time()
        self._timer = self._loop.call_later(HEARTBEAT_SECONDS, self._look)
        self._task: asyncio.Task[None] | None = None

    def postpone(self) -> None:
        self._quiet_since = self._loop.time()

    def stop(self) -> None:
        self._timer.cancel()

    def _look(self) -> None:
        due = self._quiet_since + HEARTBEAT_SECONDS
        if self._loop.time() >= due:
            self._task = self._loop.create_task(self._stream.send_body(b": \n\n", more_body=True))
            self._quiet_since = self._loop.time()
            due = self._quiet_since + HEARTBEAT_SECONDS
        self._timer = self._loop.call_at(due, self._look)


_NUMBER = re.compile(r'"event":(\d+)')  # no text can hold this: its quotes are escaped


def _event(frame: str) -> bytes:
    """The frame with its number as the event's id: what a returning client sends as Last-Event-ID."""
    number = _NUMBER.search(frame)
    return f"id: {number[1]}\ndata: {frame}\n\n".encode() if number else f"data: {frame}\n\n".encode()
