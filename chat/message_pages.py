"""Pages of a session's messages, oldest first, next to a message that is named."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.db.models import Exists, OuterRef, QuerySet

from .database import bounded
from .errors import InvalidFilter, NotFound
from .messages import find
from .models import ChatMessageHistory, MessageDebug, Session
from .wire_names import ROLES

DEFAULT_LIMIT: Final = 100
MOST: Final = 500
_WORKBENCH: Final = ROLES["workbench"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which messages; no roles or types mean all of them."""

    participant_roles: tuple[str, ...] = ()
    message_types: tuple[str, ...] = ()
    before: str = ""
    after: str = ""
    limit: int = DEFAULT_LIMIT
    deleted: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """Messages, oldest first, and whether there are others at either side."""

    rows: list[ChatMessageHistory]
    has_earlier: bool
    has_later: bool


def readable(session: Session) -> QuerySet[ChatMessageHistory]:
    """Each with its snapshot and what it took, and as `has_debug` whether it has debug data.

    Their session is the one that is given, with its mentor: neither is read again for each.
    """
    debug = Exists(MessageDebug.objects.filter(message=OuterRef("pk")))
    rows = session.messages.select_related("extra").annotate(has_debug=debug)
    return rows.defer("payload_digest", "extra__page_content")


def page(session: Session, wanted: Wanted) -> Page:
    """After a message, before one, between two, or from the first on. Raises InvalidFilter, TooSlow."""
    rows = _chosen(session, wanted)
    after = _sequence(session, wanted.after, "?after") if wanted.after else 0
    before = _sequence(session, wanted.before, "?before") if wanted.before else session.next_sequence
    back = bool(wanted.before) and not wanted.after
    with bounded():
        among = rows.filter(sequence__gt=after, sequence__lt=before)
        found = list(among.order_by("-sequence" if back else "sequence")[: wanted.limit])
        found.sort(key=lambda message: message.sequence)
        if not found:
            return Page([], False, False)
        earlier = rows.filter(sequence__lt=found[0].sequence).exists()
        return Page(found, earlier, rows.filter(sequence__gt=found[-1].sequence).exists())


def _chosen(session: Session, wanted: Wanted) -> QuerySet[ChatMessageHistory]:
    rows = readable(session)
    if wanted.participant_roles:
        ours = [role for role, theirs in _WORKBENCH.items() if theirs in wanted.participant_roles]
        rows = rows.filter(role__in=ours)
    if wanted.message_types:
        rows = rows.filter(message_type__in=wanted.message_types)
    return rows if wanted.deleted else rows.filter(deleted_at=None)


def _sequence(session: Session, name: str, pointer: str) -> int:
    try:
        return find(session, name).sequence
    except NotFound:
        raise InvalidFilter("There is no such message in this session.", pointer=pointer) from None


def one(session: Session, message_id: UUID) -> ChatMessageHistory:
    """As a page of one would have it."""
    return readable(session).get(pk=message_id)
