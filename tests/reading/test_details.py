"""`GET /api/v2/messages/details/` and `GET /api/analytics/messages/details/`: a session whole."""

from __future__ import annotations

import hashlib
import uuid
from typing import Any

import pytest

from chat.models import ChatMessageHistory, ChatMessageHistoryExtra, Mentor, Session

from ..clients import Socket, TalkMaker
from ..expecting import AN_ID, problem
from ..model_server import Answer, ModelServer
from .conftest import (
    A_TIME,
    CALIFORNIA,
    MILLISECONDS,
    ORDER,
    SNAPSHOTS,
    TABLE,
    VERSIONS,
    Caller,
    make_session,
    visitor,
)

PATHS = ["/api/v2/messages/details/", "/api/analytics/messages/details/"]
ONE = PATHS[0]


def asked(session_id: object, path: str = ONE, query: str = "") -> str:
    return f"{path}?session_id={session_id}{query}"


@pytest.mark.parametrize("path", PATHS)
def test_the_whole_of_a_session(
    talk: TalkMaker, token: str, model: ModelServer, backend: Caller, coach: Mentor, path: str
) -> None:
    model.enqueue(Answer(["Seventy ", "dollars."], usage=(11, 2)))
    one = talk(token=token, username="alice")
    one.say("What does it cost?", metadata=CALIFORNIA, client_message_id="m-1", page_content="Fees: 70")
    status, body = backend(asked(one.session_id, path))
    both = {"client_context": CALIFORNIA, "context_version": 1, "message_type": "chat", "metadata": {}}
    ends = {"status": "complete", "created_at": A_TIME, "finished_at": A_TIME}
    page = {"length": 8, "sha256": hashlib.sha256(b"Fees: 70").hexdigest()}
    stored = body["messages"][0]["question"]["content_as_stored"]
    assert stored.startswith("What does it cost?\n\n<CONTEXT METADATA>")
    assert (status, body) == (
        200,
        {
            "summary": {
                "platform_name": "Demo",
                "platform_key": "demo",
                "mentor": "Coach",
                "mentor_unique_id": str(coach.unique_id),
                "model": "scripted",
                "cost": body["summary"]["cost"],
                "username": "alice",
                "name": "alice",
                "first_user_message": "What does it cost?",
                "topics": body["summary"]["topics"],
                "message_count": 2,
                "user_queries": 1,
                "assistant_responses": 1,
                "average_sentiment": None,
                "sentiment": None,
                "created_at": A_TIME,
                "platform": coach.tenant_id,
                "session": one.session_id,
                "user": None,
                "title": "What does it cost?",
                "client_context": CALIFORNIA,
                "context_version": 1,
                "anonymous": False,
                "updated_at": A_TIME,
                "failures": 0,
                "usage": {"prompt_tokens": 11, "completion_tokens": 2, "total_tokens": 13},
            },
            "messages": [
                {
                    "human": "What does it cost?",
                    "ai": "Seventy dollars.",
                    "question": {
                        "id": AN_ID,
                        "sequence": 1,
                        "role": "user",
                        "content": "What does it cost?",
                        "content_as_stored": stored,
                        "content_type": "text/plain",
                        "client_message_id": "m-1",
                        "page_content": page,
                        **both,
                        **ends,
                    },
                    "answer": {
                        "id": AN_ID,
                        "sequence": 2,
                        "role": "mentor",
                        "content": "Seventy dollars.",
                        "content_as_stored": None,
                        "content_type": "text/markdown",
                        "client_message_id": None,
                        "model": "scripted",
                        "mentor_version": 1,
                        "delivery": "user_block",
                        "finish_reason": "stop",
                        "error": None,
                        "usage": {"prompt_tokens": 11, "completion_tokens": 2, "total_tokens": 13},
                        "ttft_ms": MILLISECONDS,
                        "duration_ms": MILLISECONDS,
                        **both,
                        **ends,
                    },
                }
            ],
            "next": None,
            "previous": None,
        },
    )  # fmt: skip


def test_a_context_that_changed_twice_shows_its_three_snapshots(table: Socket, backend: Caller) -> None:
    body = backend(asked(table.session_id))[1]
    assert (body["summary"]["client_context"], body["summary"]["context_version"]) == (ORDER, 3)
    assert [pair["human"] for pair in body["messages"]] == [prompt for prompt, _ in TABLE]
    for side in ("question", "answer"):
        assert [pair[side]["client_context"] for pair in body["messages"]] == SNAPSHOTS
        assert [pair[side]["context_version"] for pair in body["messages"]] == VERSIONS


def test_what_a_sender_attached_is_never_mixed_with_the_snapshot(backend: Caller, coach: Mentor) -> None:
    session = make_session(coach, context={"a": 1})
    ChatMessageHistory.objects.filter(sequence=1).update(metadata={"attribution": "bot"})
    pair = backend(asked(session.pk))[1]["messages"][0]
    assert (pair["question"]["metadata"], pair["question"]["client_context"]) == (
        {"attribution": "bot"},
        {"a": 1},
    )


