"""When a stream ends; wake-ups that are lost; many listeners."""

from __future__ import annotations

import time

import pytest
from django.utils import timezone

from chat import happened, news, telemetry
from chat.models import ApiToken
from tests.clients import Socket, fetch
from tests.ears import Ear

from .doing import TURN, Listen

# --- the end


def test_a_stream_ends_when_its_token_is_revoked(hasty: None, alice: Socket, ear: Ear) -> None:
    assert ear.is_quiet(0.6)
    ApiToken.objects.update(revoked_at=timezone.now())
    assert ear.has_ended(8)


def test_a_stream_ends_when_its_session_is_removed(alice: Socket, ear: Ear, token: str) -> None:
    path = f"/api/ai-mentor/orgs/demo/users/alice/sessions/{alice.session_id}/"
    fetch(alice.url, "DELETE", path, headers={"Authorization": f"Token {token}"})
    assert ear.has_ended(1)


def test_without_a_wake_up_what_happened_is_found_by_looking(
    hasty: None, alice: Socket, ear: Ear, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(news.Ears, "hear", lambda *_: None)
    alice.say("And here?")
    assert ear.lasting(2) == TURN[::2]


# --- many, and slow ones


def test_who_listens_to_one_session_shares_what_is_read(
    alice: Socket, ear: Ear, listen: Listen, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    told_since = happened.news_since
    monkeypatch.setattr(happened, "news_since", lambda *which: read.append("") or told_since(*which))
    ears = [listen() for _ in range(200)]
    assert {one.next().short for one in ears} == {"idle"}
    time.sleep(0.3)
    read.clear()
    alice.say("And here?")
    assert all(one.lasting(2) == TURN[::2] for one in ears)
    assert len(read) < 30, "one read for each change and not for each listener"
    assert telemetry.LISTENERS._value.get() == 201
