"""Who reads: demo's backend, demo's reader, a visitor and Mallory; and the seed's table, played by Alice."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from chat import access
from chat.models import (
    ApiToken,
    ChatMessageHistory,
    ChatMessageHistoryExtra,
    Mentor,
    Session,
    SessionContextVersion,
    Tenant,
)

from ..clients import Socket, Stream, TalkMaker
from ..expecting import Like

CALIFORNIA = {"productGroup": "LICENSING", "stateCode": "CA"}
NEW_YORK = {"productGroup": "CE", "stateCode": "NY"}
ORDER = {"productGroup": "CE", "order": {"items": [{"sku": "a"}]}}
# The seed's four rows, and a third value after them.
TABLE = [
    ("What are the licensing requirements?", CALIFORNIA),
    ("And the fees?", None),
    ("And in New York?", NEW_YORK),
    ("How long does it take?", None),
    ("Where is my order?", ORDER),
]
SNAPSHOTS = [CALIFORNIA, CALIFORNIA, NEW_YORK, NEW_YORK, ORDER]
VERSIONS = [1, 1, 2, 2, 3]


def _is_time(value: Any) -> bool:
    return isinstance(value, str) and value[-1:] == "Z" and datetime.fromisoformat(value).tzinfo == UTC


A_TIME = Like("a time in UTC", _is_time)
MILLISECONDS = Like("milliseconds", lambda value: isinstance(value, float) and value > 0)
Get = Callable[..., Any]


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Api-Token {token}"}


def visitor(session_id: object, token: str | None = None) -> dict[str, str]:
    """The headers of a visitor who knows the session's token."""
    return {"Authorization": f"Session {token or access.session_token(uuid.UUID(str(session_id)))}"}


class Caller:
    """Calls paths in this thread, where queries can be counted."""

    def __init__(self, headers: dict[str, str]) -> None:
        self.client = Client(headers=headers, raise_request_exception=True)

    def __call__(self, path: str, method: str = "get", **more: Any) -> tuple[int, Any]:
        """(status, JSON body)."""
        response = self.answer(path, method, **more)
        is_json = "json" in response.headers.get("Content-Type", "")
        return response.status_code, response.json() if is_json and response.content else None

    def answer(self, path: str, method: str = "get", body: Any = None, **more: Any) -> Any:
        if body is not None:
            more |= {"data": body, "content_type": "application/json"}
        return getattr(self.client, method)(path, **more)


@pytest.fixture
def backend(token: str) -> Caller:
    return Caller(bearer(token))


@pytest.fixture
def reader(demo: Tenant) -> Caller:
    return Caller(bearer(ApiToken.issue(demo, scope="read_all", name="reader")[1]))


@pytest.fixture
def mallory(others_token: str) -> Caller:
    return Caller(bearer(others_token))


@pytest.fixture
def table(talk: TalkMaker, token: str) -> Socket | Stream:
    """Alice's session after the seed's table."""
    one: Socket | Stream = talk(token=token, username="alice")
    for prompt, metadata in TABLE:
        one.say(prompt, metadata=metadata)
    return one


BEGAN = datetime(2026, 11, 20, 8, tzinfo=UTC)


def make_session(
    mentor: Mentor,
    *,
    user: str = "alice",
    turns: int = 1,
    context: dict[str, Any] | None = None,
    minutes: int = 0,
    **more: Any,
) -> Session:
    """A stored session of so many turns, begun so many minutes after eight."""
    began = BEGAN + timedelta(minutes=minutes)
    session = Session.objects.create(
        id=uuid.uuid4(),
        tenant=mentor.tenant,
        mentor=mentor,
        user_id=user,
        anonymous=not user,
        metadata={"client_context": context or {}},
        context_version=int(context is not None),
        next_sequence=2 * turns + 1,
        created_at=began,
        updated_at=began,
        **more,
    )
    if context is not None:
        SessionContextVersion.objects.create(
            session=session,
            number=1,
            text=json.dumps(context),
            value=context,
            author="token:backend",
            door="ws",
        )
    messages = ChatMessageHistory.objects.bulk_create(_message(session, n) for n in range(1, 2 * turns + 1))
    ChatMessageHistoryExtra.objects.bulk_create(
        ChatMessageHistoryExtra(
            message=message,
            session=session,
            metadata=context or {},
            context_version=session.context_version,
        )
        for message in messages
    )
    return session


def _message(session: Session, sequence: int) -> ChatMessageHistory:
    asked = sequence % 2 == 1
    return ChatMessageHistory(
        session=session,
        sequence=sequence,
        role="user" if asked else "mentor",
        content=f"Question {sequence}." if asked else f"Answer {sequence}.",
        created_at=session.created_at,
    )