def test_a_message_by_itself_is_half_a_pair(backend: Caller, coach: Mentor) -> None:
    session = make_session(coach, turns=1)
    for sequence, role in [(3, "operator"), (4, "user"), (5, "user")]:
        ChatMessageHistory.objects.create(session=session, sequence=sequence, role=role, content=role)
    Session.objects.update(next_sequence=6)
    pairs = backend(asked(session.pk))[1]["messages"]
    told = [("Question 1.", "Answer 2."), ("", "operator"), ("user", ""), ("user", "")]
    assert [(pair["human"], pair["ai"]) for pair in pairs] == told
    assert (pairs[1]["question"], pairs[2]["answer"]) == (None, None)


@pytest.mark.parametrize(
    ("first", "second", "answers"),
    [
        (("user", "chat"), ("mentor", "chat"), True),
        (("user", "command"), ("mentor", "command-response"), True),
        (("user", "chat"), ("operator", "chat"), True),
        (("user", "chat"), ("service", "chat"), False),
        (("user", "chat"), ("mentor", "log"), False),
        (("user", "note"), ("mentor", "chat"), False),
    ],
)
def test_what_was_posted_answers_nothing_unless_it_is_of_the_talk(
    backend: Caller, coach: Mentor, first: tuple[str, str], second: tuple[str, str], answers: bool
) -> None:
    session = make_session(coach)
    for sequence, (role, kind) in enumerate((first, second), 1):
        session.messages.filter(sequence=sequence).update(role=role, message_type=kind)
    told = [(one["human"], one["ai"]) for one in backend(asked(session.pk))[1]["messages"]]
    both = [("Question 1.", "Answer 2.")]
    assert told == (both if answers else [("Question 1.", ""), ("", "Answer 2.")])


def test_failures_are_counted(backend: Caller, coach: Mentor) -> None:
    session = make_session(coach, turns=3)
    ChatMessageHistory.objects.filter(sequence=2).update(status="failed", content="")
    ChatMessageHistory.objects.filter(sequence=4).update(status="interrupted")
    ChatMessageHistoryExtra.objects.filter(message__sequence=2).update(error="model_timeout")
    body = backend(asked(session.pk))[1]
    assert body["summary"]["failures"] == 2
    answers = [pair["answer"] for pair in body["messages"]]
    assert [(one["status"], one["error"], one["usage"]) for one in answers] == [
        ("failed", "model_timeout", None),
        ("interrupted", None, None),
        ("complete", None, None),
    ]


def test_a_page_never_divides_a_pair(backend: Caller, coach: Mentor) -> None:
    session = make_session(coach, turns=5)
    ChatMessageHistory.objects.filter(sequence=3).update(role="service")
    pages = [backend(asked(session.pk, query="&limit=1"))[1]]
    while pages[-1]["next"]:
        pages.append(backend(pages[-1]["next"])[1])
    said = [pair for page in pages for pair in page["messages"]]
    assert said == backend(asked(session.pk))[1]["messages"]
    back = backend(pages[-1]["previous"])[1]
    assert back["messages"][-1] == pages[-2]["messages"][-1]


def test_the_rest_of_ibls_parameters(backend: Caller, coach: Mentor, tutor: Mentor) -> None:
    session = make_session(coach)
    dates = "&start_date=2020-01-01&end_date=2020-01-02&usergroup_ids=1"
    right = f"&platform_key=demo&mentor_unique_id={coach.unique_id}{dates}"
    answer = backend.answer(asked(session.pk, query=right))
    assert (answer.status_code, answer["X-Ignored-Parameters"]) == (
        200,
        "end_date, start_date, usergroup_ids",
    )
    assert backend(asked(session.pk, query=f"&mentor_unique_id={tutor.unique_id}"))[0] == 404


# --- who may not


@pytest.mark.parametrize("path", PATHS)
def test_only_a_tenants_readers_see_details(
    coach: Mentor, mallory: Caller, reader: Caller, path: str
) -> None:
    session = make_session(coach, user="")
    missing: Any = (404, problem(404, "not_found"))
    assert reader(asked(session.pk, path))[0] == 200
    assert mallory(asked(session.pk, path)) == mallory(asked(uuid.uuid4(), path)) == missing
    assert mallory(asked(session.pk, path, "&platform_key=demo")) == missing
    assert Caller({})(asked(session.pk, path)) == (401, problem(401, "authentication_required"))
    assert Caller(visitor(session.pk))(asked(session.pk, path)) == (403, problem(403, "permission_denied"))


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("", "?session_id"),
        ("session_id=", "?session_id"),
        ("session_id=7", "?session_id"),
        ("session_id=%00", "?session_id"),
        (f"session_id={uuid.uuid4()}&colour=red", "?colour"),
        (f"session_id={uuid.uuid4()}&limit=101", "?limit"),
        (f"session_id={uuid.uuid4()}&after=-1", "?after"),
        (f"session_id={uuid.uuid4()}&platform_key=%00", "?platform_key"),
    ],
)
def test_a_question_that_is_wrong_is_told_where(backend: Caller, query: str, pointer: str) -> None:
    assert backend(f"{ONE}?{query}") == (400, problem(400, "invalid_filter", pointer))
