"""A small cast of sessions whose contexts, users, times and answers are known."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from chat.models import (
    ApiToken,
    ChatMessageHistory,
    ChatMessageHistoryExtra,
    Mentor,
    Session,
    SessionContextVersion,
    Tenant,
)

Get = Callable[..., Any]


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def make_session(
    mentor: Mentor,
    *contexts: dict[str, Any],
    user: str = "alice",
    begun: str = "2026-11-10T12:00",
    answers: tuple[dict[str, Any], ...] = (),
) -> Session:
    """A session of turns: one for each answer, the contexts in force in their order, the last one to the end."""
    contexts = contexts or ({},)
    session = Session.objects.create(
        id=uuid.uuid4(),
        tenant=mentor.tenant,
        mentor=mentor,
        user_id=user,
        anonymous=not user,
        metadata={"client_context": contexts[-1]},
        context_version=len(contexts),
        next_sequence=1 + 2 * len(answers),
        created_at=at(begun),
        updated_at=at(begun),
    )
    for number, context in enumerate(contexts, 1):
        SessionContextVersion.objects.create(
            session=session, number=number, text=json.dumps(context), value=context, author=user, door="ws"
        )
    for turn, answer in enumerate(answers):
        _turn(session, turn, contexts[min(turn, len(contexts) - 1)], dict(answer))
    return session


def _turn(session: Session, turn: int, context: dict[str, Any], answer: dict[str, Any]) -> None:
    status = answer.pop("status", "complete")
    words = answer.pop("asked", "How many hours?")
    for role, more, extra in [
        ("user", {"content": words}, {}),
        ("mentor", {"content": "Forty.", "status": status}, {"model": "scripted", **answer}),
    ]:
        message = ChatMessageHistory.objects.create(
            session=session,
            sequence=2 * turn + (1 if role == "user" else 2),
            role=role,
            created_at=session.created_at,
            **more,
        )
        ChatMessageHistoryExtra.objects.create(message=message, metadata=context, **extra)


def answered(
    ttft: float = 100, duration: float = 1_000, prompt: int = 50, completion: int = 10, **more: Any
) -> Any:
    return {
        "ttft_ms": ttft,
        "duration_ms": duration,
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        **more,
    }


@pytest.fixture
def tutor(demo: Tenant) -> Mentor:
    mentor = Mentor(tenant=demo, slug="tutor", name="Tutor", system_prompt="You teach.")
    mentor.save()
    return mentor


@pytest.fixture
def cast(coach: Mentor, tutor: Mentor) -> list[Session]:
    """Five sessions of demo; two of Alice, one of Bob, one of Carol, one of a visitor."""
    return [
        make_session(
            coach,
            {"stateCode": "NY", "n": 1, "order": {"region": "east", "items": [{"sku": "a"}]}},
            {"stateCode": "CA", "n": 1.0, "order": {"region": "west"}, "a.b c": True},
            begun="2026-11-10T12:00",
            answers=(answered(100, 1_000), answered(300, 2_000, status="failed")),
        ),
        make_session(
            coach, {"stateCode": "CA", "n": "1"}, begun="2026-11-10T23:30", answers=(answered(200),)
        ),
        make_session(
            coach, {"stateCode": None}, user="bob", begun="2026-11-12T09:00", answers=(answered(400, 4_000),)
        ),
        make_session(tutor, {"stateCode": "NY"}, user="carol", begun="2026-11-12T10:00"),
        make_session(
            tutor,
            user="",
            begun="2026-11-13T10:00",
            answers=({"status": "interrupted", "asked": "Hello there"},),
        ),
    ]


@pytest.fixture
def strangers(other: Tenant) -> Session:
    """A session of another tenant, which nobody of demo may count."""
    mentor = Mentor(tenant=other, slug="coach", name="Theirs")
    mentor.save()
    return make_session(
        mentor, {"stateCode": "TX", "secretKey": 1}, user="mallory", answers=(answered(9_999),)
    )


@pytest.fixture
def reader(demo: Tenant) -> str:
    return ApiToken.issue(demo, scope="read_all", name="reader")[1]


@pytest.fixture
def get(client: Client, reader: str) -> Get:
    """GET with demo's token (or another): the status if it is not 200, and the body."""

    def ask(path: str, token: str | None = reader, /, **parameters: Any) -> Any:
        headers = {"Authorization": f"Api-Token {token}"} if token else {}
        response = client.get(path, parameters, headers=headers)
        return response.json() if response.status_code == 200 else (response.status_code, response.json())

    return ask


@pytest.fixture
def dora(demo: Tenant) -> Client:
    """A member of demo's staff, without any permission in the admin."""
    user = User.objects.create_user("dora", is_staff=True)
    user.tenants.add(demo)
    client = Client()
    client.force_login(user)
    return client
