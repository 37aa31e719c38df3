"""ibl.ai's export tasks and reports: their paths, their shapes, their columns; not ready told apart from ready."""

from __future__ import annotations

import csv
import io
import json
import uuid
from typing import Any

import pytest
from django.test import Client

from chat.access import session_token
from chat.models import Mentor, Session
from exports import jobs
from exports.models import Export

from ..expecting import AN_ID, Like, problem
from .cast import said

pytestmark = pytest.mark.django_db(transaction=True)
USER = "/api/ai-mentor/orgs/demo/users/alice"
REPORTS = "/api/reports/platforms/demo"
A_TIME = Like("a time", lambda value: isinstance(value, str) and "T" in value)
CA, NY = {"stateCode": "CA"}, {"stateCode": "NY"}
NOT_FOUND = (404, problem(404, "not_found"))


@pytest.fixture
def session(coach: Mentor) -> Session:
    """Its context changed between its two turns."""
    return said(coach, CA, NY)


def post(client: Client, path: str, **body: Any) -> tuple[int, Any]:
    reply = client.post(path, json.dumps(body), content_type="application/json")
    return reply.status_code, reply.json()


def get(client: Client, path: str) -> tuple[int, Any]:
    reply = client.get(path)
    return reply.status_code, json.loads(reply.getvalue())


def table(client: Client, path: str) -> list[list[str]]:
    reply = client.get(path)
    assert (reply.status_code, reply["Content-Type"]) == (200, "text/csv; charset=utf-8")
    return list(csv.reader(io.StringIO(reply.getvalue().decode())))


def task(client: Client, path: str) -> str:
    status, body = post(client, path)
    assert (status, body) == (200, {"task_id": AN_ID})
    return str(body["task_id"])


def row(kind: str, words: str, context: dict[str, str]) -> dict[str, Any]:
    return {"type": kind, "content": words, "timestamp": A_TIME, "client_context": context}


BOTH_TURNS = [
    row("human", "Question 1?", CA),
    row("ai", "Answer 1.", CA),
    row("human", "Question 2?", NY),
    row("ai", "Answer 2.", NY),
]


def test_a_sessions_messages_each_with_its_own_context(reader: Client, session: Session) -> None:
    said(session.mentor, {"n": 1})
    key = task(reader, f"{USER}/tasks/sessions/{session.id}/")
    path = f"{USER}/sessions/{session.id}/tasks/{key}/"
    assert get(reader, path) == (202, {"task_id": key, "state": "pending", "error": None})
    jobs.run(uuid.UUID(key))
    assert get(reader, path) == (200, BOTH_TURNS)
    assert table(reader, f"{path}?to_csv=true") == [
        ["type", "content", "timestamp", "client_context"],
        ["human", "Question 1?", A_TIME, '{"stateCode":"CA"}'],
        ["ai", "Answer 1.", A_TIME, '{"stateCode":"CA"}'],
        ["human", "Question 2?", A_TIME, '{"stateCode":"NY"}'],
        ["ai", "Answer 2.", A_TIME, '{"stateCode":"NY"}'],
    ]


def test_all_that_a_user_said(reader: Client, session: Session) -> None:
    said(session.mentor, {"n": 1}, user="bob")
    key = task(reader, f"{USER}/export-chathistory/")
    jobs.run(uuid.UUID(key))
    assert get(reader, f"{USER}/downloads/tasks/{key}/") == (200, BOTH_TURNS)
    assert len(table(reader, f"{USER}/downloads/tasks/{key}/?to_csv")) == 5
    told = {"task": {"task_id": key, "state": "completed", "error": None}}
    assert get(reader, f"{USER}/tasks/{key}") == (200, told)


def test_a_task_may_be_narrowed_by_the_vendors_names_and_by_ours(reader: Client, session: Session) -> None:
    query = "mentor_unique_id=coach&message_context.stateCode=NY&usergroup_ids=5"
    reply = reader.post(f"{USER}/export-chathistory/?{query}")
    assert reply["X-Ignored-Parameters"] == "usergroup_ids"
    key = reply.json()["task_id"]
    jobs.run(uuid.UUID(key))
    assert get(reader, f"{USER}/downloads/tasks/{key}/")[1] == BOTH_TURNS[2:]


