"""The filter grammar in the search box of the sessions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from chat.admin.filtering import is_filter, parameters
from chat.models import Mentor

from .conftest import Told

Tell = Callable[..., Told]


def shown(client: Client, term: str, more: str = "") -> tuple[list[Any], list[str]]:
    """The sessions that are listed, and the sentences above them."""
    page = client.get(f"/admin/chat/session/?q={quote(term)}{more}")
    assert page.status_code == 200
    rows = [row.pk for row in page.context["cl"].result_list]
    return rows, [str(message) for message in page.context["messages"]]


def test_sessions_are_found_by_their_context(alice: Client, tell: Tell) -> None:
    ca, ny = tell().context('{"stateCode":"CA","n":2026}').say("hi"), tell().context('{"a b":{"&=":"x&y"}}')
    for term in (
        "context.stateCode=CA",
        " context.stateCode = CA & user=bob",
        "context.n__gte=2026",
        "role=user",
    ):
        assert shown(alice, term) == ([ca.session.pk], [])
    for term in ('context."a b"."&="="x&y"', "context.stateCode__ne=CA", "max_messages=0"):
        assert shown(alice, term) == ([ny.session.pk], [])
    assert shown(alice, "tenant=demo & user=bob") == ([ny.session.pk, ca.session.pk], [])


def test_the_filters_beside_it_narrow_too(alice: Client, tell: Tell, coach: Mentor) -> None:
    told = tell().context('{"stateCode":"CA"}')
    assert shown(alice, "context.stateCode=CA", f"&mentor={coach.pk}&started=day") == ([told.session.pk], [])
    assert shown(alice, "context.stateCode=CA", "&turn=running") == ([], [])


@pytest.mark.parametrize("term", ["context.stateCode=CA", "user=bob", "mentor=coach", "mentor=tutor"])
def test_anothers_sessions_are_not_found(
    alice: Client, mallory: Client, tell: Tell, tutor: Mentor, term: str
) -> None:
    told = tell(user_id="eve", mentor=tutor).context('{"stateCode":"CA"}')
    assert shown(alice, term) == ([], [])
    assert shown(mallory, "context.stateCode=CA") == ([told.session.pk], [])


def test_anothers_tenant_is_told_of_like_none(alice: Client, root: Client, tell: Tell, tutor: Mentor) -> None:
    told = tell(mentor=tutor)
    for tenant in ("other", "nobody"):
        assert shown(alice, f"tenant={tenant}") == ([], ["There is no such thing here."])
    assert shown(root, "tenant=other") == ([told.session.pk], [])


@pytest.mark.parametrize(
    ("term", "sentence"),
    [
        ("context.a__exists=1", "context.a__exists: This must be true or false."),
        (
            "context.stateCode=CA & page=2",
            "page: There is no such parameter here. A key of the context is asked for as context.KEY.",
        ),
        (
            "context.stateCode",
            'context.stateCode: A filter is written as context.KEY=VALUE; several have "&" between them.',
        ),
        ("user=bob & user=eve", "user: What this says is said already: a field is given once."),
        ("min_messages=<b>", "min_messages: This must be a whole number."),
    ],
)
def test_what_is_wrong_is_told_in_a_sentence(alice: Client, tell: Tell, term: str, sentence: str) -> None:
    tell()
    assert shown(alice, term) == ([], [sentence])


@pytest.mark.parametrize("term", ["context.<script>=1__", 'context."<script>"__x=1', "context.<script>"])
def test_a_sentence_is_no_markup(alice: Client, term: str) -> None:
    assert b"<script>=" not in alice.get(f"/admin/chat/session/?q={quote(term)}").content
    assert b'<script>"__' not in alice.get(f"/admin/chat/session/?q={quote(term)}").content


@pytest.mark.parametrize("term", ["bob", "user-17", "stateCode=CA", "a=b==", "context", "users=1", ""])
def test_an_id_is_no_filter(term: str) -> None:
    assert not is_filter(term)


def test_quotes_keep_what_divides() -> None:
    assert list(parameters('context."a=&".b = "x & y" &user=a=b& search = "')) == [
        ('context."a=&".b', '"x & y"'),
        ("user", "a=b"),
        ("search", '"'),
    ]


@pytest.mark.skipif("connection.vendor != 'postgresql'", reason="the bound is PostgreSQL's")
def test_a_search_is_bounded(alice: Client, tell: Tell) -> None:
    tell()
    with CaptureQueriesContext(connection) as captured:
        shown(alice, "context.a__contains=x")
    assert any("SET LOCAL statement_timeout" in one["sql"] for one in captured)
