"""What filters are asked of: sessions that are told in a line."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from chat.access import Caller, TokenFacts, token_caller
from chat.filters import parse
from chat.models import (
    ChatMessageHistory,
    ChatMessageHistoryExtra,
    Mentor,
    Session,
    SessionContextVersion,
    Tenant,
)
from chat.selections import Reader, Selection

# A session as (context, messages under it as (text, more)); the last context is in force.
Told = tuple[dict[str, Any], list[tuple[str, dict[str, Any]]]]
Tell = Callable[..., Session]


@pytest.fixture
def tell(coach: Mentor) -> Tell:
    """Tells a session of Bob's with the coach; `told` has contexts, and what was said under each."""

    def tell(
        *told: Told, mentor: Mentor = coach, at: str = "2026-11-20T12:00:00+00:00", **more: Any
    ) -> Session:
        started = datetime.fromisoformat(at)
        more = {"user_id": "bob", "created_at": started, "updated_at": started, **more}
        session = Session(id=uuid.uuid4(), tenant=mentor.tenant, mentor=mentor, **more)
        session.save()
        for number, (context, messages) in enumerate(told, 1):
            put_context(session, number, context)
            for text, kind in messages:
                say(session, text, **kind)
        session.save()
        return session

    return tell


def put_context(session: Session, number: int, context: dict[str, Any]) -> None:
    session.metadata, session.context_version = {"client_context": context}, number
    SessionContextVersion.objects.create(
        session=session,
        number=number,
        text=json.dumps(context),
        value=context,
        author="token:backend",
        door="ws",
    )


def say(session: Session, text: str, **more: Any) -> None:
    number = session.next_sequence
    more = {"role": "user" if number % 2 else "mentor", "created_at": session.created_at, **more}
    message = ChatMessageHistory.objects.create(session=session, sequence=number, content=text, **more)
    ChatMessageHistoryExtra.objects.create(
        message=message, metadata=session.client_context, context_version=session.context_version
    )
    session.next_sequence += 1


def selection(caller: Caller, query: str = "") -> Selection:
    pairs = [tuple(one.split("=", 1)) for one in query.split("&") if one]
    return Selection.of(parse(pairs), Reader.of(caller))  # type: ignore[arg-type]


def found(caller: Caller, query: str = "") -> set[uuid.UUID]:
    return set(selection(caller, query).sessions().values_list("pk", flat=True))


def said(caller: Caller, query: str = "") -> list[str]:
    rows = selection(caller, query).messages().order_by("session", "sequence")
    return list(rows.values_list("content", flat=True))


@pytest.fixture
def backend(demo: Tenant) -> Caller:
    """Demo's server."""
    return token_caller(TokenFacts(1, "backend", demo.pk, None, "read_all"), None)


@pytest.fixture
def stranger(other: Tenant) -> Caller:
    """Another tenant's server."""
    return token_caller(TokenFacts(2, "backend", other.pk, None, "read_all"), None)
