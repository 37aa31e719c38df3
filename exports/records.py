"""One row of an export as Python holds it, where PostgreSQL does not write the file itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from json.encoder import encode_basestring
from typing import Any

from chat.filters.conditions import Path, at, loads
from chat.models import ChatMessageHistory, ChatMessageHistoryExtra, Session, SessionContextVersion
from chat.policies import EVERYTHING, View, masked
from chat.strict_json import same
from chat.transcripts import READ_FOR_TITLE, title_from

FAILURES = ("failed", "interrupted")


class InContext:
    """Something that was written under a client context, the version that holds the context's text, and what
    exports show of it."""

    version: SessionContextVersion | None
    view: View

    @property
    def context(self) -> Any:
        raise NotImplementedError

    @cached_property
    def context_text(self) -> str:
        """As the client spelled it, while the version says what the record itself says."""
        if self.version is not None and same(self.version.value, self.context):
            return self.version.text
        return spell(self.context)

    @property
    def shown_text(self) -> str:
        return self.view.text(self.context_text)

    @cached_property
    def _parsed(self) -> Any:
        """As PostgreSQL's jsonb has it, a mask made of a number's plain spelling."""
        found = loads(self.context_text)
        if not self.view:
            return found
        told = {key: _masked(value) for key, value in found.items() if key in self.view.masked}
        return {key: value for key, value in {**found, **told}.items() if key not in self.view.hidden}

    def at(self, path: Path) -> Any:
        """MISSING where there is nothing."""
        return at(self._parsed, path)


@dataclass
class MessageRecord(InContext):
    message: ChatMessageHistory
    version: SessionContextVersion | None = None
    view: View = EVERYTHING

    @cached_property
    def extra(self) -> Any:
        return getattr(self.message, "extra", None) or _Nothing()

    @property
    def context(self) -> Any:
        return self.extra.metadata or {}

    @property
    def stored_content(self) -> str:
        """With its block, unless that might have more in it than is shown."""
        return self.message.own_words if self.view else self.message.content

    @property
    def metadata_text(self) -> str:
        return spell(self.message.metadata)


@dataclass
class SessionRecord(InContext):
    session: Session
    version: SessionContextVersion | None = None
    messages: list[ChatMessageHistory] = field(default_factory=list)
    extras: list[ChatMessageHistoryExtra] = field(default_factory=list)
    view: View = EVERYTHING

    @property
    def context(self) -> Any:
        return self.session.client_context

    @property
    def first_prompt(self) -> str | None:
        """As chat.transcripts finds it."""
        asked = (one for one in self.messages if one.role == "user" and one.message_type == "chat")
        return next((one.own_words for one in asked if one.deleted_at is None), None)

    @property
    def title(self) -> str:
        return self.session.title or title_from((self.first_prompt or "")[:READ_FOR_TITLE])

    @property
    def failures(self) -> int:
        return sum(one.role == "mentor" and one.status in FAILURES for one in self.messages)

    @property
    def last_at(self) -> Any:
        return max((one.created_at for one in self.messages), default=None)

    def count(self, role: str) -> int:
        return sum(one.role == role for one in self.messages)

    def total(self, name: str) -> int:
        return sum(getattr(extra, name) or 0 for extra in self.extras)


class _Nothing:
    """Of a message that nothing was noted beside: every column is empty."""

    def __getattr__(self, name: str) -> None:
        return None


def _masked(value: Any) -> str:
    is_number = isinstance(value, int | float | Decimal) and not isinstance(value, bool)
    return masked(spell_number(value) if is_number else value)


def spell(value: Any) -> str:
    """Compact JSON text of a value, spelled as PostgreSQL's jsonb spells it: so are the keys' order and numbers."""
    if isinstance(value, dict):
        keys = sorted(value, key=lambda key: (len(key.encode()), key.encode()))
        return "{" + ",".join(f"{encode_basestring(key)}:{spell(value[key])}" for key in keys) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(spell, value)) + "]"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return encode_basestring(value) if isinstance(value, str) else spell_number(value)


def spell_number(value: int | float | Decimal) -> str:
    """Without an exponent, and with as many decimals as it was written with."""
    text = format(Decimal(repr(value)) if isinstance(value, float) else Decimal(value), "f")
    return text[1:] if text.startswith("-") and not text.strip("-0.") else text
