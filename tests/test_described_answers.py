"""What the OpenAPI document says of each path is what the path does: no view is left out, no key is undescribed."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils import timezone
from jsonschema import Draft202012Validator, FormatChecker

from chat.describing.parameters import PARAMETERS
from chat.filters import FIELDS, STATUSES
from chat.models import ApiToken, ChatMessageHistory, Erasure, Mentor
from chat.posts import NewMessage
from chat.previewing import WIRE_KEYS
from chat.views.described_contexts import NEW_CONTEXT_KEYS
from chat.views.described_explain import PREVIEW_KEYS
from chat.views.described_messages import NEW_MESSAGE_KEYS
from chat.writes import NewContext
from exports import jobs
from exports.asking import ExportWish
from exports.models import Export, Schedule
from exports.schedules import open_windows
from exports.views import described, described_ibl
from exports.views.ibl_reports import NAMES
from exports.views.timetable import ScheduleWish

from .clients import Socket
from .exports.conftest import _folders  # noqa: F401
from .model_server import Answer, CutAfter, ModelServer

CA, NY = {"stateCode": "CA", "order": {"region": "west"}}, {"stateCode": 7, "a.b": [1, None]}
# The doors that Django does not serve, and those for people and machines that the API is not for.
NOT_OURS = re.compile(
    r"$|admin/|healthz|metrics|analytics/|embed/|platform/|favicon|api/(openapi\.json|asyncapi\.yaml|docs/)$"
)
QUERIES: dict[str, list[str]] = {
    "list_sessions": ["", "?count=true&limit=1", "?context.stateCode=7", "?search=hello&status=failed"],
    "list_context_versions": ["", "?limit=1", "?after=1"],
    "compare_contexts": ["", "?from=0&to=2"],
    "quickchat_list_conversations": ["", "?limit=1&query=hello&offset=0"],
    "list_messages": ["", "?limit=1", "?participant_role=assistant&message_type=chat&deleted=true"],
    "show_message": ["", "?deleted=true"],
    "list_conversations": ["", "?count=true"],
    "list_context_keys": ["", "?of=message_context"],
    "list_context_values": ["?key=stateCode", "?key=order", "?key=stateCode&of=message_context&limit=1"],
    "break_down": [
        "",
        "?metric=sessions,ttft_p50,tokens&by=message_context.stateCode&interval=day",
        "?metric=failures&by=mentor&by=user",
        "?interval=month",
        "?by=message_context.stateCode&limit=1",
    ],
    "show_coverage": ["?mentor=coach"],
    "ibl_show_details": ["?session_id={session_id}", "?session_id={session_id}&limit=1"],
    "ibl_show_details_v2": ["?session_id={session_id}&sentiment=good"],
    "ibl_list_conversations": ["", "?platform_key=demo&page_size=1"],
    "ibl_download_session_task": ["", "?to_csv=true"],
    "ibl_download_user_task": ["", "?to_csv"],
    "ibl_download_report": ["", "?format=json"],
    "list_exports": ["", "?state=ready&count=true"],
}
Document = dict[str, Any]


@pytest.fixture
def document(client: Client) -> Document:
    document: Document = client.get("/api/openapi.json").json()
    return document


def operations(document: Document) -> dict[str, tuple[str, str, Any]]:
    """Method, path and description, by operation id; without those of event streams."""
    found = {
        told["operationId"]: (method, path, told)
        for path, methods in document["paths"].items()
        for method, told in methods.items()
    }
    return {name: one for name, one in found.items() if not re.search("mentor/chat|events", one[1])}


def is_as(document: Document, schema: Any, value: Any) -> list[str]:
    whole = {**schema, "components": document["components"]}
    faults = Draft202012Validator(whole, format_checker=FormatChecker()).iter_errors(value)
    return [f"{fault.json_path}: {fault.message[:300]}" for fault in faults]


def faults_of(document: Document, told: Any, reply: Any) -> list[str]:
    """What the answer has and the description has not."""
    answer = told["responses"].get(str(reply.status_code))
    if answer is None:
        return [f"{reply.status_code}: {reply.getvalue()[:300]!r}"]
    if "content" not in answer:
        return [] if not reply.content else ["there is a body"]
    kind = reply["Content-Type"]
    media = {name.split(";")[0]: one for name, one in answer["content"].items()}.get(kind.split(";")[0])
    if media is None:
        return [f"{kind} is not described"]
    text = reply.getvalue().decode()
    return is_as(document, media["schema"], json.loads(text) if "json" in kind else text)


def call(client: Client, method: str, path: str, body: Any = None, kind: str = "application/json") -> Any:
    sent = {} if body is None else {"data": json.dumps(body), "content_type": kind}
    return client.generic(method.upper(), path, **sent)


# --- the document by itself


def test_every_operation_says_what_it_is_for(document: Document) -> None:
    tags = {tag["name"] for tag in document["tags"]}
    for path, methods in document["paths"].items():
        for method, told in methods.items():
            good = [
                one for status, one in told["responses"].items() if status in ("200", "201", "202", "204")
            ]
            assert told["summary"].endswith("."), (path, method)
            assert re.fullmatch("[a-z0-9_]+", told["operationId"]), (path, method)
            assert set(told["tags"]) <= tags, (path, method)
            assert good and all("content" in one for one in good if "204" not in told["responses"])


def patterns(of: Any, before: str = "") -> list[str]:
    found: list[str] = []
    for one in of.url_patterns:
        if isinstance(one, URLResolver):
            found += patterns(one, before + str(one.pattern))
        elif isinstance(one, URLPattern):
            found.append(before + str(one.pattern))
    return found


def test_no_view_is_left_out(document: Document) -> None:
    routed = [path for path in patterns(get_resolver()) if not NOT_OURS.match(path)]
    paths = {"/" + re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", path) for path in routed}
    assert (
        paths - {path for path in paths if path in document["paths"] or f"{path}/" in document["paths"]}
        == set()
    )


def test_every_field_of_a_filter_is_described() -> None:
    named = {key.removeprefix("query.") for key in PARAMETERS}
    assert set(FIELDS) <= named
    assert {"context.KEY", "message_context.KEY"} <= named


def test_statuses_of_frames_are_those_of_filters(document: Document) -> None:
    assert document["components"]["schemas"]["Status"]["enum"] == list(STATUSES)


@pytest.mark.parametrize(
    ("model", "keys"),
    [(ExportWish, described.EXPORT_WISH_KEYS), (ScheduleWish, described.SCHEDULE_WISH_KEYS)],
    ids=["export", "schedule"],
)
def test_every_key_of_a_wish_is_described(model: Any, keys: dict[str, Any]) -> None:
    assert set(keys) == set(model.model_fields)
    defaults = {name: schema["default"] for name, schema in keys.items() if "default" in schema}
    assert defaults == {name: model.model_fields[name].default for name in defaults}


def test_every_key_of_a_message_is_described() -> None:
    assert set(NEW_MESSAGE_KEYS) == set(NewMessage.model_fields)


def test_every_key_of_a_new_context_is_described() -> None:
    assert set(NEW_CONTEXT_KEYS) == set(NewContext.model_fields)


def test_every_key_of_a_preview_is_described() -> None:
    assert set(PREVIEW_KEYS) == WIRE_KEYS


def test_every_key_of_a_new_report_is_described() -> None:
    assert set(described_ibl.NEW_REPORT_KEYS) == {"report_name", "force", "filters", *NAMES}


def test_the_command_finds_nothing_to_complain_of(tmp_path: Any) -> None:
    call_command("spectacular", "--validate", "--fail-on-warn", file=str(tmp_path / "openapi.yaml"))


# --- and what the paths do


@pytest.fixture
def backend(token: str) -> Client:
    return Client(headers={"Authorization": f"Api-Token {token}"})


@pytest.fixture
def ids(
    alice: Socket, model: ModelServer, coach: Mentor, backend: Client, written: Callable[[], None]
) -> dict[str, str]:
    """Something of each kind: a session of three turns, one of them broken, and all that can be made of it."""
    model.enqueue(Answer(["Hello."]), Answer(["In New York?"]), CutAfter(1))
    alice.say("Hello?", metadata=CA, page_content="A page.")
    alice.say("And here?", metadata=NY)
    alice.say("Still there?")
    alice.say("And now?", metadata=["CA"])
    written()
    user = "/api/ai-mentor/orgs/demo/users/alice"
    of_session = call(backend, "post", f"{user}/tasks/sessions/{alice.session_id}/").json()["task_id"]
    of_user = call(backend, "post", f"{user}/export-chathistory/").json()["task_id"]
    report = call(
        backend, "post", "/api/reports/platforms/demo/new", {"report_name": "ai-mentor-chat-history"}
    ).json()["data"]["report_id"]
    export = call(backend, "post", "/api/v1/exports/", {"incremental": True}).json()["id"]
    schedule = Schedule.objects.create(
        tenant=coach.tenant, name="Daily", opened_to=timezone.now() - timedelta(days=2)
    )
    for one in (of_session, of_user, report, export, *(row.id for row in open_windows())):
        assert jobs.run(uuid.UUID(str(one))) == "ready"
    erasure = Erasure.objects.create(tenant=coach.tenant, asked_by="token:backend", counts={"sessions": 1})
    link = backend.get(f"/api/v1/exports/{export}/").json()["link"]["url"]
    visitors = call(Client(), "post", "/api/ai-mentor/orgs/demo/sessions/", {"mentor": "coach"}).json()
    answer = ChatMessageHistory.objects.get(session_id=alice.session_id, sequence=2)
    return {
        "org": "demo",
        "key": "demo",
        "mentor": "coach",
        "user_id": "alice",
        "session_id": alice.session_id,
        "conv_id": alice.session_id,
        "number": "2",
        "message_id": str(answer.pk),
        "export_id": export,
        "schedule_id": str(schedule.pk),
        "erasure_id": str(erasure.pk),
        "signature": link.rstrip("/").rsplit("/", 1)[1],
        "report_name": "ai-mentor-chat-history",
        "ibl_download_session_task": of_session,
        "ibl_download_user_task": of_user,
        "ibl_show_task": of_user,
        "ibl_download_report": report,
        "ibl_remove_session_of_visitor": visitors["session_id"],
    }


@pytest.fixture
def eraser(coach: Mentor) -> Client:
    """Erasing is nobody else's."""
    secret = ApiToken.issue(coach.tenant, scope="erase_all", name="eraser")[1]
    return Client(headers={"Authorization": f"Api-Token {secret}"})


