"""Callers who may erase and who may not, and a folder for files of each test's own."""

from __future__ import annotations

import pytest
from django.test import Client

from chat.models import Tenant

from ..exports.conftest import _folders, mallory, reader, staff, with_token, writer

__all__ = ["_folders", "mallory", "reader", "staff", "writer"]


@pytest.fixture
def eraser(demo: Tenant) -> Client:
    return with_token(demo, "erase_all")


@pytest.fixture
def others_eraser(other: Tenant) -> Client:
    return with_token(other, "erase_all")
