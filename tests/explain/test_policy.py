"""What a schema hides and masks is hidden and masked here too, also in the exact prompt: canaries, at each surface."""

from __future__ import annotations

import html
import json
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from chat import lapses
from chat.models import Mentor, Session, SessionContextVersion

from ..clients import Reply, Socket
from ..expecting import problem
from ..model_server import ModelServer
from .conftest import Ask, bearer, cookies_of, keys

CANARY, CARD = "canary-7731", "4111111111111234"
SCHEMA = {
    "properties": {
        "secret": {"x-visible-to": ["model", "export"]},
        "desk": {"x-visible-to": ["operator"]},
        "card": {"x-masked": "shown"},
        "stateCode": {"enum": ["CA", "NY"]},
        "plan": {"x-verified-only": True},
        "grade": {"x-locked": True},
    }
}
CONTEXT = {"secret": {"name": CANARY}, "desk": "D-1", "card": CARD, "stateCode": "CA", "n": 1}


@pytest.fixture
def governed(coach: Mentor) -> Mentor:
    coach.context_schema, coach.context_keys = json.dumps(SCHEMA), ["secret", "desk", "card", "stateCode"]
    coach.system_prompt = "You know {secret}, {secret.name} and {n}."
    coach.save()
    return coach


@pytest.fixture
def said(governed: Mentor, alice: Socket) -> Reply:
    return alice.say("What do I need?", metadata=CONTEXT)


@pytest.fixture
def staff(dora: User) -> dict[str, str]:
    return cookies_of(dora)


def test_each_key_says_what_became_of_it(said: Reply, explain: Ask, staff: dict[str, str]) -> None:
    told = explain(said.generation_id, staff)[1]
    assert told["schema"] == {"version": 2, "mode": "enforce"}
    assert {key: (one["value"], one["shown"], one["left_out"]) for key, one in keys(told).items()} == {
        "secret": ("[hidden]", True, None),
        "desk": ("D-1", False, "hidden"),
        "card": ("•••1234", True, None),
        "stateCode": ("CA", True, None),
        "n": (1, True, "not_listed"),
    }
    assert [key for key, one in keys(told).items() if one["concealed"]] == ["secret"]
    assert [key for key, one in keys(told).items() if one["masked"]] == ["card"]


def test_its_prompt_has_a_mark_where_the_value_was(
    said: Reply, explain: Ask, staff: dict[str, str], model: ModelServer
) -> None:
    told = explain(said.generation_id, staff)[1]
    system, asked = [one["content"] for one in told["request"]["messages"]]
    assert system == "You know [hidden], [hidden] and 1."
    assert "\nsecret: [hidden]\ncard: •••1234\n" in asked
    assert told["complete"] is False
    sent = model.received[-1].decode()
    assert CANARY in sent and CARD not in sent and "D-1" not in sent


def test_a_tenants_token_reads_as_its_staff_do(
    said: Reply, explain: Ask, staff: dict[str, str], reader: str
) -> None:
    told = explain(said.generation_id, staff)[1]
    assert explain(said.generation_id)[1] == told
    assert explain(said.generation_id, bearer(reader))[1] == told


def test_no_surface_of_why_and_what_if_tells_staff(
    alice: Socket, said: Reply, dora: User, model: ModelServer, preview: Ask
) -> None:
    staff, answer, browser = cookies_of(dora), said.generation_id, Client()
    browser.force_login(dora)
    paths = [
        f"/api/v1/messages/{answer}/explain/",
        f"/api/v1/messages/{answer}/prompt/",
        f"/api/v1/sessions/{alice.session_id}/messages/{answer}/debug_data/",
        f"/analytics/messages/{answer}/",
    ]
    model.forget()
    for path in paths:
        shown = browser.get(path)
        text = html.unescape(shown.content.decode())
        assert (path, shown.status_code) == (path, 200)
        assert (path, CANARY in text, CARD in text) == (path, False, False)
        assert "[hidden]" in text
    for body in ({}, {"message_id": answer}, {"metadata": {"n": 2}}):
        status, told = preview(alice.session_id, body, staff, "?answer=true")
        assert (status, CANARY in json.dumps(told), CARD in json.dumps(told)) == (200, False, False)
    assert CANARY not in "".join(body.decode() for body in model.received)


def test_what_is_hidden_today_is_hidden_of_old_answers(
    coach: Mentor, alice: Socket, explain: Ask, staff: dict[str, str]
) -> None:
    answer = alice.say("Hello?", metadata=CONTEXT).generation_id
    assert CANARY in json.dumps(explain(answer, staff))
    coach.context_schema = json.dumps(SCHEMA)
    coach.save()
    told = explain(answer, staff)[1]
    assert CANARY not in json.dumps(told) and CARD not in json.dumps(told)
    assert told["schema"] is None
    assert "card: •••1234" in told["request"]["messages"][-1]["content"]


