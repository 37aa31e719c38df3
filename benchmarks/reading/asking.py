"""Asking: through the real HTTP server with the clock of a client, and in process for the plans."""

from __future__ import annotations

import http.client
import json
import statistics
import time
from typing import Any
from urllib.parse import urlsplit

from .questions import Question

Figures = dict[str, Any]
IDLE_SECONDS = 3.0


class Asker:
    """One client with one connection that stays open."""

    def __init__(self, port: int, token: str, rounds: int) -> None:
        self.http = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        self.headers = {"Authorization": f"Api-Token {token}"}
        self.rounds = rounds
        self.idle_until = 0.0

    def get(self, path: str) -> tuple[int, bytes, float]:
        """Status, body, milliseconds."""
        if time.monotonic() > self.idle_until:
            self.http.close()  # the server has, and this is not its time
            self.http.connect()
        began = time.perf_counter()
        self.http.request("GET", path, headers=self.headers)
        answer = self.http.getresponse()
        body = answer.read()
        self.idle_until = time.monotonic() + IDLE_SECONDS
        return answer.status, body, (time.perf_counter() - began) * 1000

    def figures(self, question: Question) -> Figures:
        """The median of the rounds, after one to warm up; `error` where it was not answered."""
        path, page = self._page(question)
        status, body, first = self.get(path)
        if status == 404 and not body.startswith(b"{"):
            return {"error": "not there"}
        if status != 200:
            return {"error": f"HTTP {status}: {_told(body)}"}
        taken = [self.get(path)[2] for _ in range(self.rounds)]
        found = {"p50_ms": statistics.median(taken), "max_ms": max(taken), "first_ms": first}
        return {**found, "rows": _rows(body), "bytes": len(body), "page": page, "path": path}

    def _page(self, question: Question) -> tuple[str, int]:
        """The address of the page that is meant, or of the last one there is."""
        path, page = question.path, 1
        while page < question.page:
            body = self.get(path)[1]
            after = json.loads(body).get("next") if body.startswith(b"{") else None
            if after is None:
                break
            path, page = _relative(after), page + 1
        return path, page


def _told(body: bytes) -> str:
    try:
        return str(json.loads(body)["detail"])
    except (ValueError, LookupError, TypeError):
        return "no JSON"


def _relative(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}"


def _rows(body: bytes) -> int | None:
    """How many things the answer lists."""
    answer = json.loads(body) if body[:1] in (b"{", b"[") else None
    lists = (
        [value for value in answer.values() if isinstance(value, list)] if isinstance(answer, dict) else []
    )
    return max(map(len, lists), default=None)


class Plans:
    """What PostgreSQL did for each statement of a question, asked once more in this process."""

    def __init__(self, token: str) -> None:
        from django.test import Client

        self.client = Client(SERVER_NAME="127.0.0.1", headers={"authorization": f"Api-Token {token}"})
        self.heard: list[tuple[str, Any]] = []

    def of(self, path: str) -> str:
        """Every reading statement with its plan; the settings that a rule made for its own are not repeated."""
        from django.db import connection

        self.heard = []
        with connection.execute_wrapper(self._hear):
            self.client.get(path)
        return "\n\n".join(self._explained(sql, params) for sql, params in self.heard)

    def _hear(self, execute: Any, sql: Any, params: Any, many: bool, context: Any) -> Any:
        if str(sql).lstrip().upper().startswith(("SELECT", "WITH")):
            self.heard.append((sql, params))
        return execute(sql, params, many, context)

    def _explained(self, sql: str, params: Any) -> str:
        from django.db import DatabaseError, connection, transaction

        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("SET LOCAL statement_timeout = '60s'")
                cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, SETTINGS) {sql}", params)
                plan = "\n".join(f"  {row[0]}" for row in cursor.fetchall())
        except DatabaseError as error:
            plan = f"  {type(error).__name__}: {error}"
        return f"{' '.join(str(sql).split())[:4000]}\n  -- {str(params)[:500]}\n{plan}"
