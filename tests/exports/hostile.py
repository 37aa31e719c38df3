"""Rows that a file could go wrong with, the same in every database: fixed ids and times, hostile words."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection

from chat.models import ChatMessageHistory, ChatMessageHistoryExtra, Mentor, Session, SessionContextVersion
from chat.selections import Reader, Selection

BEGAN = datetime(2026, 11, 20, 8, 0, 0, 120_000, tzinfo=UTC)
# As a client may spell them: the order of its keys and its numbers are its own.
CONTEXTS = (
    '{"stateCode":"CA","order":{"items":[{"sku":"=1+1"}],"total":1.50},"n":1e3,"big":12345678901234567890}',
    '{"a.b":"dotted","__proto__":null,"":"no name","text":"two\\nlines \\" and, a comma","on":true,"n":-5,"e":{}}',
)
WORDS = (
    "=cmd|'/c calc'!A1",
    '"=1+1"',
    "+49 30 123",
    "-5",
    "-1.5e3",
    "-1+cmd",
    "@SUM(A1)",
    "\ttab",
    "\rreturn",
    "＝1＋1",
    'quote " comma , two\nlines\r\nend',
    "\\.",
    "",
    "\u2028 \u00e9 😀 \x7f \x1b",
)


def hostile(mentor: Mentor) -> Session:
    """One session with a message of each kind, under two contexts and at last under none."""
    session = Session.objects.create(
        id=uuid.UUID("5e551011-0000-4000-8000-000000000001"),
        tenant=mentor.tenant,
        mentor=mentor,
        user_id="=user",
        created_at=BEGAN,
        updated_at=BEGAN + timedelta(hours=1),
        metadata={"client_context": json.loads(CONTEXTS[1])},
        context_version=2,
        next_sequence=len(WORDS) + 1,
    )
    for at, words in enumerate(WORDS):
        add(session, at + 1, words, context=at * len(CONTEXTS) // len(WORDS))
    for number, text in enumerate(CONTEXTS, 1):
        SessionContextVersion.objects.create(session=session, number=number, text=text, value={}, door="ws")
        _spell(number, text)
    return session


def _spell(version: int, text: str) -> None:
    """As a door stores it: json.loads and dumps would spell its numbers anew."""
    value = "CAST(%s AS jsonb)" if on_postgresql() else "%s"
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE chat_sessioncontextversion SET value = {value} WHERE number = %s", [text, version]
        )
        cursor.execute(
            f"UPDATE chat_chatmessagehistoryextra SET metadata = {value} WHERE context_version = %s",
            [text, version],
        )
        cursor.execute(f"UPDATE chat_session SET metadata = {value}", [f'{{"client_context":{text}}}'])


def add(session: Session, sequence: int, words: str, context: int = 0) -> ChatMessageHistory:
    at = BEGAN + timedelta(seconds=sequence)
    user = sequence % 2 == 1
    message = ChatMessageHistory.objects.create(
        id=uuid.UUID(int=(0x019ABCDE << 96) | (7 << 76) | (2 << 62) | sequence),
        session=session,
        sequence=sequence,
        role="user" if user else "mentor",
        content=f"{words}\n\n<block>" if user else words,
        text=words if user else None,
        metadata={} if user else {"b": None, "href": 'a": b, "c', "n": [1, 2.5]},
        client_message_id=f"-web-{sequence}" if user else None,
        status="complete" if sequence % 5 else "failed",
        created_at=at,
        finished_at=None if sequence % 5 == 0 else at + timedelta(milliseconds=1500),
    )
    ChatMessageHistoryExtra.objects.create(
        message=message,
        metadata=json.loads(CONTEXTS[context]),
        context_version=context + 1,
        model="" if user else "gpt",
        prompt_tokens=None if user else 900,
        ttft_ms=None if user else 12.5 * sequence,
        duration_ms=None if user else 100.0 * sequence,
    )
    return message


def everything(**filter: Any) -> Selection:
    """All that a filter means to a reader of everything."""
    from chat.filters import parse

    return Selection.of(
        parse([(name.replace("__DOT__", "."), text) for name, text in filter.items()]), Reader(None)
    )


def on_postgresql() -> bool:
    return bool(connection.vendor == "postgresql")
