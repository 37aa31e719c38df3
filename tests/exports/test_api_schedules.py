"""`/api/v1/export-schedules/`, and the same in the admin."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from chat.models import Mentor, Tenant
from exports import jobs
from exports.models import Export, Schedule
from exports.schedules import open_windows

from ..expecting import AN_ID, Like, problem
from .cast import asked, said, stored_files

pytestmark = pytest.mark.django_db(transaction=True)
PATH = "/api/v1/export-schedules/"
A_TIME = Like("a time", lambda value: isinstance(value, str) and "T" in value)
NOT_FOUND = (404, problem(404, "not_found"))
WHOLE = {
    "id": AN_ID,
    "name": "Yesterday",
    "active": True,
    "every": "day",
    "hour": 3,
    "weekday": 0,
    "day": 1,
    "window": "day",
    "tenant": "demo",
    "filter": {"context.stateCode": "CA"},
    "grain": "message",
    "format": "parquet",
    "columns": [],
    "context_keys": ["stateCode"],
    "formula_safety": True,
    "bom": False,
    "asked_by": "token:write_all",
    "created_at": A_TIME,
}
BODY = {
    "name": "Yesterday",
    "filter": {"context.stateCode": "CA"},
    "format": "parquet",
    "context_keys": ["stateCode"],
}


def send(client: Client, method: str, path: str, **body: Any) -> tuple[int, Any]:
    reply = client.generic(method, path, json.dumps(body), content_type="application/json")
    return reply.status_code, reply.json() if reply.content else None


@pytest.fixture
def made(writer: Client) -> str:
    return f"{PATH}{send(writer, 'POST', PATH, **BODY)[1]['id']}/"


def test_it_is_made_and_shown(writer: Client, reader: Client) -> None:
    status, body = send(writer, "POST", PATH, **BODY)
    assert (status, body) == (201, WHOLE)
    assert send(reader, "GET", f"{PATH}{body['id']}/") == (200, {**WHOLE, "windows": []})
    assert reader.get(PATH).json() == {"results": [WHOLE], "next": None, "previous": None}


def test_its_windows_are_shown_with_their_exports(reader: Client, made: str, coach: Mentor) -> None:
    Schedule.objects.update(opened_to=datetime(2026, 11, 18, 12, tzinfo=UTC))
    said(coach, {"stateCode": "CA"}, at=datetime(2026, 11, 18, 5, tzinfo=UTC))
    said(coach, {"stateCode": "CA"}, at=datetime(2026, 11, 19, 5, tzinfo=UTC))
    (export,) = open_windows(datetime(2026, 11, 19, 4, tzinfo=UTC))
    (window,) = reader.get(made).json()["windows"]
    assert (window["start"], window["end"]) == ("2026-11-18T00:00:00Z", "2026-11-19T00:00:00Z")
    assert window["export"] == str(export.id)
    assert jobs.run(export.id) == "ready"
    assert Export.objects.get().rows == 2


def test_a_part_of_it_is_changed(writer: Client, made: str) -> None:
    status, body = send(writer, "PATCH", made, every="week", weekday=4, window="week")
    assert (status, body) == (200, {**WHOLE, "every": "week", "weekday": 4, "window": "week"})


def test_it_is_removed_and_its_files_stay(writer: Client, made: str, coach: Mentor) -> None:
    export = asked(coach.tenant)
    jobs.run(export.id)
    assert send(writer, "DELETE", made) == (204, None)
    assert send(writer, "GET", made) == NOT_FOUND
    assert stored_files() == [f"{export.id}/1.jsonl"]


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
def test_a_stranger_finds_nothing(mallory: Client, made: str, method: str) -> None:
    assert send(mallory, method, made) == NOT_FOUND
    assert send(mallory, method, f"{PATH}{uuid.uuid4()}/") == NOT_FOUND
    assert Schedule.objects.count() == 1


def test_a_strangers_list_is_empty(mallory: Client, made: str) -> None:
    assert mallory.get(PATH).json()["results"] == []
    assert send(mallory, "POST", PATH, name="x", filter={"tenant": "demo"}) == NOT_FOUND


def test_who_only_reads_changes_nothing(reader: Client, nobody: Client, made: str) -> None:
    denied = (403, problem(403, "permission_denied"))
    assert send(reader, "POST", PATH, **BODY) == denied
    assert [send(reader, method, made) for method in ("PATCH", "DELETE")] == [denied, denied]
    assert send(nobody, "GET", made) == (401, problem(401, "authentication_required"))


@pytest.mark.parametrize(
    ("body", "code", "pointer"),
    [
        ({"name": ""}, "invalid_payload", "/name"),
        ({"every": "year"}, "invalid_payload", "/every"),
        ({"hour": 24}, "invalid_payload", "/hour"),
        ({"hour": "3"}, "invalid_payload", "/hour"),
        ({"weekday": 7}, "invalid_payload", "/weekday"),
        ({"day": 0}, "invalid_payload", "/day"),
        ({"every": "day", "window": "week"}, "invalid_payload", "/window"),
        ({"columns": ["colour"]}, "invalid_payload", "/columns/0"),
        ({"filter": {"colour": "red"}}, "invalid_filter", "?colour"),
        ({"since": "2026-11-20"}, "invalid_payload", "/since"),
    ],
)
def test_a_mistake_is_told_with_its_place(writer: Client, body: Any, code: str, pointer: str) -> None:
    assert send(writer, "POST", PATH, **{"name": "x", **body}) == (400, problem(400, code, pointer))
    assert not Schedule.objects.exists()


def test_a_name_is_taken_once(writer: Client, made: str) -> None:
    assert send(writer, "POST", PATH, **BODY) == (400, problem(400, "invalid_payload", "/name"))


# --- the admin


def staff_of(tenant: Tenant, name: str) -> Client:
    user = User.objects.create_user(name, is_staff=True)
    user.user_permissions.set(Permission.objects.filter(content_type__app_label="exports"))
    user.tenants.set([tenant])
    client = Client()
    client.force_login(user)
    return client


FORM = {
    **{"name": "Weekly", "active": "on", "every": "week", "hour": "3", "weekday": "0", "day": "1"},
    **{"window": "week", "query": '[["context.stateCode", "CA"]]', "grain": "message", "format": "csv"},
    **{"columns": "[]", "context_keys": "[]", "formula_safety": "on"},
    **{"windows-TOTAL_FORMS": "0", "windows-INITIAL_FORMS": "0"},
}
ADD = "/admin/exports/schedule/add/"


def test_a_member_of_staff_plans_in_the_admin(demo: Tenant) -> None:
    alice = staff_of(demo, "alice")
    assert alice.get(ADD).status_code == 200
    reply = alice.post(ADD, {**FORM, "tenant": demo.pk})
    assert reply.status_code == 302, reply.context["errors"]
    made = Schedule.objects.get()
    assert (made.name, made.asked_by, made.query) == ("Weekly", "staff:alice", [["context.stateCode", "CA"]])
    assert alice.get(f"/admin/exports/schedule/{made.pk}/change/").status_code == 200


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"query": '[["colour", "red"]]'}, "There is no such parameter here."),
        ({"query": '[["tenant", "other"]]'}, "There is no such thing here."),
        ({"query": "[5]"}, "This must be a list of pairs"),
        ({"columns": '["colour"]'}, "There is no such column"),
        ({"every": "day"}, "A window is not longer"),
    ],
)
def test_the_admin_tells_a_mistake(
    demo: Tenant, other: Tenant, change: dict[str, str], sentence: str
) -> None:
    reply = staff_of(demo, "alice").post(ADD, {**FORM, "tenant": demo.pk, **change})
    assert (reply.status_code, sentence in reply.content.decode()) == (200, True)
    assert not Schedule.objects.exists()


def test_the_admin_shows_exports_to_staff_of_their_tenant(demo: Tenant, other: Tenant, coach: Mentor) -> None:
    said(coach, {"n": 1})
    export = asked(demo)
    jobs.run(export.id)
    alice, mallory = staff_of(demo, "alice"), staff_of(other, "mallory")
    page = f"/admin/exports/export/{export.pk}/change/"
    assert f"/api/v1/exports/{export.pk}/download/" in alice.get("/admin/exports/export/").content.decode()
    assert "sha256" in alice.get(page).content.decode()
    assert str(export.pk) not in mallory.get("/admin/exports/export/").content.decode()
    assert mallory.get(page).status_code == 302


def test_the_admin_ends_exports(demo: Tenant, other: Tenant) -> None:
    export = asked(demo)
    action = {"action": "end", "_selected_action": [str(export.pk)]}
    staff_of(other, "mallory").post("/admin/exports/export/", action)
    assert Export.objects.get().state == "requested"
    staff_of(demo, "alice").post("/admin/exports/export/", action)
    assert Export.objects.get().state == "cancelled"
