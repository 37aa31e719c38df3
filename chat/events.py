"""GET /api/v1/sessions/{id}/events: what happens in a session, as server-sent events."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from channels.exceptions import StopConsumer

from .errors import MethodNotAllowed
from .feeds import ClientLeft
from .happened import Happening
from .listening import Listening, Place, listen, told_of
from .queries import uuid_of
from .requests import Request
from .sse import HEARTBEAT_SECONDS, StreamingDoor
from .watching import Listener

RETRY = b"retry: 1000\n\n"  # milliseconds until a client that was cut off comes back
STILL_HERE = b": \n\n"


class SessionEvents(StreamingDoor):
    """One request. It listens until its client leaves, or may not listen any more."""

    door = "events"

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.receive = receive
        await super().__call__(scope, receive, send)

    async def http_request(self, message: dict[str, Any]) -> None:
        self.request = Request(self.scope)
        if self.scope["method"] == "OPTIONS":
            await self.preflight()
        else:
            await self._answer()
        raise StopConsumer

    async def _answer(self) -> None:
        try:
            listening = await self._listening()
        except Exception as error:
            await self.refuse(self.error_frame(error), "GET")
            return
        left = asyncio.get_running_loop().create_task(self._until_left(listening.listener))
        try:
            await self._stream(listening)
        finally:
            left.cancel()
            listening.listener.leave()

    async def _listening(self) -> Listening:
        if self.scope["method"] != "GET":
            raise MethodNotAllowed()
        told = told_of(self.request.last_event_id, "Last-Event-ID", "")
        session_id = uuid_of(self.scope["url_route"]["kwargs"]["session_id"])
        return await listen(self.request, Place(session_id, told))

    async def _until_left(self, listener: Listener) -> None:
        """A server says nothing to who only sends: what is sent to a client that left is dropped in silence."""
        while (await self.receive())["type"] != "http.disconnect":
            pass
        listener.end()

    async def _stream(self, listening: Listening) -> None:
        with contextlib.suppress(ClientLeft):
            await self.begin_stream()
            await self._send(RETRY)
            if listening.first is not None:
                await self._send(_event(listening.first, hidden=listening.hidden))
            async for event in listening.listener.events(HEARTBEAT_SECONDS):
                await self._send(STILL_HERE if event is None else _event(event, hidden=listening.hidden))
            with contextlib.suppress(Exception):
                await self.send_body(b"")

    async def _send(self, body: bytes) -> None:
        try:
            await self.base_send({"type": "http.response.body", "body": body, "more_body": True})
        except Exception as error:
            raise ClientLeft from error


def _event(event: Happening, *, hidden: bool) -> bytes:
    return f"event: {event.name}\nid: {event.told}\ndata: {event.text(hidden=hidden)}\n\n".encode()
