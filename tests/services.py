"""Real PostgreSQL and Redis servers of our own, on spare ports, to use, to stop and to kill.

`python -m tests.services COMMAND …` runs a command with DATABASE_URL and REDIS_URL pointing at them.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _postgres_binary(name: str) -> str:
    newest_first = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), reverse=True)
    found = str(newest_first[0]) if newest_first else shutil.which(name)
    if found is None:
        raise RuntimeError(f"{name} is not installed: apt-get install postgresql")
    return found


def _wait_for_port(port: int, process: subprocess.Popen[Any], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        if process.poll() is not None:
            raise RuntimeError(f"{process.args!r} ended with {process.returncode}")
        time.sleep(0.05)
    raise RuntimeError(f"nothing listens on {port}")


class Server:
    """A server process with a folder of its own; `stop` and `start` again keep its port."""

    def __init__(self) -> None:
        self.port = free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="mentor-test-"))
        self.process: subprocess.Popen[Any] | None = None

    def command(self) -> list[str]:
        raise NotImplementedError

    def options(self) -> dict[str, Any]:
        return {}

    def start(self) -> None:
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                self.command(), stdout=log, stderr=log, start_new_session=True, **self.options()
            )
        _wait_for_port(self.port, self.process)

    def stop(self, how: int = signal.SIGINT) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait(60)

    def __enter__(self) -> Any:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


class Postgres(Server):
    """A cluster made for this; SIGINT is its fast shutdown."""

    def __init__(self) -> None:
        super().__init__()
        # PostgreSQL refuses to run as root.
        self._user: dict[str, Any] = {}
        if os.geteuid() == 0:
            owner = pwd.getpwnam("postgres")
            os.chown(self.folder, owner.pw_uid, owner.pw_gid)
            self._user = {"user": "postgres", "group": "postgres", "extra_groups": []}
        self.data = self.folder / "data"
        initdb = [_postgres_binary("initdb"), "-D", self.data, "-U", "mentor", "-A", "trust", "-E", "UTF8"]
        subprocess.run(
            [*initdb, "--locale=C.UTF-8", "-N"], check=True, capture_output=True, cwd="/", **self._user
        )

    def command(self) -> list[str]:
        settings = {"listen_addresses": "127.0.0.1", "unix_socket_directories": "", "max_connections": "200"}
        # Only a machine that fails would lose by it; a server that is killed does not. It halves the suite.
        settings["fsync"] = "off"
        flags = [flag for name, value in settings.items() for flag in ("-c", f"{name}={value}")]
        return [_postgres_binary("postgres"), "-D", str(self.data), "-p", str(self.port), *flags]

    def options(self) -> dict[str, Any]:
        return {**self._user, "cwd": "/"}

    def start(self) -> None:
        super().start()
        ready = [_postgres_binary("pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        while subprocess.run(ready, check=False).returncode != 0:
            time.sleep(0.05)

    @property
    def url(self) -> str:
        return f"postgresql://mentor@127.0.0.1:{self.port}/postgres"


class Redis(Server):
    """Keeps nothing on disk: what is stopped is forgotten."""

    def command(self) -> list[str]:
        binary = shutil.which("redis-server")
        if binary is None:
            raise RuntimeError("redis-server is not installed: apt-get install redis-server")
        return [
            binary,
            "--port",
            str(self.port),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--dir",
            str(self.folder),
        ]

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"


@contextlib.contextmanager
def running() -> Iterator[tuple[Postgres, Redis]]:
    with Postgres() as postgres, Redis() as redis:
        yield postgres, redis


def main() -> int:
    with running() as (postgres, redis):
        environment = {**os.environ, "DATABASE_URL": postgres.url, "REDIS_URL": redis.url}
        return subprocess.run(sys.argv[1:], env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
