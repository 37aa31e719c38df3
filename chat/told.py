"""What a listener of a session has been told, and what it is told next by the rows.

No event is stored. A listener's place is a vector of marks, one for each thing that can change, and what lies
after it is derived from the rows; so it may leave at any event and come back at any process. No input or output.
"""

from __future__ import annotations

import dataclasses
import re
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

MOST: Final = 2**31 - 1
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_PLACE: Final = re.compile(
    r"s(\d{1,16})\.m(\d{1,10})\.a(\d{1,10})\.c(\d{1,10})\.d(\d{1,16})-(\d{1,10})\.u(\d{1,16})", re.ASCII
)


def micros(moment: datetime | None) -> int:
    """Since 1970, as the rows keep them; 0: never."""
    return 0 if moment is None else (moment - _EPOCH) // timedelta(microseconds=1)


def moment(micros: int) -> datetime:
    return _EPOCH + timedelta(microseconds=micros)


@dataclass(frozen=True, slots=True)
class State:
    """A session's row as far as it says whether there is news. Times are micros."""

    began: int
    messages: int  # the highest sequence there is
    running: UUID | None
    context: int
    deleted: int  # the last deletion of a message
    updated: int


@dataclass(frozen=True, slots=True)
class Told:
    """The event id: all messages up to `message` but `answer`, which was still being written (0: none), the
    context versions up to `context`, the deletions up to `deleted`, and the session as it was at `updated`.

    `began` says of which session: its id may be another's once it was removed.
    """

    began: int
    message: int = 0
    answer: int = 0
    context: int = 0
    deleted: int = 0
    deleted_message: int = 0  # of several deletions in one moment
    updated: int = 0

    def __str__(self) -> str:
        deleted = f"d{self.deleted}-{self.deleted_message}"
        messages = f"m{self.message}.a{self.answer}"
        return f"s{self.began}.{messages}.c{self.context}.{deleted}.u{self.updated}"

    @classmethod
    def parse(cls, text: str) -> Told:
        """Raises ValueError."""
        found = _PLACE.fullmatch(text)
        if found is None:
            raise ValueError("not the id of an event")
        told = cls(*map(int, found.groups()))
        if max(told.message, told.answer, told.context, told.deleted_message) > MOST:
            raise ValueError("not the id of an event")
        return told

    @classmethod
    def now(cls, state: State, answer: int) -> Told:
        """Everything; `answer` is the sequence of the one that is being written, 0 if none is."""
        return cls(
            state.began, state.messages, answer, state.context, state.deleted, MOST, updated=state.updated
        )

    def within(self, state: State) -> Told:
        """This place; or where it is another session's, or one that never was, the beginning."""
        is_here = self.began == state.began and self.answer <= self.message <= state.messages
        return self if is_here and self.context <= state.context else Told(state.began)


def is_news(told: Told, state: State) -> bool:
    """Whether there is anything to tell; the end of an answer shows in `updated`."""
    if (told.began, told.updated) != (state.began, state.updated):
        return True
    after = (told.message, told.context, told.deleted)
    return any(
        mark < now for mark, now in zip(after, (state.messages, state.context, state.deleted), strict=True)
    )


@dataclass(frozen=True, slots=True)
class Said:
    """A message. `context` is the version that it was written under."""

    sequence: int
    context: int
    running: bool
    deleted: bool
    at: datetime
    row: Any = None


@dataclass(frozen=True, slots=True)
class Version:
    """A value of the client context."""

    number: int
    at: datetime
    row: Any = None


@dataclass(frozen=True, slots=True)
class Deleted:
    """A message that was taken out."""

    sequence: int
    at: datetime
    row: Any = None


@dataclass(slots=True)
class Rows:
    """What there is after a place: each in order, and each only up to some bound.

    `said` has the answer that was pending, and then the messages up to `said_to`; `versions` ends at
    `versions_to`; `all_deleted`: no deletion is left out.
    """

    said: Sequence[Said]
    said_to: int
    versions: Sequence[Version]
    versions_to: int
    deleted: Sequence[Deleted]
    all_deleted: bool = True


@dataclass(frozen=True, slots=True)
class Event:
    """One thing to tell; `told` is the place after it."""

    name: str
    told: Told
    at: datetime
    row: Any = None


@dataclass(frozen=True, slots=True)
class Page:
    """Events in order. `told` is the place after them; `more` says that not all were read."""

    events: list[Event]
    told: Told
    more: bool = False


def page_of(told: Told, state: State, rows: Rows) -> Page:
    """What the rows have after this place: messages, each after the context that it was written under, then
    what was taken out, and last the session as it now is, once for however many changes."""
    return _Telling(told).page(state, rows)


class _Telling:
    """One page in the making."""

    def __init__(self, told: Told) -> None:
        self.told = told
        self.pending = told.answer
        self.events: list[Event] = []

    def page(self, state: State, rows: Rows) -> Page:
        versions = deque(rows.versions)
        for one in rows.said:
            while versions and versions[0].number <= one.context:
                self._version(versions.popleft())
            if rows.versions_to < min(one.context, state.context):
                return self._so_far()  # its version is on a later page
            self._said(one)
        if rows.said_to < state.messages:
            return self._so_far()
        while versions:
            self._version(versions.popleft())
        if rows.versions_to < state.context:
            return self._so_far()
        for gone in rows.deleted:
            self._tell("message.deleted", gone, deleted=micros(gone.at), deleted_message=gone.sequence)
        if not rows.all_deleted:
            return self._so_far()
        if self.told.updated != state.updated:
            self.told = dataclasses.replace(self.told, updated=state.updated)
            self.events.append(Event("session.updated", self.told, moment(state.updated)))
        return Page(self.events, self.told)

    def _said(self, one: Said) -> None:
        """An answer is told when it is finished; what was taken out meanwhile is told as that alone."""
        if one.sequence == self.pending:
            if one.running:
                return
            now: dict[str, int] = {"answer": 0}
        else:
            now = {"message": one.sequence, **({"answer": one.sequence} if one.running else {})}
        if one.running or one.deleted:
            self.told = dataclasses.replace(self.told, **now)
        else:
            self._tell("message.created", one, **now)

    def _version(self, one: Version) -> None:
        self._tell("context.updated", one, context=one.number)

    def _tell(self, name: str, one: Said | Version | Deleted, **now: int) -> None:
        self.told = dataclasses.replace(self.told, **now)
        self.events.append(Event(name, self.told, one.at, one.row))

    def _so_far(self) -> Page:
        return Page(self.events, self.told, more=True)
