"""What the tests of jobs and doors share: sessions that were talked in, exports that were asked for."""

from __future__ import annotations

import itertools
import uuid
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils import timezone

from chat.models import ChatMessageHistory, ChatMessageHistoryExtra, Mentor, Session, Tenant
from exports.models import Export


def said(
    mentor: Mentor, *contexts: dict[str, Any], user: str = "alice", at: datetime | None = None
) -> Session:
    """A session with a turn under each of these contexts."""
    at = at or timezone.now()
    session = Session.objects.create(
        id=uuid.uuid4(),
        tenant=mentor.tenant,
        mentor=mentor,
        user_id=user,
        metadata={"client_context": contexts[-1] if contexts else {}},
        created_at=at,
        next_sequence=2 * len(contexts) + 1,
    )
    sequence = itertools.count(1)
    for version, context in enumerate(contexts, start=1):
        for role, words in (("user", f"Question {version}?"), ("mentor", f"Answer {version}.")):
            message = ChatMessageHistory.objects.create(
                session=session,
                sequence=next(sequence),
                role=role,
                content=words,
                created_at=at,
                finished_at=at,
            )
            ChatMessageHistoryExtra.objects.create(message=message, metadata=context, context_version=version)
    return session


def many(mentor: Mentor, sessions: int, messages: int, words: str = "Hello.") -> None:
    """So many sessions with so many messages each, quickly."""
    made = [_session(mentor) for _ in range(sessions)]
    Session.objects.bulk_create(made, batch_size=1000)
    rows = [_message(session, n + 1, words) for session in made for n in range(messages)]
    ChatMessageHistory.objects.bulk_create(rows, batch_size=2000)
    extras = [ChatMessageHistoryExtra(message=row, session_id=row.session_id) for row in rows]
    ChatMessageHistoryExtra.objects.bulk_create(extras, batch_size=2000)


def _session(mentor: Mentor) -> Session:
    return Session(id=uuid.uuid4(), tenant=mentor.tenant, mentor=mentor, user_id="alice")


def _message(session: Session, sequence: int, words: str) -> ChatMessageHistory:
    now = timezone.now()
    return ChatMessageHistory(
        session=session, sequence=sequence, role="user", content=words, created_at=now, finished_at=now
    )


def asked(tenant: Tenant, **fields: Any) -> Export:
    return Export.objects.create(
        tenant=tenant, **{"query": [["tenant", tenant.key]], "format": "jsonl", **fields}
    )


def stored_files() -> list[str]:
    """Names under the store's folder."""
    names = _names(Path(settings.STORAGES["exports"]["OPTIONS"]["location"]))
    return [name for name in names if not name.startswith(".work")]


def work_files() -> list[str]:
    return _names(Path(settings.EXPORTS_WORK_DIR))


def _names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
