"""What happens to a session beside its turns."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from django.db.models.functions import Now
from django.utils import timezone

from chat import news
from chat.models import ChatMessageHistory, Session
from tests.clients import Socket
from tests.ears import Ear

Listen = Callable[..., Ear]
CA, NY = {"stateCode": "CA"}, {"stateCode": "NY", "level": 2}
TURN = ["user 3 complete", "running", "mentor 4 complete", "idle"]


def the_session(talk: Socket) -> Session:
    return Session.objects.get(pk=talk.session_id)


def write(talk: Socket, **more: Any) -> None:
    """Somebody writes beside the turns, as a rule would."""
    session = the_session(talk)
    facts = {"role": "service", "content": "Noted.", "sequence": session.next_sequence}
    ChatMessageHistory.objects.create(session=session, **{**facts, **more})
    rows = Session.objects.filter(pk=session.pk)
    rows.update(next_sequence=session.next_sequence + 1, updated_at=timezone.now())
    news.changed(session.pk)


def take_out(talk: Socket, sequence: int) -> None:
    messages = ChatMessageHistory.objects.filter(session=talk.session_id, sequence=sequence)
    messages.update(content="", text="", deleted_at=Now())
    news.changed(uuid.UUID(talk.session_id))
