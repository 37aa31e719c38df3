"""What happened in a session after a listener's place: read by its indexes, a page at a time, as JSON.

The session's row is read first and bounds what is read after it, so that no event runs ahead of another. That no
deletion is missed rests on `deleted_at` being set under the session's lock.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import orjson
from django.db.models import DateTimeField, Max, OuterRef, Q, QuerySet, Subquery

from . import message_pages, shapes, transcripts
from .models import ChatMessageHistory, Session, SessionContextVersion
from .policies import Reader
from .told import Deleted, Event, Page, Rows, Said, State, Told, Version, micros, moment, page_of

AT_ONCE: Final = 50
Json = dict[str, Any]


@dataclass(slots=True)
class Happening:
    """One event as it is told: to readers of the tenant, and with `hidden` for its end users."""

    name: str
    told: Told
    at: datetime
    data: Json
    hidden: Json
    _texts: dict[bool, str] = field(default_factory=dict)

    def text(self, *, hidden: bool) -> str:
        """The members `timestamp` and `data` as JSON; made once for all listeners."""
        if hidden not in self._texts:
            data = {"timestamp": self.at, "data": self.hidden if hidden else self.data}
            self._texts[hidden] = _json(data)
        return self._texts[hidden]


@dataclass(frozen=True, slots=True)
class News:
    """A page of them, and the place after it."""

    events: list[Happening]
    told: Told
    more: bool


# --- the session's row


def states(sessions: Collection[UUID]) -> dict[UUID, State]:
    """How each of those that are there stands now. One query, a row and an entry of an index each."""
    columns = ("created_at", "next_sequence", "turn_id", "context_version", "last_deleted", "updated_at")
    rows = _with_last_deletion(Session.objects.filter(pk__in=sessions)).values_list("pk", *columns)
    return {key: _state(*facts) for key, *facts in rows}


def as_it_is(session_id: UUID) -> Happening | None:
    """The session as it now is: what a listener without a place is told first. None: there is none."""
    session = _session(session_id)
    if session is None:
        return None
    told = Told.now(_state_of(session), _sequence_of(session.turn_id) if session.turn_id else 0)
    return Happening("session.updated", told, session.updated_at, *_session_data(session))


def _sequence_of(answer: UUID) -> int:
    return ChatMessageHistory.objects.filter(pk=answer).values_list("sequence", flat=True).first() or 0


def _with_last_deletion(sessions: QuerySet[Session]) -> QuerySet[Session]:
    gone = ChatMessageHistory.objects.filter(session=OuterRef("pk"), deleted_at__isnull=False)
    last = gone.order_by().values("session").annotate(last=Max("deleted_at")).values("last")
    return sessions.annotate(last_deleted=Subquery(last, output_field=DateTimeField()))


def _state(
    began: datetime,
    next_sequence: int,
    running: UUID | None,
    context: int,
    deleted: datetime | None,
    updated: datetime,
) -> State:
    return State(micros(began), next_sequence - 1, running, context, micros(deleted), micros(updated))


def _session(session_id: UUID) -> Session | None:
    rows = Session.objects.select_related("mentor", "tenant")
    return _with_last_deletion(rows).filter(pk=session_id).first()


def _state_of(session: Session) -> State:
    last: datetime | None = session.last_deleted  # type: ignore[attr-defined]
    return _state(
        session.created_at,
        session.next_sequence,
        session.turn_id,
        session.context_version,
        last,
        session.updated_at,
    )


# --- what lies after a place


def news_since(session_id: UUID, told: Told) -> News | None:
    """The next page after this place; None: the session is gone."""
    session = _session(session_id)
    if session is None:
        return None
    state = _state_of(session)
    told = told.within(state)
    page = page_of(told, state, _rows(session, told, state))
    return News(list(_happenings(session, page)), page.told, page.more)


def _rows(session: Session, told: Told, state: State) -> Rows:
    said_to = min(told.message + AT_ONCE, state.messages)
    versions_to = min(told.context + AT_ONCE, state.context)
    deleted = _deleted(session, told) if state.deleted >= max(told.deleted, 1) else []
    return Rows(
        said=_said(session, told, said_to) if told.answer or told.message < said_to else [],
        said_to=said_to,
        versions=_versions(session, told.context, versions_to) if told.context < versions_to else [],
        versions_to=versions_to,
        deleted=deleted[:AT_ONCE],
        all_deleted=len(deleted) <= AT_ONCE,
    )


def _said(session: Session, told: Told, to: int) -> list[Said]:
    pending = Q(sequence=told.answer) if told.answer else Q(pk__in=[])
    rows = message_pages.readable(session).filter(pending | Q(sequence__range=(told.message + 1, to)))
    return [_said_of(one, session.turn_id) for one in rows.order_by("sequence")]


def _said_of(one: ChatMessageHistory, running: UUID | None) -> Said:
    """Running is what the session's row calls so: an answer that has ended since is told with the next read."""
    extra = getattr(one, "extra", None)
    return Said(
        sequence=one.sequence,
        context=extra.context_version if extra else 0,
        running=one.pk == running,
        deleted=one.deleted_at is not None,
        at=one.finished_at or one.created_at,
        row=one,
    )


