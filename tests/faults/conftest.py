"""One stage for all fault tests: servers of their own on spare ports, started once."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

import pytest

from tests.model_server import ModelServer
from tests.services import Postgres, Redis

from .quiet import Quiet
from .stage import Stage
from .web import Web


@pytest.fixture(scope="session")
def stage() -> Iterator[Stage]:
    """PostgreSQL, Redis and the model's server; skipped where the first two are not installed."""
    try:
        redis = Redis()
        redis.command()
        postgres = Postgres()
    except RuntimeError as missing:
        refuse = pytest.fail if os.environ.get("REQUIRE_SERVICES") == "1" else pytest.skip
        refuse(f"the fault tests need real servers: {missing}")
    with contextlib.ExitStack() as stack:
        model = stack.enter_context(ModelServer())
        made = Stage(stack.enter_context(postgres), stack.enter_context(redis), model)
        made.cast()
        yield made


@pytest.fixture(scope="session")
def pair(stage: Stage) -> Iterator[list[Web]]:
    """Two web processes for the tests that hurt neither."""
    with stage.webs(2) as webs:
        yield webs


@pytest.fixture(scope="session", autouse=True)
def quiet(stage: Stage, pair: list[Web]) -> Iterator[Quiet]:
    """Opened before the first fault, so that nobody has to wait for it at the end."""
    with contextlib.closing(Quiet(stage, pair[0])) as quiet:
        yield quiet


@pytest.fixture
def one(pair: list[Web]) -> Web:
    return pair[0]


@pytest.fixture
def two(pair: list[Web]) -> Web:
    return pair[1]
