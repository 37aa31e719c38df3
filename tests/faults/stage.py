"""Where the faults happen: PostgreSQL, Redis and a model's server of our own, and web processes on top."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import namedtuple_row
from websockets.exceptions import ConnectionClosed

from tests.clients import Frame, Socket
from tests.model_server import ModelServer
from tests.services import Postgres, Redis

from .web import ROOT, Child, Web, Worker

# How each mentor's model answers; a test may also enqueue an answer of its own.
MENTORS = {
    "brief": "tokens-3",
    "quick": "paced-10ms-10",  # a tenth of a second
    "steady": "paced-20ms-50",  # a second
    "patient": "paced-50ms-60",  # three seconds
    "endless": "paced-50ms-1200",  # a minute
}
_CAST = """
import django, json, sys; django.setup()
from django.core.management import call_command
from chat.models import ApiToken, Mentor, Tenant
call_command("migrate", verbosity=0)
demo = Tenant.objects.create(key="demo", name="Demo")
for slug, model in json.loads(sys.argv[1]).items():
    Mentor(tenant=demo, slug=slug, name=slug, system_prompt="You coach.", model=model).save()
print(ApiToken.issue(demo, scope="write_all", name="backend")[1])
"""


@dataclasses.dataclass
class Stage:
    """The services, one tenant `demo` with the mentors above, and a token of it that may write."""

    postgres: Postgres
    redis: Redis
    model: ModelServer
    token: str = ""

    def environment(self, **more: str) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        return {
            **kept,
            "DJANGO_SETTINGS_MODULE": "mentor_project.settings",
            "PYTHONPATH": str(ROOT),
            "SECRET_KEY": "the-same-in-all-processes-of-these-tests",
            "DATABASE_URL": self.postgres.url,
            "REDIS_URL": self.redis.url,
            "LLM_BASE_URL": self.model.url,
            "LLM_MODEL": "scripted",
            "LIMIT_TURNS_PER_MINUTE_PER_SESSION": "0",
            **more,
        }

    def cast(self) -> None:
        environment = self.environment(VAR_DIR=str(self.redis.folder))
        command = [sys.executable, "-c", _CAST, json.dumps(MENTORS)]
        done = subprocess.run(command, env=environment, cwd=ROOT, check=True, capture_output=True, text=True)
        self.token = done.stdout.strip()

    @contextlib.contextmanager
    def webs(self, count: int, **environment: str) -> Iterator[list[Web]]:
        """So many `manage.py serve`, started side by side."""
        with contextlib.ExitStack() as stack:
            children = [Web(self.environment(**environment)) for _ in range(count)]
            for child in children:
                stack.callback(_end, child)
                child.launch()
            for child in children:
                child.wait()
            yield children

    @contextlib.contextmanager
    def worker(self) -> Iterator[Worker]:
        child = Worker(self.environment())
        try:
            child.launch()
            yield child
        finally:
            child.stop()
            _end(child)

    def talk(self, web: Web, mentor: str) -> Socket:
        return Socket(web.url, tenant="demo", mentor=mentor, token=self.token, username="alice")

    def rows(self, sql: str, *params: Any) -> list[Any]:
        with psycopg.connect(self.postgres.url, autocommit=True, row_factory=namedtuple_row) as connection:
            return connection.execute(sql, params).fetchall()

    def messages(self, session_id: str) -> list[Any]:
        """A session's messages in order, each with its snapshot (`context`)."""
        return self.rows(
            "SELECT m.*, x.metadata AS context, x.error FROM chat_chatmessagehistory m"
            " JOIN chat_chatmessagehistoryextra x ON x.message_id = m.id"
            " WHERE m.session_id = %s ORDER BY m.sequence",
            UUID(session_id),
        )

    def answer(self, generation_id: str) -> Any:
        """(status, content) of an answer."""
        sql = "SELECT status, content FROM chat_chatmessagehistory WHERE id = %s"
        return self.rows(sql, UUID(generation_id))[0]

    def settled(self, generation_id: str, seconds: float = 10) -> Any:
        """The answer once it is final, or as it is after so many seconds."""
        deadline = time.monotonic() + seconds
        while (answer := self.answer(generation_id)).status == "streaming" and time.monotonic() < deadline:
            time.sleep(0.05)
        return answer


def elsewhere(talk: Socket, web: Web) -> Socket:
    """The same user, come back to another process."""
    return dataclasses.replace(talk, url=web.url)


def resume(talk: Socket, generation_id: str, after: int) -> list[Frame]:
    """What a client gets that asks for the events after this one."""
    command = {"action": "resume", "generation_id": generation_id, "after": after, "token": talk.token}
    talk.put(command)
    frames = talk.rest()
    talk.close()
    return frames


def stop(talk: Socket, generation_id: str) -> Frame:
    """Stop a turn, and what its stopper is told."""
    talk.put({"action": "stop", "generation_id": generation_id, "token": talk.token})
    return talk.get(30)


def say_until_free(talk: Socket) -> Frame:
    """Ask four times a second until the session takes a turn again: that turn's first frame."""
    for _ in range(120):
        talk.put(talk.payload("And now?"))
        frame = talk.get()
        if "generation_id" in frame:
            return frame
        assert frame["code"] == "turn_in_progress"
        time.sleep(0.25)
    raise AssertionError("the session was never free again")


def rest_until_closed(talk: Socket, timeout: float = 10) -> tuple[list[Frame], int | None]:
    """Every frame that still comes, and the code that the socket was closed with."""
    frames = []
    try:
        while True:
            frames.append(talk.get(timeout))
    except ConnectionClosed as closed:
        return frames, closed.rcvd.code if closed.rcvd else None


def text_of(frames: list[Frame]) -> str:
    return "".join(frame.get("data", "") for frame in frames)


def numbers(frames: list[Frame]) -> list[int]:
    return [frame["event"] for frame in frames]


def _end(child: Child) -> None:
    with contextlib.suppress(ProcessLookupError):
        child.kill()
    child.__exit__()
