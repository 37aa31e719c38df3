"""The context in two layers: what a tenant's own token set is verified, and lies over what others sent."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chat.models import ChatMessageHistory, Session, SessionContextVersion

from .clients import Frame, Reply, Socket, Stream, TalkMaker, is_last
from .expecting import SENTENCE
from .model_server import ModelServer


@pytest.fixture
def visitor(talk: TalkMaker) -> Socket | Stream:
    """An anonymous user, who has said hello."""
    one: Socket | Stream = talk()
    one.say("Hello.")
    return one


@pytest.fixture
def tenant(talk: TalkMaker, visitor: Socket, token: str) -> Socket | Stream:
    """The tenant's own server, in the visitor's session."""
    one: Socket | Stream = talk(session_id=visitor.session_id, token=token)
    return one


def write(talk: Socket | Stream, metadata: Frame) -> Reply:
    return talk.say("Next.", metadata=metadata)


def write_spelled(talk: Socket | Stream, metadata: str) -> Reply:
    talk.put(json.dumps(talk.payload("Next.", metadata={"@": 0})).replace('{"@": 0}', metadata))
    frames = [talk.get()]
    while not is_last(frames[-1]):
        frames.append(talk.get())
    return Reply(frames)


def in_force() -> Frame:
    return Session.objects.get().client_context


def verified() -> list[str]:
    latest = SessionContextVersion.objects.last()
    return [] if latest is None else latest.verified_keys


def kept(*keys: str) -> list[Frame]:
    return [{"code": "verified_key_kept", "pointer": f"/metadata/{key}", "message": SENTENCE} for key in keys]


def test_a_tokens_keys_are_verified_and_a_visitors_are_not(visitor: Socket, tenant: Socket) -> None:
    write(visitor, {"page": "/start"})
    assert verified() == []
    write(tenant, {"plan": "pro", "user": {"id": 7}})
    assert sorted(verified()) == ["plan", "user"]


def test_a_tokens_write_replaces_both_layers(visitor: Socket, tenant: Socket) -> None:
    write(visitor, {"page": "/start", "plan": "guessed"})
    write(tenant, {"plan": "pro"})
    assert (in_force(), verified()) == ({"plan": "pro"}, ["plan"])
    write(tenant, {"region": "EU"})
    assert (in_force(), verified()) == ({"region": "EU"}, ["region"])


def test_any_other_write_replaces_the_unsigned_layer(visitor: Socket, tenant: Socket) -> None:
    write(tenant, {"plan": "pro"})
    write(visitor, {"page": "/start", "lang": "de"})
    assert (in_force(), verified()) == ({"page": "/start", "lang": "de", "plan": "pro"}, ["plan"])
    write(visitor, {"page": "/exam"})
    assert (in_force(), verified()) == ({"page": "/exam", "plan": "pro"}, ["plan"])


def test_an_empty_object_clears_the_unsigned_layer_only(visitor: Socket, tenant: Socket) -> None:
    write(tenant, {"plan": "pro"})
    write(visitor, {"page": "/start"})
    assert write(visitor, {}).version == 3
    assert (in_force(), verified()) == ({"plan": "pro"}, ["plan"])


def test_a_tokens_empty_object_clears_all(visitor: Socket, tenant: Socket) -> None:
    write(tenant, {"plan": "pro"})
    write(visitor, {"page": "/start"})
    write(tenant, {})
    assert (in_force(), verified()) == ({}, [])
    write(visitor, {"plan": "free"})
    assert in_force() == {"plan": "free"}


@pytest.mark.parametrize("value", ["enterprise", None, {"name": "pro"}, ["pro"]])
def test_a_visitor_cannot_change_a_verified_key(visitor: Socket, tenant: Socket, value: Any) -> None:
    write(tenant, {"plan": "pro"})
    start = write(visitor, {"plan": value, "page": "/start"}).start
    assert start["context"] == {"version": 2, "changed": True, "warnings": kept("plan")}
    assert in_force() == {"plan": "pro", "page": "/start"}


def test_a_pointer_to_an_odd_key_is_escaped(visitor: Socket, tenant: Socket) -> None:
    write(tenant, {"a/b~c": 1})
    assert write(visitor, {"a/b~c": 2}).start["context"]["warnings"] == kept("a~1b~0c")


def test_a_verified_key_is_one_by_its_name_and_not_by_its_spelling(visitor: Socket, tenant: Socket) -> None:
    write(tenant, {"plan": "pro"})
    start = write_spelled(visitor, r'{"pl\u0061n": 1}').start
    assert start["context"]["warnings"] == kept("plan")


def test_a_verified_key_is_a_key_of_the_top_level(visitor: Socket, tenant: Socket) -> None:
    write(tenant, {"user": {"id": 7}})
    start = write(visitor, {"user": {"id": 8}, "page": {"user": 9}}).start
    assert start["context"]["warnings"] == kept("user")
    assert in_force() == {"user": {"id": 7}, "page": {"user": 9}}


def test_what_a_visitor_repeats_of_it_changes_nothing(visitor: Socket, tenant: Socket) -> None:
    write(tenant, {"plan": "pro", "seats": 1})
    start = write(visitor, {"plan": "pro", "seats": 1.0}).start
    assert (start["context"]["version"], start["context"]["changed"]) == (1, False)
    assert write(visitor, {}).version == 1
    assert write(visitor, {"plan": "free"}).version == 1


def test_the_same_by_a_token_again_makes_no_version(visitor: Socket, tenant: Socket) -> None:
    write(tenant, {"plan": "pro", "seats": 1})
    assert write(tenant, {"plan": "pro", "seats": 1}).version == 1
    assert write(tenant, {"seats": 1.0, "plan": "pro"}).version == 1


def test_a_token_verifies_what_a_visitor_had_sent(visitor: Socket, tenant: Socket) -> None:
    """The value is equal, the layers are not: from now on the visitor cannot change it."""
    write(visitor, {"plan": "pro"})
    start = write(tenant, {"plan": "pro"}).start
    assert (start["context"]["version"], start["context"]["changed"]) == (2, True)
    assert verified() == ["plan"]
    write(visitor, {"plan": "enterprise"})
    assert in_force() == {"plan": "pro"}


def test_a_token_verifies_what_was_mixed(visitor: Socket, tenant: Socket) -> None:
    write(tenant, {"plan": "pro"})
    write(visitor, {"page": "/start"})
    write(tenant, {"page": "/start", "plan": "pro"})
    assert (in_force(), sorted(verified())) == ({"page": "/start", "plan": "pro"}, ["page", "plan"])


def test_the_model_sees_both_layers_in_the_clients_spelling(
    visitor: Socket, tenant: Socket, model: ModelServer
) -> None:
    write(tenant, {"plan": "pro"})
    write_spelled(visitor, '{"at": 1.50 }')
    assert SessionContextVersion.objects.get(number=2).text == '{"at":1.50,"plan":"pro"}'
    tenant.say("And?")
    prompt = json.loads(model.received[-1])["messages"][-1]["content"]
    assert prompt.endswith("conversation:\nat: 1.50\nplan: pro\n</END CONTEXT METADATA>")


def test_a_snapshot_is_of_both_layers(visitor: Socket, tenant: Socket) -> None:
    write(tenant, {"plan": "pro"})
    write(visitor, {"page": "/start"})
    asked, answer = ChatMessageHistory.objects.order_by("sequence").select_related("extra")[4:]
    assert asked.extra.metadata == answer.extra.metadata == {"page": "/start", "plan": "pro"}
    assert asked.extra.context_version == answer.extra.context_version == 2


def test_the_versions_say_who_wrote_them(visitor: Socket, tenant: Socket) -> None:
    write(tenant, {"plan": "pro"})
    write(visitor, {"page": "/start"})
    assert list(SessionContextVersion.objects.values_list("number", "author")) == [
        (1, "token:backend"),
        (2, "anonymous"),
    ]
