"""One scripted model's server for the tests of a file, which has heard nothing when a test begins."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.model_server import ModelServer


@pytest.fixture(scope="module")
def running() -> Iterator[ModelServer]:
    with ModelServer() as server:
        yield server


@pytest.fixture
def server(running: ModelServer) -> Iterator[ModelServer]:
    """A server that has heard nothing yet."""
    running.forget()
    yield running
    running.forget()