def _versions(session: Session, after: int, to: int) -> list[Version]:
    """Each with the one before it, to say what it changed."""
    stored = list(session.context_versions.filter(number__range=(after, to)).order_by("number"))
    before: dict[int, SessionContextVersion] = {one.number + 1: one for one in stored}
    return [
        Version(one.number, one.created_at, (one, before.get(one.number)))
        for one in stored
        if one.number > after
    ]


def _deleted(session: Session, told: Told) -> list[Deleted]:
    """One more than a page holds, if there are so many."""
    last = moment(told.deleted)
    since = Q(deleted_at__gt=last) | Q(deleted_at=last, sequence__gt=told.deleted_message)
    gone = session.messages.filter(since, deleted_at__isnull=False).order_by("deleted_at", "sequence")
    rows = gone.values_list("pk", "sequence", "deleted_at")[: AT_ONCE + 1]
    return [Deleted(sequence, at, key) for key, sequence, at in rows if at is not None]


# --- as JSON


def _happenings(session: Session, page: Page) -> Iterator[Happening]:
    for one in page.events:
        yield Happening(one.name, one.told, one.at, *_data_of(one, session))


def _data_of(one: Event, session: Session) -> tuple[Json, Json]:
    """For readers of the tenant, and for its end users."""
    match one.name:
        case "message.created":
            return _message_data(one.row, "operator"), _message_data(one.row, "user")
        case "context.updated":
            return _version_data(one, session, "operator"), {
                **_version_data(one, session, "user"),
                "author": None,
            }
        case "message.deleted":
            data = {"message_id": str(one.row), "sequence": one.told.deleted_message}
            return data, data
    return _session_data(session)


def _session_data(session: Session) -> tuple[Json, Json]:
    title, running = transcripts.titles([session])[session.pk], session.turn_id is not None
    told = {**shapes.session(session, title, "operator"), "running": running}
    return told, {**told, "client_context": shapes.client_context(session, "user")}


def _message_data(one: ChatMessageHistory, reader: Reader) -> Json:
    """As the list of a session's messages has it."""
    return {"message": shapes.posted(one, reader)}


def _version_data(event: Event, session: Session, reader: Reader) -> Json:
    one, before = event.row
    told = shapes.version(one, before, session.mentor.policy.view(reader))
    kept = ("client_context", "diff", "author", "door", "verified_keys")
    return {"version": told["number"], **{name: told[name] for name in kept}}


def _json(value: Json) -> str:
    try:
        return orjson.dumps(value, option=orjson.OPT_UTC_Z).decode()
    except TypeError:  # an integer over 64 bits
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=_spelled)


def _spelled(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
