"""Folders of each test's own for what it exports, and callers: tokens and staff of demo, Mallory of other."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from chat.models import ApiToken, Mentor, Tenant


@pytest.fixture(autouse=True)
def _folders(settings: Any, tmp_path: Path) -> None:
    settings.EXPORTS_WORK_DIR = tmp_path / "exports" / ".work"
    modes = {"file_permissions_mode": 0o600, "directory_permissions_mode": 0o700}
    options = {"location": tmp_path / "exports", **modes}
    backend = "django.core.files.storage.FileSystemStorage"
    settings.STORAGES = {**settings.STORAGES, "exports": {"BACKEND": backend, "OPTIONS": options}}


def with_token(tenant: Tenant, scope: str = "read_all", mentor: Mentor | None = None) -> Client:
    """A client of a new token, which says of itself which row is its own."""
    issued, secret = ApiToken.issue(tenant, scope=scope, name=scope, mentor=mentor)
    client = Client(headers={"Authorization": f"Api-Token {secret}"})
    client.token = issued  # type: ignore[attr-defined]
    return client


@pytest.fixture
def reader(demo: Tenant) -> Client:
    return with_token(demo)


@pytest.fixture
def writer(demo: Tenant) -> Client:
    return with_token(demo, "write_all")


@pytest.fixture
def mallory(other: Tenant) -> Client:
    """May do everything, at another tenant."""
    return with_token(other, "write_all")


@pytest.fixture
def nobody() -> Client:
    return Client()


@pytest.fixture
def staff(demo: Tenant) -> Client:
    user = User.objects.create_user("alice", is_staff=True)
    user.tenants.set([demo])
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def bound(demo: Tenant) -> Callable[[Mentor], Client]:
    """Clients whose token is good for one mentor only."""
    return lambda mentor: with_token(demo, "read_all", mentor)
