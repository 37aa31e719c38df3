"""What the cache has of an erased user goes, what comes late is not taken, and a cache that is away is waited for."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import pytest
from django.core.cache import cache as django_cache

from chat import cache, erasing
from chat.errors import Unavailable
from chat.models import Mentor, Session
from exports import erasures

from ..exports.cast import said
from ..services import free_port

pytestmark = pytest.mark.django_db(transaction=True)


def read(session_id: object) -> str | None:
    return asyncio.run(cache.RedisStore().get_context(session_id) if _on_redis() else _local(session_id))


def _on_redis() -> bool:
    return isinstance(cache.store(), cache.RedisStore)


async def _local(session_id: object) -> str | None:
    return await cache.store().get_context(session_id)


def test_a_context_that_comes_late_is_not_kept() -> None:
    gone, other = uuid.uuid4(), uuid.uuid4()
    for session_id in (gone, other):
        cache.keep_context(session_id, '{"a":1}')
    assert read(gone) == '{"a":1}'
    cache.erase([gone], [])
    cache.keep_context(gone, '{"a":1}')
    asyncio.run(cache.store().set_context(gone, '{"a":1}'))
    assert (read(gone), read(other)) == (None, '{"a":1}')


def test_frames_that_come_late_are_not_kept() -> None:
    answer = str(uuid.uuid4())

    async def tell(*frames: str) -> list[str]:
        await cache.store().log_events({answer: frames})
        return await cache.store().read_events(answer, 0)

    assert asyncio.run(tell("one")) == ["one"]
    cache.erase([], [answer])
    assert asyncio.run(tell("two")) == []


@pytest.fixture
def no_redis(settings: Any) -> Any:
    """Settings of a Redis that nobody runs; gives those from before."""
    before = settings.CACHES, settings.REDIS_URL
    url = f"redis://127.0.0.1:{free_port()}/0"
    backend = {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": url}
    settings.CACHES, settings.REDIS_URL = {"default": backend}, url
    cache.store.cache_clear()
    yield before
    cache.store.cache_clear()


def test_a_cache_that_is_away_is_cleared_when_it_is_back(coach: Mentor, settings: Any, no_redis: Any) -> None:
    session = said(coach, {"stateCode": "CA"})
    erasure = erasing.ask(coach.tenant_id, "alice", "test")
    with pytest.raises(Unavailable):
        erasing.step(erasure.pk)
    assert not erasures.try_to_run(erasure.pk)
    erasure.refresh_from_db()
    assert not Session.objects.exists()
    assert erasure.pending["sessions"] == [str(session.pk)]
    settings.CACHES, settings.REDIS_URL = no_redis
    cache.store.cache_clear()
    cache.keep_context(session.pk, '{"a":1}')
    assert erasures.try_to_run(erasure.pk)
    assert django_cache.get(cache.context_key(session.pk)) is None
    erasure.refresh_from_db()
    assert (erasure.pending, erasure.user_id, erasure.counts["sessions"]) == (None, "", 1)
