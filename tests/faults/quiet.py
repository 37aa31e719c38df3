"""Two sockets that are opened early and say nothing: one answers pings, the other not even that."""

from __future__ import annotations

import base64
import os
import socket
import time

from .stage import Stage
from .web import Web


class Quiet:
    def __init__(self, stage: Stage, web: Web) -> None:
        self.since = time.monotonic()
        self.idle = stage.talk(web, "brief")
        # It sends no pings of its own: what keeps it alive is that it answers the server's.
        assert self.idle.socket
        self._deaf = _bare_socket(web)

    def wait(self, seconds: float) -> None:
        """Until they have been open for so long."""
        time.sleep(max(0.0, self.since + seconds - time.monotonic()))

    def deaf_heard(self) -> bytes:
        """All that the server ever sent to the one that answers nothing, up to the end of its connection."""
        self._deaf.settimeout(10)
        heard = b""
        while data := self._deaf.recv(4096):
            heard += data
        return heard

    def close(self) -> None:
        self.idle.close()
        self._deaf.close()


def _bare_socket(web: Web) -> socket.socket:
    """A WebSocket by hand, just after its handshake."""
    bare = socket.create_connection(("127.0.0.1", web.port))
    lines = [
        "GET /ws/chat/ HTTP/1.1",
        f"Host: 127.0.0.1:{web.port}",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}",
    ]
    bare.sendall("\r\n".join([*lines, "", ""]).encode())
    answer = b""
    while not answer.endswith(b"\r\n\r\n"):
        answer += bare.recv(1)
    assert answer.startswith(b"HTTP/1.1 101 ")
    return bare
