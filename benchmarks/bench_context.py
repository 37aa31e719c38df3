"""What a context costs by itself: read, written, checked against a schema. `make bench-context`, or with options.

One client on one connection asks the empty view of a bare Django and our own paths by turns, block by block, so
that a noisy minute falls on all of them. Servers are alike (uvicorn, one process, the same core); PostgreSQL and
Redis are of this run. The robust figure is the server's CPU a request; wall clock stands beside it.
"""

from __future__ import annotations

import argparse
import cProfile
import http.client
import io
import json
import os
import pstats
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parent
sys.path[:0] = [str(HERE), str(PROJECT)]

from processes import OTHER_CORES, Server, free_port, pin  # noqa: E402

from tests.services import Postgres, Redis  # noqa: E402

RESULTS = HERE / "results" / "context-latest.json"
BARE, REST, READ, UNKNOWN, WRITE, SAME, CHECKED = (
    "bare Django, GET",
    "bare REST framework, PUT",
    "read",
    "read, not changed (304)",
    "write",
    "write of an equal value",
    "write, checked against a schema",
)
ORDER = [BARE, READ, WRITE, REST, UNKNOWN, SAME, CHECKED]
AIMS = {READ: 1.0, WRITE: 3.0}
SESSIONS = 20
PROPERTIES: dict[str, Any] = {
    "stateCode": {"type": "string", "enum": ["CA", "NY", "TX"]},
    "page": {"type": "string", "maxLength": 500},
    "hours": {"type": "object", "properties": {"done": {"type": "number"}, "due": {"type": "integer"}}},
    "plan": {"enum": ["free", "pro"], "x-verified-only": True},
    "n": {"type": "integer", "minimum": 0},
}
SCHEMA = json.dumps({"type": "object", "properties": PROPERTIES, "required": ["stateCode"]})
LARGE = {
    "type": "object",
    "properties": {
        **PROPERTIES,
        "lessons": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "id": {"type": "integer"},
                    "title": {"type": "string", "pattern": "^[A-Z]"},
                    "done": {"type": "boolean"},
                },
                "required": ["id", "title"],
                "additionalProperties": False,
            },
        },
    },
    "additionalProperties": False,
}


def context(n: int) -> str:
    value = {"stateCode": "CA", "page": f"/licensing/hours/{n}", "hours": {"done": 12.5, "due": 52}, "n": n}
    return json.dumps({"client_context": {**value, "plan": "pro"}})


def large_context() -> dict[str, Any]:
    """About 4 KiB."""
    lessons = [{"id": n, "title": f"Lesson {n} about licences", "done": n % 2 == 0} for n in range(68)]
    return {"stateCode": "CA", "n": 1, "lessons": lessons}


# --- the run


@dataclass
class Client:
    """One kept connection."""

    port: int
    headers: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)

    def ask(self, method: str, path: str, body: str | None = None, status: int = 200, **more: str) -> float:
        """Milliseconds until the whole answer is there."""
        headers = {**self.headers, "Content-Type": "application/json", **more}
        began = time.perf_counter()
        self.connection.request(method, path, body, headers)
        answer = self.connection.getresponse()
        told = answer.read()
        took = 1000 * (time.perf_counter() - began)
        if answer.status != status:
            raise SystemExit(f"{method} {path}: {answer.status} {told[:300]!r}")
        return took