def test_everything_that_is_read_is_as_described(
    document: Document, backend: Client, eraser: Client, ids: dict[str, str]
) -> None:
    for name, (method, path, told) in operations(document).items():
        if method == "get":
            for query in QUERIES.get(name, [""]):
                address = (path + query).format(**ids, task_id=ids.get(name, ""))
                reply = (eraser if told["tags"] == ["privacy"] else backend).get(address)
                assert (name, query, reply.status_code) == (name, query, 200), reply.getvalue()
                assert (name, query, faults_of(document, told, reply)) == (name, query, [])


@pytest.mark.parametrize("kind", ["text/csv", "application/problem+json", "text/plain"])
def test_nobody_is_refused_for_what_they_accept(backend: Client, coach: Mentor, kind: str) -> None:
    reply = backend.get("/api/v1/exports/stream.csv", headers={"Accept": kind})
    assert (reply.status_code, reply["Content-Type"]) == (200, "text/csv; charset=utf-8")
    assert backend.get("/api/v1/sessions/", headers={"Accept": kind}).json()["results"] == []
    refused = backend.get("/api/v1/sessions/?strange=1", headers={"Accept": kind})
    assert (refused.status_code, refused["Content-Type"]) == (400, "application/problem+json")


def test_a_file_that_is_not_ready_is_as_described(
    document: Document, backend: Client, ids: dict[str, str]
) -> None:
    Export.objects.update(state="running", phase="reading")
    for name in ("ibl_download_session_task", "ibl_download_user_task", "ibl_download_report"):
        _, path, told = operations(document)[name]
        reply = backend.get(path.format(**ids, task_id=ids[name]))
        assert (name, reply.status_code, faults_of(document, told, reply)) == (name, 202, [])


