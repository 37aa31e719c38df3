"""Pages of a list: each row once, in order, and however the rows are looked for."""

from __future__ import annotations

import base64
import itertools
import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models import QuerySet
from django.test.utils import CaptureQueriesContext

from chat import walks
from chat.access import Caller
from chat.cursors import after, page, read_limit
from chat.errors import InvalidFilter
from chat.filters import parse
from chat.models import Mentor, Session
from chat.models.conditions import Holds

from .conftest import Tell, selection

on_postgresql = pytest.mark.skipif("connection.vendor != 'postgresql'", reason="the ways are PostgreSQL's")
START = datetime(2026, 11, 20, tzinfo=UTC)


def sessions(mentor: Mentor, contexts: list[dict[str, Any]]) -> None:
    """One a minute; of every three two begin at once."""
    Session.objects.bulk_create(
        Session(
            id=uuid.uuid4(),
            tenant=mentor.tenant,
            mentor=mentor,
            metadata={"client_context": context},
            created_at=START + timedelta(minutes=number - number % 3 // 2),
        )
        for number, context in enumerate(contexts)
    )


def in_order(rows: QuerySet[Session], newest_first: bool) -> list[uuid.UUID]:
    found = rows.values_list("created_at", "pk")
    return [pk for _, pk in sorted(found, reverse=newest_first)]


def forward(rows: QuerySet[Session], **how: Any) -> tuple[list[list[uuid.UUID]], str | None]:
    """The pages from the first to the last, and the cursor to the page before the last."""
    pages, cursor = [], ""
    while True:
        one = page(rows, cursor=cursor, **how)
        pages.append([row.pk for row in one.rows])
        if one.next is None:
            return pages, one.previous
        cursor = one.next


@pytest.mark.parametrize("newest_first", [True, False])
@pytest.mark.parametrize(
    "query", ["", "context.k=1", "context.k=2", "context.k__ne=1", "context.k__gte=0", "context.k=9"]
)
def test_pages_have_each_row_once(
    backend: Caller, coach: Mentor, monkeypatch: pytest.MonkeyPatch, query: str, newest_first: bool
) -> None:
    monkeypatch.setattr(walks, "FIRST_WALK", 5)
    monkeypatch.setattr(walks, "WHOLE_WALK", 15)
    sessions(coach, [{"k": 1 if number % 4 else number // 20} for number in range(60)])
    rows = selection(backend, query).sessions()
    pages, back = forward(rows, newest_first=newest_first, limit=7)
    assert list(itertools.chain(*pages)) == in_order(rows, newest_first)
    while back:
        one = page(rows, cursor=back, newest_first=newest_first, limit=7)
        assert [row.pk for row in one.rows] == pages[pages.index([row.pk for row in one.rows])]
        back = one.previous


def test_a_row_that_comes_between_two_pages_moves_none(backend: Caller, coach: Mentor, tell: Tell) -> None:
    sessions(coach, [{}] * 10)
    rows = selection(backend).sessions()
    expected, first = in_order(rows, True), page(rows, limit=5)
    tell(at="2027-01-01T00:00:00+00:00")
    second = page(rows, limit=5, cursor=first.next or "")
    assert [row.pk for row in [*first.rows, *second.rows]] == expected
    assert (first.previous, second.next) == (None, None)


def test_a_page_may_begin_after_a_row(backend: Caller, coach: Mentor) -> None:
    sessions(coach, [{}] * 5)
    rows = selection(backend).sessions()
    third = Session.objects.get(pk=in_order(rows, True)[2])
    assert [row.pk for row in page(rows, cursor=after(third)).rows] == in_order(rows, True)[3:]


@on_postgresql
@pytest.mark.parametrize(
    ("query", "asked"), [("context.k=common", 2), ("context.k=rare", 3), ("context.k__ne=common", 3), ("", 1)]
)
def test_a_value_is_walked_to_and_then_sought(
    backend: Caller, coach: Mentor, monkeypatch: pytest.MonkeyPatch, query: str, asked: int
) -> None:
    monkeypatch.setattr(walks, "FIRST_WALK", 20)
    monkeypatch.setattr(walks, "WHOLE_WALK", 120)
    sessions(coach, [{"k": "common"}] * 100)
    with CaptureQueriesContext(connection) as captured:
        page(selection(backend, query).sessions(), limit=10)
    selects = [one["sql"] for one in captured if "FROM" in one["sql"]]
    # And the tenant; and where a key is named, whose mentors keep it from whom.
    assert len(selects) == asked + 1 + bool(query)
    assert ("::interval" in selects[-1]) is (query == "context.k=rare")


@on_postgresql
def test_the_index_on_contexts_is_used(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
    for path, text in (
        ("k", "1"),
        ("a.b", "x"),
        ("k__in", "1,2"),
        ("k", "[1]"),
        ("items.0.sku", "x"),
        ("a.0.1", ""),
    ):
        (condition,) = parse([(f"context.{path}", text)]).conditions
        rows = Session.objects.filter(Holds("metadata", condition, within="client_context"))
        assert "session_client_context" in rows.explain(), path


def test_a_cursor_of_no_page_is_refused(backend: Caller) -> None:
    def cursor(*values: Any) -> str:
        return base64.urlsafe_b64encode(json.dumps(values).encode()).decode()

    pk = str(uuid.uuid4())
    for wrong in (
        *(
            "x",
            "é",
            "=",
            "a" * 5000,
            cursor(),
            cursor(False, "2026-11-20", pk),
            cursor(0, "2026-11-20T00:00:00Z", pk),
        ),
        *(
            cursor(False, "2026-11-20T00:00:00", pk),
            cursor(True, "0001-01-01T00:00:00+14:00", pk),
            cursor(True, 1, pk),
        ),
        *(cursor(False, "2026-11-20T00:00:00Z", "x"), cursor(False, "2026-11-20T00:00:00Z", None), "W10"),
    ):
        with pytest.raises(InvalidFilter, match=r"This cursor is of no page\."):
            page(selection(backend).sessions(), cursor=wrong)


@pytest.mark.parametrize(("text", "limit"), [(None, 50), ("1", 1), ("100", 100), ("007", 7)])
def test_a_limit_is_from_one_to_a_hundred(text: str | None, limit: int) -> None:
    assert read_limit(text) == limit


@pytest.mark.parametrize("text", ["", "0", "101", "-1", "1.0", "1e1", "٣", "9" * 5000, " 5", "all"])
def test_another_limit_is_refused(text: str) -> None:
    with pytest.raises(InvalidFilter, match=r"limit is a whole number from 1 to 100\."):
        read_limit(text)
