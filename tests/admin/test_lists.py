"""Lists and searches whose cost does not grow with the tables."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from chat.admin.lists import by_id
from chat.admin.messages import NEWEST_SESSIONS
from chat.models import ApiToken, ChatMessageHistory, Mentor, Session

from .conftest import Told, message_address

Tell = Callable[..., Told]
SESSIONS, MESSAGES = "/admin/chat/session/", "/admin/chat/chatmessagehistory/"


def queries(client: Client, address: str) -> list[str]:
    client.get(address)  # fills what Django remembers for the process
    with CaptureQueriesContext(
        connection,
    ) as captured:
        assert client.get(address).status_code == 200
    return [query["sql"] for query in captured]


def listed(client: Client, address: str) -> list[Any]:
    return [row.pk for row in client.get(address).context["cl"].result_list]


@pytest.mark.parametrize("who", ["root", "alice"])
@pytest.mark.parametrize("model", ["tenant", "mentor", "apitoken", "session", "chatmessagehistory"])
def test_a_list_asks_no_more_for_more_rows(
    request: pytest.FixtureRequest, tell: Tell, coach: Mentor, who: str, model: str
) -> None:
    client = request.getfixturevalue(who)

    def more(count: int) -> None:
        for number in range(count):
            Mentor(tenant=coach.tenant, slug=f"m{uuid.uuid4().hex}", name=f"Mentor {number}").save()
            ApiToken.issue(coach.tenant, scope="read_all", name="backend", mentor=coach)
            tell().context('{"a":1}').say("hi", "hello")

    more(1)
    few = len(queries(client, f"/admin/chat/{model}/"))
    more(8)
    assert len(queries(client, f"/admin/chat/{model}/")) == few


def test_a_session_asks_no_more_for_more_messages_and_versions(alice: Client, tell: Tell) -> None:
    told = tell().context('{"a":0}').say("hi", "hello")
    few = len(queries(alice, told.address))
    for number in range(1, 20):
        told.context(f'{{"a":{number}}}').say("hi", "hello")
    assert len(queries(alice, told.address)) == few
    assert few <= 8


def test_an_answer_asks_no_more_for_more_history(alice: Client, tell: Tell) -> None:
    told = tell().say("hi", "hello")
    few = len(queries(alice, message_address(told.last)))
    told.say(*["hi", "hello"] * 20)
    assert len(queries(alice, message_address(told.last))) == few


@pytest.mark.parametrize("address", [SESSIONS, MESSAGES, f"{SESSIONS}?q=bob", f"{MESSAGES}?q=bob"])
def test_nothing_is_counted_to_the_end(root: Client, tell: Tell, address: str) -> None:
    tell().say("hi", "hello")
    counts = [sql for sql in queries(root, address) if "COUNT(" in sql]
    assert counts
    assert all("LIMIT 1000" in sql for sql in counts)


def test_a_long_list_says_that_it_is_cut(alice: Client, coach: Mentor) -> None:
    Session.objects.bulk_create(
        Session(id=uuid.uuid4(), tenant=coach.tenant, mentor=coach) for _ in range(1001)
    )
    page = alice.get(SESSIONS).content.decode()
    assert "1000 sessions" in page
    assert "Counted and listed up to here" in page


def test_a_session_is_found_by_its_id_a_messages_and_its_user(alice: Client, tell: Tell) -> None:
    told = tell(user_id="user-17").say("hi")
    tell(user_id="user-170").say("somebody else")
    session, message = str(told.session.pk), str(told.last.pk)
    for term in (session, session[:8], session[:13], session.replace("-", "").upper(), message, "user-17"):
        assert listed(alice, f"{SESSIONS}?q={term}") == [told.session.pk]


def test_a_message_is_found_by_its_id_its_session_its_user_and_its_clients_id(
    alice: Client, tell: Tell
) -> None:
    told = tell(user_id="user-17").say("hi", client_message_id="web-0001")
    tell(user_id="user-170").say("somebody else", client_message_id="app-0001")
    for term in (str(told.last.pk), str(told.session.pk), str(told.session.pk)[:8], "user-17", "web-00"):
        assert listed(alice, f"{MESSAGES}?q={term}") == [told.last.pk]


@pytest.mark.parametrize("term", ["%25", "'", "deadbeef", "a" * 5000, "hi", "😀", "\\", "x\ty"])
def test_a_strange_term_finds_nothing_and_harms_nothing(alice: Client, tell: Tell, term: str) -> None:
    tell().say("hi")
    for address in (SESSIONS, MESSAGES):
        assert listed(alice, f"{address}?q={term}") == []


def test_an_id_is_a_prefix_of_eight_digits_or_more(tell: Tell) -> None:
    tell()
    everything = Session.objects.all()
    assert by_id(everything, str(everything[0].pk)[:8]).count() == 1
    assert by_id(everything, str(everything[0].pk)[:7]).count() == 0


@pytest.mark.parametrize("lookup", ["content__icontains=hi", "text=hi", "session__user_id=bob"])
def test_nothing_is_sought_by_hand_in_the_address(alice: Client, tell: Tell, lookup: str) -> None:
    assert alice.get(f"{MESSAGES}?{lookup}").status_code == 400


def test_nothing_is_sorted_by_hand_in_the_address(alice: Client, tell: Tell) -> None:
    tell().say("hi", "hello")
    assert queries(alice, f"{MESSAGES}?o=2.3")[-1] == queries(alice, MESSAGES)[-1]


def test_the_newest_stand_first(alice: Client, tell: Tell) -> None:
    first, second = tell().say("hi", "hello"), tell().say("later")
    assert listed(alice, SESSIONS) == [second.session.pk, first.session.pk]
    sequences = [row.sequence for row in alice.get(MESSAGES).context["cl"].result_list]
    assert sequences == [1, 2, 1]


def test_staff_of_a_tenant_list_the_messages_of_its_newest_sessions(
    alice: Client, root: Client, tell: Tell, coach: Mentor
) -> None:
    old = tell().say("long ago")
    Session.objects.filter(pk=old.session.pk).update(created_at=timezone.now() - timedelta(days=9))
    Session.objects.bulk_create(
        Session(id=uuid.uuid4(), tenant=coach.tenant, mentor=coach) for _ in range(NEWEST_SESSIONS)
    )
    assert listed(alice, MESSAGES) == []
    assert listed(root, MESSAGES) == [old.last.pk]
    assert listed(alice, f"{MESSAGES}?q={old.session.pk}") == [old.last.pk]


def test_filters_narrow(alice: Client, tell: Tell, coach: Mentor) -> None:
    old, failed = tell().say("hi"), tell().say("hi").say("", status="failed")
    Session.objects.filter(pk=old.session.pk).update(created_at=timezone.now() - timedelta(days=9))
    Session.objects.filter(pk=failed.session.pk).update(turn_id=failed.last.pk)
    for query in (f"mentor={coach.pk}", f"tenant={coach.tenant_id}", "started=month"):
        assert listed(alice, f"{SESSIONS}?{query}") == [failed.session.pk, old.session.pk]
    assert listed(alice, f"{SESSIONS}?started=week") == [failed.session.pk]
    assert listed(alice, f"{SESSIONS}?turn=running") == [failed.session.pk]
    assert listed(alice, f"{MESSAGES}?status=failed") == [failed.last.pk]
    assert listed(alice, f"{MESSAGES}?status=stopped") == []
    for query in ("mentor=x", "tenant=x", "tenant=²", f"tenant={'9' * 40}"):
        assert listed(alice, f"{SESSIONS}?{query}") == []


@pytest.mark.skipif("connection.vendor != 'postgresql'", reason="the plans are PostgreSQL's")
@pytest.mark.parametrize("model", [Session, ChatMessageHistory])
def test_an_id_is_sought_by_its_index(db: None, model: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
    assert "_pkey" in by_id(model.objects.all(), "deadbeef").explain()
