"""`/api/v1/erasures/`: who may erase, whom, and what they are told."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from chat import erasing
from chat.models import Erasure, Mentor, Session, Tenant
from exports import tasks
from exports.erasures import run

from ..expecting import AN_ID, problem
from ..exports.cast import said
from ..exports.conftest import with_token
from ..reading.conftest import A_TIME

pytestmark = pytest.mark.django_db(transaction=True)
PATH = "/api/v1/erasures/"


def post(client: Client, **body: Any) -> tuple[int, Any]:
    reply = client.post(PATH, json.dumps(body), content_type="application/json")
    return reply.status_code, reply.json()


def get(client: Client, path: str = PATH) -> tuple[int, Any]:
    reply = client.get(path)
    return reply.status_code, reply.json()


def told(**more: Any) -> dict[str, Any]:
    return {
        "id": AN_ID,
        "tenant": "demo",
        "kind": "user",
        "state": "running",
        "asked_by": "token:erase_all",
        "created_at": A_TIME,
        "finished_at": None,
        "counts": {},
        **more,
    }


@pytest.fixture
def talked(coach: Mentor, others: Mentor) -> None:
    """Alice of demo and Alice of other have talked, and Bob of demo."""
    said(coach, {"stateCode": "CA"})
    said(coach, {"stateCode": "NY"}, user="bob")
    said(others, {"stateCode": "CA"})


@pytest.fixture
def others(other: Tenant) -> Mentor:
    mentor = Mentor(tenant=other, slug="theirs", name="Theirs")
    mentor.save()
    return mentor


def left() -> list[tuple[str, str]]:
    rows = Session.objects.values_list("tenant__key", "user_id")
    return sorted((tenant, user) for tenant, user in rows)


ALL = [("demo", "alice"), ("demo", "bob"), ("other", "alice")]


def test_a_user_is_erased_by_a_worker(eraser: Client, talked: None) -> None:
    status, body = post(eraser, user_id="alice")
    assert (status, body) == (202, told())
    assert left() == ALL
    tasks.erase(body["id"])
    assert left() == ALL[1:]
    counts = {"sessions": 1, "messages": 2, "snapshots": 2}
    done = told(state="done", finished_at=A_TIME, counts=counts)
    assert get(eraser, f"{PATH}{body['id']}/") == (200, done)
    assert get(eraser) == (200, {"results": [done], "next": None, "previous": None})


def test_a_dry_run_only_counts(eraser: Client, talked: None) -> None:
    assert post(eraser, user_id="alice", dry_run=True) == (200, {"counts": {"sessions": 1, "messages": 2}})
    assert left() == ALL
    assert not Erasure.objects.exists()


def test_asked_twice_it_is_one_job(eraser: Client, talked: None) -> None:
    assert post(eraser, user_id="alice")[1]["id"] == post(eraser, user_id="alice")[1]["id"]


def test_a_stranger_erases_nobody_here(others_eraser: Client, eraser: Client, talked: None) -> None:
    assert post(others_eraser, user_id="bob", tenant="demo") == (404, problem(404, "not_found", "/tenant"))
    erasure = post(eraser, user_id="alice")[1]["id"]
    assert get(others_eraser, f"{PATH}{erasure}/") == (404, problem(404, "not_found"))
    assert get(others_eraser)[1]["results"] == []


@pytest.mark.parametrize("scope", ["read_all", "write_all"])
def test_other_scopes_erase_nobody(demo: Tenant, talked: None, scope: str) -> None:
    client = with_token(demo, scope)
    assert post(client, user_id="alice")[:1] == (403,)
    assert get(client)[0] == 403


def test_a_token_of_one_mentor_erases_nobody(demo: Tenant, coach: Mentor, talked: None) -> None:
    assert post(with_token(demo, "erase_all", coach), user_id="alice")[0] == 403


def test_nobody_erases_nobody(talked: None) -> None:
    assert post(Client(), user_id="alice") == (401, problem(401, "authentication_required"))


def test_an_eraser_reads_and_writes_nothing(eraser: Client, coach: Mentor, talked: None) -> None:
    session = Session.objects.filter(tenant=coach.tenant).first()
    assert session
    paths = (
        "sessions/",
        f"sessions/{session.pk}/",
        f"sessions/{session.pk}/messages/",
        f"sessions/{session.pk}/context/",
    )
    paths += ("exports/", "analytics/conversations/", "export-schedules/")
    assert {eraser.get(f"/api/v1/{path}").status_code for path in paths} == {403}
    payload = {"session_id": str(session.pk), "flow": {"name": "coach", "tenant": "demo"}, "prompt": "Hi"}
    reply = eraser.put(
        f"/api/v1/sessions/{session.pk}/context/", json.dumps(payload), content_type="application/json"
    )
    assert reply.status_code == 403


def test_staff_need_the_permission(staff: Client, talked: None) -> None:
    assert post(staff, user_id="alice")[0] == 403
    User.objects.get().user_permissions.add(Permission.objects.get(codename="add_erasure"))
    status, body = post(staff, user_id="alice")
    assert (status, body["asked_by"]) == (202, "staff:alice")


@pytest.mark.parametrize("user_id", ["", "a\0", "x" * 256, 5, None, ["alice"]])
def test_what_is_no_user_id_is_refused(eraser: Client, demo: Tenant, user_id: object) -> None:
    status, body = post(eraser, user_id=user_id)
    assert (status, body["error"]["code"] if isinstance(body.get("error"), dict) else body["code"]) == (
        400,
        "invalid_payload",
    )


def test_a_job_whose_worker_died_is_found_and_goes_on(
    coach: Mentor, talked: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erasing, "AT_ONCE", 1)
    said(coach, {"stateCode": "CA"})
    erasure = erasing.ask(coach.tenant_id, "alice", "test")
    assert [row.pk for row in erasing.deserted()] == [erasure.pk]
    erasing.step(erasure.pk)
    assert not erasing.deserted().exists()
    assert left() == ALL
    assert run(erasure.pk).counts["sessions"] == 2
    assert left() == ALL[1:]


def test_what_they_said_in_anothers_session_is_left_as_a_place(coach: Mentor) -> None:
    session = said(coach, {"stateCode": "CA"}, user="bob")
    session.messages.filter(sequence=1).update(sender_id="alice", client_message_id="by-alice")
    run(erasing.ask(coach.tenant_id, "alice", "test").pk)
    first, second = session.messages.order_by("sequence")
    assert (first.content, first.sender_id, first.client_message_id) == ("", "(erased)", None)
    assert first.deleted_at is not None
    assert first.extra.metadata == {"stateCode": "CA"}
    assert second.content == "Answer 1."


def test_staff_ask_for_it_in_the_admin(staff: Client, demo: Tenant, talked: None) -> None:
    add = "/admin/chat/erasure/add/"
    assert staff.post(add, {"tenant": demo.pk, "user_id": "alice"}).status_code == 403
    for name in ("add_erasure", "view_erasure"):
        User.objects.get().user_permissions.add(Permission.objects.get(codename=name))
    staff.post(add, {"tenant": demo.pk, "user_id": "alice"})
    tasks.erase(str(Erasure.objects.get().pk))
    assert left() == ALL[1:]
    page = staff.get("/admin/chat/erasure/").content.decode()
    assert "2 messages, 1 sessions, 2 snapshots" in page


def test_in_the_admin_too_another_tenant_is_not_there(staff: Client, other: Tenant) -> None:
    User.objects.get().user_permissions.add(Permission.objects.get(codename="add_erasure"))
    staff.post("/admin/chat/erasure/add/", {"tenant": other.pk, "user_id": "alice"})
    assert not Erasure.objects.exists()
