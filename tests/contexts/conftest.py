"""Who writes a session's context over HTTP: demo's backend, demo's reader, a visitor's page, Mallory, staff."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.test import Client

from chat import access, client_context
from chat.cache import store
from chat.models import ApiToken, Mentor, Session, SessionContextVersion, Tenant

from ..expecting import AN_ID
from ..posting import make
from ..reading.conftest import A_TIME

CA = {"stateCode": "CA"}
MERGE, STEPS = "application/merge-patch+json", "application/json-patch+json"


class Writer:
    """Somebody at one session's context. A body that is text goes as it is."""

    def __init__(self, session_id: object, headers: dict[str, str]) -> None:
        self.session_id, self.client = str(session_id), Client(headers=headers)

    @property
    def path(self) -> str:
        return f"/api/v1/sessions/{self.session_id}/context/"

    def call(
        self, method: str, body: Any = None, more: str = "", kind: str = "application/json", **headers: str
    ) -> Any:
        text = body if isinstance(body, str | bytes) else "" if body is None else json.dumps(body)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.generic(method, self.path + more, text, content_type=kind, headers=named)

    def at(self, method: str, body: Any = None, more: str = "", **other: str) -> tuple[int, Any]:
        answer = self.call(method, body, more, **other)
        return answer.status_code, answer.json() if answer.content else None

    def put(self, context: Any, **more: Any) -> dict[str, Any]:
        status, told = self.at("PUT", {"client_context": context, **more})
        assert status in (200, 201), told
        answer: dict[str, Any] = told
        return answer

    def patch(self, body: Any, kind: str = MERGE, **headers: str) -> tuple[int, Any]:
        return self.at("PATCH", body, kind=kind, **headers)

    def show(self) -> dict[str, Any]:
        status, told = self.at("GET")
        assert status == 200, told
        answer: dict[str, Any] = told
        return answer

    def elsewhere(self, session_id: object) -> Writer:
        other = Writer(session_id, {})
        other.client = self.client
        return other


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def signed(session_id: object) -> dict[str, str]:
    return {"Authorization": f"Session {access.session_token(uuid.UUID(str(session_id)))}"}


@pytest.fixture
def session(coach: Mentor, transactional_db: None) -> Session:
    """A visitor's with the coach, without a word so far."""
    return make(coach, user="")


@pytest.fixture
def backend(session: Session, token: str) -> Writer:
    return Writer(session.pk, bearer(token))


@pytest.fixture
def page(session: Session) -> Writer:
    return Writer(session.pk, signed(session.pk))


@pytest.fixture
def reader(session: Session, demo: Tenant) -> Writer:
    return Writer(session.pk, bearer(ApiToken.issue(demo, scope="read_all", name="reader")[1]))


@pytest.fixture
def mallory(session: Session, others_token: str) -> Writer:
    return Writer(session.pk, bearer(others_token))


def in_force(**more: Any) -> dict[str, Any]:
    """The whole answer to GET: California, set by the backend."""
    return {
        "client_context": CA,
        "version": 1,
        "created_at": A_TIME,
        "author": "token:backend",
        "door": "rest",
        "verified_keys": ["stateCode"],
        **more,
    }


def written(**more: Any) -> dict[str, Any]:
    return {"session_id": AN_ID, **in_force(), "changed": True, "warnings": [], **more}


def is_kept_alike(session_id: object) -> bool:
    """Whether rows and cache say the same of the context in force."""
    session = Session.objects.get(pk=session_id)
    last = SessionContextVersion.objects.get(session=session, number=session.context_version)
    assert not SessionContextVersion.objects.filter(session=session, number__gt=last.number).exists()
    assert session.metadata["client_context"] == last.value == json.loads(last.text)
    assert client_context.is_in_force(last.text, session.context_digest)
    return bool(async_to_sync(store().get_context)(session_id) == last.text)