class Ground:
    """Our server and a bare one, side by side on the same core."""

    def __init__(self, stack: ExitStack, folder: Path) -> None:
        postgres, redis = stack.enter_context(Postgres()), stack.enter_context(Redis())
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("LIMIT_", "LLM_"))}
        self.environment = {
            **kept,
            "DATABASE_URL": postgres.url,
            "REDIS_URL": redis.url,
            "VAR_DIR": str(folder),
            "SECRET_KEY": "of the context figures, which nobody else can reach",
            "LIMIT_TURNS_PER_MINUTE_PER_SESSION": "0",
        }
        self.token = self._prepared()
        self.servers: dict[str, Server] = {}
        self.ours, self.bare = free_port(), free_port()
        flags = "--loop uvloop --http httptools --no-access-log --log-level warning"
        bare = ["-m", "uvicorn", "empty:application", "--app-dir", str(HERE), *flags.split()]
        self._start(stack, folder, "ours", ["manage.py", "serve", "--port", str(self.ours)], self.ours)
        self._start(stack, folder, "bare", [*bare, "--port", str(self.bare)], self.bare)

    def _start(self, stack: ExitStack, folder: Path, name: str, command: list[str], port: int) -> None:
        command = [sys.executable, *command]
        server = Server(name, command, port, folder / f"{name}.log", env=self.environment, cwd=PROJECT)
        stack.callback(server.stop)
        server.wait_ready()
        self.servers[name] = server

    def _prepared(self) -> str:
        """Tables, two mentors, a token."""
        coach = {"slug": "coach", "name": "Coach"}
        strict = {"slug": "strict", "name": "Strict", "context_schema": SCHEMA}
        document = {"tenants": [{"key": "bench", "name": "Bench", "mentors": [coach, strict]}]}
        file = Path(self.environment["VAR_DIR"]) / "tenants.json"
        file.write_text(json.dumps(document))
        self._manage("migrate", "-v0")
        self._manage("apply", str(file))
        told = self._manage("create_token", "--tenant", "bench", "--scope", "write_all")
        return next(word for word in told.split() if word.startswith("mk_"))

    def _manage(self, *arguments: str) -> str:
        command = [sys.executable, "manage.py", *arguments]
        done = subprocess.run(command, env=self.environment, cwd=PROJECT, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(done.stderr)
        return done.stdout


Block = tuple[
    list[float], float
]  # milliseconds of each request, CPU milliseconds of the server for all of them


def rounds(ground: Ground, count: int, size: int) -> dict[str, list[Block]]:
    """So many blocks of each question, by turns; the first round warms up and is left out."""
    ours = Client(ground.ours, {"Authorization": f"Bearer {ground.token}"})
    bare = Client(ground.bare)
    paths = {mentor: [_begun(ours, mentor) for _ in range(SESSIONS)] for mentor in ("coach", "strict")}
    paths["same"] = [_begun(ours, "coach") for _ in range(SESSIONS)]
    blocks: dict[str, list[Block]] = {}
    for number in range(count + 1):
        for name in ORDER[:: -1 if number % 2 else 1]:
            server = ground.servers["bare" if name in (BARE, REST) else "ours"]
            for client in (ours, bare):
                client.connection.close()  # one that was idle for long may be closed at the other end
            before = server.cpu_ms()
            seed = 1_000_000 * number + 1_000 * ORDER.index(name)
            times = [_ask(name, ours, bare, paths, seed + n) for n in range(size)]
            if number:
                blocks.setdefault(name, []).append((times, server.cpu_ms() - before))
    return blocks


def _begun(ours: Client, mentor: str) -> str:
    path = f"/api/v1/sessions/{uuid.uuid4()}/context/"
    body = {**json.loads(context(0)), "flow": {"name": mentor, "tenant": "bench"}, "user": "alice"}
    ours.ask("PUT", path, json.dumps(body), 201)
    return path


def _ask(name: str, ours: Client, bare: Client, paths: dict[str, list[str]], n: int) -> float:
    path, strict = paths["coach"][n % SESSIONS], paths["strict"][n % SESSIONS]
    if name == BARE:
        return bare.ask("GET", "/empty")
    if name == REST:
        return bare.ask("PUT", "/rest", context(n))
    if name == READ:
        return ours.ask("GET", path)
    if name == UNKNOWN:
        return ours.ask("GET", path, None, 304, **{"If-None-Match": "*"})
    if name == SAME:
        return ours.ask("PUT", paths["same"][n % SESSIONS], context(0))
    return ours.ask("PUT", strict if name == CHECKED else path, context(n))


# --- in this process


def prepare(ground: Ground) -> None:
    os.environ |= ground.environment | {"DJANGO_SETTINGS_MODULE": "mentor_project.settings"}
    import django

    django.setup()


def checking(count: int) -> dict[str, float]:
    """Milliseconds of one check of a 4 KiB context, and of compiling its schema, at the median."""
    from chat.policies import policy_of

    value, schema = large_context(), json.dumps(LARGE)
    policy = policy_of(schema, "enforce")
    if policy.faults(value):
        raise SystemExit("The context of this measurement is not allowed by its schema.")
    checked = [_timed(lambda: policy.faults(value)) for _ in range(count)]
    found = [_timed(lambda: policy_of(schema, "enforce").faults(value)) for _ in range(count)]
    compiled = [
        _timed(lambda n=n: policy_of(f"{schema}{' ' * n}", "enforce").faults(value)) for n in range(1, 30)
    ]
    return {
        "bytes": len(json.dumps(value, separators=(",", ":"))),
        "checked": statistics.median(checked),
        "looked up and checked": statistics.median(found),
        "compiled and checked": statistics.median(compiled),
    }


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - began)


