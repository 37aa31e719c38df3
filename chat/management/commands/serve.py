"""`manage.py serve`: the production server, uvicorn as it was measured best, and a drain at SIGTERM."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import resource
import socket
from typing import Any

import uvicorn
from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from chat import background
from chat.live import process


class DrainingServer(uvicorn.Server):
    """Stops listening, lets running turns finish within DRAIN_SECONDS, and only then closes their sockets.

    A second Ctrl-C does not wait for them: they are marked as interrupted.
    """

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        # What was imported stays: the collector need not look through Django again and again,
        # which was a tenth of a turn.
        gc.collect()
        gc.freeze()
        gc.set_threshold(10_000, 20, 20)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        draining = asyncio.create_task(process().drain(settings.DRAIN_SECONDS))
        while not draining.done() and not self.force_exit:
            await asyncio.wait([draining], timeout=0.1)
        if draining.cancel():
            await process().drain(0)
        await super().shutdown(sockets)


class Command(BaseCommand):
    help = "Serve the application with uvicorn."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default=os.environ.get("HOST") or "127.0.0.1")
        parser.add_argument("--port", type=int, default=os.environ.get("PORT") or "8000")

    def handle(self, *args: Any, **options: Any) -> None:
        config = uvicorn.Config(
            "mentor_project.asgi:application",
            host=options["host"],
            port=options["port"],
            loop="uvloop",
            http="httptools",
            ws="websockets-sansio",
            # Deflate costs two fifths more CPU a turn and doubles a socket.
            ws_per_message_deflate=False,
            # Over our own limit, which is told by name, and under what could hurt: closed with 1009.
            ws_max_size=1024 * 1024,
            ws_ping_interval=20,
            ws_ping_timeout=20,
            timeout_graceful_shutdown=5,
            access_log=False,
            log_config=None,
            server_header=False,
        )
        _allow_many_sockets()
        if not background.start_embedded():
            self.stdout.write("Jobs     run beside this: celery -A mentor_project worker --beat")
        with contextlib.suppress(KeyboardInterrupt):  # drained already
            DrainingServer(config).run()


def _allow_many_sockets() -> None:
    """Each socket is a file descriptor, and the usual bound of 1,024 is lower than need be."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