def test_words_that_a_spreadsheet_would_run_are_quoted_in_csv_alone(reader: Client, session: Session) -> None:
    session.messages.filter(sequence=1).update(content="=HYPERLINK(1)")
    key = task(reader, f"{USER}/tasks/sessions/{session.id}/")
    jobs.run(uuid.UUID(key))
    path = f"{USER}/sessions/{session.id}/tasks/{key}/"
    assert get(reader, path)[1][0]["content"] == "=HYPERLINK(1)"
    assert table(reader, f"{path}?to_csv=true")[1][1] == "'=HYPERLINK(1)"


def test_numbers_and_keys_stay_as_they_were_spelled(reader: Client, coach: Mentor) -> None:
    session = said(coach, {"z": 1, "a": 12345678901234567890})
    key = task(reader, f"{USER}/tasks/sessions/{session.id}/")
    jobs.run(uuid.UUID(key))
    cell = table(reader, f"{USER}/sessions/{session.id}/tasks/{key}/?to_csv=1")[1][3]
    assert "12345678901234567890" in cell


def test_a_failed_task_is_told_as_such(reader: Client, session: Session) -> None:
    key = task(reader, f"{USER}/tasks/sessions/{session.id}/")
    Export.objects.update(state="failed", error="The disk is full.")
    path = f"{USER}/sessions/{session.id}/tasks/{key}/"
    assert get(reader, path) == (409, problem(409, "not_ready"))


# --- who


def test_a_stranger_asks_for_nothing(mallory: Client, session: Session) -> None:
    assert post(mallory, f"{USER}/tasks/sessions/{session.id}/") == NOT_FOUND
    assert post(mallory, f"{USER}/tasks/sessions/{uuid.uuid4()}/") == NOT_FOUND
    assert post(mallory, f"{USER}/export-chathistory/") == NOT_FOUND
    assert not Export.objects.exists()


def test_a_session_is_asked_for_under_its_users_name(reader: Client, session: Session) -> None:
    bob = USER.replace("alice", "bob")
    assert post(reader, f"{bob}/tasks/sessions/{session.id}/") == NOT_FOUND


def test_a_stranger_finds_no_task(reader: Client, mallory: Client, session: Session) -> None:
    key = task(reader, f"{USER}/tasks/sessions/{session.id}/")
    for path in (f"sessions/{session.id}/tasks/{key}/", f"downloads/tasks/{key}/", f"tasks/{key}"):
        assert get(mallory, f"{USER}/{path}") == NOT_FOUND
        assert get(mallory, f"{USER.replace('demo', 'other')}/{path}") == NOT_FOUND
    assert get(reader, f"{USER}/sessions/{uuid.uuid4()}/tasks/{key}/") == NOT_FOUND
    assert get(reader, f"{USER.replace('alice', 'bob')}/tasks/{key}") == NOT_FOUND
    assert get(reader, f"{USER}/downloads/tasks/{key}/") == NOT_FOUND
    assert get(reader, f"{USER}/tasks/5") == NOT_FOUND


def test_without_a_token_it_is_401_and_with_a_session_token_403(nobody: Client, session: Session) -> None:
    paths = [f"{USER}/tasks/sessions/{session.id}/", f"{USER}/export-chathistory/", f"{REPORTS}/new"]
    assert [post(nobody, path)[0] for path in paths] == [401, 401, 401]
    nobody.defaults["HTTP_AUTHORIZATION"] = f"Session {session_token(session.id)}"
    assert [post(nobody, path, report_name="ai-mentor-chat-history")[0] for path in paths] == [403, 403, 403]


@pytest.mark.parametrize("path", ["export-chathistory/?colour=red", "export-chathistory/?from=never"])
def test_a_mistake_in_the_query_is_told(reader: Client, session: Session, path: str) -> None:
    status, body = post(reader, f"{USER}/{path}")
    assert (status, body["code"]) == (400, "invalid_filter")


# --- reports


def report(client: Client, **body: Any) -> Any:
    status, answer = post(client, f"{REPORTS}/new", report_name="ai-mentor-chat-history", **body)
    assert status == 200, answer
    return answer["data"]


SHOWN = {
    "report_id": AN_ID,
    "report_name": "ai-mentor-chat-history",
    "state": "pending",
    "started_on": None,
    "owner": "token:read_all",
    "expires": None,
    "url": None,
    "created_at": A_TIME,
}


def test_a_report_is_made_once_for_a_question(reader: Client, session: Session) -> None:
    first = report(reader, mentor="coach")
    assert first == SHOWN
    assert report(reader, mentor="coach")["report_id"] == first["report_id"]
    assert report(reader, mentor="coach", force=True)["report_id"] != first["report_id"]
    assert report(reader, mentor="coach", learner_id="bob")["report_id"] != first["report_id"]


