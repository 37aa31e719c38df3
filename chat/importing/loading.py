"""Storing conversations fast and whole: COPY on PostgreSQL, bulk inserts on SQLite; a session is there or not."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from chat import configuration
from chat.models import Mentor, Session

from .files import Conversation, UnreadableFile
from .rows import Prepared, Row, Rows, Table, session_id
from .timing import Range

MESSAGES_A_TRANSACTION = 5_000


@dataclass(slots=True)
class Content:
    """What the files hold; `mentors` by (tenant key, slug)."""

    conversations: int = 0
    messages: int = 0
    mentors: frozenset[tuple[str, str]] = frozenset()


@dataclass(slots=True)
class Stored:
    """What one run did."""

    sessions: int = 0
    messages: int = 0
    versions: int = 0
    there_already: int = 0


@dataclass(frozen=True, slots=True)
class Wish:
    """How conversations are to be stored."""

    within: Range
    repeat: int = 1
    with_usage: bool = False


class MissingMentors(Exception):
    """These mentors are not there, and none was to be made."""


def survey(conversations: Iterable[Conversation]) -> Content:
    """Count what is there to import. Raises UnreadableFile, also where one id names two conversations."""
    content, first, mentors = Content(), dict[UUID, tuple[int, str]](), set()
    for one in conversations:
        key, fingerprint = session_id(one, 0), hash((one.mentor, one.user_id, one.turns))
        known, place = first.setdefault(key, (fingerprint, one.place))
        if known != fingerprint:
            raise UnreadableFile(
                f"{one.place}: /conversation_id is that of another conversation, in {place}."
            )
        content.conversations += 1
        content.messages += len(one.turns)
        mentors.add((one.tenant, one.mentor))
    content.mentors = frozenset(mentors)
    return content


def mentors_of(content: Content, *, create: bool) -> dict[tuple[str, str], Mentor]:
    """The mentors that the files name; those that are missing are made, or MissingMentors is raised."""
    found = _found(content)
    missing = sorted(content.mentors - found.keys())
    if missing and not create:
        raise MissingMentors(", ".join(f"{tenant}/{slug}" for tenant, slug in missing))
    if missing:
        _make(missing)
        found = _found(content)
    return found


def _found(content: Content) -> dict[tuple[str, str], Mentor]:
    tenants = {tenant for tenant, _ in content.mentors}
    rows = Mentor.objects.filter(tenant__key__in=tenants).select_related("tenant")
    return {(one.tenant.key, one.slug): one for one in rows if (one.tenant.key, one.slug) in content.mentors}


def _make(missing: list[tuple[str, str]]) -> None:
    tenants: dict[str, list[dict[str, str]]] = {}
    for tenant, slug in missing:
        tenants.setdefault(tenant, []).append({"slug": slug})
    document = {"tenants": [{"key": key, "mentors": mentors} for key, mentors in tenants.items()]}
    configuration.apply(json.dumps(document), environ={})


Copy = tuple[UUID, Prepared]


def load(
    conversations: Iterable[Conversation],
    mentors: dict[tuple[str, str], Mentor],
    wish: Wish,
    on_messages: Callable[[int], None],
) -> Stored:
    """Store what is not there yet; `on_messages` hears how many are done. Safe to break off and run again."""
    stored = Stored()
    for batch in _batches(_copies(conversations, mentors, wish)):
        _store(batch, wish, stored)
        on_messages(sum(len(prepared.messages) for _, prepared in batch))
    return stored


def _copies(
    conversations: Iterable[Conversation], mentors: dict[tuple[str, str], Mentor], wish: Wish
) -> Iterator[Copy]:
    for one in conversations:
        prepared = Prepared.of(one, mentors[one.tenant, one.mentor])
        for repeat in range(wish.repeat):
            yield session_id(one, repeat), prepared


def _batches(copies: Iterable[Copy]) -> Iterator[list[Copy]]:
    batch: list[Copy] = []
    size = 0
    for copy in copies:
        batch.append(copy)
        size += len(copy[1].messages)
        if size >= MESSAGES_A_TRANSACTION:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


@transaction.atomic
def _store(batch: list[Copy], wish: Wish, stored: Stored) -> None:
    _take_time()
    ids = [session for session, _ in batch]
    there = set(Session.objects.filter(id__in=ids).values_list("id", flat=True))
    rows = Rows()
    for session, prepared in batch:
        if session not in there:
            there.add(session)
            prepared.write(rows, session, wish.within, with_usage=wish.with_usage)
    for table, values in rows.by_table():
        _insert(table, values)
    stored.sessions += len(rows.sessions)
    stored.messages += len(rows.messages)
    stored.versions += len(rows.versions)
    stored.there_already += len(batch) - len(rows.sessions)


def _take_time() -> None:
    """The bound of a statement is for clients who wait, not for thousands of rows."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = 0")


def _insert(table: Table, rows: list[Row]) -> None:
    columns = ", ".join(table.columns)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            with cursor.copy(f"COPY {table.name} ({columns}) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
        else:
            marks = ", ".join(["%s"] * len(table.columns))
            sql = f"INSERT INTO {table.name} ({columns}) VALUES ({marks})"  # noqa: S608 -- names of ours
            cursor.executemany(sql, [tuple(map(_plain, row)) for row in rows])


def _plain(value: Any) -> Any:
    """SQLite's spelling, as Django has it."""
    if isinstance(value, UUID):
        return value.hex
    return connection.ops.adapt_datetimefield_value(value) if isinstance(value, datetime) else value