def profile(ground: Ground, method: str, lines: int) -> str:
    """Where the time of one path goes: the request through Django's handler in this process, 300 times."""
    from django.db import connection
    from django.test import Client as InProcess
    from django.test.utils import CaptureQueriesContext

    client = InProcess(headers={"Authorization": f"Bearer {ground.token}", "Host": "127.0.0.1"})
    path = f"/api/v1/sessions/{uuid.uuid4()}/context/"
    begin = {"client_context": {}, "flow": {"name": "coach", "tenant": "bench"}}
    client.put(path, begin, content_type="application/json")
    profiler = cProfile.Profile()
    for n in range(330):
        body = context(n) if method == "PUT" else ""
        if n == 30:
            profiler.enable()
        client.generic(method, path, body, content_type="application/json")
    profiler.disable()
    with CaptureQueriesContext(connection) as asked:
        client.generic(method, path, context(331) if method == "PUT" else "", content_type="application/json")
    out = io.StringIO()
    out.writelines(f"{query['sql'][:300]}\n" for query in asked.captured_queries)
    pstats.Stats(profiler, stream=out).strip_dirs().sort_stats("cumulative").print_stats(lines)
    return out.getvalue()


def told(blocks: dict[str, list[Block]], schema: dict[str, float]) -> dict[str, Any]:
    """Medians of the requests, and of the rounds' differences from the bare view of the same round."""
    floor = [(statistics.median(times), cpu / len(times)) for times, cpu in blocks[BARE]]
    rows = {}
    for name, taken in blocks.items():
        each = [(statistics.median(times), cpu / len(times)) for times, cpu in taken]
        above = [(ms - bare, cpu - bare_cpu) for (ms, cpu), (bare, bare_cpu) in zip(each, floor, strict=True)]
        rows[name] = {
            "ms": statistics.median(ms for ms, _ in each),
            "above_bare_ms": statistics.median(ms for ms, _ in above),
            "cpu_ms": statistics.median(cpu for _, cpu in each),
            "cpu_above_bare_ms": statistics.median(cpu for _, cpu in above),
            "best_round_above_bare_ms": min(ms for ms, _ in above),
        }
    return {"rows": rows, "schema": schema, "load_average": os.getloadavg()[0], "cores": os.cpu_count()}


def printed(result: dict[str, Any]) -> None:
    print(f"\n{'':34}{'median ms':>10}{'above bare':>12}{'CPU ms':>8}{'above bare':>12}{'hoped for':>11}")
    for name in ORDER:
        row = result["rows"][name]
        aim = f"{AIMS[name]:.1f}" if name in AIMS else ""
        wall, cpu = f"{row['ms']:10.2f}{row['above_bare_ms']:12.2f}", f"{row['cpu_ms']:8.2f}"
        print(f"{name:34}{wall}{cpu}{row['cpu_above_bare_ms']:12.2f}{aim:>11}")
    for name, value in result["schema"].items():
        print(f"schema, {name:26}{value:10.4f}")
    print(f"load average {result['load_average']:.1f} on {result['cores']} cores")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--size", type=int, default=100, help="requests of each kind in a round")
    parser.add_argument("--profile", choices=["GET", "PUT"], help="only show where its time goes")
    parser.add_argument("--lines", type=int, default=45)
    options = parser.parse_args()
    pin(os.getpid(), OTHER_CORES)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        ground = Ground(stack, Path(folder))
        prepare(ground)
        if options.profile:
            print(profile(ground, options.profile, options.lines))
            return
        result = told(rounds(ground, options.rounds, options.size), checking(1_000))
        printed(result)
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
