"""The context law at both doors: replace, never merge; null keeps; {} clears; equal makes no version."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chat.cache import context_key
from chat.models import ChatMessageHistory, Session, SessionContextVersion

from .clients import Talk, TalkMaker
from .model_server import ModelServer

CA = {"productGroup": "LICENSING", "stateCode": "CA"}
NY = {"productGroup": "CE", "stateCode": "NY"}


def snapshots(talk: Talk) -> list[dict[str, Any]]:
    rows = ChatMessageHistory.objects.filter(session=talk.session_id, role="user").select_related("extra")
    return [row.extra.metadata for row in rows]


def context(talk: Talk) -> dict[str, Any]:
    return Session.objects.get(id=talk.session_id).metadata["client_context"]


def seen(model: ModelServer) -> list[str]:
    """What the model saw as the user's message, turn by turn."""

    return [json.loads(body)["messages"][-1]["content"] for body in model.received]


def test_the_seeds_four_rows(talk: TalkMaker, model: ModelServer) -> None:
    one = talk()
    one.say("#1", metadata=CA)
    one.say("#2")
    one.say("#3", metadata=NY)
    one.say("#4")
    assert snapshots(one) == [CA, CA, NY, NY]
    assert [("LICENSING" in text, "stateCode: NY" in text) for text in seen(model)] == [
        (True, False),
        (True, False),
        (False, True),
        (False, True),
    ]


def test_a_new_value_replaces_and_never_merges(talk: TalkMaker) -> None:
    one = talk()
    one.say("a", metadata={"a": 1, "b": {"c": 2}})
    one.say("b", metadata={"b": {"d": 3}})
    assert context(one) == {"b": {"d": 3}}


@pytest.mark.parametrize("more", [{}, {"metadata": None}], ids=["absent", "null"])
def test_null_or_absent_keeps(talk: TalkMaker, more: dict[str, Any]) -> None:
    one = talk()
    one.say("a", metadata=CA)
    reply = one.say("b", **more)
    assert (context(one), reply.version, reply.start["context"]["changed"]) == (CA, 1, False)


def test_an_empty_object_clears(talk: TalkMaker, model: ModelServer) -> None:
    one = talk()
    one.say("a", metadata=CA)
    assert one.say("b", metadata={}).version == 2
    assert (context(one), seen(model)[-1]) == ({}, "b")


def test_a_context_never_sent_reads_as_empty_and_version_0(talk: TalkMaker) -> None:
    one = talk()
    reply = one.say("a", metadata={})
    assert (context(one), reply.version, reply.start["context"]["changed"]) == ({}, 0, False)


@pytest.mark.parametrize(
    ("first", "second"),
    [({"a": 1, "b": 2}, {"b": 2, "a": 1}), ({"a": 1}, {"a": 1.0}), (CA, dict(CA))],
    ids=["key order", "number spelling", "same text"],
)
def test_an_equal_value_makes_no_version(talk: TalkMaker, first: Any, second: Any) -> None:
    one = talk()
    one.say("a", metadata=first)
    reply = one.say("b", metadata=second)
    assert (reply.version, SessionContextVersion.objects.count()) == (1, 1)


@pytest.mark.parametrize(
    ("first", "second"), [({"a": True}, {"a": 1}), ({"a": 0}, {"a": False}), ({"a": None}, {})]
)
def test_a_boolean_is_not_a_number(talk: TalkMaker, first: Any, second: Any) -> None:
    one = talk()
    one.say("a", metadata=first)
    assert one.say("b", metadata=second).version == 2


@pytest.mark.parametrize(
    "value",
    [
        {"name": None, "list": [None, {"deep": None}]},
        {"emoji": "👩‍🏫", "bidi": "\u202eabc", "bell": "\x07", "lines": "a\nb\r\u2028c"},
        {"a.b": 1, "a b": 2, "景点": "千灵山公园", "": "empty", "a:b": 3},
        {"big": 12345678901234567890, "float": 1.5e10, "negative": -0.25, "true": True},
    ],
    ids=["nulls", "unicode and controls", "odd keys", "numbers"],
)
def test_any_json_object_comes_back_as_it_was(talk: TalkMaker, value: Any) -> None:
    one = talk()
    one.say("a", metadata=value)
    one.say("b")
    assert context(one) == value
    assert snapshots(one) == [value, value]


def test_the_version_row_says_who_through_which_door(talk: TalkMaker, token: str) -> None:
    one = talk(token=token, username="alice")
    one.say("a", metadata=CA)
    row = SessionContextVersion.objects.get()
    assert (row.number, row.value, row.author) == (1, CA, "token:backend")
    assert row.door in ("websocket", "sse")
    assert sorted(row.verified_keys) == sorted(CA)


def test_the_text_keeps_the_clients_spelling(talk: TalkMaker, model: ModelServer) -> None:

    one = talk()
    raw = json.dumps(one.payload("a")).removesuffix("}") + ', "metadata": {"z": 1.10, "a": [1e2,  3]}}'
    one.put(raw)
    one.get()
    assert SessionContextVersion.objects.get().text == '{"z":1.10,"a":[1e2,3]}'


@pytest.mark.django_db(transaction=True)
def test_without_the_cache_the_answer_is_the_same(talk: TalkMaker, model: ModelServer) -> None:
    from django.core.cache import cache

    one = talk()
    one.say("a", metadata=CA)
    cache.delete(context_key(one.session_id))
    one.close()
    one.say("b")
    assert "stateCode: CA" in seen(model)[-1]
    assert snapshots(one) == [CA, CA]