def test_a_report_that_is_over_is_made_again(reader: Client, session: Session) -> None:
    first = report(reader)
    for state in ("failed", "cancelled", "expired"):
        Export.objects.filter(id=first["report_id"]).update(state=state)
        assert report(reader)["report_id"] != first["report_id"]
        Export.objects.exclude(id=first["report_id"]).delete()


def test_a_reports_file_is_fetched_as_csv_or_json(reader: Client, nobody: Client, session: Session) -> None:
    key = report(reader, filters={"message_context.stateCode": "NY"})["report_id"]
    path = f"{REPORTS}/{key}/download"
    assert get(reader, path) == (202, {"data": SHOWN})
    jobs.run(uuid.UUID(key))
    assert get(reader, f"{path}?format=json&columns=type,client_context") == (
        200,
        [{"type": "human", "client_context": NY}, {"type": "ai", "client_context": NY}],
    )
    head, *rows = table(reader, path)
    assert ({"session_id", "content", "client_context"} <= set(head), len(rows)) == (True, 2)
    assert table(reader, f"{path}?format=csv&columns=content")[1:] == [["Question 2?"], ["Answer 2."]]
    url = report(reader, filters={"message_context.stateCode": "NY"})["url"]
    assert nobody.get(url).status_code == 200


def test_reports_are_listed_and_the_newest_of_a_mentor_is_shown(reader: Client, session: Session) -> None:
    first, second = report(reader, mentor="coach"), report(reader, mentor="nobody")
    shown = [one["report_id"] for one in get(reader, f"{REPORTS}/")[1]["data"]]
    assert shown == [second["report_id"], first["report_id"]]
    path = f"{REPORTS}/ai-mentor-chat-history"
    assert get(reader, path)[1]["data"]["report_id"] == second["report_id"]
    assert get(reader, f"{path}?mentor_unique_id=coach")[1]["data"]["report_id"] == first["report_id"]
    assert get(reader, f"{path}?mentor_unique_id=other") == NOT_FOUND


NINE = {
    ("requested", "starting"): "pending",
    ("running", "starting"): "running",
    ("running", "reading"): "accumulating",
    ("running", "closing"): "processing",
    ("running", "storing"): "storing",
    ("ready", "storing"): "completed",
    ("cancelled", "reading"): "cancelled",
    ("failed", "reading"): "error",
    ("expired", "storing"): "expired",
}


@pytest.mark.parametrize(("ours", "theirs"), NINE.items(), ids=NINE.values())
def test_the_nine_states(reader: Client, session: Session, ours: tuple[str, str], theirs: str) -> None:
    report(reader)
    Export.objects.update(state=ours[0], phase=ours[1])
    assert get(reader, f"{REPORTS}/ai-mentor-chat-history")[1]["data"]["state"] == theirs


def test_a_report_says_what_it_ignored(reader: Client, session: Session) -> None:
    body = {"report_name": "ai-mentor-chat-history", "course_id": "x", "departments": [1]}
    reply = reader.post(f"{REPORTS}/new", json.dumps(body), content_type="application/json")
    assert reply["X-Ignored-Parameters"] == "course_id, departments"


@pytest.mark.parametrize(
    ("body", "code", "pointer"),
    [
        ({"report_name": "grades"}, "invalid_payload", "/report_name"),
        ({"colour": "red"}, "invalid_payload", "/colour"),
        ({"filters": []}, "invalid_payload", "/filters"),
        ({"platform_key": "other"}, "invalid_payload", "/platform_key"),
        ({"start_date": "never"}, "invalid_filter", "?from"),
        ({"filters": {"context.a__near": 5}}, "invalid_filter", "?context.a__near"),
    ],
)
def test_a_mistake_in_a_report_is_told(
    reader: Client, session: Session, body: Any, code: str, pointer: str
) -> None:
    named = {"report_name": "ai-mentor-chat-history", **body}
    assert post(reader, f"{REPORTS}/new", **named) == (400, problem(400, code, pointer))


def test_a_stranger_finds_no_report(reader: Client, mallory: Client, session: Session) -> None:
    key = report(reader)["report_id"]
    assert post(mallory, f"{REPORTS}/new", report_name="ai-mentor-chat-history") == NOT_FOUND
    assert get(mallory, f"{REPORTS}/") == (200, {"data": []})
    for path in ("ai-mentor-chat-history", f"{key}/download"):
        assert get(mallory, f"{REPORTS}/{path}") == NOT_FOUND
        assert get(mallory, f"/api/reports/platforms/other/{path}") == NOT_FOUND
