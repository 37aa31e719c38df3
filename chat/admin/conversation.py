"""A session as its page shows it: messages in order, each run of them beside the context it was under."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from typing import Any

from django.db.models import Q
from django.utils import timezone

from ..models import ChatMessageHistory, ChatMessageHistoryExtra, Session, SessionContextVersion
from ..policies import View
from ..provenance import token_names
from ..reading import Difference, Reading, Row, differences, read_text

PAGE = 100  # messages, by their sequence, which has no gaps
VERSIONS = 50  # of the newest that are listed
SHOWN = 4000  # characters of a message before the rest is folded

EMPTY = "{}"


@dataclass(frozen=True, slots=True)
class Version:
    """One context version; number 0 is the time before anything was set."""

    number: int
    reading: Reading
    changes: list[Difference]
    verified_keys: list[str] = field(default_factory=list)
    author: str = ""
    door: str = ""
    created_at: datetime | None = None
    token_id: int | None = None
    token_name: str = ""
    address_class: str | None = None
    message_id: Any = None
    signed_by: str | None = None

    @property
    def lines(self) -> list[tuple[Row, Difference | None]]:
        """Every value, and what this version did to it."""
        changed = {change.label: change for change in self.changes}
        return [(row, changed.get(row.label)) for row in self.reading.rows]

    @property
    def all_verified(self) -> bool:
        return bool(self.verified_keys) and all(row.verified for row in self.reading.rows)

    @property
    def all_added(self) -> bool:
        """Nothing was set before."""
        added = {change.label for change in self.changes if change.word == "added"}
        return (
            len(added) > 1 and len(added) == len(self.changes) == len(self.reading.rows) + self.reading.more
        )

    @property
    def removed(self) -> list[Difference]:
        return [change for change in self.changes if change.word == "removed"]


@dataclass(frozen=True, slots=True)
class Said:
    """A message with its own words, folded where they are very long."""

    message: ChatMessageHistory
    extra: ChatMessageHistoryExtra | None
    words: str
    rest: str

    @property
    def context_version(self) -> int:
        return self.extra.context_version if self.extra else 0


@dataclass(frozen=True, slots=True)
class Run:
    """Messages one after the other that were written under the same context."""

    version: Version
    said: list[Said]


@dataclass(frozen=True, slots=True)
class Turn:
    """The running turn of a session."""

    answer: Any
    holder: str
    lease_until: datetime | None
    stop_asked: bool

    @property
    def is_held(self) -> bool:
        return self.lease_until is not None and self.lease_until > timezone.now()


@dataclass(frozen=True, slots=True)
class Conversation:
    """One page of a session; `earlier` and `later` are the sequences where the pages beside it start."""

    runs: list[Run]
    in_force: Version
    versions: list[Version]
    older_versions: int
    turn: Turn | None
    count: int
    first: int
    last: int
    earlier: int | None
    later: int | None


def read_conversation(session: Session, start: int | None) -> Conversation:
    """The page that starts at this sequence; None: the newest. Three queries, however long the session is."""
    count = session.next_sequence - 1
    first = max(1, min(start or count - PAGE + 1, count))
    last = min(count, first + PAGE - 1)
    said = _said(session, first, last)
    versions = _versions(session, {one.context_version for one in said})
    newest = [versions[n] for n in range(session.context_version, 0, -1) if n in versions][:VERSIONS]
    return Conversation(
        runs=[Run(versions[n], list(run)) for n, run in groupby(said, lambda one: one.context_version)],
        in_force=versions[session.context_version],
        versions=newest,
        older_versions=session.context_version - len(newest),
        turn=_turn(session),
        count=count,
        first=first,
        last=last,
        earlier=max(1, first - PAGE) if first > 1 else None,
        later=last + 1 if last < count else None,
    )


def said(message: ChatMessageHistory) -> Said:
    words = message.own_words
    return Said(message, getattr(message, "extra", None), words[:SHOWN], words[SHOWN:])


def _said(session: Session, first: int, last: int) -> list[Said]:
    messages = session.messages.filter(sequence__range=(first, last)).select_related("extra")
    # The snapshots are on the messages' own pages; here the version says the same in fewer bytes.
    heavy = ("metadata", "extra__metadata", "extra__page_content", "payload_digest")
    return [said(message) for message in messages.order_by("sequence").defer(*heavy)]


def _versions(session: Session, used: set[int]) -> dict[int, Version]:
    """The versions used, the newest ones, and what each changed; one that is not there reads as empty."""
    wanted = used | {number - 1 for number in used}
    rows = session.context_versions.filter(
        Q(number__in=wanted) | Q(number__gte=session.context_version - VERSIONS)
    ).defer("value")
    stored = {row.number: row for row in rows.order_by()}
    tokens, view = token_names(stored.values()), session.mentor.policy.view("operator")
    numbers = {*used, *stored, session.context_version}
    return {number: _version(number, stored, tokens, view) for number in numbers}


def _version(
    number: int, stored: dict[int, SessionContextVersion], tokens: dict[int, str], view: View
) -> Version:
    row = stored.get(number)
    if row is None:
        return Version(number, read_text(EMPTY), [])
    before, text = stored[number - 1].text if number - 1 in stored else EMPTY, view.text(row.text)
    verified_keys = view.names(row.verified_keys)
    return Version(
        number,
        read_text(text, verified_keys),
        differences(view.text(before), text),
        verified_keys,
        row.author,
        row.door,
        row.created_at,
        row.token_id,
        tokens.get(row.token_id, "") if row.token_id else "",
        row.address_class,
        row.message_id,
        row.signed_by,
    )


def _turn(session: Session) -> Turn | None:
    if session.turn_id is None:
        return None
    return Turn(session.turn_id, session.turn_holder, session.turn_lease_until, session.turn_stop)
