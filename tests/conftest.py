"""What the tests share: a running server, a model's server, and a small cast.

Tenants are `demo` and `other`; Alice and Bob are users of demo, Mallory is a stranger from other.
"""

from __future__ import annotations

import asyncio
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import uvicorn
from django.db import connections

from chat import access, cache, database, turns
from chat.models import ApiToken, Mentor, Tenant

from .clients import Socket, Stream
from .emptying import instead_of_flushing
from .model_server import ModelServer
from .services import free_port
from .visits import CA, Visit

# Playwright keeps an event loop running: its tests have a process of their own (make test-browser).
collect_ignore = [] if os.environ.get("BROWSER_TESTS") else ["browser"]


class ThreadedServer(uvicorn.Server):
    """The real server in a thread of this process, so that tests share its settings and database."""

    def start(self) -> str:
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()
        while not self.started:
            assert self.thread.is_alive(), "the server did not start"
            time.sleep(0.01)
        return f"http://127.0.0.1:{self.config.port}"

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        self.loop = asyncio.get_running_loop()
        await self._serve(sockets)

    def stop(self) -> None:
        self.should_exit = True
        self.thread.join(10)


def pytest_sessionstart() -> None:
    instead_of_flushing()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if not (os.environ.get("DATABASE_URL") and os.environ.get("REDIS_URL")):
        for item in items:
            if item.get_closest_marker("services"):
                item.add_marker(pytest.mark.skip(reason="needs PostgreSQL and Redis: make test-services"))


@pytest.fixture(scope="session")
def server(django_db_setup: None) -> Iterator[ThreadedServer]:
    config = uvicorn.Config(
        "mentor_project.asgi:application",
        host="127.0.0.1",
        port=free_port(),
        ws="websockets-sansio",
        ws_per_message_deflate=False,
        ws_max_size=1024 * 1024,
        log_config=None,
    )
    server = ThreadedServer(config)
    server.url = server.start()  # type: ignore[attr-defined]
    yield server
    server.stop()
    database.close_threads()
    connections.close_all()


@pytest.fixture
def live(server: ThreadedServer, transactional_db: None) -> Iterator[str]:
    """The address of a running server on an empty database."""
    yield server.url  # type: ignore[attr-defined]
    asyncio.run_coroutine_threadsafe(_quiet(), server.loop).result(20)


async def _quiet() -> None:
    """Wait for the turns that a test left running: the next test empties the tables."""
    from chat.live import process

    for turn in list(process().turns.values()):
        turn.stop("interrupted")
    while not all(turn.done for turn in process().turns.values()):  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    process().turns.clear()  # their event logs may stay short
    await process().tally.write()


@pytest.fixture
def written(server: ThreadedServer) -> Callable[[], None]:
    """Writes what the server has counted of refusals until now."""
    from chat.live import process

    async def write() -> None:
        await process().tally.write()

    return lambda: asyncio.run_coroutine_threadsafe(write(), server.loop).result(20)


@pytest.fixture(autouse=True)
def _nothing_remembered() -> None:
    access.forget()
    turns._as_left.clear()
    cache.store.cache_clear()


@pytest.fixture
def model(settings: Any) -> Iterator[ModelServer]:
    """The scripted model's server, which this test's turns are sent to."""
    with ModelServer() as server:
        settings.LLM_BASE_URL = server.url
        settings.LLM_MODEL = "scripted"
        yield server


@pytest.fixture
def demo(db: None) -> Tenant:
    return Tenant.objects.create(key="demo", name="Demo")


@pytest.fixture
def other(db: None) -> Tenant:
    return Tenant.objects.create(key="other", name="Other")


@pytest.fixture
def coach(demo: Tenant) -> Mentor:
    """A mentor of demo that lets anonymous users in."""
    mentor = Mentor(tenant=demo, slug="coach", name="Coach", system_prompt="You coach.", allow_anonymous=True)
    mentor.save()
    return mentor


@pytest.fixture
def tutor(demo: Tenant) -> Mentor:
    """Another mentor of demo, which asks for a token."""
    mentor = Mentor(tenant=demo, slug="tutor", name="Tutor")
    mentor.save()
    return mentor


@pytest.fixture
def token(demo: Tenant) -> str:
    """A token of demo that may write."""
    return ApiToken.issue(demo, scope="write_all", name="backend")[1]


@pytest.fixture
def others_token(other: Tenant) -> str:
    return ApiToken.issue(other, scope="write_all", name="mallory")[1]


@pytest.fixture
def alice(live: str, coach: Mentor, model: ModelServer, token: str) -> Iterator[Socket]:
    """Alice in a session with the coach, on a socket."""
    one = Socket(live, "demo", "coach", token=token, username="alice")
    yield one
    one.close()


@pytest.fixture
def returned(live: str, coach: Mentor, token: str) -> Iterator[Socket]:
    """Alice on another socket."""
    one = Socket(live, "demo", "coach", token=token, username="alice")
    yield one
    one.close()


@pytest.fixture
def visit(coach: Mentor, token: str) -> Visit:
    """A session that has had a turn under CA, which this process remembers."""
    visit = Visit(coach, token)
    visit.turn(CA)
    assert visit.session in turns._as_left
    return visit


@pytest.fixture(params=[Socket, Stream], ids=["ws", "sse"])
def talk(
    request: pytest.FixtureRequest, live: str, coach: Mentor, model: ModelServer
) -> Iterator[Callable[..., Socket | Stream]]:
    """Makes talks with the coach, at each door in turn; anonymous unless told otherwise."""
    made: list[Socket | Stream] = []

    def make(**more: object) -> Socket | Stream:
        made.append(request.param(url=live, tenant="demo", mentor="coach", **more))
        return made[-1]

    yield make
    for one in made:
        one.close()
