"""The rows of an export, batch by batch: everything that a selection means, by session in the order they began.

A batch is the rows of some sessions. Its key says where the next one begins, so whoever has kept a batch whole can
go on after it, also in another process. Each batch is read in transactions of its own: no snapshot is held for as
long as an export takes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.db.models import F, Sum

from chat.models import Tenant

from . import copying, plain, value_types
from .ahead import read_ahead
from .columns import Column
from .questions import Key, Question

__all__ = ["Batch", "Key", "Question", "batches", "estimate", "typed"]
# Smaller ones cost more a row; larger ones are longer between two signs of life (docs/decisions/0020).
SESSIONS_AT_ONCE = 2_000
# A filter may have to find all that it means before it can say which come first: it is not asked often.
FOUND_AT_ONCE = 50_000


@dataclass(slots=True)
class Batch:
    """Rows as bytes, in blocks of whole lines. Take all of them before the next batch; `rows` is known after that."""

    key: Key
    blocks: Iterator[bytes]
    _count: list[int]

    @property
    def rows(self) -> int:
        return self._count[0]


def batches(question: Question, *, after: Key | None = None, size: int = SESSIONS_AT_ONCE) -> Iterator[Batch]:
    """Everything that is asked for, `size` sessions at a time; after the session of a key, if there is one.

    Raises TooSlow and database errors, also while blocks are read.
    """
    pieces = _pieces(question, after, size)
    # What a transaction has not committed, its own connection alone can see.
    if connection.vendor != "postgresql" or connection.in_atomic_block:
        yield from (Batch(piece.key, piece.read(), piece.count) for piece in pieces)
        return
    for piece, blocks in read_ahead((piece, piece.read) for piece in pieces):
        yield Batch(piece.key, blocks, piece.count)


@dataclass(slots=True)
class _Piece:
    question: Question
    key: Key
    ids: str
    count: list[int]

    def read(self) -> Iterator[bytes]:
        blocks: Iterator[bytes] = _source().blocks(self.question, self.ids, self.count)
        return blocks


def _pieces(question: Question, after: Key | None, size: int) -> Iterator[_Piece]:
    for tenant_id in _tenants(question):
        if after is None or tenant_id >= after.tenant_id:
            start = after if after is not None and after.tenant_id == tenant_id else None
            yield from _of_tenant(question, tenant_id, start, size)


def _source() -> Any:
    return copying if connection.vendor == "postgresql" else plain


def _tenants(question: Question) -> list[int]:
    """One after the other, as the index that has the order has it for each."""
    known = question.selection.tenant_ids
    return sorted(Tenant.objects.values_list("id", flat=True) if known is None else known)


def _of_tenant(question: Question, tenant_id: int, after: Key | None, size: int) -> Iterator[_Piece]:
    sessions, at_once = question.sessions, max(size, FOUND_AT_ONCE)
    while True:
        page = sessions.filter(tenant_id=tenant_id).order_by("created_at", "pk")
        found = _source().find((page if after is None else page.filter(after.beyond()))[:at_once], size)
        for group in found:
            after = Key.of(tenant_id, group)
            yield _Piece(question, after, group[0], [0])
        if len(found) * size < at_once:
            return
        if question.grain == "message" and question.since is None:
            # What so many have said is not worth looking for ahead: each search might read every message again.
            sessions = question.whatever_was_said


def estimate(question: Question) -> int | None:
    """About how many rows there will be, where that is cheap to know."""
    if question.messages is not None:
        return None
    if question.grain == "session":
        return question.sessions.count()
    return question.sessions.aggregate(rows=Sum(F("next_sequence") - 1))["rows"] or 0


def typed(question: Question) -> list[Column]:
    """The question's columns, those of keys with the type that all their values have. It reads every context."""
    if not any(column.kind == "value" for column in question.columns):
        return list(question.columns)
    return value_types.typed(question)
