"""Starting, pinning, weighing and stopping the processes of a run; it stops only those it started."""

from __future__ import annotations

import os
import resource
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil


def split_cores() -> tuple[set[int], set[int]]:
    """The server's core and everybody else's; two empty sets where nothing can be pinned."""
    if not hasattr(os, "sched_getaffinity"):
        return set(), set()
    first, *rest = sorted(os.sched_getaffinity(0))
    return ({first}, set(rest)) if rest else (set(), set())


SERVER_CORES, OTHER_CORES = split_cores()


def pin(pid: int, cores: set[int]) -> None:
    """Keep a process on these cores, if that is possible and allowed."""
    if cores:
        with suppress(OSError):
            os.sched_setaffinity(pid, cores)


def raise_file_limit() -> None:
    """Thousands of sockets need as many files, here and in every child."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def free_port() -> int:
    """A loopback port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def accepts(port: int) -> bool:
    """Whether somebody listens there."""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Server:
    """A server of this run: its process tree, its port and its log."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        port: int,
        log: Path,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        cores: set[int] = SERVER_CORES,
    ) -> None:
        self.name, self.port, self.log = name, port, log
        with log.open("wb") as out:
            self.process = subprocess.Popen(command, stdout=out, stderr=out, env=env, cwd=cwd)
        self.cores = cores
        pin(self.process.pid, cores)

    def wait_ready(self, timeout: float = 60.0) -> None:
        """Return when it accepts connections; exit with the end of its log when it will not."""
        deadline = time.monotonic() + timeout
        while not accepts(self.port):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"{self.name} did not start:\n{self.last_words()}")
            time.sleep(0.1)

    def last_words(self) -> str:
        """The end of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-20:])

    def tree(self) -> list[psutil.Process]:
        """The process and everything it started."""
        root = psutil.Process(self.process.pid)
        return [root, *root.children(recursive=True)]

    def user_and_system_ms(self) -> tuple[float, float]:
        """CPU milliseconds of the tree since it started, children that have ended included."""
        times = [process.cpu_times() for process in self.tree()]
        user = sum(spent.user + spent.children_user for spent in times)
        return 1000 * user, 1000 * sum(spent.system + spent.children_system for spent in times)

    def cpu_ms(self) -> float:
        """The same in one sum."""
        return sum(self.user_and_system_ms())

    def rss_kib(self) -> float:
        """Resident memory of the tree."""
        return sum(process.memory_info().rss for process in self.tree()) / 1024

    def stop(self) -> None:
        """Ask, wait, insist: this process and its own children only."""
        with suppress(psutil.NoSuchProcess):
            tree = self.tree()
            self.process.terminate()
            _, alive = psutil.wait_procs(tree, timeout=10)
            for process in alive:
                with suppress(psutil.NoSuchProcess):
                    process.kill()
        self.process.wait()


class Load:
    """The load client at work: ready, then go, then its tally."""

    def __init__(self, name: str, command: Sequence[str]) -> None:
        self.name = name
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        pin(self.process.pid, OTHER_CORES)

    def line(self) -> str:
        """The client's next line; exit with its complaint when it has none."""
        assert self.process.stdout and self.process.stderr
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.name}: {self.process.stderr.read().strip() or 'The load client died.'}")
        return line

    def go(self) -> None:
        """Say the start line."""
        assert self.process.stdin
        self.process.stdin.write("go\n")
        self.process.stdin.flush()

    def stop(self) -> None:
        """Wait for the client, or end it."""
        self.process.kill()
        self.process.communicate()
