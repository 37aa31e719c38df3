"""What a signed token makes of a context: its keys are the upper of the two layers."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from chat.models import Session, SessionContextVersion, UsedToken

from ..clients import Frame, Socket, TalkMaker, fetch
from ..expecting import SENTENCE
from ..model_server import ModelServer
from .signing import FREE, BackEnd, stored


def kept(key: str) -> Frame:
    return {"code": "verified_key_kept", "pointer": f"/metadata/{key}", "message": SENTENCE}


def test_what_is_signed_is_verified(visitor: Socket, backend: BackEnd) -> None:
    start = visitor.say("Hello.", metadata_token=backend.sign()).start
    assert start["context"] == {"version": 1, "changed": True, "warnings": []}
    assert stored() == [(1, FREE, ["plan"])]


def test_a_page_that_claims_another_plan_is_kept_out(
    visitor: Socket, ed: BackEnd, model: ModelServer
) -> None:
    visitor.say("Hello.", metadata_token=ed.sign())
    start = visitor.say("And now?", metadata={"plan": "enterprise", "page": "/plans"}).start
    assert start["context"] == {"version": 2, "changed": True, "warnings": [kept("plan")]}
    assert stored()[-1] == (2, {"page": "/plans", "plan": "free"}, ["plan"])
    prompt = json.loads(model.received[-1])["messages"][-1]["content"]
    assert "plan: free\n" in prompt
    assert "enterprise" not in prompt


def test_it_replaces_the_verified_layer_and_no_other(visitor: Socket, ed: BackEnd) -> None:
    visitor.say("One.", metadata={"page": "/start"}, metadata_token=ed.sign({"plan": "free", "seats": 3}))
    visitor.say("Two.", metadata_token=ed.sign({"plan": "pro"}))
    assert stored()[-1] == (2, {"page": "/start", "plan": "pro"}, ["plan"])


def test_an_empty_object_that_is_signed_clears_the_verified_layer(visitor: Socket, ed: BackEnd) -> None:
    visitor.say("One.", metadata={"page": "/start"}, metadata_token=ed.sign())
    visitor.say("Two.", metadata_token=ed.sign({}))
    assert stored()[-1] == (2, {"page": "/start"}, [])


def test_a_claim_takes_the_place_of_an_unsigned_value(visitor: Socket, ed: BackEnd) -> None:
    visitor.say("One.", metadata={"plan": "enterprise", "page": "/start"})
    visitor.say("Two.", metadata_token=ed.sign())
    assert stored()[-1] == (2, {"page": "/start", "plan": "free"}, ["plan"])


def test_an_unsigned_value_that_gets_signed_is_a_new_version(visitor: Socket, ed: BackEnd) -> None:
    visitor.say("One.", metadata=FREE)
    assert visitor.say("Two.", metadata_token=ed.sign()).version == 2
    assert stored() == [(1, FREE, []), (2, FREE, ["plan"])]


def test_both_in_one_payload_are_one_version_the_signed_first(visitor: Socket, ed: BackEnd) -> None:
    start = visitor.say("One.", metadata={"plan": "pro", "page": "/a"}, metadata_token=ed.sign()).start
    assert start["context"] == {"version": 1, "changed": True, "warnings": [kept("plan")]}
    assert stored() == [(1, {"page": "/a", "plan": "free"}, ["plan"])]


def test_an_empty_object_beside_it_clears_what_is_unsigned(visitor: Socket, ed: BackEnd) -> None:
    visitor.say("One.", metadata={"page": "/a"})
    visitor.say("Two.", metadata={}, metadata_token=ed.sign())
    assert stored()[-1] == (2, FREE, ["plan"])


def test_the_same_signed_anew_makes_no_version(visitor: Socket, ed: BackEnd) -> None:
    visitor.say("One.", metadata_token=ed.sign())
    assert visitor.say("Two.", metadata_token=ed.sign()).version == 1
    assert UsedToken.objects.count() == 2


def test_with_a_tenants_token_both_are_vouched_for_and_claims_win(
    talk: TalkMaker, ed: BackEnd, token: str
) -> None:
    server = talk(token=token, username="alice")
    told = server.say("One.", metadata={"plan": "pro", "page": "/a"}, metadata_token=ed.sign()).start
    assert told["context"]["warnings"] == [kept("plan")]
    assert stored() == [(1, {"page": "/a", "plan": "free"}, ["page", "plan"])]


def test_a_tenants_token_without_metadata_leaves_the_unsigned_layer(
    talk: TalkMaker, visitor: Socket, ed: BackEnd, token: str
) -> None:
    visitor.say("One.", metadata={"page": "/a"})
    talk(token=token, session_id=visitor.session_id).say("Two.", metadata_token=ed.sign())
    assert stored()[-1] == (2, {"page": "/a", "plan": "free"}, ["plan"])


def test_a_tenants_own_write_replaces_what_was_signed(
    talk: TalkMaker, visitor: Socket, ed: BackEnd, token: str
) -> None:
    visitor.say("One.", metadata_token=ed.sign())
    talk(token=token, session_id=visitor.session_id).say("Two.", metadata={"region": "EU"})
    assert stored()[-1] == (2, {"region": "EU"}, ["region"])


def test_null_is_no_token(visitor: Socket) -> None:
    assert visitor.say("One.", metadata={"a": 1}, metadata_token=None).version == 1


def test_the_claims_keep_their_spelling(visitor: Socket, ed: BackEnd) -> None:
    visitor.say("One.", metadata_token=ed.sign({"z": 1.50, "a": "ü"}))
    assert SessionContextVersion.objects.get().text == '{"z":1.5,"a":"ü"}'


@pytest.mark.parametrize("named", ["slug", "list"])
def test_the_mentor_may_be_named_in_other_ways(visitor: Socket, ed: BackEnd, named: str) -> None:
    audience = {"slug": "demo/coach", "list": ["elsewhere", "demo/coach"]}[named]
    assert visitor.say("One.", metadata_token=ed.sign(aud=audience)).version == 1


def test_a_token_may_be_for_this_user_and_this_session(talk: TalkMaker, ed: BackEnd, token: str) -> None:
    alice = talk(token=token, username="alice")
    bound = ed.sign(sub="alice", user="alice", session=alice.session_id.upper())
    assert alice.say("One.", metadata_token=bound).version == 1
    assert Session.objects.get().user_id == "alice"


def test_the_message_that_brought_it_is_written_down(visitor: Socket, ed: BackEnd) -> None:
    reply = visitor.say("One.", metadata_token=ed.sign())
    assert str(SessionContextVersion.objects.get().message_id) == reply.start["user_message_id"]


def test_each_version_says_which_key_signed_it(visitor: Socket, ed: BackEnd) -> None:
    once = ed.sign()
    visitor.say("One.", metadata_token=once)
    visitor.say("Two.", metadata={"page": "/a"}, metadata_token=once)
    visitor.say("Three.", metadata={"page": "/b"}, metadata_token=ed.sign())
    rows = SessionContextVersion.objects.order_by("number").values_list("author", "signed_by")
    assert list(rows) == [("anonymous", "k1"), ("anonymous", None), ("anonymous", "k1")]


def test_an_explanation_says_who_signed_it_and_what_was_kept_out(
    live: str, visitor: Socket, ed: BackEnd, token: str, written: Callable[[], None]
) -> None:
    visitor.say("One.", metadata_token=ed.sign())
    reply = visitor.say("Two.", metadata={"plan": "enterprise", "page": "/a"})
    written()
    path = f"/api/v1/messages/{reply.generation_id}/explain/"
    told = fetch(live, "GET", path, headers={"Authorization": f"Api-Token {token}"})[1]
    plan = next(one for one in told["keys"] if one["key"] == "plan")
    assert (plan["value"], plan["verified"], plan["shown"]) == ("free", True, True)
    assert (plan["origin"]["version"], plan["origin"]["signed_by"]) == (1, "k1")
    assert plan["kept_out"] is not None
