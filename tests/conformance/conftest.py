"""The table's place in this process: the running server of the tests, on SQLite or on PostgreSQL and Redis."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.core.cache import cache as django_cache
from django.db import connection

from chat import cache
from chat.models import Mentor, SigningKey
from tests.model_server import ModelServer
from tests.services import free_port

from .cases import NY, SCHEMA
from .stage import Place, slug
from .table import MODEL, SYSTEM, Loss, Rule


def rows(sql: str, *params: Any) -> list[tuple[Any, ...]]:
    """SQLite keeps a UUID as its 32 digits."""
    with connection.cursor() as cursor:
        cursor.execute(sql, [_id(one) for one in params])
        found: list[tuple[Any, ...]] = cursor.fetchall()
    return found


def _id(param: Any) -> Any:
    try:
        found = uuid.UUID(param) if len(param) == 36 else None
    except ValueError:
        found = None
    if found is None:
        return param
    return found if connection.vendor == "postgresql" else found.hex


class OurCache:
    """The server's own, which is in this process or in Redis."""

    def __init__(self, settings: Any) -> None:
        self.settings, self.address = settings, settings.REDIS_URL

    def get(self, session_id: str) -> str | None:
        text: str | None = async_to_sync(cache.store().get_context)(session_id)
        return text

    def lose(self, session_id: str, loss: Loss) -> None:
        if loss is Loss.DELETED:
            django_cache.delete(cache.context_key(session_id))
        elif loss is Loss.WRONG:
            cache.store().keep_context(session_id, NY)
        else:
            self._die()

    def _die(self) -> None:
        """From now on nothing listens where Redis is looked for."""
        self._look_at(f"redis://127.0.0.1:{free_port()}/0")

    def revive(self) -> None:
        self._look_at(self.address)
        cache._keeping_paused_until = 0.0

    def _look_at(self, address: str) -> None:
        default = {**self.settings.CACHES["default"], "LOCATION": address}
        self.settings.REDIS_URL, self.settings.CACHES = address, {"default": default}
        cache.store.cache_clear()


@pytest.fixture
def place(
    live: str, coach: Mentor, token: str, model: ModelServer, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Place]:
    settings.LIMIT_QUICKCHAT_WRITES_PER_MINUTE = 0
    settings.LIMIT_TURNS_PER_MINUTE_PER_SESSION = 0
    monkeypatch.setattr(cache, "_keeping_paused_until", 0.0)  # as it is afterwards again
    coach.model = MODEL
    coach.save()
    for rule in (Rule.ENFORCE, Rule.WARN, Rule.STRIP):
        same = {"name": "Coach", "system_prompt": SYSTEM, "model": MODEL, "allow_anonymous": True}
        ruled = {"slug": slug("coach", rule), "context_schema": SCHEMA, "schema_mode": rule.value}
        Mentor(tenant=coach.tenant, **same, **ruled).save()
    postgres = connection.vendor == "postgresql"
    secret = SigningKey.issue(coach.tenant, kid="k1")[1]
    yield Place(live, "demo", "coach", token, model, rows, OurCache(settings), postgres, secret)
