"""What is kept from a reader is not found out by asking for it: by filters, counts, patches, or what is warned of."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
from django.test import Client

from chat.client_context import InForce, decide
from chat.errors import HiddenKey
from chat.filters import parse
from chat.models import Mentor, Session, SessionContextVersion
from chat.policies import policy_of
from chat.selections import Reader, Selection
from exports.carrying import selection_of
from exports.models import Export

HIDDEN = [
    "context.canary_operator=x",
    "message_context.canary_operator__exists=true",
    "context.canary_masked=x",
]
LISTS = [
    "/api/v1/sessions/",
    "/api/v1/analytics/conversations/",
    "/api/analytics/messages/",
    "/api/ai-analytics/orgs/demo/users/x/chat-history/",
    "/api/ai-mentor/orgs/demo/users/alice/sessions/",
    "/v1/api_core/conversations",
    "/api/v1/exports/stream.csv",
]


def known(mentor: Mentor, context: dict[str, Any], user: str = "alice") -> Session:
    session = Session.objects.create(
        id=uuid.uuid4(),
        tenant=mentor.tenant,
        mentor=mentor,
        user_id=user,
        metadata={"client_context": context},
        context_version=1,
    )
    text = json.dumps(context, separators=(",", ":"))
    SessionContextVersion.objects.create(session=session, number=1, text=text, value=context, door="rest")
    return session


@pytest.mark.parametrize("asked", HIDDEN)
@pytest.mark.parametrize("path", LISTS)
def test_a_condition_on_a_key_that_is_kept_back_is_refused(
    reader: Client, guard: Mentor, path: str, asked: str
) -> None:
    answer = reader.get(f"{path}?{asked}")
    assert answer.status_code == 403
    if "api_core" not in path:
        told = answer.json()
        assert (told["code"], told["errors"][0]["pointer"]) == ("hidden_key", f"?{asked.split('=')[0]}")


def test_another_mentors_key_of_that_name_is_asked_for_by_naming_the_mentor(
    reader: Client, guard: Mentor, coach: Mentor
) -> None:
    mine = known(coach, {"canary_operator": "x"})
    known(guard, {"canary_operator": "x"})
    found = reader.get("/api/v1/sessions/?mentor=coach&context.canary_operator=x&count=true").json()
    assert (found["count"], [one["id"] for one in found["results"]]) == (1, [str(mine.pk)])
    assert found["results"][0]["client_context"] == {"canary_operator": "x"}


def test_a_token_of_another_mentor_is_not_concerned(guard: Mentor, coach: Mentor, bound: Any) -> None:
    answer = bound(coach).get("/api/v1/sessions/?context.canary_operator=x")
    assert (answer.status_code, answer.json()["results"]) == (200, [])


def test_a_strangers_policy_changes_nothing(mallory: Client, guard: Mentor) -> None:
    assert mallory.get("/api/v1/sessions/?context.canary_operator=x").status_code == 200


def test_rows_of_several_mentors_are_each_by_its_own_policy(
    reader: Client, guard: Mentor, coach: Mentor
) -> None:
    context = {"canary_operator": 1, "plain": 2}
    known(guard, context)
    known(coach, context)
    told = reader.get("/api/v1/sessions/").json()["results"]
    assert {one["mentor"]: one["client_context"] for one in told} == {
        "guard": {"plain": 2},
        "coach": context,
    }


def test_lists_of_keys_leave_out_what_is_kept_back(reader: Client, guard: Mentor) -> None:
    known(guard, {"canary_operator": {"deep": 1}, "canary_masked": "x", "plain": 1})
    told = reader.get("/api/v1/analytics/context/keys/").json()
    assert [one["key"] for one in told["results"]] == ["context.plain"]


def test_a_job_whose_filter_is_kept_back_by_then_fails(coach: Mentor) -> None:
    export = Export.objects.create(tenant=coach.tenant, query=[["tenant", "demo"], ["context.plan", "pro"]])
    selection_of(export)
    coach.context_schema = json.dumps({"properties": {"plan": {"x-visible-to": ["operator"]}}})
    coach.save()
    with pytest.raises(HiddenKey):
        selection_of(export)


def test_nothing_is_asked_of_mentors_where_no_key_is_named(
    guard: Mentor, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(1):
        Selection.of(parse([("status", "failed")]), Reader(frozenset({guard.tenant_id})))


# --- patches

NOT_THERE = [
    {"op": "test", "path": "/canary_operator", "value": "secret"},
    {"op": "test", "path": "/canary_masked", "value": "a long secret"},
    {"op": "test", "path": "", "value": {}},
    {"op": "copy", "from": "/canary_operator", "path": "/note"},
    {"op": "copy", "from": "/canary_masked", "path": "/note"},
    {"op": "move", "from": "/canary_operator", "path": "/note"},
    {"op": "move", "from": "/canary_operator", "path": "/canary_operator"},
    {"op": "copy", "from": "", "path": "/note"},
]


@pytest.mark.parametrize("step", NOT_THERE, ids=lambda step: f"{step['op']} {step.get('from', step['path'])}")
def test_a_patch_cannot_bring_out_what_is_kept_back(writer: Client, guard: Mentor, step: Any) -> None:
    session = known(guard, {"canary_operator": "secret", "canary_masked": "a long secret"})
    answer = writer.patch(
        f"/api/v1/sessions/{session.pk}/context/",
        json.dumps([step]),
        content_type="application/json-patch+json",
    )
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_patch")
    session.refresh_from_db()
    assert session.context_version == 1


def test_a_patch_may_still_replace_and_remove_it(writer: Client, guard: Mentor) -> None:
    session = known(guard, {"canary_operator": "secret", "plain": 1})
    steps = [
        {"op": "test", "path": "/plain", "value": 1},
        {"op": "replace", "path": "/canary_operator", "value": "mine"},
    ]
    answer = writer.patch(
        f"/api/v1/sessions/{session.pk}/context/",
        json.dumps(steps),
        content_type="application/json-patch+json",
    )
    assert (answer.status_code, answer.json()["client_context"]) == (200, {"plain": 1})
    session.refresh_from_db()
    assert session.client_context == {"canary_operator": "mine", "plain": 1}


# --- what is warned of

SECRET = json.dumps({"properties": {"plan": {"x-visible-to": ["model"]}, "phone": {"x-masked": "shown"}}})
LOCKED = json.dumps(
    {"properties": {"plan": {"x-visible-to": ["model"], "x-locked": True, "x-verified-only": True}}}
)


def warned(sent: Any, schema: str, **who: bool) -> list[tuple[str, str]]:
    now = InForce('{"plan":"pro","phone":"+1 555 010 4477"}', ("plan", "phone"))
    decision = decide(
        now, json.dumps(sent), policy=policy_of(schema, "enforce"), **{"verified": False, **who}
    )
    return [(one["code"], one["pointer"]) for one in decision.warnings]


@pytest.mark.parametrize("guess", ["pro", "free"])
def test_a_right_guess_is_warned_of_as_a_wrong_one_is(guess: str) -> None:
    assert warned({"plan": guess}, SECRET) == [("verified_key_kept", "/metadata/plan")]
    assert warned({"plan": guess}, LOCKED) == [("verified_only", "/metadata/plan")]
    told = warned({"plan": guess}, LOCKED, operator=True)
    assert [code for code, _ in told] == ["verified_only", "locked_key_kept", "verified_key_kept"]


@pytest.mark.parametrize("guess", ["+1 555 010 4477", "+1 555 010 4478"])
def test_so_is_one_of_what_is_masked(guess: str) -> None:
    assert warned({"phone": guess}, SECRET) == [("verified_key_kept", "/metadata/phone")]


def test_a_mask_that_comes_back_is_no_guess() -> None:
    assert warned({"phone": "•••4477"}, SECRET) == []


@pytest.mark.parametrize("guess", ["secret", "another"])
@pytest.mark.parametrize("verified", [True, False])
def test_a_preview_does_not_say_that_a_guess_is_right(
    writer: Client, guard: Mentor, guess: str, verified: bool
) -> None:
    session = known(guard, {"canary_operator": "secret", "plain": 1})
    wish = {"metadata": {"canary_operator": guess, "plain": 1}, "verified": verified}
    path = f"/api/v1/sessions/{session.pk}/preview/"
    told = writer.post(path, json.dumps(wish), content_type="application/json").json()["context"]
    assert (told["version"], told["changed"], told["warnings"]) == (2, True, [])
    assert told["client_context"] == {"plain": 1}
