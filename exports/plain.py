"""The same rows and the same bytes from a database that has no COPY: for small data, row by row."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from chat.models import ChatMessageHistory, ChatMessageHistoryExtra, Session, SessionContextVersion
from chat.policies import EVERYTHING
from chat.strict_json import dumps

from .cells import Form, cell
from .columns import Column
from .questions import Found, Question
from .records import MessageRecord, SessionRecord

BLOCK = 1024 * 1024
_TO_QUOTE = re.compile('[,"\r\n]')


def find(sessions: QuerySet[Any], size: int) -> list[Found]:
    """The ids of ordered sessions, so many together as PostgreSQL writes an array, each with the time of its last."""
    rows = list(sessions.values_list("created_at", "pk"))
    groups = [rows[at : at + size] for at in range(0, len(rows), size)]
    return [("{" + ",".join(str(key) for _, key in group) + "}", group[-1][0]) for group in groups]


def blocks(question: Question, ids: str, count: list[int]) -> Iterator[bytes]:
    """The rows of these sessions; adds to the count how many there were."""
    chosen = [UUID(text) for text in ids[1:-1].split(",")]
    block = bytearray()
    for record in records(question, chosen):
        block += line(question.columns, record, question.form)
        count[0] += 1
        if len(block) >= BLOCK:
            yield bytes(block)
            block.clear()
    if block:
        yield bytes(block)


def line(columns: Sequence[Column], record: Any, form: Form) -> bytes:
    """One row, as COPY writes it."""
    cells = [cell(column, record, form) for column in columns]
    if form == "jsonl":
        members = (
            f"{dumps(column.name)}:{text or 'null'}" for column, text in zip(columns, cells, strict=True)
        )
        return f"{{{','.join(members)}}}\n".encode()
    return csv_line(cells)


def csv_line(cells: Sequence[str | None]) -> bytes:
    """RFC 4180 with LF. Nothing is an empty cell; empty text is a quoted one."""
    alone = len(cells) == 1
    return (",".join(quoted(text, alone) for text in cells) + "\n").encode()


def quoted(text: str | None, alone: bool) -> str:
    if text is None:
        return ""
    if not text or _TO_QUOTE.search(text) or (alone and text == "\\."):
        return '"' + text.replace('"', '""') + '"'
    return text


def records(question: Question, chosen: list[UUID]) -> Iterator[Any]:
    return _messages(question, chosen) if question.grain == "message" else _sessions(question, chosen)


def _messages(question: Question, chosen: list[UUID]) -> Iterator[MessageRecord]:
    rows = ChatMessageHistory.objects.all() if question.messages is None else question.messages
    rows = rows.filter(session_id__in=chosen, created_at__lt=question.before)
    rows = rows.select_related("session__mentor", "session__tenant", "extra")
    versions = _versions(SessionContextVersion.objects.filter(session_id__in=chosen))
    for message in rows.order_by("session__created_at", "session_id", "sequence"):
        number = getattr(getattr(message, "extra", None), "context_version", 0)
        view = question.views.get(message.session.mentor_id, EVERYTHING)
        yield MessageRecord(message, versions.get((message.session_id, number)), view)


def _sessions(question: Question, chosen: list[UUID]) -> Iterator[SessionRecord]:
    messages, extras = defaultdict(list), defaultdict(list)
    for message in ChatMessageHistory.objects.filter(session_id__in=chosen).order_by("sequence"):
        messages[message.session_id].append(message)
    for extra in ChatMessageHistoryExtra.objects.filter(session_id__in=chosen):
        extras[extra.session_id].append(extra)
    versions = _versions(SessionContextVersion.objects.filter(session_id__in=chosen))
    rows = Session.objects.filter(pk__in=chosen).select_related("mentor", "tenant")
    for session in rows.order_by("created_at", "pk"):
        version = versions.get((session.pk, session.context_version))
        view = question.views.get(session.mentor_id, EVERYTHING)
        yield SessionRecord(session, version, messages[session.pk], extras[session.pk], view)


def _versions(rows: Iterable[SessionContextVersion]) -> dict[tuple[UUID, int], SessionContextVersion]:
    return {(version.session_id, version.number): version for version in rows}
