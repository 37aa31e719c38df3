"""Erasing a user: every row that their sessions hold, and what elsewhere names them. A job that may run twice.

A step removes some sessions in one transaction, which also writes down what else has traces of them: the cache, and
the days counted ahead. The next step begins with those, so that a job that broke off leaves none. What other apps
carried away is theirs to find; they end the job.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from . import cache, messages, news, rollups
from .errors import InvalidPayload
from .models import ChatMessageHistory, Erasure, Refusal, Session

AT_ONCE = 50
# Whoever works on one touches it with each step; one that was not touched for so long is nobody's.
DESERTED = timedelta(seconds=120)
# What a log of events may outlive its answer by, and a little more.
LAST_FRAMES = timedelta(seconds=60)
LONGEST_USER_ID = 255
# The sender of what is left of a message of theirs.
NOBODY = "(erased)"
_NOUNS = {
    "chat.Session": "sessions",
    "chat.ChatMessageHistory": "messages",
    "chat.ChatMessageHistoryExtra": "snapshots",
    "chat.SessionContextVersion": "context_versions",
    "chat.KeptWrite": "kept_writes",
    "chat.MessageDebug": "debug_data",
}


def check_user_id(user_id: object) -> str:
    """Raises InvalidPayload."""
    if isinstance(user_id, str) and 1 <= len(user_id) <= LONGEST_USER_ID and "\0" not in user_id:
        return user_id
    message = f"user_id must be text of 1 to {LONGEST_USER_ID} characters."
    raise InvalidPayload(message, pointer="/user_id")


def ask(tenant_id: int, user_id: str, asked_by: str) -> Erasure:
    """The row of a new job, or of the one that is under way for this user."""
    digest = Erasure.digest_of(tenant_id, user_id)
    before = Erasure.objects.filter(tenant_id=tenant_id, user_digest=digest, finished_at=None).first()
    return before or Erasure.objects.create(
        tenant_id=tenant_id,
        user_id=user_id,
        user_digest=digest,
        asked_by=asked_by[:300],
        touched_at=timezone.now() - DESERTED,  # nobody works on it yet
    )


def deserted() -> QuerySet[Erasure]:
    """Jobs that are not done and that nobody works on."""
    since = timezone.now() - DESERTED
    return Erasure.objects.filter(kind=Erasure.Kind.USER, finished_at=None, touched_at__lt=since)


def count(tenant_id: int, user_id: str) -> dict[str, int]:
    """What there is to erase, without erasing it."""
    sessions = _sessions(tenant_id, user_id)
    elsewhere = _said_elsewhere(tenant_id, user_id)
    said = ChatMessageHistory.objects.filter(session__in=sessions)
    found = {
        "sessions": sessions.count(),
        "messages": said.count(),
        "messages_elsewhere": elsewhere.count(),
    }
    return {noun: number for noun, number in found.items() if number}


def step(erasure_id: UUID) -> bool:
    """Erase some of it; False: nothing is left in the chat's own rows.

    Raises Unavailable where the cache is away: the same step then comes again.
    """
    _clear_traces(erasure_id)
    if not _remove_some(erasure_id):
        return False
    _clear_traces(erasure_id)
    return True


def add(erasure_id: UUID, counts: Mapping[str, int], **fields: Any) -> None:
    """Note what was erased, and that somebody is at it."""
    with transaction.atomic():
        row = Erasure.objects.select_for_update().get(pk=erasure_id)
        row.counts = dict(Counter(row.counts) + Counter(counts))
        for name, value in fields.items():
            setattr(row, name, value)
        row.touched_at = timezone.now()
        row.save()


def finish(erasure_id: UUID) -> None:
    """Whom it was about is forgotten here too."""
    add(erasure_id, {}, finished_at=timezone.now(), user_id="", pending=None)


# --- one step


@transaction.atomic
def _remove_some(erasure_id: UUID) -> bool:
    # Two that work on it take turns.
    erasure = Erasure.objects.select_for_update().get(pk=erasure_id)
    if erasure.finished_at is not None:
        return False
    whose = (erasure.tenant_id, erasure.user_id)
    sessions = list(_sessions(*whose).order_by("id").values_list("id", flat=True)[:AT_ONCE])
    counts, pending = _removed(sessions) if sessions else _emptied(*whose)
    if not counts:
        return False
    add(erasure_id, counts, pending=pending)
    return True


def _sessions(tenant_id: int, user_id: str) -> QuerySet[Session]:
    return Session.objects.filter(tenant_id=tenant_id, user_id=user_id, anonymous=False)


def _said_elsewhere(tenant_id: int, user_id: str) -> QuerySet[ChatMessageHistory]:
    """What they said in other users' sessions, where a server named them as the sender."""
    theirs = ChatMessageHistory.objects.filter(session__tenant_id=tenant_id, sender_id=user_id)
    # Said aloud, so that the index of messages with a sender is found.
    return theirs.exclude(sender_id="").exclude(session__user_id=user_id, session__anonymous=False)


def _removed(sessions: Sequence[UUID]) -> tuple[Counter[str], dict[str, Any]]:
    """Sessions with all they hold, also those whose turn is running: its holder finds them gone, and stops.

    For a transaction of the caller's. With it comes what traces they may have left.
    """
    # The lock that a turn begins and ends under.
    locked = Session.objects.select_for_update().filter(pk__in=sessions).order_by("pk")
    begun = [session.created_at.isoformat() for session in locked.only("pk", "created_at")]
    pending = {
        "sessions": [str(session_id) for session_id in sessions],
        "answers": _lately_told(sessions),
        "begun": begun,
    }
    named = Refusal.objects.filter(last_session__in=sessions).update(last_session=None)
    _, deleted = Session.objects.filter(pk__in=sessions).delete()
    news.changed(*sessions)
    return by_noun(deleted) + Counter(refusals_unlinked=named), pending


def by_noun(deleted: Mapping[str, int]) -> Counter[str]:
    """What Django says it deleted, in our words."""
    return Counter({_NOUNS.get(label, "other_rows"): number for label, number in deleted.items()})


def _lately_told(sessions: Sequence[UUID]) -> list[str]:
    """Answers whose events may still be in their log."""
    since = Now() - timedelta(seconds=settings.EVENT_LOG_SECONDS) - LAST_FRAMES
    answers = ChatMessageHistory.objects.filter(session__in=sessions, role=ChatMessageHistory.Role.MENTOR)
    lately = answers.filter(Q(finished_at=None) | Q(finished_at__gt=since))
    return [str(answer) for answer in lately.values_list("pk", flat=True)]


def _emptied(tenant_id: int, user_id: str) -> tuple[Counter[str], None]:
    """Tombstones of what they said in another's session, one session at a time: its count has no gap."""
    said = _said_elsewhere(tenant_id, user_id).order_by("session_id")
    where = said.values_list("session_id", flat=True).first()
    if where is None:
        return Counter(), None
    found = list(said.filter(session_id=where))
    messages.bury(where, found, sender_id=NOBODY, client_message_id=None, payload_digest="")
    return Counter(messages_elsewhere=len(found)), None


# --- traces


def _clear_traces(erasure_id: UUID) -> None:
    row = Erasure.objects.values_list("tenant_id", "pending").get(pk=erasure_id)
    tenant_id, pending = row
    if pending is None:
        return
    cache.erase(pending["sessions"], pending["answers"])
    rollups.forget(tenant_id, [datetime.fromisoformat(text) for text in pending["begun"]])
    Erasure.objects.filter(pk=erasure_id).update(pending=None)
