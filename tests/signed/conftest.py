"""Demo's back end signs; a visitor's page carries what it signed."""

from __future__ import annotations

import pytest

from chat.models import Mentor, Tenant

from ..clients import Socket, Stream, TalkMaker
from .signing import BackEnd


@pytest.fixture(params=["EdDSA", "HS256"])
def backend(request: pytest.FixtureRequest, demo: Tenant, coach: Mentor) -> BackEnd:
    """Signs for the coach, with each algorithm in turn."""
    return BackEnd(demo, coach, request.param)


@pytest.fixture
def ed(demo: Tenant, coach: Mentor) -> BackEnd:
    return BackEnd(demo, coach, "EdDSA")


@pytest.fixture
def visitor(talk: TalkMaker) -> Socket | Stream:
    """An anonymous user with the coach, who has not said a word."""
    one: Socket | Stream = talk()
    return one
