"""What is written to a session beside its turns: its title, and its end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Now

from . import news
from .cache import forget_contexts
from .errors import TurnInProgress
from .models import Refusal, Session

AT_ONCE = 100


def rename(session: Session, title: str) -> None:
    """Without a word, the title is derived from the first prompt again."""
    with transaction.atomic():
        Session.objects.filter(pk=session.pk).update(title=title, updated_at=Now())
        news.changed(session.pk)
    session.refresh_from_db(fields=["title", "updated_at"])


def remove(session_id: UUID) -> None:
    """The session with its messages, snapshots, versions and cached context.

    Raises TurnInProgress while an answer is being written; nothing is removed then. The id is free afterwards: a
    message that names it begins a session anew.
    """
    _remove([session_id])


def remove_all(sessions: QuerySet[Session]) -> None:
    """Each of them, some at a time.

    Raises TurnInProgress: before anything is removed if one of them answers now, later if one begins to meanwhile.
    """
    if sessions.filter(turn_id__isnull=False, turn_lease_until__gt=Now()).exists():
        raise TurnInProgress()
    while found := list(sessions.order_by("id").values_list("id", flat=True)[:AT_ONCE]):
        _remove(found)


def remove_idle(sessions: Sequence[UUID], since: datetime) -> Counter[str]:
    """Those of them in which nothing has happened since; how many rows of which models."""
    with transaction.atomic():
        # Under the lock it is certain: whatever happens in a session sets its time.
        idle = Session.objects.select_for_update().filter(pk__in=sessions, updated_at__lt=since)
        here = list(idle.filter(turn_id=None).order_by("pk").values_list("pk", flat=True))
        Refusal.objects.filter(last_session__in=here).update(last_session=None)
        deleted = Session.objects.filter(pk__in=here).delete()[1]
        news.changed(*here)
    forget_contexts(here)
    return Counter(deleted)


def _remove(sessions: Sequence[UUID]) -> None:
    with transaction.atomic():
        # The lock that a turn begins under: it has begun, or it will find no session.
        locked = list(
            Session.objects.select_for_update().filter(pk__in=sessions).order_by("pk").values_list("pk")
        )
        running = Session.objects.filter(pk__in=sessions, turn_id__isnull=False, turn_lease_until__gt=Now())
        if locked and running.exists():
            raise TurnInProgress()
        Refusal.objects.filter(last_session__in=sessions).update(last_session=None)
        Session.objects.filter(pk__in=sessions).delete()
        news.changed(*sessions)
    forget_contexts(sessions)
