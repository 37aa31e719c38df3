"""Writes of a context beside turns: what runs keeps its value, what comes next has the new one, listeners hear."""

from __future__ import annotations

import json
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from chat import contexts
from chat.cache import context_key
from chat.contexts import Sender, Write
from chat.models import ChatMessageHistory, Mentor, Session, SessionContextVersion
from chat.openings import Begun
from chat.writes import Change

from ..clients import Socket, TalkMaker, fetch
from ..model_server import Answer, ModelServer
from ..visits import CA, NY, Visit
from .conftest import bearer

pytestmark = pytest.mark.django_db(transaction=True)


def path(session_id: object) -> str:
    return f"/api/v1/sessions/{session_id}/context/"


def put(url: str, session_id: object, context: Any, token: str) -> tuple[int, Any]:
    return fetch(url, "PUT", path(session_id), {"client_context": context}, bearer(token))


def sender(visit: Visit) -> Sender:
    return Sender(visit.grant.caller, "rest")


def set_to(visit: Visit, text: str) -> int:
    asked = Write("PUT", lambda now: Change(text))
    return contexts.write(visit.session, asked, sender(visit)).version


@pytest.mark.services
def test_what_is_remembered_of_a_session_is_found_to_be_old(visit: Visit) -> None:
    assert set_to(visit, NY) == 2
    with CaptureQueriesContext(connection) as asked:
        begun = visit.begin()
    assert any("BEGIN" in query["sql"] for query in asked.captured_queries)
    assert isinstance(begun, Begun)
    assert (begun.context_version, begun.context.context.text) == (2, NY)


@pytest.mark.parametrize("cached", [CA, None])
def test_a_turn_after_it_has_the_new_value_whatever_is_cached(visit: Visit, cached: str | None) -> None:
    set_to(visit, NY)
    begun = visit.begin(cached=cached)
    assert isinstance(begun, Begun)
    assert (begun.context_version, begun.context.context.text) == (2, NY)


def test_a_value_that_comes_back_is_a_version_of_its_own(visit: Visit) -> None:
    set_to(visit, NY)
    assert set_to(visit, CA) == 3
    begun = visit.begin(cached=CA)
    assert isinstance(begun, Begun) and begun.context_version == 3


def test_a_running_turn_keeps_what_it_began_with(
    talk: TalkMaker, live: str, token: str, model: ModelServer
) -> None:
    one = talk(token=token, username="alice")
    one.say("Hello.", metadata={"n": 1})
    model.enqueue(Answer(["Slow", "ly."], gap=0.5))
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(one.say, "And?")
        while not Session.objects.filter(pk=one.session_id, turn_id__isnull=False).exists():
            time.sleep(0.01)
        status, told = put(live, one.session_id, {"n": 2}, token)
        assert (status, told["version"]) == (200, 2)
        assert Session.objects.filter(pk=one.session_id, turn_id__isnull=False).exists()
        assert running.result().version == 1
    rows = (
        ChatMessageHistory.objects.filter(session=one.session_id).order_by("sequence").select_related("extra")
    )
    assert [row.extra.metadata["n"] for row in rows] == [1, 1, 1, 1]
    assert one.say("And now?").version == 2
    assert "n: 2" in json.loads(model.received[-1])["messages"][-1]["content"]


def test_a_turn_says_which_message_and_token_brought_it(talk: TalkMaker, token: str) -> None:
    one = talk(token=token)
    one.say("Hello.", metadata={"n": 1})
    row = SessionContextVersion.objects.get()
    asked = ChatMessageHistory.objects.get(role="user")
    assert (row.message_id, row.token_id is not None, row.address_class) == (asked.pk, True, "loopback")


def test_listeners_are_told(alice: Socket, returned: Socket, live: str, token: str) -> None:
    alice.say("Hello?", metadata={"n": 1})
    returned.put({"action": "subscribe", "session_id": alice.session_id, "token": token})
    assert "subscribed" in returned.get()
    put(live, alice.session_id, {"n": 2}, token)
    told = returned.get()
    while told.get("type") != "context.updated":
        told = returned.get()
    data = told["data"]
    assert (data["version"], data["client_context"], data["door"]) == (2, {"n": 2}, "rest")
    assert data["diff"]["changed"] == [{"pointer": "/n", "before": 1, "after": 2}]


# --- many at once


def history(session_id: object) -> list[tuple[int, Any]]:
    rows = SessionContextVersion.objects.filter(session=session_id).order_by("number")
    return list(rows.values_list("number", "value"))


def test_only_one_of_many_under_one_condition_is_done(coach: Mentor, token: str, live: str) -> None:
    visit = Visit(coach, token)
    visit.turn()
    headers = {**bearer(token), "If-Match": '"0"'}

    def one(n: int) -> int:
        return fetch(live, "PUT", path(visit.session), {"client_context": {"n": n}}, headers)[0]

    with ThreadPoolExecutor(12) as pool:
        statuses = sorted(pool.map(one, range(12)))
    assert statuses == [200] + [412] * 11
    assert len(history(visit.session)) == 1


def test_many_under_one_key_are_one(coach: Mentor, token: str, live: str) -> None:
    session_id = uuid.uuid4()
    headers = {**bearer(token), "Idempotency-Key": "the-very-same"}
    body = {"client_context": {"n": 1}, "flow": {"name": "coach", "tenant": "demo"}}

    def one(_: int) -> tuple[int, Any]:
        return fetch(live, "PUT", path(session_id), body, headers)

    with ThreadPoolExecutor(8) as pool:
        told = list(pool.map(one, range(8)))
    assert told == [told[0]] * 8
    assert (told[0][0], history(session_id)) == (201, [(1, {"n": 1})])


@pytest.mark.services
def test_what_is_cached_for_others_is_the_text_itself(visit: Visit) -> None:
    from django_redis import get_redis_connection

    set_to(visit, NY)
    key = context_key(visit.session)
    redis = get_redis_connection()
    assert (redis.get(key), 0 < redis.ttl(key) <= 7200) == (NY.encode(), True)
