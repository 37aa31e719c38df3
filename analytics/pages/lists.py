"""The table of sessions: a page of them, newest first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from zoneinfo import ZoneInfo

from chat import cursors, shapes, transcripts
from chat.reading import Row, read
from chat.selections import Selection

from ..conversations import Told, told
from .address import Address
from .words import Time, time_of

ROWS: Final = 25
SHOWN_KEYS: Final = 3


@dataclass(frozen=True, slots=True)
class Line:
    """One session; `more` keys of its context are not shown."""

    id: str
    title: str
    user: str
    mentor: str
    tenant: str
    messages: str
    known: list[Row]
    more: int
    began: Time


@dataclass(frozen=True, slots=True)
class Sessions:
    lines: list[Line]
    next: str
    previous: str


def sessions(selection: Selection, address: Address) -> Sessions:
    """Raises InvalidFilter for a cursor that is none, TooSlow."""
    rows = transcripts.listed(selection.sessions())
    page = cursors.page(rows, cursor=address.get("cursor") or "", limit=ROWS)
    return Sessions(
        [_line(one, selection.zone) for one in told(page.rows)],
        address.link(cursor=page.next) if page.next else "",
        address.link(cursor=page.previous) if page.previous else "",
    )


def _line(one: Told, zone: ZoneInfo) -> Line:
    session, known = one.session, read(shapes.client_context(one.session, "operator"))
    return Line(
        str(session.pk),
        one.title,
        session.user_id,
        session.mentor.name,
        session.tenant.key,
        f"{transcripts.count_messages(session):,}",
        known.rows[:SHOWN_KEYS],
        len(known.rows[SHOWN_KEYS:]) + known.more,
        time_of(session.created_at, zone),
    )