def test_what_was_left_out_for_want_of_room(coach: Mentor, alice: Socket, explain: Ask, preview: Ask) -> None:
    coach.context_budget = 5
    coach.save()
    context = {"note": "x" * 40, "stateCode": "CA"}
    said = alice.say("Hello?", metadata=context)
    told = keys(explain(said.generation_id)[1])
    assert [(one["shown"], one["left_out"]) for one in told.values()] == [
        (False, "over_budget"),
        (True, None),
    ]
    assert preview(alice.session_id, {"metadata": context})[1]["left_out"] == {"note": "over_budget"}


# --- what if


def test_a_preview_is_refused_as_the_write_would_be(
    governed: Mentor, alice: Socket, said: Reply, preview: Ask
) -> None:
    wrong: dict[str, Any] = {"stateCode": "TX"}
    told = preview(alice.session_id, {"metadata": wrong})
    assert told == (422, problem(422, "schema_violation", "/metadata/stateCode"))
    frame = alice.say("And in Texas?", metadata=wrong).end
    assert [one["pointer"] for one in frame["details"]] == ["/metadata/stateCode"]
    assert frame["details"] == told[1]["errors"]


def test_a_preview_says_what_policy_keeps_out(
    alice: Socket, said: Reply, preview: Ask, staff: dict[str, str]
) -> None:
    claims = {"stateCode": "NY", "plan": "enterprise", "grade": 1}

    def codes(headers: dict[str, str] | None, **more: Any) -> list[str]:
        told = preview(alice.session_id, {"metadata": claims, **more}, headers)[1]
        return sorted({one["code"] for one in told["context"]["warnings"]})

    assert codes(staff) == ["locked_key_kept", "verified_key_kept", "verified_only"]
    assert codes(staff, verified=True) == []
    assert codes(None) == []
    assert codes(None, verified=False) == ["verified_key_kept", "verified_only"]


def test_a_preview_reads_as_the_prompt_that_is_then_sent(
    alice: Socket, said: Reply, preview: Ask, model: ModelServer, token: str
) -> None:
    told = preview(alice.session_id, {"metadata": {**CONTEXT, "stateCode": "NY"}, "prompt": "And now?"})[1]
    alice.say("And now?", metadata={**CONTEXT, "stateCode": "NY"})
    sent = json.loads(model.received[-1])["messages"][-1]["content"]
    assert CANARY in sent
    seen = sent.replace(json.dumps(CONTEXT["secret"], separators=(",", ":")), "[hidden]")
    assert told["request"]["messages"][-1]["content"] == seen
    assert told["left_out"] == {"desk": "hidden", "n": "not_listed"}


def test_a_sessions_own_choice_counts(alice: Socket, preview: Ask, model: ModelServer) -> None:
    alice.say("One.", metadata={"n": 1}, include_metadata_in_prompt=True)
    told = preview(alice.session_id, {"prompt": "Two."})[1]
    assert told["delivery"] == "system_prompt"
    alice.say("Two.")
    assert told["body"].encode() == model.received[-1]
    off = preview(alice.session_id, {"include_metadata_in_prompt": False})[1]
    assert (off["delivery"], off["left_out"]) == ("off", {"n": "off"})


# --- what is not kept


def test_a_value_whose_time_is_over_is_told_as_removed(
    coach: Mentor, alice: Socket, explain: Ask, preview: Ask
) -> None:
    coach.context_schema = json.dumps({"properties": {"diagnosis": {"x-retention": "P30D"}}})
    coach.save()
    said = alice.say("Hello?", metadata={"diagnosis": CANARY, "n": 1})
    then = timezone.now() - timedelta(days=31)
    Session.objects.update(created_at=then)
    SessionContextVersion.objects.update(created_at=then)
    lapses.lapse()
    told = explain(said.generation_id)[1]
    assert CANARY not in json.dumps(told)
    assert {key: one["value"] for key, one in keys(told).items()} == {"diagnosis": "[removed]", "n": 1}
    assert (told["context_version"], told["complete"]) == (1, False)
    assert CANARY not in json.dumps(preview(alice.session_id, {"message_id": said.generation_id})[1])
    later = keys(explain(alice.say("And now?").generation_id)[1])
    assert {key: one["origin"]["version"] for key, one in later.items()} == {"n": 1}


@pytest.mark.parametrize(("how", "left"), [("mask", {"password", "n"}), ("refuse", {"n"})])
def test_a_preview_takes_secrets_as_the_tenant_does(
    coach: Mentor, alice: Socket, preview: Ask, how: str, left: set[str]
) -> None:
    alice.say("Hello?")
    coach.tenant.secrets = how
    coach.tenant.save()
    sent = {"password": CANARY, "n": 1}
    told = preview(alice.session_id, {"metadata": sent})[1]
    start = alice.say("And now?", metadata=sent).start
    assert set(told["context"]["client_context"]) == left
    assert CANARY not in json.dumps(told)
    assert told["context"]["warnings"] == start["context"]["warnings"] != []
