"""Staff at the admin: Root sees all, Alice is a member of demo, and Mallory, who may do as much, of other."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from chat.models import (
    ChatMessageHistory,
    ChatMessageHistoryExtra,
    Mentor,
    Session,
    SessionContextVersion,
    Tenant,
)


def staff_of(name: str, *tenants: Tenant) -> Client:
    user = User.objects.create_user(name, is_staff=True)
    user.user_permissions.set(Permission.objects.filter(content_type__app_label="chat"))
    user.tenants.set(tenants)
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def root(db: None) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("root"))
    return client


@pytest.fixture
def alice(demo: Tenant) -> Client:
    return staff_of("alice", demo)


@pytest.fixture
def mallory(other: Tenant) -> Client:
    return staff_of("mallory", other)


@pytest.fixture
def tutor(other: Tenant) -> Mentor:
    """A mentor of the other tenant."""
    mentor = Mentor(tenant=other, slug="tutor", name="Tutor")
    mentor.save()
    return mentor


class Told:
    """A session that is told as it went: contexts that were set, and what was said under them."""

    def __init__(self, mentor: Mentor, user_id: str = "bob") -> None:
        self.session = Session.objects.create(
            id=uuid.uuid4(), tenant=mentor.tenant, mentor=mentor, user_id=user_id
        )
        self.address = f"/admin/chat/session/{self.session.pk}/change/"

    def context(self, text: str, verified: list[str] | None = None, author: str = "token:backend") -> Told:
        value = json.loads(text)
        self.session.context_version += 1
        self.session.metadata = {"client_context": value}
        self.session.save()
        SessionContextVersion.objects.create(
            session=self.session,
            number=self.session.context_version,
            text=text,
            value=value,
            verified_keys=verified or [],
            author=author,
            door="ws",
        )
        return self

    def say(self, *texts: str, **more: Any) -> Told:
        """Messages, of the user and of the mentor by turns."""
        for text in texts:
            role = "user" if self.session.next_sequence % 2 else "mentor"
            self.last = ChatMessageHistory.objects.create(
                session=self.session, sequence=self.session.next_sequence, role=role, content=text, **more
            )
            ChatMessageHistoryExtra.objects.create(
                message=self.last,
                metadata=self.session.client_context,
                context_version=self.session.context_version,
                delivery="user_block",
                mentor_version=1,
            )
            self.session.next_sequence += 1
        self.session.save()
        return self


@pytest.fixture
def tell(coach: Mentor) -> Callable[..., Told]:
    """Tells a session with the coach of demo, unless another mentor is named."""
    return lambda mentor=coach, **more: Told(mentor, **more)


def message_address(message: ChatMessageHistory) -> str:
    return f"/admin/chat/chatmessagehistory/{message.pk}/change/"
