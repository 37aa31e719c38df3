"""Successive exports give each message once, also those that were being written while they ran."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client
from django.utils import timezone

from chat.models import ChatMessageHistory, ChatMessageHistoryExtra, Mentor, Session
from exports import jobs, storage
from exports.cuts import safe_cut
from exports.models import Export

from .cast import said

pytestmark = pytest.mark.django_db(transaction=True)
ON_POSTGRES = connection.vendor == "postgresql"


def exported(client: Client, since: str | None, **more: Any) -> tuple[list[str], str]:
    """The messages of the next export, and its cursor."""
    body = {"format": "jsonl", "columns": ["content"], "incremental": True, **more}
    body |= {} if since is None else {"since": since}
    reply = client.post("/api/v1/exports/", json.dumps(body), content_type="application/json")
    assert reply.status_code == 201, reply.content
    key = uuid.UUID(reply.json()["id"])
    assert jobs.run(key) == "ready"
    export = Export.objects.get(id=key)
    lines = b"".join(storage.pieces(export)).splitlines()
    cursor = client.get(f"/api/v1/exports/{key}/").json()["cursor"]
    return [json.loads(line)["content"] for line in lines], cursor


def write(session: Session, sequence: int, words: str, pause: float) -> None:
    """A message that is final at once, and is committed later."""
    with transaction.atomic():
        now = timezone.now()
        message = ChatMessageHistory.objects.create(
            session=session, sequence=sequence, role="user", content=words, created_at=now, finished_at=now
        )
        ChatMessageHistoryExtra.objects.create(message=message)
        time.sleep(pause)


class Writers:
    """Two sessions that are talked in for as long as the test wants."""

    def __init__(self, sessions: list[Session], pauses: list[float]) -> None:
        self.over, self.written, self.pauses = threading.Event(), [0] * len(sessions), pauses
        self.threads = [
            threading.Thread(target=self.talk, args=(n, session)) for n, session in enumerate(sessions)
        ]

    def talk(self, number: int, session: Session) -> None:
        while not self.over.is_set():
            n = self.written[number] + 1
            write(session, n, f"{number}-{n}", self.pauses[n % len(self.pauses)])
            self.written[number] = n
            time.sleep(0.02)
        connection.close()

    def __enter__(self) -> Writers:
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.over.set()
        for thread in self.threads:
            thread.join()

    def all(self) -> Iterator[str]:
        for number, count in enumerate(self.written):
            yield from (f"{number}-{n}" for n in range(1, count + 1))


def test_each_message_is_in_one_export_while_turns_go_on(
    reader: Client, coach: Mentor, settings: Any
) -> None:
    # On PostgreSQL a transaction may take longer than the margin: it is waited for.
    settings.EXPORTS_CUT_SECONDS = 0.5
    pauses = [0.0, 1.0] if ON_POSTGRES else [0.0, 0.1]
    found, cursor = [], None
    with Writers([said(coach), said(coach)], pauses) as writers:
        for _ in range(6):
            time.sleep(0.3)
            messages, cursor = exported(reader, cursor)
            found += messages
    time.sleep(settings.EXPORTS_CUT_SECONDS + 0.1)
    found += exported(reader, cursor)[0]
    assert len(found) > 4
    assert sorted(found) == sorted(writers.all())


def test_an_answer_is_in_the_export_after_it_was_finished(
    reader: Client, coach: Mentor, settings: Any
) -> None:
    settings.EXPORTS_CUT_SECONDS = 0
    session = said(coach, {})
    answer = session.messages.get(role="mentor")
    ChatMessageHistory.objects.filter(pk=answer.pk).update(status="streaming", finished_at=None)
    first, cursor = exported(reader, None)
    ChatMessageHistory.objects.filter(pk=answer.pk).update(status="complete", finished_at=timezone.now())
    second, cursor = exported(reader, cursor)
    assert (first, second, exported(reader, cursor)[0]) == (["Question 1?"], ["Answer 1."], [])


def test_what_ends_at_the_cut_is_the_nexts(reader: Client, coach: Mentor, settings: Any) -> None:
    settings.EXPORTS_CUT_SECONDS = 60
    now = datetime.now(UTC)
    old, new = said(coach, {}, at=now - timedelta(seconds=61)), said(coach, {}, at=now)
    assert len(exported(reader, None)[0]) == 2
    assert {old.messages.count(), new.messages.count()} == {2}


def test_the_filter_holds_as_well(reader: Client, coach: Mentor, settings: Any) -> None:
    settings.EXPORTS_CUT_SECONDS = 0
    said(coach, {"stateCode": "CA"})
    said(coach, {"stateCode": "NY"})
    only = {"filter": {"context.stateCode": "CA"}}
    first, cursor = exported(reader, None, **only)
    assert (len(first), exported(reader, cursor, **only)[0]) == (2, [])


@pytest.mark.skipif(not ON_POSTGRES, reason="SQLite has one writer")
def test_the_cut_is_before_every_transaction_that_is_still_writing(coach: Mentor, settings: Any) -> None:
    settings.EXPORTS_CUT_SECONDS = 0
    before = timezone.now()
    writer = threading.Thread(target=lambda: (write(said(coach), 9, "late", 2.0), connection.close()))
    writer.start()
    time.sleep(1.0)
    assert before < safe_cut() < before + timedelta(seconds=0.9)
    writer.join()
    assert safe_cut() > before + timedelta(seconds=1.5)


def test_the_cursor_of_an_export_that_is_not_ready_is_not_told(reader: Client, coach: Mentor) -> None:
    body = json.dumps({"incremental": True})
    shown = reader.post("/api/v1/exports/", body, content_type="application/json").json()
    assert (shown["cursor"], shown["until"] is None) == (None, False)
