"""Children on the tests' own database: `manage.py serve`, daphne, Celery, and what they logged."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

from django.db import connection

from .faults.web import ROOT, Child, Web

CELERY = [sys.executable, "-m", "celery", "--quiet", "-A", "mentor_project"]


def environment(**more: str) -> dict[str, str]:
    """Of a child that shares this test's database and nothing else; a name set to "" is left out."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    given = {"DATABASE_URL": database_url(), "SECRET_KEY": "the-same-in-all-children-of-these-tests", **more}
    given |= {"DJANGO_SETTINGS_MODULE": "mentor_project.settings", "PYTHONPATH": str(ROOT)}
    return {**kept, **{name: value for name, value in given.items() if value}}


def database_url() -> str:
    at = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{at['NAME']}"
    return f"postgresql://{at['USER']}@{at['HOST']}:{at['PORT']}/{at['NAME']}"


class Daphne(Web):
    """The application on daphne."""

    def command(self) -> list[str]:
        daphne = [sys.executable, "-m", "daphne", "--port", str(self.port), "--verbosity", "0"]
        return [*daphne, "mentor_project.asgi:application"]


class Worker(Child):
    """A Celery worker as compose.yaml starts it."""

    def command(self) -> list[str]:
        return [*CELERY, "worker", "--concurrency", "1"]


class Beat(Child):
    """The one that sends what is due."""

    def command(self) -> list[str]:
        return [*CELERY, "beat", "--pidfile", ""]


@contextlib.contextmanager
def running(child: Any) -> Iterator[Any]:
    """The child, started, and up if it answers; ended afterwards, its folder with it."""
    try:
        child.launch()
        if isinstance(child, Web):
            child.wait()
        yield child
    finally:
        child.__exit__()


def events(child: Child) -> list[dict[str, Any]]:
    """The lines of a child's log; each must be a JSON object."""
    lines = [json.loads(line) for line in child.log().splitlines()]
    assert all(isinstance(line, dict) and line["event"] and line["level"] for line in lines)
    return lines


def until(holds: Callable[[], bool], seconds: float) -> bool:
    """Whether it comes true within so many seconds."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def manage(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """`manage.py …` to its end, with this environment and nothing of ours."""
    command = [sys.executable, "manage.py", *arguments]
    given = {**environment(), **more}
    return subprocess.run(command, env=given, cwd=ROOT, capture_output=True, text=True, check=False)
