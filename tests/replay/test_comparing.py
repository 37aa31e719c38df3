"""`manage.py replay` compares: everything that is not as it should be is seen."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from chat.models import (
    ChatMessageHistory,
    ChatMessageHistoryExtra,
    Mentor,
    Session,
    SessionContextVersion,
    Tenant,
)
from chat.replay import stage
from chat.replay.client import Played, Told
from chat.replay.comparing import Difference, compare
from chat.replay.conversations import Conversation
from chat.replay.law import block

from .recorded import LICENSING, TALK


def stored(talk: Conversation) -> Played:
    """A conversation that was played and stored as the law says."""
    stage.make_missing([talk])
    mentor = Mentor.objects.get(tenant__key=talk.tenant, slug=talk.mentor)
    played = Played(talk)
    session = Session.objects.create(
        id=played.session_id, tenant=mentor.tenant, mentor=mentor, user_id=talk.user_id
    )
    context: dict[str, Any] = {}
    version = 0
    for number, turn in enumerate(talk.turns):
        if turn.metadata is not None:
            context, version = turn.metadata, version + 1
            session.context_versions.create(number=version, text=json.dumps(context), value=context)
        ids = [_store(session, 2 * number + n, context, version, turn.text) for n in (1, 2)]
        played.turns.append(told(number, *ids, version=version, changed=turn.metadata is not None))
    session.metadata, session.context_version = {"client_context": context}, version
    session.save()
    return played


def _store(session: Session, sequence: int, context: dict[str, Any], version: int, text: str) -> str:
    own = {"role": "user", "text": text, "content": f"{text}\n\n{block(context)}", "client_message_id": text}
    answer = {"role": "mentor", "content": "Good day."}
    message = session.messages.create(sequence=sequence, **(own if sequence % 2 else answer))
    ChatMessageHistoryExtra.objects.create(
        message=message, metadata=context, context_version=version, delivery="user_block"
    )
    return str(message.id)


def told(number: int, question: str, answer: str, *, version: int, changed: bool) -> Told:
    text, sequence = TALK.turns[number].text, 2 * number + 2
    start = {
        "message_id": answer,
        "user_message_id": question,
        "client_message_id": text,
        "sequence": sequence,
        "context": {"version": version, "changed": changed},
    }
    end = {"message_id": answer, "sequence": sequence, "status": "complete"}
    return Told(text, start, (1, 2, 3), "Good day.", end)


def differences(played: Played) -> list[Difference]:
    return compare([played]).differences


@pytest.mark.django_db
def test_what_is_as_it_should_be_makes_no_difference() -> None:
    findings = compare([stored(TALK), stored(TALK)])
    assert findings.differences == []
    assert (findings.turns, findings.versions) == (4, 2)


def extra(sequence: int) -> Any:
    return ChatMessageHistoryExtra.objects.filter(message__sequence=sequence)


def message(sequence: int) -> Any:
    return ChatMessageHistory.objects.filter(sequence=sequence)


MERGED = {"client_context": {**LICENSING, "more": 1}}
PLANTED: list[tuple[Callable[[], Any], int, str]] = [
    (lambda: Session.objects.update(metadata=MERGED), 0, "the session's client context"),
    (lambda: Session.objects.update(context_version=2), 0, "the session's context version"),
    (lambda: Session.objects.update(user_id="bob"), 0, "the user"),
    (lambda: Tenant.objects.update(key="rival"), 0, "the tenant"),
    (lambda: Mentor.objects.update(slug="other"), 0, "the mentor"),
    (lambda: SessionContextVersion.objects.update(number=2), 0, "the version numbers"),
    (lambda: SessionContextVersion.objects.all().delete(), 0, "the version numbers"),
    (lambda: SessionContextVersion.objects.update(value={}), 0, "the value of version 1"),
    (lambda: SessionContextVersion.objects.update(text="{}"), 0, "the text of version 1"),
    (lambda: extra(1).update(metadata={}), 1, "the user message's snapshot"),
    (lambda: extra(2).update(metadata={}), 1, "the mentor message's snapshot"),
    (lambda: extra(3).update(context_version=0), 2, "the user message's context version"),
    (lambda: extra(4).update(delivery="off"), 2, "the mentor message's delivery"),
    (lambda: message(1).update(role="mentor"), 1, "the user message's role"),
    (lambda: message(2).update(status="failed"), 1, "the mentor message's status"),
    (lambda: message(3).update(text="Else"), 2, "the user's own words"),
    (lambda: message(3).update(content="And?"), 2, "the end of the stored content"),
    (lambda: message(3).update(client_message_id=None), 2, "the user message's client_message_id"),
    (lambda: message(4).update(content="Good"), 2, "the answer's text"),
]


@pytest.mark.django_db
@pytest.mark.parametrize(("plant", "turn", "what"), PLANTED, ids=[case[2] for case in PLANTED])
def test_a_planted_difference_is_found(plant: Callable[[], Any], turn: int, what: str) -> None:
    played = stored(TALK)
    plant()
    assert [(found.turn, found.what) for found in differences(played)] == [(turn, what)]


@pytest.mark.django_db
def test_a_gap_and_a_missing_message_are_found() -> None:
    played = stored(TALK)
    message(4).update(sequence=5)
    whole, turn = differences(played)
    assert (whole.what, whole.expected, whole.found) == ("the sequences", [1, 2, 3, 4], [1, 2, 3, 5])
    assert (turn.turn, turn.expected, turn.found) == (2, ["stored", "stored"], ["stored", "missing"])


@pytest.mark.django_db
def test_a_message_without_its_extra_is_found() -> None:
    played = stored(TALK)
    extra(2).delete()
    assert {found.what for found in differences(played)} == {
        "the mentor message's snapshot",
        "the mentor message's context version",
        "the mentor message's delivery",
    }


@pytest.mark.django_db
def test_a_session_that_is_not_there_is_found() -> None:
    played = stored(TALK)
    Session.objects.all().delete()
    assert [found.what for found in differences(played)] == [
        "the session",
        "the two messages",
        "the two messages",
    ]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("frame", "key", "value", "what"),
    [
        ("start", "sequence", 3, "the first frame's sequence"),
        ("start", "client_message_id", None, "the first frame's client_message_id"),
        ("start", "user_message_id", str(uuid.uuid4()), "the user message's id"),
        ("start", "message_id", str(uuid.uuid4()), "the answer's id"),
        ("start", "context", {"version": 1, "changed": 1}, "the first frame's context change"),
        ("end", "message_id", None, "the answer's id at its end"),
        ("end", "status", "stopped", "the end frame's status"),
    ],
)
def test_a_frame_that_says_something_else_is_found(frame: str, key: str, value: Any, what: str) -> None:
    played = stored(TALK)
    getattr(played.turns[0], frame)[key] = value
    assert [(found.turn, found.what) for found in differences(played)] == [(1, what)]


@pytest.mark.django_db
def test_a_conversation_that_broke_off_is_compared_as_far_as_it_went() -> None:
    played = stored(TALK)
    played.turns.pop()
    played.failure = "model_cut (502): The model's answer broke off."
    assert differences(played) == [Difference("c-1", 2, "the turn", "an end frame", played.failure)]
