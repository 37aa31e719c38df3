"""The page of why: what it says of each key, whom it lets in, and that nothing that was sent becomes markup."""

from __future__ import annotations

import html
import re
import uuid
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from chat.models import ApiToken, ChatMessageHistory, Mentor, SessionContextVersion

from ..visits import CA, Visit
from .looking import Page


@pytest.fixture
def visit(coach: Mentor, token: str) -> Visit:
    """Demo's back end has said something under California."""
    visit = Visit(coach, token)
    visit.turn(CA)
    return visit


@pytest.fixture
def answer(visit: Visit) -> ChatMessageHistory:
    """Of the second turn of demo's back end; the first was under California."""
    visit.turn('{"stateCode":"CA","price":1.50,"user":{"name":"Ann"}}')
    return ChatMessageHistory.objects.get(sequence=4)


def look(client: Client, message: Any) -> Page:
    return Page(client, f"/analytics/messages/{message}/")


def rows(page: Page) -> list[str]:
    found = page.found(r"<tr>\s*(<th scope=\"row\">.*?)</tr>")
    return [row.replace("just now", "").strip() for row in found]


def test_each_key_says_where_it_came_from(dora: Client, answer: ChatMessageHistory) -> None:
    SessionContextVersion.objects.update(address_class="public-v6")
    page = look(dora, answer.pk)
    assert page.status == 200
    assert [row[:40] for row in rows(page)] == [
        "stateCode ✓ verified CA Set by the tenan",
        "price ✓ verified 1.50 Set by the tenant'",
        'user ✓ verified {"name":"Ann"} Set by th',
    ]
    told = rows(page)[0]
    assert "token backend over a WebSocket, from the internet (IPv6), with message 1. Version 1" in told
    assert "with message 3. Version 2" in rows(page)[1]
    assert [row.rsplit("✓", 1)[1].strip() for row in rows(page)] == ["shown"] * 3


def test_it_shows_the_exact_prompt(dora: Client, answer: ChatMessageHistory, token: str) -> None:
    page = look(dora, answer.pk)
    (raw,) = re.findall(r'<pre class="raw" id="raw-body">(.*?)</pre>', page.source, re.DOTALL)
    path = f"/api/v1/messages/{answer.pk}/prompt/"
    told = Client(headers={"Authorization": f"Api-Token {token}"}).get(path).json()
    assert html.unescape(raw) == told["body"]
    assert page.found(r"<summary>(\d+ messages? of history)</summary>") == ["2 messages of history"]
    assert page.found(r'<div class="words block" dir="auto">(.*?)</div>')[-1].count("price: 1.50") == 1


def test_what_is_tried_begins_with_the_context_as_it_was_spelled(
    dora: Client, answer: ChatMessageHistory
) -> None:
    found = re.findall(r'name="context".*?>(.*?)</textarea>', look(dora, answer.pk).source, re.DOTALL)
    assert len(found) == 2 and found[0] == found[1]
    assert '"price": 1.50' in html.unescape(found[0])


def test_a_question_has_the_page_of_its_answer(dora: Client, answer: ChatMessageHistory) -> None:
    question = ChatMessageHistory.objects.get(sequence=3)
    assert look(dora, question.pk).found(r"<h1>(.*?)</h1>") == ["Why this answer"]


def test_without_a_context_it_says_so(dora: Client, visit: Visit, coach: Mentor, token: str) -> None:
    other = Visit(coach, token)
    other.turn()
    last = ChatMessageHistory.objects.get(session=other.session, sequence=2)
    assert "Nothing: no context had been set." in look(dora, last.pk).source
    visit.turn("{}")
    cleared = ChatMessageHistory.objects.get(session=visit.session, sequence=4)
    assert "Nothing: the context had been cleared." in look(dora, cleared.pk).source


def test_what_the_model_was_not_shown_is_said_with_why(dora: Client, coach: Mentor, token: str) -> None:
    coach.context_delivery = "off"
    coach.save()
    visit = Visit(coach, token)
    visit.turn('{"stateCode":"CA"}')
    page = look(dora, ChatMessageHistory.objects.get(sequence=2).pk)
    assert "left out: no context is put before this model" in rows(page)[0]


def test_nothing_that_was_sent_becomes_markup(dora: Client, visit: Visit) -> None:
    hostile = "</textarea><script>alert(1)</script>"
    visit.turn('{"</code><b>k": "' + hostile + '"}', answer=hostile, text=hostile)
    page = look(dora, ChatMessageHistory.objects.get(sequence=4).pk)
    assert page.status == 200
    assert "<script>alert" not in page.source and "</code><b>k" not in page.source


def test_a_stranger_finds_nothing(answer: ChatMessageHistory, client: Client) -> None:
    client.force_login(User.objects.create_user("eve", is_staff=True))
    assert [look(client, one).status for one in (answer.pk, uuid.uuid4())] == [404, 404]
    assert look(Client(), answer.pk).location.startswith("/admin/login/")


def test_its_page_runs_only_our_own_files(dora: Client, answer: ChatMessageHistory) -> None:
    page = look(dora, answer.pk)
    assert "script-src 'self'; style-src 'self'" in page.headers["Content-Security-Policy"]
    assert " style=" not in page.source
    assert not re.search(r"<script(?![^>]*src=)", page.source)


def test_the_session_says_where_its_contexts_came_from(dora: Client, answer: ChatMessageHistory) -> None:
    ApiToken.objects.update(name="crm")
    page = Page(dora, f"/analytics/sessions/{answer.session_id}/")
    notes = page.found(r'<p class="note">(set by .*?)</p>')
    assert [note.split(" · ")[0] for note in notes] == [
        "set by the tenant's server, token crm over a WebSocket, with #1",
        "set by the tenant's server, token crm over a WebSocket, with #3",
    ]
    assert page.link("Why this answer").startswith("/analytics/messages/")


def test_what_was_signed_names_its_key_and_what_came_beside_it_does_not(
    dora: Client, coach: Mentor, answer: ChatMessageHistory
) -> None:
    version = SessionContextVersion.objects.get(number=2)
    version.author, version.token_id, version.signed_by = "anonymous", None, "k1"
    version.verified_keys = ["price"]
    version.save()
    told = {row.split(" ")[0]: row for row in rows(look(dora, answer.pk))}
    assert "Signed by the tenant's back end (key k1), brought by a visitor's page" in told["price"]
    assert "Set by a visitor's page over a WebSocket" in told["user"] and "k1" not in told["user"]
    page = Page(dora, f"/analytics/sessions/{answer.session_id}/")
    note = "set by a visitor's page over a WebSocket, with #3, signed by key k1"
    assert note in page.found(r'<p class="note">(set by .*?)</p>')[1]