WRITES: dict[str, Any] = {
    "ibl_make_session": {"mentor": "coach", "metadata": {}},
    "ibl_make_session_of_visitor": {"mentor": "coach"},
    "ibl_rename_session": {"title": "Hello", "tools": []},
    "ibl_rename_session_of_visitor": {"title": ""},
    "post_message": {
        "id": "1",
        "sender": {"participant_role": "service", "participant_id": "router"},
        "content": "Hello.",
        "message_type": "log",
        "metadata": {"debug": {"a": 1}, "b": None},
        "filenames": ["a.pdf"],
        "colour": "green",
    },
    "remove_message": None,
    "replace_context": {"client_context": {"a": 1}, "colour": "green"},
    "patch_context": {"a": None, "b": {"c": 1}},
    "clear_context": None,
    "preview_message": {"metadata": {"a": 1}, "prompt": "And now?", "colour": "green", "answer": True},
    "quickchat_set_metadata": {"metadata": {"ticket_id": "T-1234", "priority": "high"}},
    "ibl_export_session": None,
    "ibl_export_user": None,
    "ibl_ask_for_report": {"report_name": "ai-mentor-chat-history", "force": True, "course_id": "1"},
    "ask_for_export": {"filter": {"context.stateCode": ["CA"], "min_messages": 1}, "format": "parquet"},
    "make_schedule": {"name": "Weekly", "every": "week", "window": "week", "filter": {}},
    "change_schedule": {"active": False},
    "end_export": None,
    "remove_schedule": None,
    "ibl_remove_session": None,
    "ibl_remove_session_of_visitor": None,
    "ibl_clear_history": None,
    "erase_user": {"user_id": "alice", "dry_run": False},
}


def test_everything_that_is_written_is_as_described(
    document: Document, backend: Client, eraser: Client, ids: dict[str, str]
) -> None:
    told_of = operations(document)
    assert set(WRITES) == {name for name, (method, *_) in told_of.items() if method != "get"}
    for name, body in WRITES.items():
        method, path, told = told_of[name]
        path = path.format(**{**ids, "session_id": ids.get(name, ids["session_id"])})
        kind = next(iter(told["requestBody"]["content"]), "") if body is not None else "application/json"
        if body is not None:
            asked = told["requestBody"]["content"][kind]["schema"]
            assert (name, is_as(document, asked, body)) == (name, [])
        others = {"ibl_make_session_of_visitor": Client(), "erase_user": eraser}
        reply = call(others.get(name, backend), method, path, body, kind)
        assert (name, faults_of(document, told, reply)) == (name, [])
