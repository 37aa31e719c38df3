"""Exports beside `psql \\copy` of the same join: rows a second, and the memory of who makes the file."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
from processes import Server

from .ground import PROJECT, TENANT, Ground

Figures = dict[str, Any]
AIM_RATIO, AIM_RSS_MIB = 0.9, 250
# What an export has where no columns are named, of the same tables: in any order, which costs the least, and in
# the order that an export is in, which has to be sorted.
JOIN = """
SELECT c.session_id, c.sequence, c.id AS message_id, c.role AS type, c.status,
  COALESCE(c.text, c.content) AS content, c.created_at AS timestamp, e.metadata AS client_context,
  e.context_version, m.slug AS mentor, s.user_id AS user, e.model, e.prompt_tokens, e.completion_tokens, e.ttft_ms,
  e.duration_ms, c.metadata AS message_metadata, e.page_content_length
FROM chat_session s JOIN chat_tenant t ON t.id = s.tenant_id JOIN chat_mentor m ON m.id = s.mentor_id
JOIN chat_chatmessagehistory c ON c.session_id = s.id
JOIN chat_chatmessagehistoryextra e ON e.message_id = c.id
WHERE t.key = '{tenant}'
"""
ORDER = "ORDER BY s.created_at, s.id, c.sequence"
WORKER = """
import re, sys, time, uuid
from pathlib import Path
import django
django.setup()
from exports import jobs
began = time.perf_counter()
jobs.run(uuid.UUID(sys.argv[1]))
seconds = time.perf_counter() - began
print(seconds, re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])
"""


def copied(ground: Ground, file: Path, order: str = "") -> Figures:
    """What PostgreSQL's own client reaches."""
    query = " ".join(f"{JOIN.format(tenant=TENANT)} {order}".split())
    began = time.perf_counter()
    done = subprocess.run(
        [
            "psql",
            ground.url,
            "-q",
            "-c",
            "SET statement_timeout = 0",
            "-c",
            f"\\copy ({query}) TO '{file}' CSV HEADER",
        ],
        capture_output=True,
        text=True,
    )
    seconds = time.perf_counter() - began
    if done.returncode:
        return {"error": done.stderr.strip()[:200]}
    rows = ground_rows(ground)
    size = file.stat().st_size
    file.unlink()
    return _figures(rows, size, seconds, None)


def ground_rows(ground: Ground) -> int:
    """How many messages the tenant has."""
    import psycopg

    with psycopg.connect(ground.url) as connection:
        row = connection.execute(
            "SELECT sum(next_sequence - 1) FROM chat_session s JOIN chat_tenant t ON t.id = s.tenant_id "
            "WHERE t.key = %s",
            [TENANT],
        ).fetchone()
    return int(row[0]) if row else 0


def exported(ground: Ground, port: int, token: str, kind: str) -> Figures:
    """A job from the moment a worker takes it to its finished file; the worker is a process of its own."""
    headers = {"Authorization": f"Api-Token {token}", "Content-Type": "application/json"}
    body = json.dumps({"filter": {"tenant": TENANT}, "format": kind})
    status, answer = _asked(port, "POST", "/api/v1/exports/", headers, body)
    if status != 201:
        return {"error": "not there" if status == 404 else f"HTTP {status}: {answer[:200]!r}"}
    made = json.loads(answer)["id"]
    environment = ground.environment | {"DJANGO_SETTINGS_MODULE": "mentor_project.settings"}
    done = subprocess.run(
        [sys.executable, "-c", WORKER, made], cwd=PROJECT, env=environment, capture_output=True, text=True
    )
    told = json.loads(_asked(port, "GET", f"/api/v1/exports/{made}/", headers)[1])
    progress = told["progress"]
    if done.returncode or told["state"] != "ready" or not progress["rows"]:
        return {"error": f"{told['state']}: {told['error'] or done.stderr[-300:] or 'no rows'}"}
    seconds, kib = map(float, done.stdout.split()[-2:])
    return _figures(progress["rows"], progress["bytes"], seconds, kib / 1024)


def streamed(server: Server, token: str) -> Figures:
    """The CSV as it comes over HTTP; the memory is the web process's."""
    headers = {"Authorization": f"Api-Token {token}"}
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=600)
    size, lines, began = 0, 0, time.perf_counter()
    with _most_memory(server) as peak:
        connection.request("GET", f"/api/v1/exports/stream.csv?tenant={TENANT}", headers=headers)
        answer = connection.getresponse()
        if answer.status != 200:
            return {"error": "not there" if answer.status == 404 else f"HTTP {answer.status}"}
        while piece := answer.read(1 << 20):
            size, lines = size + len(piece), lines + piece.count(b"\n")
    return _figures(lines, size, time.perf_counter() - began, peak[0])


def _asked(
    port: int, method: str, path: str, headers: dict[str, str], body: str | None = None
) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    return answer.status, answer.read()


def _figures(rows: int, size: int, seconds: float, rss_mib: float | None) -> Figures:
    return {
        "rows": rows,
        "seconds": round(seconds, 2),
        "rows_per_s": rows / seconds,
        "mb": round(size / 1e6, 1),
        "rss_mib": rss_mib,
    }


@contextmanager
def _most_memory(server: Server) -> Iterator[list[float]]:
    """The highest resident memory of the server's processes in MiB, looked at every 50 ms."""
    peak, done = [0.0], threading.Event()

    def watch() -> None:
        while not done.wait(0.05):
            try:
                peak[0] = max(peak[0], server.rss_kib() / 1024)
            except psutil.Error:
                continue

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        done.set()
        thread.join()
