"""The ASGI application: sockets and event streams by Channels, everything else by Django."""

from __future__ import annotations

import os
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mentor_project.settings")

from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.asgi import get_asgi_application
from django.urls import re_path

django_application = get_asgi_application()

from chat import llm
from chat.consumers import ChatConsumer, StopGenerationConsumer
from chat.live import process
from chat.sse import EventStream

UUID_PATTERN = "(?P<generation_id>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"
websocket_urls = [
    re_path(r"^ws/(?:chat|langflow)/?$", ChatConsumer.as_asgi()),
    re_path(r"^ws/langflow-stop-generation/?$", StopGenerationConsumer.as_asgi()),
]
http_urls = [
    re_path(r"^api/(?:mentor|agent)/chat/?$", EventStream.as_asgi()),
    re_path(rf"^api/(?:mentor|agent)/chat/{UUID_PATTERN}/?$", EventStream.as_asgi()),
    re_path(r"", django_application),  # type: ignore[arg-type]
]


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


application = ProtocolTypeRouter(
    {
        "http": URLRouter(http_urls),
        "websocket": URLRouter([*websocket_urls, re_path(r"", refuse_socket)]),  # type: ignore[arg-type]
        "lifespan": lifespan,
    }
)
