"""What an export asks for: which rows, and in which form. Every batch of it is asked the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Any, cast
from uuid import UUID

from django.db.models import Q, QuerySet

from chat.models import Session
from chat.policies import View
from chat.selections import Selection

from .cells import Form
from .columns import Column, Grain
from .cuts import messages_between, sessions_between

# Ids of sessions as PostgreSQL writes an array, and when the last of them began.
Found = tuple[str, datetime]


@dataclass(frozen=True, slots=True)
class Key:
    """The session that a batch ended with; as text it can be kept."""

    tenant_id: int
    created_at: datetime
    session_id: UUID

    def __str__(self) -> str:
        return f"{self.tenant_id} {self.created_at.isoformat()} {self.session_id}"

    @classmethod
    def of(cls, tenant_id: int, found: Found) -> Key:
        return cls(tenant_id, found[1], UUID(found[0][-37:-1]))

    @classmethod
    def parse(cls, text: str) -> Key:
        """ValueError for what is no key."""
        tenant, moment, session = text.split(" ")
        return cls(int(tenant), datetime.fromisoformat(moment), UUID(session))

    def beyond(self) -> Q:
        """Sessions that come later. The first comparison alone is what an index on the time can use."""
        later = Q(created_at__gt=self.created_at) | Q(pk__gt=self.session_id)
        return Q(created_at__gte=self.created_at) & later


@dataclass(frozen=True)
class Question:
    """With `before` alone: what had been created before that moment, as it is when it is read.

    With `until`: messages that became final, or sessions that began, from `since` on and before `until`.
    """

    selection: Selection
    columns: Sequence[Column]
    grain: Grain
    form: Form
    before: datetime
    since: datetime | None = None
    until: datetime | None = None

    @cached_property
    def views(self) -> dict[int, View]:
        """What exports show of the contexts of mentors that keep something back, by their ids."""
        return self.selection.views("export")

    @cached_property
    def sessions(self) -> QuerySet[Session]:
        """Those that may have rows, in no order."""
        if self.grain == "session":
            rows = self._begun(self.selection)
            return cast(QuerySet[Session], sessions_between(rows, self.since, self.until))
        if self.since is None:
            return self._begun(self.selection)
        # Few of many: an index on the messages' time finds them.
        return self.whatever_was_said.filter(pk__in=self._messages.values("session_id"))

    @property
    def whatever_was_said(self) -> QuerySet[Session]:
        """Those that the conditions on sessions mean, without a look at their messages."""
        others = self.selection.filter.of_sessions
        bare = self.selection.filter.within(status=(), role=(), search="", conditions=others)
        return self._begun(replace(self.selection, filter=bare))

    def _begun(self, selection: Selection) -> QuerySet[Session]:
        return selection.sessions().filter(created_at__lt=self.before)

    @cached_property
    def messages(self) -> QuerySet[Any] | None:
        """Which messages of the sessions; None: all."""
        if self.grain == "session" or (self.until is None and not self.selection.filter.asks_of_messages):
            return None
        return self._messages

    @cached_property
    def _messages(self) -> QuerySet[Any]:
        return messages_between(self.selection.messages(), self.since, self.until)
