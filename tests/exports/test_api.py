"""`/api/v1/exports/`: asked for, watched, fetched, ended, by whom it is for and nobody else."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from chat.access import session_token
from chat.models import Mentor, Tenant
from exports import jobs
from exports.models import Export

from ..expecting import AN_ID, SENTENCE, Like, problem
from .cast import asked, said, stored_files

pytestmark = pytest.mark.django_db(transaction=True)
PATH = "/api/v1/exports/"
A_TIME = Like("a time", lambda value: isinstance(value, str) and value.endswith("Z") and "T" in value)


def post(client: Client, **body: Any) -> tuple[int, Any]:
    reply = client.post(PATH, json.dumps(body), content_type="application/json")
    return reply.status_code, reply.json()


def get(client: Client, path: str) -> tuple[int, Any]:
    reply = client.get(path)
    return reply.status_code, reply.json()


def fetched(reply: Any) -> bytes:
    assert reply.status_code == 200, reply.content
    return b"".join(reply.streaming_content)


@pytest.fixture
def ready(coach: Mentor) -> Export:
    said(coach, {"stateCode": "CA"})
    export = asked(coach.tenant)
    jobs.run(export.id)
    export.refresh_from_db()
    return export


WHOLE = {
    "id": AN_ID,
    "state": "requested",
    "phase": None,
    "progress": {"rows": 0, "total": None, "bytes": 0},
    "error": None,
    "tenant": "demo",
    "filter": {"context.stateCode": "CA", "context.year": "2026"},
    "grain": "message",
    "format": "jsonl",
    "columns": [],
    "context_keys": [],
    "formula_safety": True,
    "bom": False,
    "since": None,
    "until": None,
    "cursor": None,
    "asked_by": "token:read_all",
    "name": "",
    "file_name": None,
    "download": None,
    "created_at": A_TIME,
    "started_at": None,
    "finished_at": None,
    "expires_at": None,
    "remade_at": None,
}


def test_it_is_asked_for(reader: Client) -> None:
    wish = {"filter": {"context.stateCode": "CA", "context.year": 2026}, "format": "jsonl"}
    assert post(reader, **wish) == (201, WHOLE)


def test_it_is_shown_when_it_is_ready(reader: Client, ready: Export) -> None:
    status, body = get(reader, f"{PATH}{ready.id}/")
    assert (status, body["state"], body["progress"]) == (
        *(200, "ready"),
        {"rows": 2, "total": 2, "bytes": ready.bytes},
    )
    assert body["download"] == f"{PATH}{ready.id}/download/"
    assert body["link"] == {
        "url": Like("a link", lambda url: url.startswith(f"http://testserver{PATH}{ready.id}/file/")),
        "expires_at": A_TIME,
    }


def test_its_file_is_saved_and_never_shown(reader: Client, ready: Export) -> None:
    reply = reader.get(f"{PATH}{ready.id}/download/")
    assert len(fetched(reply)) == ready.bytes
    assert reply["Content-Disposition"] == f'attachment; filename="{ready.file_name}"'
    assert reply["X-Content-Type-Options"] == "nosniff"
    assert reply["Cache-Control"] == "private, no-store"
    assert reply["Content-Type"] == "application/x-ndjson"


def test_its_manifest_says_what_the_file_holds(reader: Client, ready: Export) -> None:
    status, body = get(reader, f"{PATH}{ready.id}/manifest/")
    assert (status, body["rows"], body["filter"]) == (200, 2, [["tenant", "demo"]])


def test_a_member_of_staff_has_what_a_token_has(staff: Client, ready: Export) -> None:
    assert fetched(staff.get(f"{PATH}{ready.id}/download/"))
    assert get(staff, PATH)[1]["results"][0]["id"] == str(ready.id)


# --- who


DOORS = ["", "manifest/", "download/"]


@pytest.mark.parametrize("door", DOORS)
def test_a_stranger_finds_nothing(mallory: Client, ready: Export, door: str) -> None:
    expected = (404, problem(404, "not_found"))
    assert get(mallory, f"{PATH}{ready.id}/{door}") == expected
    assert get(mallory, f"{PATH}{uuid.uuid4()}/{door}") == expected


def test_a_stranger_ends_nothing(mallory: Client, ready: Export) -> None:
    assert mallory.delete(f"{PATH}{ready.id}/").status_code == 404
    assert len(stored_files()) == 1


def test_a_strangers_list_and_count_are_empty(mallory: Client, ready: Export) -> None:
    nothing = {"results": [], "next": None, "previous": None, "count": 0}
    assert get(mallory, f"{PATH}?count=true") == (200, nothing)
    assert get(mallory, f"{PATH}?count=true&tenant=demo") == (200, nothing)


def test_anothers_tenant_is_not_there_to_be_exported(mallory: Client, demo: Tenant) -> None:
    assert post(mallory, filter={"tenant": "demo"}) == (404, problem(404, "not_found"))
    assert post(mallory, filter={"tenant": "nowhere"}) == (404, problem(404, "not_found"))


@pytest.mark.parametrize("door", ["", *DOORS])
def test_without_a_token_it_is_401(nobody: Client, ready: Export, door: str) -> None:
    assert get(nobody, f"{PATH}{ready.id}/{door}") == (401, problem(401, "authentication_required"))
    assert post(nobody) == (401, problem(401, "authentication_required"))


def test_a_session_token_is_403(nobody: Client, coach: Mentor, ready: Export) -> None:
    session = said(coach, {})
    nobody.defaults["HTTP_AUTHORIZATION"] = f"Session {session_token(session.id)}"
    assert get(nobody, f"{PATH}{ready.id}/") == (403, problem(403, "permission_denied"))
    assert post(nobody) == (403, problem(403, "permission_denied"))


def test_a_token_of_one_mentor_reads_what_such_tokens_asked_for(
    bound: Callable[[Mentor], Client], coach: Mentor, ready: Export
) -> None:
    said(coach, {"n": 1})
    other_mentor = Mentor(tenant=coach.tenant, slug="tutor", name="Tutor")
    other_mentor.save()
    said(other_mentor, {"n": 2}, {"n": 3})
    mine = bound(coach)
    own = post(mine)[1]["id"]
    jobs.run(uuid.UUID(own))
    assert get(mine, f"{PATH}{own}/")[1]["progress"]["rows"] == 4
    assert get(mine, f"{PATH}{ready.id}/")[0] == 404
    assert [one["id"] for one in get(mine, PATH)[1]["results"]] == [own]
    assert get(bound(other_mentor), f"{PATH}{own}/")[0] == 404


def test_a_superuser_names_the_tenant(demo: Tenant, other: Tenant) -> None:
    root = Client()
    root.force_login(User.objects.create_superuser("root"))
    assert post(root) == (400, problem(400, "invalid_filter", "?tenant"))
    assert post(root, filter={"tenant": "other"})[1]["tenant"] == "other"


def test_a_staff_page_needs_its_csrf_token(staff: Client) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = staff.cookies
    assert post(strict)[0] == 403


# --- links


def test_a_link_needs_no_token(reader: Client, nobody: Client, ready: Export) -> None:
    url = get(reader, f"{PATH}{ready.id}/")[1]["link"]["url"]
    assert len(fetched(nobody.get(url))) == ready.bytes


def test_a_link_is_good_for_its_file_and_its_time(
    reader: Client, nobody: Client, coach: Mentor, ready: Export, settings: Any
) -> None:
    url = get(reader, f"{PATH}{ready.id}/")[1]["link"]["url"]
    another = asked(coach.tenant)
    jobs.run(another.id)
    gone = (404, problem(404, "not_found"))
    assert get(nobody, url.replace(str(ready.id), str(another.id))) == gone
    assert get(nobody, f"{url[:-3]}x/") == gone
    assert get(nobody, f"{PATH}{ready.id}/file/1:x/") == gone
    settings.EXPORTS_LINK_SECONDS = -1
    assert get(nobody, url) == gone


# --- not ready, gone


def test_what_is_not_ready_is_409(reader: Client, demo: Tenant) -> None:
    for state in ("requested", "running", "failed", "cancelled"):
        export = asked(demo, state=state, error="The disk is full.")
        expected = (409, problem(409, "not_ready"))
        assert get(reader, f"{PATH}{export.id}/download/") == expected, state
        assert get(reader, f"{PATH}{export.id}/manifest/") == expected, state


def test_what_had_its_time_is_410_and_its_manifest_stays(reader: Client, ready: Export) -> None:
    Export.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert get(reader, f"{PATH}{ready.id}/download/") == (410, problem(410, "gone"))
    jobs.tidy()
    assert get(reader, f"{PATH}{ready.id}/")[1]["state"] == "expired"
    assert get(reader, f"{PATH}{ready.id}/download/") == (410, problem(410, "gone"))
    assert get(reader, f"{PATH}{ready.id}/manifest/")[0] == 200


# --- ending


def test_whoever_asked_may_end_it(reader: Client) -> None:
    export = post(reader)[1]["id"]
    reply = reader.delete(f"{PATH}{export}/")
    assert (reply.status_code, reply.json()["state"]) == (200, "cancelled")
    assert reader.delete(f"{PATH}{export}/").json()["state"] == "cancelled"


def test_another_who_only_reads_may_not(reader: Client, writer: Client, ready: Export) -> None:
    assert reader.delete(f"{PATH}{ready.id}/").json() == problem(403, "permission_denied")
    assert writer.delete(f"{PATH}{ready.id}/").json()["state"] == "expired"
    assert stored_files() == []


# --- bounds and mistakes


def test_a_tenant_has_so_many_under_way(reader: Client, mallory: Client, demo: Tenant, settings: Any) -> None:
    settings.LIMIT_EXPORTS_PER_TENANT = 2
    asked(demo, purpose="schedule")
    assert [post(reader)[0] for _ in range(3)] == [201, 201, 429]
    assert post(reader)[1] == problem(429, "too_many_exports")
    assert post(mallory)[0] == 201


@pytest.mark.parametrize(
    ("body", "code", "pointer"),
    [
        ({"colour": "red"}, "invalid_payload", "/colour"),
        ({"format": "xlsx"}, "invalid_payload", "/format"),
        ({"format": 5}, "invalid_payload", "/format"),
        ({"grain": "word"}, "invalid_payload", "/grain"),
        ({"bom": "yes"}, "invalid_payload", "/bom"),
        ({"columns": "content"}, "invalid_payload", "/columns"),
        ({"columns": [5]}, "invalid_payload", "/columns/0"),
        ({"columns": ["x"] * 201}, "invalid_payload", "/columns"),
        ({"filter": []}, "invalid_payload", "/filter"),
        ({"filter": {"user": {"a": 1}}}, "invalid_payload", "/filter/user"),
        ({"filter": {"usr": "alice"}}, "invalid_filter", "?usr"),
        ({"filter": {"context.a__near": "x"}}, "invalid_filter", "?context.a__near"),
        ({"filter": {"user": "a\0b"}}, "invalid_payload", "/filter/user"),
        ({"since": "yesterday"}, "invalid_payload", "/since"),
        ({"since": "2026-11-20T08:00:00"}, "invalid_payload", "/since"),
        ({"since": 5}, "invalid_payload", "/since"),
    ],
)
def test_a_mistake_is_told_with_its_place(reader: Client, body: Any, code: str, pointer: str) -> None:
    assert post(reader, **body) == (400, problem(400, code, pointer))
    assert not Export.objects.exists()


def test_what_is_too_large_is_refused(reader: Client) -> None:
    assert post(reader, filter={"user": "x" * 600_000})[0] == 413


@pytest.mark.parametrize(
    ("query", "pointer"),
    [("colour=red", "?colour"), ("state=over", "?state"), ("limit=1000", "?limit"), ("cursor=x", "?cursor")],
)
def test_a_list_refuses_what_it_does_not_know(reader: Client, query: str, pointer: str) -> None:
    assert get(reader, f"{PATH}?{query}") == (400, problem(400, "invalid_filter", pointer))


def test_a_list_goes_on_from_page_to_page(reader: Client, demo: Tenant) -> None:
    made = [str(asked(demo).id) for _ in range(5)][::-1]
    first = get(reader, f"{PATH}?limit=2&state=requested")[1]
    second = get(reader, first["next"])[1]
    shown = [one["id"] for one in [*first["results"], *second["results"]]]
    assert shown == made[:4]
    assert get(reader, second["previous"])[1]["results"] == first["results"]


def test_the_error_of_a_failed_one_is_told(reader: Client, demo: Tenant) -> None:
    export = asked(demo, state="failed", error="The disk is full: nothing was kept.")
    assert get(reader, f"{PATH}{export.id}/")[1]["error"] == SENTENCE
