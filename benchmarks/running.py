"""Everything a run has running: its own database, tenant and servers, from start to removal."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from processes import OTHER_CORES, SERVER_CORES, Load, Server, free_port
from rows import Group, Row
from stage import Database, RedisDatabase

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parent
UVICORN_FLAGS = "--loop uvloop --http httptools --ws websockets-sansio --ws-per-message-deflate false"
TENANT = "bench"
OWN = ("LIMIT_", "LLM_", "LOG_LEVEL")  # what a shell may have set for another run
PACKAGES = ("django", "channels", "uvicorn", "uvloop", "websockets", "httptools", "aiohttp", "psycopg")
MODELS = ("back-to-back", "paced-20ms")
TOKEN_OF_PEERS = "sk-bench"
RATES_OFF = {"LIMIT_TURNS_PER_MINUTE_PER_SESSION": "0", "LIMIT_TURNS_PER_MINUTE_PER_TOKEN": "0"}
# High enough to refuse nothing, so that what is measured is the counting.
RATES_ON = {"LIMIT_TURNS_PER_MINUTE_PER_SESSION": "1000000", "LIMIT_TURNS_PER_MINUTE_PER_TOKEN": "1000000"}


def declaration() -> dict[str, Any]:
    """One tenant with a mentor for each pace, as `manage.py apply` reads it."""
    mentors = [
        {
            "slug": model,
            "name": f"Licensing coach, {model}",
            "system_prompt": "You are a licensing coach. Answer briefly, for the state your reader is in.",
            "model": model,
        }
        for model in MODELS
    ]
    return {"tenants": [{"key": TENANT, "name": "Benchmark", "mentors": mentors}]}


def installed(python: Path, packages: Sequence[str]) -> dict[str, str]:
    """The versions of some packages beside another Python."""
    script = "import sys; from importlib.metadata import version; print(*map(version, sys.argv[1:]))"
    done = subprocess.run([str(python), "-c", script, *packages], capture_output=True, text=True, check=True)
    return dict(zip(packages, done.stdout.split(), strict=True))


class Running:
    """The servers of a run by name: model, bare, bare-layer, ours, limited."""

    def __init__(self, project: Path, python: Path, folder: Path, stack: ExitStack) -> None:
        self.project, self.python, self.folder, self.stack = project, python, folder, stack
        self.database = Database()
        stack.callback(self.database.drop)
        self.redis = RedisDatabase()
        stack.callback(self.redis.drop)
        self.turns_of_ours = 0
        self.token = ""
        self.servers: dict[str, Server] = {}
        self.servers["model"] = self.start("model")

    # --- our program -------------------------------------------------------------------------------------

    def environment(self, limits: dict[str, str]) -> dict[str, str]:
        """How our program is configured: all defaults, except what is named here."""
        inherited = {key: value for key, value in os.environ.items() if not key.startswith(OWN)}
        return inherited | {
            "DATABASE_URL": self.database.url,
            "REDIS_URL": self.redis.url,
            "KEY_PREFIX": self.database.name,
            "VAR_DIR": str(self.folder / "var"),
            "SECRET_KEY": "only-for-the-length-of-a-benchmark-that-listens-on-loopback",
            "DEBUG": "0",
            "LLM_BASE_URL": f"http://127.0.0.1:{self.servers['model'].port}/v1",
            "LLM_API_KEY": "none",
            "LLM_MODEL": MODELS[0],
            "HOST": "127.0.0.1",
            "WEB_WORKERS": "1",
            "LIMIT_SOCKETS_PER_TOKEN": "100000",
            **limits,
        }

    def manage(self, *arguments: str) -> str:
        """Run a management command to its end; what it printed."""
        command = [str(self.python), "manage.py", *arguments]
        done = subprocess.run(
            command, cwd=self.project, env=self.environment(RATES_OFF), capture_output=True, text=True
        )
        if done.returncode:
            raise SystemExit(f"manage.py {arguments[0]} failed:\n{done.stdout}{done.stderr}")
        return done.stdout.strip()

    def prepare(self) -> None:
        """Tables, tenant, mentors and a token."""
        declared = self.folder / "bench.json"
        declared.write_text(json.dumps(declaration()))
        self.manage("migrate", "--verbosity", "0")
        self.manage("apply", str(declared))
        self.token = self.manage("create_token", "--tenant", TENANT, "--scope", "write_all").splitlines()[-1]

    def versions(self) -> dict[str, str]:
        """Of the servers that stand behind ours, and of the packages that a turn passes through."""
        behind = {"PostgreSQL": self.database.version(), "Redis": self.redis.version()}
        return behind | installed(self.python, PACKAGES)

    # --- servers -----------------------------------------------------------------------------------------

    def command(self, name: str, port: int) -> tuple[list[str], dict[str, str] | None]:
        """How a server is started, and its environment."""
        if name == "model":
            return [sys.executable, str(HERE / "model_server.py"), str(port)], None
        if name in ("ours", "limited"):
            env = self.environment(RATES_ON if name == "limited" else RATES_OFF)
            return [str(self.python), "manage.py", "serve", "--port", str(port)], env
        flags = [*UVICORN_FLAGS.split(), "--no-access-log", "--log-level", "warning", "--port", str(port)]
        env = {**os.environ, **({"BARE_LAYER": self.redis.url} if name == "bare-layer" else {})}
        return [str(self.python), "-m", "uvicorn", "bare:application", "--app-dir", str(HERE), *flags], env

    def start(self, name: str) -> Server:
        """A new server of that name, ready."""
        port = free_port()
        command, env = self.command(name, port)
        cores = OTHER_CORES if name == "model" else SERVER_CORES
        log = self.folder / f"{name}-{port}.log"
        server = Server(name, command, port, log, env=env, cwd=self.project, cores=cores)
        self.stack.callback(server.stop)
        server.wait_ready()
        return server

    def server(self, name: str) -> Server:
        """The server of that name, started when it is first asked for."""
        if name not in self.servers:
            self.servers[name] = self.start(name)
        return self.servers[name]

    def address(self, row: Row, server: Server) -> dict[str, Any]:
        """Where a row's load goes and what it says there."""
        scheme = "ws" if row.door == "ws" else "http"
        origin = f"{scheme}://127.0.0.1:{server.port}"
        if row.path:
            return {"url": f"{origin}/{row.path}", "dialect": row.dialect, "token": TOKEN_OF_PEERS}
        path = "/ws/chat/" if row.door == "ws" else "/api/mentor/chat/"
        return {"url": origin + path, "flow": {"name": row.model, "tenant": TENANT}, "token": self.token}

    def plan(self, group: Group, row: Row, seconds: float) -> dict[str, Any]:
        """The load client's plan for one row of a group."""
        return {
            **self.address(row, self.server(row.server)),
            "door": row.door,
            "sockets": group.sockets,
            "seconds": group.seconds or seconds,
            "stagger": group.stagger,
            "warm_turns": group.warm_turns,
            "metadata_every": row.metadata_every,
            "model": row.model,
        }

    @contextmanager
    def load(self, plan: dict[str, Any]) -> Iterator[Load]:
        """A load client that has connected and warmed up when its first line is read."""
        load = Load(plan["url"], [sys.executable, str(HERE / "load.py"), json.dumps(plan)])
        try:
            yield load
        finally:
            load.stop()

    # --- was it all kept? --------------------------------------------------------------------------------

    def check_kept(self) -> str:
        """Compare the turns that clients saw end with the answers and snapshots that are stored."""
        answers = self.database.count(
            "SELECT count(*) FROM chat_chatmessagehistory m"
            " JOIN chat_chatmessagehistoryextra e ON e.message_id = m.id"
            " WHERE m.role = 'mentor' AND m.status = 'complete' AND e.metadata <> '{}'"
        )
        if answers != self.turns_of_ours:
            raise SystemExit(f"Clients saw {self.turns_of_ours} turns end, but {answers} answers are stored.")
        return f"All {answers:,} answers that clients saw end are stored, each with its snapshot."
