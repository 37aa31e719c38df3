"""The ASGI application: sockets and event streams by Channels, everything else by Django."""

from __future__ import annotations

import os
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mentor_project.settings")

import django
from asgiref.sync import sync_to_async
from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.handlers.asgi import ASGIHandler
from django.urls import re_path

django.setup(set_prefix=False)

from chat import llm
from chat.consumers import ChatConsumer, StopGenerationConsumer
from chat.events import SessionEvents
from chat.live import process
from chat.sse import EventStream

UUID_PATTERN = "(?P<generation_id>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"
websocket_urls = [
    re_path(r"^ws/(?:chat|langflow)/?$", ChatConsumer.as_asgi()),
    re_path(r"^ws/langflow-stop-generation/?$", StopGenerationConsumer.as_asgi()),
]


class OneHopHandler(ASGIHandler):
    """Django's own, with all of a request's middleware and its view in one hop to a thread.

    Every view here is synchronous. Where the middleware is run as coroutines, each hops for what it does before
    the view, and again for what it does after: a dozen hops, which took longer than most answers.
    """

    def load_middleware(self, is_async: bool = False) -> None:
        super().load_middleware(is_async=False)

    async def get_response_async(self, request: Any) -> Any:
        return await sync_to_async(self.get_response, thread_sensitive=True)(request)


async def lifespan(scope: Any, receive: Any, send: Any) -> None:
    """Start with the server and end with it."""
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            await process().start()
            await send({"type": "lifespan.startup.complete"})
        elif message["type"] == "lifespan.shutdown":
            # Nothing runs any more where the server has drained; a plain ASGI server marks what is left here.
            await process().drain(0)
            await llm.close()
            await send({"type": "lifespan.shutdown.complete"})
            return


async def refuse_socket(scope: Any, receive: Any, send: Any) -> None:
    """An unknown path: refused at the handshake."""
    await send({"type": "websocket.close", "code": 4404})


http_urls = [
    re_path(r"^api/(?:mentor|agent)/chat/?$", EventStream.as_asgi()),
    re_path(rf"^api/(?:mentor|agent)/chat/{UUID_PATTERN}/?$", EventStream.as_asgi()),
    re_path(r"^api/v1/sessions/(?P<session_id>[^/]+)/events/?$", SessionEvents.as_asgi()),
    re_path(r"", OneHopHandler()),  # type: ignore[arg-type]
]
application = ProtocolTypeRouter(
    {
        "http": URLRouter(http_urls),
        "websocket": URLRouter([*websocket_urls, re_path(r"", refuse_socket)]),  # type: ignore[arg-type]
        "lifespan": lifespan,
    }
)
