"""The ground of a run: PostgreSQL and Redis of its own, filled tables, one served web process, one token."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psycopg
from processes import Server, free_port

from tests.services import Postgres, Redis

from . import filling

PROJECT = Path(__file__).resolve().parents[2]
# Of a machine with some memory and a disk without heads; everything else is PostgreSQL's default.
TUNING = {
    "shared_buffers": "2GB",
    "effective_cache_size": "8GB",
    "random_page_cost": "1.1",
    "max_wal_size": "8GB",
}
TENANT = "tenant-1"


class Ground:
    """`url` names a database that an earlier run left filled; without it one is made."""

    def __init__(self, folder: Path, stack: ExitStack, url: str, say: Callable[[str], None]) -> None:
        self.folder, self.stack, self.say = folder, stack, say
        self.redis = stack.enter_context(Redis())
        self.made_here = not url
        self.url = url or self._postgres().url
        # No worker and no beat: nothing runs but what is measured.
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("LIMIT_", "LLM_"))},
            "DATABASE_URL": self.url,
            "REDIS_URL": self.redis.url,
            "VAR_DIR": str(folder / "var"),
            "SECRET_KEY": "of the reading figures, which nobody else can reach",
        }
        os.environ |= self.environment | {"DJANGO_SETTINGS_MODULE": "mentor_project.settings"}

    def _postgres(self) -> Postgres:
        postgres: Postgres = self.stack.enter_context(Postgres())
        with psycopg.connect(postgres.url, autocommit=True) as connection:
            for name, value in TUNING.items():
                connection.execute(f"ALTER SYSTEM SET {name} = '{value}'")  # type: ignore[call-overload]
        postgres.stop()
        postgres.start()
        return postgres

    def fill(self, sessions: int) -> dict[str, Any]:
        """Tables of that many sessions, with every past day counted ahead; what that took."""
        self.manage("migrate", "--verbosity", "0")
        self.say(f"Filling {sessions:,} sessions …")
        began = time.perf_counter()
        filling.fill(self.url, sessions, self.say)
        filled = time.perf_counter() - began
        return {"fill_s": round(filled, 1), "rollups": self.roll_up()}

    def roll_up(self) -> dict[str, Any]:
        """Count every day ahead, as the worker would bit by bit. For a process in which Django is set up."""
        from django.db import connection

        from chat import rollups

        began = time.perf_counter()
        days = 0
        with connection.cursor() as cursor:
            cursor.execute("SET statement_timeout = 0")
        while counted := rollups.roll_up(budget=600):
            days += counted
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE chat_rollup")
            cursor.execute("RESET statement_timeout")
        return {"days": days, "seconds": round(time.perf_counter() - began, 1)}

    def token(self) -> str:
        command = ("create_token", "--tenant", TENANT, "--scope", "read_all")
        return self.manage(*command).splitlines()[-1]

    def serve(self) -> Server:
        """One web process, ready."""
        port = free_port()
        command = [sys.executable, "manage.py", "serve", "--port", str(port)]
        environment = {**self.environment, "WEB_WORKERS": "1"}
        server = Server(
            "ours", command, port, self.folder / "ours.log", env=environment, cwd=PROJECT, cores=set()
        )
        self.stack.callback(server.stop)
        server.wait_ready()
        return server

    def manage(self, *arguments: str) -> str:
        """Run a management command to its end; what it printed."""
        command = [sys.executable, "manage.py", *arguments]
        done = subprocess.run(command, cwd=PROJECT, env=self.environment, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"manage.py {arguments[0]} failed:\n{done.stdout}{done.stderr}")
        return done.stdout.strip()
