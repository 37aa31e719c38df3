"""Other people's sites: real HTTP servers on ports, and so origins, of their own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

HTML = "text/html; charset=utf-8"


class Site:
    """`site.put("/", html)`, then it is served; `name` tells two origins of one machine apart."""

    def __init__(self, name: str = "127.0.0.1") -> None:
        self.files: dict[str, tuple[str, bytes]] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _serving(self.files))
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self.origin = f"http://{name}:{self._server.server_address[1]}"

    def put(self, path: str, content: str | bytes, kind: str = HTML) -> str:
        """The address of what is put there."""
        self.files[path] = (kind, content.encode() if isinstance(content, str) else content)
        return f"{self.origin}{path}"

    def __enter__(self) -> Site:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)


def _serving(files: dict[str, tuple[str, bytes]]) -> Callable[..., Any]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/favicon.ico":  # asked for by nobody but the browser itself
                self.send_response(204)
                return self.end_headers()
            kind, content = files.get(self.path.partition("?")[0], (HTML, b""))
            self.send_response(200 if content else 404)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *arguments: object) -> None:
            """Nobody reads it."""

    return Handler
