"""Who asks why, and what if: demo's backend and reader, a visitor's page, Mallory, Dora of demo's staff."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from chat.models import ApiToken, Mentor, Tenant

from ..clients import Socket, fetch
from ..model_server import ModelServer

FREE, ENTERPRISE = {"plan": "free"}, {"plan": "enterprise", "page": "pricing"}
Ask = Callable[..., tuple[int, Any]]


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Api-Token {token}"}


def cookies_of(user: User) -> dict[str, str]:
    """Of a browser that is signed in, with what a page of ours adds to what it posts."""
    client = Client()
    client.force_login(user)
    client.get("/admin/")
    token = "c" * 32
    return {
        "Cookie": f"sessionid={client.cookies['sessionid'].value}; csrftoken={token}",
        "X-CSRFToken": token,
    }


@pytest.fixture
def dora(demo: Tenant) -> User:
    """Of demo's staff."""
    user = User.objects.create_user("dora", is_staff=True)
    user.tenants.add(demo)
    return user


@pytest.fixture
def page(live: str, coach: Mentor, model: ModelServer) -> Iterator[Socket]:
    """A visitor's page."""
    one = Socket(live, "demo", "coach")
    yield one
    one.close()


@pytest.fixture
def reader(demo: Tenant) -> str:
    return ApiToken.issue(demo, scope="read_all", name="reader")[1]


@pytest.fixture
def put(live: str, token: str) -> Callable[..., None]:
    """Demo's back end sets a session's context."""

    def put_context(talk: Socket, context: dict[str, Any]) -> None:
        path = f"/api/v1/sessions/{talk.session_id}/context/"
        status, told = fetch(live, "PUT", path, {"client_context": context}, bearer(token))
        assert status == 200, told

    return put_context


@pytest.fixture
def explain(live: str, token: str) -> Ask:
    """What is told of a message to demo's back end, unless other headers are given."""

    def get(message: str, headers: dict[str, str] | None = None, query: str = "") -> tuple[int, Any]:
        headers = bearer(token) if headers is None else headers
        return fetch(live, "GET", f"/api/v1/messages/{message}/explain/{query}", headers=headers)

    return get


@pytest.fixture
def preview(live: str, token: str) -> Ask:
    """What a message of this session would come to."""

    def post(
        session_id: str, body: Any = None, headers: dict[str, str] | None = None, query: str = ""
    ) -> tuple[int, Any]:
        headers = bearer(token) if headers is None else headers
        path = f"/api/v1/sessions/{session_id}/preview/{query}"
        return fetch(live, "POST", path, {} if body is None else body, headers)

    return post


def keys(told: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {one["key"]: one for one in told["keys"]}
