"""Callers and folders as the tests of exports have them, and a mentor that keeps something from everybody."""

from __future__ import annotations

import pytest

from chat.models import Mentor, Tenant

from ..exports.conftest import _folders, bound, mallory, reader, staff, writer
from .cast import guarded

__all__ = ["_folders", "bound", "mallory", "reader", "staff", "writer"]


@pytest.fixture
def guard(demo: Tenant) -> Mentor:
    return guarded(demo)
