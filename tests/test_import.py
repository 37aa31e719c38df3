"""`manage.py import_conversations`: what it stores is what a door would have stored, once, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.db import models

from chat.errors import NotFound
from chat.importing.rows import EXTRAS, MESSAGES, SESSIONS, VERSIONS, Table
from chat.models import (
    ChatMessageHistory,
    ChatMessageHistoryExtra,
    Mentor,
    Session,
    SessionContextVersion,
)
from chat.rebuild import request_of
from chat.replay import conversations, law

from .clients import Socket
from .model_server import Answer, ModelServer
from .recordings import CA, NY, TALK, UNEVEN, imported, refused, user, written


def kept(rows: models.QuerySet[Any], *without: str) -> list[dict[str, Any]]:
    """Every column of the rows, but those."""
    return [{name: value for name, value in row.items() if name not in without} for row in rows.values()]


def stored(session: str | UUID) -> list[list[dict[str, Any]]]:
    """All that is stored of a session, but for ids, times, and what only a door and a model's server know."""
    messages = ChatMessageHistory.objects.filter(session=session).order_by("sequence")
    extras = ChatMessageHistoryExtra.objects.filter(session=session).order_by("message__sequence")
    versions = SessionContextVersion.objects.filter(session=session).order_by("number")
    times = ("created_at", "updated_at", "finished_at", "ttft_ms", "duration_ms")
    told = ("model", "finish_reason", "prompt_tokens", "completion_tokens", "payload_digest")
    return [
        kept(Session.objects.filter(id=session), "id", "user_id", "anonymous", *times),
        kept(messages, "id", "session_id", *times, *told),
        kept(extras, "message_id", "session_id", *times, *told),
        kept(versions, "id", "session_id", "message_id", "author", "door", "address_class", *times),
    ]


# --- as at a door -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("delivery", ["user_block", "system_prompt", "off"])
def test_it_stores_what_a_door_stores(
    tmp_path: Path, live: str, coach: Mentor, model: ModelServer, delivery: str
) -> None:
    coach.context_delivery, coach.greeting_text = delivery, "Welcome!"
    coach.save()
    file = written(tmp_path, TALK)
    [conversation] = conversations.read([file])
    talk = Socket(url=live, tenant="demo", mentor="coach")
    for turn, answer in zip(conversation.turns, TALK["turns"][1::2], strict=True):  # type: ignore[index]
        model.enqueue(Answer([answer["text"]]))
        talk.say(turn.text, **({} if turn.metadata is None else {"metadata": turn.metadata}))
    talk.close()
    imported(file)
    [session] = Session.objects.exclude(id=talk.session_id)
    assert stored(session.id) == stored(talk.session_id)
    assert [len(rows) for rows in stored(session.id)] == [1, 10, 10, 3]
    brought = SessionContextVersion.objects.filter(session=session).values_list("message_id", flat=True)
    assert ChatMessageHistory.objects.filter(session=session, pk__in=list(brought)).count() == 3


@pytest.mark.django_db
def test_every_message_has_the_snapshot_that_the_second_reading_implies(tmp_path: Path) -> None:
    file = written(tmp_path, TALK)
    [conversation] = conversations.read([file])
    imported(file)
    extras = list(ChatMessageHistoryExtra.objects.order_by("message__sequence"))
    for turn in law.implied(conversation.turns):
        for extra in extras[turn.sequence - 1 : turn.sequence + 1]:
            assert (extra.metadata, extra.context_version) == (turn.value, turn.version)


@pytest.mark.django_db
def test_sides_may_speak_as_they_did(tmp_path: Path) -> None:
    imported(written(tmp_path, UNEVEN))
    rows = ChatMessageHistory.objects.order_by("sequence").select_related("extra")
    assert [
        (row.sequence, row.role, row.own_words, row.metadata, row.extra.metadata, row.extra.context_version)
        for row in rows
    ] == [
        (1, "mentor", "Hello!", {"dialog_act": "greet"}, {}, 0),
        (2, "mentor", "How are you?", {}, {}, 0),
        (3, "user", "", {}, CA, 1),
        (4, "user", "Well.", {}, NY, 2),
        (5, "service", "The price was offered.", {"button": "offer"}, NY, 2),
        (6, "mentor", "Good.", {}, NY, 2),
    ]
    session = Session.objects.get()
    assert (session.next_sequence, session.context_version, session.client_context) == (7, 2, NY)


@pytest.mark.django_db
def test_an_imported_context_is_nobodys_word(tmp_path: Path) -> None:
    imported(written(tmp_path, UNEVEN))
    versions = SessionContextVersion.objects.values_list("number", "text", "verified_keys", "author", "door")
    assert list(versions) == [
        (1, '{"productGroup":"LICENSING","stateCode":"CA"}', [], "import", "import"),
        (2, '{"productGroup":"CE","stateCode":"NY"}', [], "import", "import"),
    ]


@pytest.mark.django_db
def test_numbers_keep_their_spelling(tmp_path: Path) -> None:
    line = json.dumps({**TALK, "client_context": "?", "turns": [user("Hi")]}).replace('"?"', '{"n": 4.50e0}')
    imported(written(tmp_path, line))
    assert SessionContextVersion.objects.get().text == '{"n":4.50e0}'


