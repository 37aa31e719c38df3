"""Real children of `manage.py`, each with an environment of its own, and what a bad day does to them."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from tests.clients import fetch
from tests.services import Server

ROOT = Path(__file__).parent.parent.parent
MIB = 1024 * 1024


class Child(Server):
    """A process of ours with a log and a VAR_DIR in a folder of its own."""

    def __init__(self, environment: dict[str, str]) -> None:
        super().__init__()
        self.environment = {**environment, "VAR_DIR": str(self.folder), "PORT": str(self.port)}

    def launch(self) -> None:
        """Start, and do not wait until it is ready."""
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                self.command(), stdout=log, stderr=log, start_new_session=True, cwd=ROOT, env=self.environment
            )

    def kill(self) -> None:
        """As the kernel does it when memory is out: no goodbye."""
        self.stop(signal.SIGKILL)

    def seconds_to_exit(self, timeout: float = 30) -> float:
        assert self.process is not None
        began = time.monotonic()
        self.process.wait(timeout)
        return time.monotonic() - began

    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")


class Web(Child):
    """`manage.py serve`."""

    def command(self) -> list[str]:
        return [sys.executable, "manage.py", "serve"]

    def wait(self, seconds: float = 60) -> None:
        """Until it answers."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self.process is not None and self.process.poll() is None:
            with contextlib.suppress(OSError):
                assert fetch(self.url, "GET", "/healthz/live")[0] == 200
                return
            time.sleep(0.05)
        raise RuntimeError(f"the web process did not come up:\n{self.log()[-2000:]}")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def memory(self) -> float:
        """MiB that the process has resident."""
        assert self.process is not None
        return psutil.Process(self.process.pid).memory_info().rss / MIB


class Worker(Child):
    """A Celery worker with its beat: who reaps where nobody returns."""

    def command(self) -> list[str]:
        celery = [sys.executable, "-m", "celery", "--app", "mentor_project"]
        return [*celery, "worker", "--beat", "--pool", "solo", "--loglevel", "warning"]


@contextlib.contextmanager
def frozen(server: Server) -> Iterator[None]:
    """Stopped but not gone: it takes connections and answers nothing."""
    assert server.process is not None
    server.process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        server.process.send_signal(signal.SIGCONT)
