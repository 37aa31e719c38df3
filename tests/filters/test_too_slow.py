"""A question that takes too long is stopped, and its reader is told so."""

from __future__ import annotations

import time
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction
from django.db.models import F, Func, QuerySet
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory

from chat import cursors
from chat.database import bounded
from chat.errors import ChatError, TooSlow, Unavailable
from chat.models import Session, Tenant
from chat.problems import problem

from .conftest import Tell

pytestmark = pytest.mark.skipif("connection.vendor != 'postgresql'", reason="the bound is PostgreSQL's")
SLOW = {
    "type": "urn:mentor-context:too_slow",
    "title": "Too slow",
    "status": 422,
    "detail": "This question takes too long: narrow it by time, mentor or user.",
    "code": "too_slow",
}


@pytest.fixture
def slow(tell: Tell, settings: Any) -> QuerySet[Session]:
    """Rows of which each takes ten seconds to be told."""
    tell()
    settings.READ_TIMEOUT_MS = 50
    return Session.objects.annotate(wait=Func(F("next_sequence") * 10, function="pg_sleep")).exclude(
        wait=None
    )


def sleep() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(10)")


def test_a_page_and_a_count_are_bounded(slow: QuerySet[Session]) -> None:
    for ask in (cursors.page, cursors.count):
        began = time.monotonic()
        with pytest.raises(TooSlow):
            ask(slow)
        assert time.monotonic() - began < 5


def test_the_bound_ends_with_the_question(transactional_db: None, settings: Any) -> None:
    settings.READ_TIMEOUT_MS = 1_234
    with connection.cursor() as cursor:
        before = shown(cursor)
        with bounded():
            assert shown(cursor) == "1234ms"
        assert shown(cursor) == before == "10s"


def shown(cursor: Any) -> str:
    cursor.execute("SHOW statement_timeout")
    return str(cursor.fetchone()[0])


def test_a_connection_goes_on_after_it(slow: QuerySet[Session], demo: Tenant) -> None:
    with pytest.raises(TooSlow), bounded():
        sleep()
    assert Tenant.objects.get() == demo


def test_what_else_goes_wrong_stays_what_it_is(db: None) -> None:
    with pytest.raises(OperationalError, match="gone"), bounded():
        raise OperationalError("gone")


@pytest.mark.parametrize(("method", "error"), [("get", TooSlow), ("head", TooSlow), ("post", Unavailable)])
def test_a_reader_is_told_too_slow_and_a_writer_unavailable(
    db: None, method: str, error: type[ChatError]
) -> None:
    with pytest.raises(OperationalError) as caught, transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = 20")
        sleep()
    request = Request(getattr(APIRequestFactory(), method)("/"))
    answer = problem(caught.value, {"request": request})
    assert answer is not None
    assert (answer.status_code, answer.data["code"]) == (error.status, error.code)
    assert error is Unavailable or answer.data == SLOW