@pytest.mark.django_db
def test_the_prompt_of_an_imported_answer_can_be_rebuilt(tmp_path: Path) -> None:
    imported(written(tmp_path, TALK))
    answer = ChatMessageHistory.objects.get(sequence=4)
    assert request_of(answer).messages[-1]["content"].startswith("And then?\n\n<CONTEXT METADATA>")


@pytest.mark.django_db
def test_an_answer_that_nobody_asked_for_has_no_prompt(tmp_path: Path) -> None:
    imported(written(tmp_path, UNEVEN))
    for sequence in (1, 2, 6):
        with pytest.raises(NotFound):
            request_of(ChatMessageHistory.objects.get(sequence=sequence))


# --- once -------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_second_run_adds_nothing(tmp_path: Path) -> None:
    file = written(tmp_path, TALK, UNEVEN)
    imported(file)
    before = [list(rows.values()) for rows in (Session.objects, ChatMessageHistory.objects.order_by("id"))]
    assert "stored: 0 sessions, 0 messages, 0 context versions; already there: 2" in imported(file, seed=7)
    assert before == [
        list(rows.values()) for rows in (Session.objects, ChatMessageHistory.objects.order_by("id"))
    ]


@pytest.mark.django_db
def test_a_line_that_is_given_twice_is_stored_once(tmp_path: Path) -> None:
    imported(written(tmp_path, TALK, TALK), written(tmp_path, TALK, name="other.jsonl"))
    assert Session.objects.count() == 1


@pytest.mark.django_db
def test_a_run_goes_on_where_another_ended(tmp_path: Path) -> None:
    imported(written(tmp_path, TALK, UNEVEN), repeat=2)
    whole = list(Session.objects.order_by("id").values("id", "next_sequence"))
    Session.objects.filter(id=whole[1]["id"]).delete()
    printed = imported(written(tmp_path, TALK, UNEVEN), repeat=2)
    assert "already there: 3 sessions" in printed
    assert list(Session.objects.order_by("id").values("id", "next_sequence")) == whole


@pytest.mark.django_db
def test_each_copy_is_a_session_of_its_own(tmp_path: Path) -> None:
    printed = imported(written(tmp_path, TALK), repeat=3)
    assert "stored: 3 sessions, 30 messages, 9 context versions" in printed
    assert {session.id.version for session in Session.objects.all()} == {4}
    assert {message.id.version for message in ChatMessageHistory.objects.all()} == {7}
    assert len(set(Session.objects.values_list("created_at", flat=True))) == 3


@pytest.mark.django_db
def test_under_another_prefix_it_is_another_session(tmp_path: Path) -> None:
    file = written(tmp_path, TALK)
    imported(file)
    imported(file, tenant_prefix="old-")
    assert set(Session.objects.values_list("tenant__key", flat=True)) == {"demo", "old-demo"}


# --- what it may make -------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_what_is_missing_is_made_and_what_is_there_is_left(tmp_path: Path, coach: Mentor) -> None:
    imported(written(tmp_path, TALK, {**TALK, "tenant": "new"}))
    assert Mentor.objects.get(tenant__key="demo").revision == coach.revision
    assert Mentor.objects.get(tenant__key="new").slug == "coach"


@pytest.mark.django_db
def test_without_create_a_missing_mentor_is_named(tmp_path: Path, coach: Mentor) -> None:
    file = written(tmp_path, TALK, {**UNEVEN, "mentor": "tutor"})
    assert refused(file, create=False) == "There is no mentor demo/tutor; --create makes what is missing."
    assert (Session.objects.count(), Mentor.objects.count()) == (0, 1)


@pytest.mark.django_db
def test_answers_have_usage_only_where_it_is_wished_for(tmp_path: Path) -> None:
    file = written(tmp_path, UNEVEN)
    imported(file)
    assert not ChatMessageHistoryExtra.objects.exclude(duration_ms=None, prompt_tokens=None).exists()
    imported(file, tenant_prefix="with-", with_usage=True)
    measured = ChatMessageHistoryExtra.objects.exclude(duration_ms=None).exclude(completion_tokens=None)
    assert list(measured.order_by("message__sequence").values_list("message__sequence", flat=True)) == [
        1,
        2,
        6,
    ]


# --- the tables -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "model", "idle"),
    [
        (SESSIONS, Session, {"turn_id", "turn_lease_until", "delivery", "signed_at"}),
        (VERSIONS, SessionContextVersion, {"token_id", "address_class", "signed_by"}),
        (MESSAGES, ChatMessageHistory, {"rejected_metadata", "filenames", "sender_id", "deleted_at"}),
        (EXTRAS, ChatMessageHistoryExtra, {"left_out"}),
    ],
)
def test_every_column_is_written(table: Table, model: type[models.Model], idle: set[str]) -> None:
    columns = {
        field.column for field in model._meta.concrete_fields if not isinstance(field, models.AutoField)
    }
    assert table.name == model._meta.db_table
    assert columns - set(table.columns) == idle
