"""The rules of a running turn: its holder keeps a lease, stores what it has, and ends it once.

A holder that lost its lease can write nothing; a turn whose holder is gone is marked interrupted. Synchronous:
run them with database.in_database.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.db.models.functions import Now
from django.utils import timezone

from . import news, telemetry
from .errors import LeaseLost
from .models import ChatMessageHistory, ChatMessageHistoryExtra, Session, statements

Status = ChatMessageHistory.Status


@dataclass(frozen=True, slots=True)
class Held:
    """What its holder shows to write to a running turn."""

    session_id: UUID
    answer: UUID
    fence: int

    def params(self) -> statements.Params:
        return {"session": self.session_id, "answer": self.answer, "fence": self.fence}


@dataclass(slots=True)
class Outcome:
    """How a turn ended. Times are milliseconds."""

    status: str
    content: str
    finish_reason: str = ""
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    ttft_ms: float | None = None
    duration_ms: float | None = None
    error: str = ""


@transaction.atomic
def beat(held: Held, content: str) -> bool:
    """Renew the lease and store the text so far; True says that somebody asked this turn to stop.

    Raises LeaseLost.
    """
    stop = statements.beat({**held.params(), "content": content, "lease": settings.TURN_LEASE_SECONDS})
    if stop is None:
        raise LeaseLost()
    return stop


def finish(held: Held, outcome: Outcome) -> None:
    """Store how the turn ended and free the session. Raises LeaseLost; safe to run twice."""
    if not _finish(held, outcome) and not _is_finished(held, outcome):
        raise LeaseLost()


def _finish(held: Held, outcome: Outcome) -> bool:
    params = {**held.params(), **{f: getattr(outcome, f) for f in Outcome.__slots__}}
    if connection.vendor == "postgresql":
        return statements.finish_turn(params)  # one statement is its own transaction
    with transaction.atomic():
        return statements.finish_turn(params)


def _is_finished(held: Held, outcome: Outcome) -> bool:
    """Whether this very outcome is stored: its commit went through, and the confirmation was lost."""
    stored = ChatMessageHistory.objects.filter(id=held.answer)
    return stored.filter(status=outcome.status, content=outcome.content).exists()


def interrupt(answer: UUID) -> None:
    """Mark an answer whose holder is gone; the text so far stays."""
    ChatMessageHistory.objects.filter(id=answer, status=Status.STREAMING).update(
        status=Status.INTERRUPTED, finished_at=timezone.now()
    )
    ChatMessageHistoryExtra.objects.filter(message_id=answer).update(error="holder_lost")
    telemetry.REAPED.inc()


def reap(session_id: UUID | None = None) -> int:
    """Free every session, or this one, whose turn's lease has run out; how many there were."""
    which = {} if session_id is None else {"id": session_id}
    expired = Session.objects.filter(turn_id__isnull=False, turn_lease_until__lt=Now(), **which)
    return sum(_reap(expired_id) for expired_id in list(expired.values_list("id", flat=True)))


@transaction.atomic
def _reap(session_id: UUID) -> bool:
    held = {"turn_id__isnull": False, "turn_lease_until__lt": Now()}
    session = (
        Session.objects.select_for_update(skip_locked=connection.vendor == "postgresql")
        .filter(id=session_id, **held)
        .first()
    )
    if session is None:
        return False
    assert session.turn_id is not None
    interrupt(session.turn_id)
    # The next fence shuts the old holder out, should it come back to life.
    Session.objects.filter(id=session_id).update(
        turn_id=None,
        turn_lease_until=None,
        turn_holder="",
        turn_stop=False,
        turn_fence=session.turn_fence + 1,
        updated_at=Now(),
    )
    news.changed(session_id)
    return True


def ask_to_stop(answer: UUID) -> str | None:
    """Write down that this running turn should stop; its holder's channel, None where it runs no more."""
    if not Session.objects.filter(turn_id=answer).update(turn_stop=True):
        return None
    return Session.objects.filter(turn_id=answer).values_list("turn_holder", flat=True).first()
