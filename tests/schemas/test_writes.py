"""What a mentor's schema and policy make of a context that somebody sends, at every door that streams and at REST."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from chat.models import Mentor, Refusal, Session, SessionContextVersion, Tenant

from ..clients import Frame, Socket, Stream, TalkMaker
from ..expecting import SENTENCE, refusal
from ..model_server import ModelServer

STATES = {
    "type": "object",
    "properties": {
        "stateCode": {"type": "string", "enum": ["CA", "NY"]},
        "user": {"type": "object", "properties": {"age": {"type": "integer"}}, "additionalProperties": False},
    },
    "required": ["stateCode"],
    "additionalProperties": False,
}


def rule(mentor: Mentor, mode: str = "enforce", schema: Any = STATES, **keys: Any) -> None:
    """Gives the mentor a schema: this one, or one of these properties."""
    mentor.context_schema = json.dumps({"properties": keys} if keys else schema)
    mentor.schema_mode = mode
    mentor.full_clean()
    mentor.save()


def in_force() -> Frame:
    return Session.objects.get().client_context


def numbers() -> list[int]:
    return list(SessionContextVersion.objects.values_list("number", flat=True))


def warned(code: str, *keys: str) -> list[Frame]:
    return [{"code": code, "pointer": f"/metadata/{key}", "message": SENTENCE} for key in keys]


@pytest.fixture
def visitor(talk: TalkMaker) -> Socket | Stream:
    one: Socket | Stream = talk()
    return one


# --- modes


def test_what_the_schema_does_not_allow_is_refused_with_every_pointer(
    visitor: Socket, coach: Mentor, model: ModelServer
) -> None:
    rule(coach)
    visitor.say("Hello.", metadata={"stateCode": "CA"})
    wrong = {"stateCode": "XX", "user": {"age": "ten", "b": 1}, "plan": "free"}
    visitor.put(visitor.payload("Again.", metadata=wrong))
    told = visitor.get()
    pointers = ["/metadata/plan", "/metadata/stateCode", "/metadata/user/age", "/metadata/user/b"]
    assert sorted(one["pointer"] for one in told["details"]) == pointers
    assert told == refusal(422, "schema_violation", *[one["pointer"] for one in told["details"]])
    assert (in_force(), numbers(), len(model.received)) == ({"stateCode": "CA"}, [1], 1)


def test_no_value_stands_in_a_refusal(visitor: Socket, coach: Mentor) -> None:
    rule(coach)
    visitor.put(visitor.payload("Hi.", metadata={"stateCode": "canary", "user": {"age": "canary"}}))
    assert "canary" not in json.dumps(visitor.get())


def test_a_refused_first_message_makes_no_session(visitor: Socket, coach: Mentor) -> None:
    rule(coach)
    visitor.put(visitor.payload("Hello.", metadata={}))
    assert visitor.get() == refusal(422, "schema_violation", "/metadata/stateCode")
    assert not Session.objects.exists()


def test_a_message_without_metadata_is_not_judged(visitor: Socket, coach: Mentor) -> None:
    rule(coach)
    assert visitor.say("Hello.").start["context"]["version"] == 0


def test_a_warning_mode_takes_it_and_says_so(visitor: Socket, coach: Mentor) -> None:
    rule(coach, "warn")
    told = visitor.say("Hello.", metadata={"stateCode": "XX"}).start["context"]
    assert told == {"version": 1, "changed": True, "warnings": warned("schema_violation", "stateCode")}
    assert in_force() == {"stateCode": "XX"}


def test_a_stripping_mode_takes_out_what_it_does_not_know(
    visitor: Socket, coach: Mentor, model: ModelServer
) -> None:
    rule(coach, "strip")
    sent = {"plan": "free", "user": {"age": 1.0, "b": [1.50]}, "stateCode": "CA"}
    told = visitor.say("Hello.", metadata=sent).start["context"]
    assert sorted(one["pointer"] for one in told["warnings"]) == ["/metadata/plan", "/metadata/user/b"]
    assert SessionContextVersion.objects.get().text == '{"user":{"age":1.0},"stateCode":"CA"}'
    assert "plan" not in model.received[0].decode()


def test_a_stripping_mode_knows_the_named_keys_only(visitor: Socket, coach: Mentor) -> None:
    rule(coach, "strip", {"properties": {"a": {}}, "patternProperties": {"^b": {}}})
    told = visitor.say("Hello.", metadata={"a": 1, "b1": 2, "c": 3}).start["context"]
    assert (told["warnings"], in_force()) == (warned("key_stripped", "c"), {"a": 1, "b1": 2})


def test_a_stripping_mode_refuses_what_is_wrong_otherwise(visitor: Socket, coach: Mentor) -> None:
    rule(coach, "strip")
    visitor.put(visitor.payload("Hello.", metadata={"stateCode": "XX", "plan": "free"}))
    assert visitor.get() == refusal(422, "schema_violation", "/metadata/stateCode")


def test_what_is_left_after_stripping_may_be_no_change(visitor: Socket, coach: Mentor) -> None:
    rule(coach, "strip")
    visitor.say("Hello.", metadata={"stateCode": "CA"})
    told = visitor.say("Again.", metadata={"stateCode": "CA", "plan": "free"}).start["context"]
    assert told == {"version": 1, "changed": False, "warnings": warned("key_stripped", "plan")}


def test_a_server_is_judged_like_everybody(talk: TalkMaker, token: str, coach: Mentor) -> None:
    rule(coach)
    one = talk(token=token)
    one.put(one.payload("Hello.", metadata={"stateCode": "XX"}))
    assert one.get() == refusal(422, "schema_violation", "/metadata/stateCode")


def test_both_layers_together_are_judged(talk: TalkMaker, visitor: Socket, token: str, coach: Mentor) -> None:
    visitor.say("Hello.")
    rule(
        coach,
        schema={"required": ["plan"], "properties": {"plan": {"type": "string"}, "page": {"type": "string"}}},
    )
    talk(session_id=visitor.session_id, token=token).say("x", metadata={"plan": "free"})
    assert visitor.say("y", metadata={"page": "/"}).start["context"]["changed"]
    assert in_force() == {"page": "/", "plan": "free"}


def test_many_faults_are_told_up_to_a_bound(visitor: Socket, coach: Mentor) -> None:
    rule(coach, schema={"additionalProperties": False})
    visitor.put(visitor.payload("Hello.", metadata={f"k{n}": n for n in range(200)}))
    assert len(visitor.get()["details"]) == 20


def test_a_schema_that_changes_holds_from_the_next_message(visitor: Socket, coach: Mentor) -> None:
    visitor.say("Hello.", metadata={"stateCode": "XX"})
    rule(coach)
    visitor.put(visitor.payload("Again.", metadata={"stateCode": "XX"}))
    assert visitor.get() == refusal(422, "schema_violation", "/metadata/stateCode")


def test_refusals_are_counted_for_the_mentors_owner(visitor: Socket, coach: Mentor, written: Any) -> None:
    rule(coach)
    visitor.put(visitor.payload("Hello.", metadata={"stateCode": "XX"}))
    visitor.get()
    written()
    assert list(Refusal.objects.values_list("code", "pointer", "count")) == [
        ("schema_violation", "/metadata/stateCode", 1)
    ]


# --- who may set a key


def test_an_unsigned_value_for_a_verified_key_is_kept_out(visitor: Socket, coach: Mentor) -> None:
    rule(coach, plan={"x-verified-only": True})
    told = visitor.say("Hello.", metadata={"plan": "enterprise", "page": "/"}).start["context"]
    assert (told["warnings"], in_force()) == (warned("verified_only", "plan"), {"page": "/"})


def test_a_server_sets_a_verified_key_and_a_page_may_repeat_it(
    talk: TalkMaker, visitor: Socket, token: str, coach: Mentor
) -> None:
    rule(coach, plan={"x-verified-only": True})
    visitor.say("Hello.")
    talk(session_id=visitor.session_id, token=token).say("x", metadata={"plan": "free"})
    told = visitor.say("y", metadata={"plan": "free", "page": "/"}).start["context"]
    assert (told["warnings"], in_force()) == ([], {"page": "/", "plan": "free"})
    told = visitor.say("z", metadata={"plan": "pro", "page": "/"}).start["context"]
    assert (told["warnings"], told["changed"]) == (warned("verified_only", "plan"), False)


@pytest.fixture
def operator(coach: Mentor, demo: Tenant) -> Client:
    user = User.objects.create_user("otto", password="x", is_staff=True)
    demo.members.add(user)
    client = Client(headers={"Sec-Fetch-Site": "same-origin"})
    client.force_login(user)
    return client


def put(client: Client, session: Session, context: Frame) -> tuple[int, Frame]:
    path = f"/api/v1/sessions/{session.pk}/context/"
    answer = client.put(path, json.dumps({"client_context": context}), content_type="application/json")
    return answer.status_code, answer.json()


def test_operators_leave_locked_keys_alone(visitor: Socket, coach: Mentor, operator: Client) -> None:
    rule(coach, plan={"x-locked": True})
    visitor.say("Hello.", metadata={"plan": "free", "page": "/"})
    session = Session.objects.get()
    status, told = put(operator, session, {"plan": "pro", "page": "/help"})
    assert (status, told["warnings"]) == (200, warned("locked_key_kept", "plan"))
    assert in_force() == {"plan": "free", "page": "/help"}
    assert put(operator, session, {"page": "/"})[1]["warnings"] == warned("locked_key_kept", "plan")
    assert in_force() == {"plan": "free", "page": "/"}


# --- masks


def test_what_is_never_stored_is_nowhere(visitor: Socket, coach: Mentor, model: ModelServer) -> None:
    rule(coach, card={"x-masked": "stored"}, pin={"x-masked": "stored"})
    told = visitor.say("Hello.", metadata={"card": "4111111111111234", "pin": 9876}).start["context"]
    assert sorted(one["pointer"] for one in told["warnings"]) == ["/metadata/card", "/metadata/pin"]
    assert in_force() == {"card": "•••1234", "pin": "•••"}
    assert (
        b"card: \xe2\x80\xa2\xe2\x80\xa2\xe2\x80\xa21234"
        in json.dumps(json.loads(model.received[0]), ensure_ascii=False).encode()
    )
    assert "41111111" not in model.received[0].decode()


def test_a_mask_that_comes_back_changes_nothing(visitor: Socket, coach: Mentor) -> None:
    rule(coach, card={"x-masked": "stored"}, phone={"x-masked": "shown"})
    visitor.say("Hello.", metadata={"card": "4111111111111234", "phone": "+49 30 1234567"})
    told = visitor.say("Again.", metadata={"card": "•••1234", "phone": "•••4567"}).start["context"]
    assert told == {"version": 1, "changed": False, "warnings": []}
    assert in_force() == {"card": "•••1234", "phone": "+49 30 1234567"}


def test_a_refusal_beside_the_turns_is_counted_too(visitor: Socket, coach: Mentor, operator: Client) -> None:
    rule(coach, plan={"type": "string", "x-locked": True}, stateCode={"enum": ["CA"]})
    visitor.say("Hello.", metadata={"plan": "free", "stateCode": "CA"})
    session = Session.objects.get()
    status, told = put(operator, session, {"plan": "free", "stateCode": "XX"})
    assert (status, [one["pointer"] for one in told["errors"]]) == (422, ["/metadata/stateCode"])
    put(operator, session, {"plan": "pro"})
    assert (in_force(), numbers()) == ({"plan": "free"}, [1, 2])
    assert list(Refusal.objects.order_by("code").values_list("code", "pointer", "door")) == [
        ("locked_key_kept", "/metadata/plan", "rest"),
        ("schema_violation", "/metadata/stateCode", "rest"),
    ]
