"""One session: ibl.ai's detail, newest first, which a visitor may read too; and ours."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest

from chat.models import ChatMessageHistory, Mentor, Session

from ..clients import Socket, TalkMaker
from ..expecting import AN_ID, problem
from ..model_server import ModelServer
from .conftest import A_TIME, CALIFORNIA, ORDER, SNAPSHOTS, TABLE, VERSIONS, Caller, make_session, visitor

IBL = "/api/ai-mentor/orgs/demo/users/alice/sessions"
VISITORS = "/api/ai-mentor/orgs/demo/sessions"


def test_ibls_detail_is_newest_first(table: Socket, backend: Caller, coach: Mentor) -> None:
    status, body = backend(f"{IBL}/{table.session_id}/?limit=2")
    assert (status, body) == (
        200,
        {
            "count": 10,
            "title": "What are the licensing requirements?",
            "is_shared": False,
            "proactive_prompt": "",
            "mentor_unique_id": str(coach.unique_id),
            "platform_key": "demo",
            "client_context": ORDER,
            "context_version": 3,
            "previous": None,
            "next": f"http://testserver{IBL}/{table.session_id}/?limit=2&before=9",
            "results": [
                told(10, "ai", "mentor", body["results"][0]["content"], "text/markdown"),
                told(9, "human", "user", "Where is my order?", "text/plain"),
            ],
        },
    )


def told(sequence: int, type: str, role: str, content: str, content_type: str) -> dict[str, Any]:
    return {
        "id": AN_ID,
        "type": type,
        "role": role,
        "sequence": sequence,
        "content": content,
        "content_type": content_type,
        "status": "complete",
        "metadata": {},
        "client_context": ORDER,
        "context_version": 3,
        "timestamp": A_TIME,
    }


def test_every_message_has_the_context_it_was_written_under(table: Socket, backend: Caller) -> None:
    results = backend(f"{IBL}/{table.session_id}/")[1]["results"][::-1]
    assert [row["content"] for row in results[::2]] == [prompt for prompt, _ in TABLE]
    for rows in (results[::2], results[1::2]):
        assert [row["client_context"] for row in rows] == SNAPSHOTS
        assert [row["context_version"] for row in rows] == VERSIONS


def test_our_own_session(table: Socket, backend: Caller, coach: Mentor) -> None:
    assert backend(f"/api/v1/sessions/{table.session_id}/") == (
        200,
        {
            "id": table.session_id,
            "tenant": "demo",
            "mentor": "coach",
            "mentor_unique_id": str(coach.unique_id),
            "user": "alice",
            "anonymous": False,
            "title": "What are the licensing requirements?",
            "client_context": ORDER,
            "context_version": 3,
            "messages": 10,
            "created_at": A_TIME,
            "updated_at": A_TIME,
            "verified_keys": ["productGroup", "order"],
            "metadata": {"client_context": ORDER},
            "running": False,
        },
    )


def test_a_session_without_a_word(backend: Caller, coach: Mentor) -> None:
    session = make_session(coach, turns=0)
    body = backend(f"{IBL}/{session.pk}/")[1]
    keys = ("count", "title", "client_context", "next", "previous", "results")
    assert [body[key] for key in keys] == [0, "", {}, None, None, []]


def test_pages_of_messages_follow_each_other_both_ways(backend: Caller, coach: Mentor) -> None:
    path = f"{IBL}/{make_session(coach, turns=4).pk}/"
    one = backend(f"{path}?limit=3")[1]
    two = backend(one["next"])[1]
    three = backend(two["next"])[1]
    said = [[row["sequence"] for row in page["results"]] for page in (one, two, three)]
    assert said == [[8, 7, 6], [5, 4, 3], [2, 1]]
    assert three["next"] is None
    assert backend(two["previous"])[1]["results"] == one["results"]
    assert backend(f"{path}?page=2&page_size=3")[1]["results"] == two["results"]
    assert backend(f"{path}?page=999999999")[1]["results"] == []


def test_what_people_wrote_between_has_a_name_on_the_wire(backend: Caller, coach: Mentor) -> None:
    session = make_session(coach, turns=1)
    for sequence, role in [(3, "operator"), (4, "service")]:
        ChatMessageHistory.objects.create(session=session, sequence=sequence, role=role, content="Hello.")
    Session.objects.update(next_sequence=5)
    results = backend(f"{IBL}/{session.pk}/")[1]["results"]
    assert [(row["type"], row["role"]) for row in results] == [
        ("system", "service"),
        ("ai", "operator"),
        ("ai", "mentor"),
        ("human", "user"),
    ]
    assert results[0]["client_context"] == {}


def test_a_download_is_plain_text(table: Socket, backend: Caller) -> None:
    answer = backend.answer(f"{IBL}/{table.session_id}/download-session")
    text = answer.content.decode()
    assert answer["Content-Type"] == "text/plain; charset=utf-8"
    assert answer["Content-Disposition"] == f'attachment; filename="session-{table.session_id}.txt"'
    assert text.startswith("What are the licensing requirements?\ncoach and alice, ")
    assert [text.count(f"\n[context {number}]\n") for number in (1, 2, 3, 4)] == [1, 1, 1, 0]
    first, _, rest = text.partition("\n[context 1]\n    ")[2].partition("\n\n")
    assert (json.loads(first), rest[:11]) == (CALIFORNIA, "[1] human, ")
    assert "\n    How long does it take?\n" in text


def test_nobody_can_write_a_line_of_the_downloads_own(backend: Caller, coach: Mentor) -> None:
    session = make_session(coach)
    ChatMessageHistory.objects.filter(sequence=1).update(text="Hello.\n\n[context 9]\r[2] ai")
    text = backend.answer(f"{IBL}/{session.pk}/download-session/").content.decode()
    assert "    Hello.\n    \n    [context 9]\n    [2] ai\n" in text


# --- visitors


@pytest.mark.parametrize("path", [VISITORS, "/api/ai-mentor/orgs/demo/users/anonymous/sessions"])
def test_a_visitor_reads_their_own_session(talk: TalkMaker, path: str) -> None:
    one = talk()
    one.say("Hello.", metadata=CALIFORNIA)
    own = Caller(visitor(one.session_id, one.session_token))
    status, body = own(f"{path}/{one.session_id}/")
    assert (status, body["count"], body["client_context"]) == (200, 2, CALIFORNIA)
    assert own(f"{path.replace('demo', 'other')}/{one.session_id}/") == (404, problem(404, "not_found"))


def test_a_visitor_reads_nobody_elses(coach: Mentor) -> None:
    mine, theirs, alices = make_session(coach, user=""), make_session(coach, user=""), make_session(coach)
    other_token = Caller(visitor(mine.pk))
    assert other_token(f"{VISITORS}/{theirs.pk}/") == (401, problem(401, "authentication_failed"))
    assert other_token(f"{VISITORS}/{uuid.uuid4()}/") == (401, problem(401, "authentication_failed"))
    # Even a well signed token opens no user's session.
    assert Caller(visitor(alices.pk))(f"{IBL}/{alices.pk}/") == (404, problem(404, "not_found"))
    for path in ["", "context/versions/"]:
        assert Caller(visitor(mine.pk))(f"/api/v1/sessions/{mine.pk}/{path}")[0] == 403
    assert Caller(visitor(mine.pk))(f"{IBL}/{mine.pk}/download-session")[0] == 403


def test_a_bare_id_reads_only_where_the_mentor_takes_it(coach: Mentor) -> None:
    visitors, alices = make_session(coach, user=""), make_session(coach)
    refused = (401, problem(401, "authentication_required"))
    assert Caller({})(f"{VISITORS}/{visitors.pk}/") == refused
    coach.anonymous_continuation = "session_id"
    coach.save()
    assert Caller({})(f"{VISITORS}/{visitors.pk}/")[0] == 200
    assert Caller({})(f"{VISITORS}/{alices.pk}/") == refused
    assert Caller({})(f"{VISITORS}/{uuid.uuid4()}/") == refused


def test_a_page_elsewhere_reads_if_the_mentor_lets_it(coach: Mentor) -> None:
    session = make_session(coach, user="")
    page = Caller({**visitor(session.pk), "Origin": "https://school.example"})
    path = f"{VISITORS}/{session.pk}/"
    preflight = page.answer(path, "options")
    assert (preflight.status_code, preflight["access-control-allow-methods"]) == (204, "GET, OPTIONS")
    assert page(path) == (403, problem(403, "origin_not_allowed"))
    coach.allowed_origins = ["https://school.example"]
    coach.save()
    answer = page.answer(path)
    assert (answer.status_code, answer["access-control-allow-origin"]) == (200, "https://school.example")


# --- who may not


def test_a_session_is_found_under_its_own_user_only(backend: Caller, mallory: Caller, coach: Mentor) -> None:
    session = make_session(coach)
    missing = (404, problem(404, "not_found"))
    assert backend(f"{IBL.replace('alice', 'bob')}/{session.pk}/") == missing
    assert backend(f"{IBL}/{uuid.uuid4()}/") == missing
    for path in [f"{IBL}/{session.pk}/", f"{VISITORS}/{session.pk}/", f"/api/v1/sessions/{session.pk}/"]:
        assert backend(path)[0] == 200
        assert mallory(path) == missing
        assert Caller({})(path) == (401, problem(401, "authentication_required"))


@pytest.mark.parametrize("name", ["x", "%00", "0" * 36, "a" * 3000, "urn:uuid:1", "{}", "＀"])
@pytest.mark.parametrize("path", [IBL, VISITORS, "/api/v1/sessions"])
def test_what_no_id_can_be_is_not_found(backend: Caller, coach: Mentor, path: str, name: str) -> None:
    assert backend(f"{path}/{name}/") == (404, problem(404, "not_found"))


def test_an_unknown_parameter_is_named(backend: Caller, coach: Mentor) -> None:
    session = make_session(coach)
    for path in [f"{IBL}/{session.pk}/", f"/api/v1/sessions/{session.pk}/"]:
        assert backend(f"{path}?colour=red") == (400, problem(400, "invalid_filter", "?colour"))
        # A filter's parameter would filter nothing here.
        assert backend(f"{path}?status=failed") == (400, problem(400, "invalid_filter", "?status"))


def test_a_running_answer_shows_what_is_there_of_it(
    backend: Caller, coach: Mentor, model: ModelServer
) -> None:
    session = make_session(coach)
    ChatMessageHistory.objects.filter(sequence=2).update(content="Half an", status="streaming")
    newest = backend(f"{IBL}/{session.pk}/")[1]["results"][0]
    assert (newest["content"], newest["status"]) == ("Half an", "streaming")
