"""The floor to be measured against: Channels consumers that keep nothing and ask nobody.

Each takes a JSON frame and answers 50 token frames and an end, of the size our own frames have.
`yield` returns to the event loop before every token, as any real model's stream forces a server to;
`burst` does not; `paced-20ms` sleeps between tokens. The same three stand behind WebSocket and SSE.

    uvicorn bare:application --app-dir benchmarks       (BARE_LAYER=redis://… adds a channel layer)
"""

from __future__ import annotations

import asyncio
import os
from typing import Any

import django
import orjson
from channels.generic.http import AsyncHttpConsumer
from channels.generic.websocket import AsyncWebsocketConsumer
from channels.routing import ProtocolTypeRouter, URLRouter
from django.conf import settings
from django.urls import path


def channel_layers(url: str) -> dict[str, Any]:
    """The Redis layer as one has to set it up for a socket to live longer than five idle seconds."""
    host = {"address": url, "socket_timeout": None}
    return {"default": {"BACKEND": "channels_redis.core.RedisChannelLayer", "CONFIG": {"hosts": [host]}}}


layer = os.environ.get("BARE_LAYER")
settings.configure(SECRET_KEY="bare", CHANNEL_LAYERS=channel_layers(layer) if layer else {})
django.setup()

GENERATION = "8f6b5c1e-0f7c-4a53-9d0e-3a6f1f1f2b77"
FRAMES = [
    f'{{"event":{number + 2},"generation_id":"{GENERATION}","data":" word-{number:02d}"}}'
    for number in range(50)
]
END = f'{{"event":52,"generation_id":"{GENERATION}","eos":true,"sequence":2,"status":"complete"}}'
EVENTS = [f"id: {number + 2}\ndata: {frame}\n\n".encode() for number, frame in enumerate(FRAMES)]
END_EVENT = f"id: 52\ndata: {END}\n\n".encode()
EVENT_STREAM = [(b"Content-Type", b"text/event-stream"), (b"Cache-Control", b"no-cache")]


class BareSocket(AsyncWebsocketConsumer):
    """Frame in, frames out; `pause` is None (burst), 0 (yield) or seconds."""

    pause: float | None = None

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        orjson.loads(text_data or "{}")
        for number, frame in enumerate(FRAMES):
            if self.pause is not None:
                await asyncio.sleep(self.pause if number else 0)
            await self.send(text_data=frame)
        await self.send(text_data=END)


class BareStream(AsyncHttpConsumer):
    """The same over POST and an event stream."""

    pause: float | None = None

    async def handle(self, body: bytes) -> None:
        orjson.loads(body)
        await self.send_headers(status=200, headers=EVENT_STREAM)
        for number, event in enumerate(EVENTS):
            if self.pause is not None:
                await asyncio.sleep(self.pause if number else 0)
            await self.send_body(event, more_body=True)
        await self.send_body(END_EVENT)


PAUSES = {"burst": None, "yield": 0, "paced-20ms": 0.02}


def at_each_pause(consumer: Any) -> list[Any]:
    """One route per pause, named after it."""
    kinds = {name: type(name, (consumer,), {"pause": pause}) for name, pause in PAUSES.items()}
    return [path(name, kind.as_asgi()) for name, kind in kinds.items()]


application = ProtocolTypeRouter(
    {"websocket": URLRouter(at_each_pause(BareSocket)), "http": URLRouter(at_each_pause(BareStream))}
)
