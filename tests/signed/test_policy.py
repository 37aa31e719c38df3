"""A mentor's schema and policy apply to what is signed as to everything else."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chat.models import Mentor, Session, UsedToken

from ..clients import Frame, Socket
from ..expecting import SENTENCE
from ..model_server import ModelServer
from .signing import FREE, BackEnd, stored

PLANS = {"type": "string", "enum": ["free", "pro"]}


def with_schema(coach: Mentor, properties: dict[str, Any], **more: Any) -> None:
    coach.context_schema = json.dumps({"type": "object", "properties": properties})
    for name, value in more.items():
        setattr(coach, name, value)
    coach.save()


def refusal(visitor: Socket, **payload: Any) -> Frame:
    visitor.put(visitor.payload("No.", **payload))
    return visitor.get()


def test_claims_that_the_schema_does_not_allow_are_refused(
    visitor: Socket, ed: BackEnd, coach: Mentor
) -> None:
    with_schema(coach, {"plan": PLANS})
    told = refusal(visitor, metadata_token=ed.sign({"plan": "enterprise"}))
    assert (told["code"], told["details"]) == (
        "schema_violation",
        [{"pointer": "/metadata/plan", "message": SENTENCE}],
    )
    assert (stored(), Session.objects.count(), UsedToken.objects.count()) == ([], 0, 0)


def test_a_schema_judges_what_both_come_to(visitor: Socket, ed: BackEnd, coach: Mentor) -> None:
    with_schema(coach, {"plan": PLANS, "page": {"type": "string"}})
    assert refusal(visitor, metadata={"page": 5}, metadata_token=ed.sign())["code"] == "schema_violation"
    assert visitor.say("One.", metadata={"page": "/a"}, metadata_token=ed.sign()).version == 1


@pytest.mark.parametrize("together", [True, False])
def test_a_key_for_verified_values_only_is_signed(
    visitor: Socket, ed: BackEnd, coach: Mentor, together: bool
) -> None:
    with_schema(coach, {"plan": {"x-verified-only": True}})
    claimed = {"metadata": {"plan": "enterprise", "page": "/a"}}
    if together:
        start = visitor.say("One.", **claimed, metadata_token=ed.sign()).start
    else:
        visitor.say("One.", metadata_token=ed.sign())
        start = visitor.say("Two.", **claimed).start
    assert [(one["code"], one["pointer"]) for one in start["context"]["warnings"]] == [
        ("verified_only", "/metadata/plan")
    ]
    assert stored()[-1][1:] == ({"plan": "free", "page": "/a"}, ["plan"])


def test_what_is_stored_masked_is_masked_also_when_it_is_signed(
    visitor: Socket, ed: BackEnd, coach: Mentor
) -> None:
    with_schema(coach, {"card": {"x-masked": "stored"}})
    visitor.say("One.", metadata_token=ed.sign({"card": "4111 1111 1111 1234"}))
    assert stored() == [(1, {"card": "•••1234"}, ["card"])]


def test_an_unknown_key_is_stripped_of_claims_too(visitor: Socket, ed: BackEnd, coach: Mentor) -> None:
    with_schema(coach, {"plan": PLANS}, schema_mode="strip")
    start = visitor.say("One.", metadata_token=ed.sign({**FREE, "x": 1})).start
    assert [one["code"] for one in start["context"]["warnings"]] == ["key_stripped"]
    assert stored() == [(1, FREE, ["plan"])]


def test_the_model_is_told_what_is_verified(
    visitor: Socket, ed: BackEnd, coach: Mentor, model: ModelServer
) -> None:
    with_schema(coach, {}, mark_verified=True)
    visitor.say("One.", metadata={"page": "/a"}, metadata_token=ed.sign())
    prompt = json.loads(model.received[-1])["messages"][-1]["content"]
    assert "[verified] plan: free\n" in prompt and "\npage: /a\n" in prompt
