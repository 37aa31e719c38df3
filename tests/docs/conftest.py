"""A reader's place: the tenants of the demonstration, and a token of demo."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chat import configuration
from chat.management.commands.demo import DOCUMENT
from chat.models import ApiToken, Tenant
from mentor_project.celery import app

pytest.register_assert_rewrite("tests.docs.follower")  # so that a difference is shown, and not only its place


@pytest.fixture
def worker(settings: Any, tmp_path: Path) -> Iterator[None]:
    """Jobs are done as they are asked for, and their files are this test's."""
    settings.EXPORTS_WORK_DIR = tmp_path / "exports" / ".work"
    backend = "django.core.files.storage.FileSystemStorage"
    options = {"location": tmp_path / "exports"}
    settings.STORAGES = {**settings.STORAGES, "exports": {"BACKEND": backend, "OPTIONS": options}}
    app.conf.task_always_eager = True
    yield
    app.conf.task_always_eager = False


@pytest.fixture
def names(live: str, settings: Any, worker: None) -> dict[str, str]:
    """What stands on the pages for the address, the tenant's token and the Python of the reader."""
    settings.LLM_BASE_URL, settings.DEMO_MODEL_DELAY_MS = "", 1
    configuration.apply(DOCUMENT.read_bytes(), environ={})
    token = ApiToken.issue(Tenant.objects.get(key="demo"), scope="write_all", name="docs")[1]
    address = live.removeprefix("http://")
    return {"127.0.0.1:8000": address, "mk_YOUR_TOKEN": token, ".venv/bin/python": sys.executable}
