"""Listeners of Alice's session."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from chat import telemetry, watching
from tests.clients import Socket
from tests.ears import Ear
from tests.test_stop_and_resume import wait_until

from .doing import CA, Listen


@pytest.fixture
def listen(alice: Socket) -> Iterator[Listen]:
    """Listens to Alice's session with her tenant's token, or whatever a test says."""
    ears: list[Ear] = []

    def make(after: str = "", *, proof: str | None = "", **more: Any) -> Ear:
        if proof == "":
            proof = f"Api-Token {alice.token}"
        ears.append(Ear(alice.url, alice.session_id, after, Authorization=proof, **more))
        return ears[-1]

    yield make
    for ear in ears:
        ear.close()
    wait_until(lambda: telemetry.LISTENERS._value.get() == 0)


@pytest.fixture
def ear(alice: Socket, listen: Listen) -> Ear:
    """Listens since there has been a turn."""
    alice.say("Hello.", metadata=CA)
    ear = listen()
    assert ear.hear(1) == ["idle"]
    return ear


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks and checks ten times a second, once the look that is under way is over."""
    monkeypatch.setattr(watching, "LOOK_SECONDS", 0.1)
    monkeypatch.setattr(watching, "CHECK_SECONDS", 0.2)
