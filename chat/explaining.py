"""Why an answer is as it is: what its model knew, where each value came from, what it was not shown, and its prompt."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from . import access, rebuild, shapes
from .access import Caller
from .errors import NotFound
from .llm import ModelRequest
from .models import (
    ChatMessageHistory,
    Mentor,
    MentorVersion,
    Refusal,
    SessionContextVersion,
)
from .provenance import Origin, origins, token_names
from .strict_json import step

NO_TURN: Final = "No turn made this message: there is nothing to explain."
# Why a key of the context was not put before the model.
REASONS: Final = ("off", "hidden", "not_listed", "over_budget", "masked")
KEPT_OUT: Final = "verified_key_kept"
Role = ChatMessageHistory.Role


@dataclass(frozen=True, slots=True)
class KeptOut:
    """When a value that was not verified was last kept out of this session, and at which door."""

    at: datetime
    door: str


@dataclass(frozen=True, slots=True)
class Known:
    """One key of the context that an answer was written under; `left_out`: why the model was not shown it."""

    key: str
    value: Any
    verified: bool
    origin: Origin
    left_out: str = ""
    kept_out: KeptOut | None = None


@dataclass(frozen=True, slots=True)
class Explanation:
    """Of an answer; `version` is None where no context had been set."""

    answer: ChatMessageHistory
    question: ChatMessageHistory
    prompting: MentorVersion
    version: SessionContextVersion | None
    known: list[Known]
    request: ModelRequest
    is_whole: bool
    tokens: dict[int, str] = field(default_factory=dict)


def find_answer(caller: Caller, message_id: UUID) -> ChatMessageHistory:
    """The answer that this is, or that answers it. NotFound: there is none, or it is a stranger's, alike."""
    message = _readable(id=message_id)
    if message is None or not access.may_inspect(caller, message.session):
        raise NotFound()
    if message.role == Role.USER:
        after = {"session": message.session_id, "sequence": message.sequence + 1}
        message = _readable(**after)
    if message is None or not shapes.was_generated(message):
        raise NotFound(NO_TURN)
    return message


def _readable(**which: Any) -> ChatMessageHistory | None:
    rows = ChatMessageHistory.objects.select_related("session__mentor", "session__tenant", "extra")
    return rows.filter(**which).first()


def explain(answer: ChatMessageHistory) -> Explanation:
    """All of it, of an answer that a turn made. Raises NotFound where nobody had asked."""
    question = rebuild.question_of(answer)
    version = _version_of(answer)
    known = _known(answer, version) if version else []
    return Explanation(
        answer,
        question,
        rebuild.prompting_of(answer),
        version,
        known,
        rebuild.request_of(answer),
        rebuild.is_whole(answer),
        token_names(one.origin.version for one in known),
    )


def _version_of(answer: ChatMessageHistory) -> SessionContextVersion | None:
    number = answer.extra.context_version
    return SessionContextVersion.objects.get(session=answer.session_id, number=number) if number else None


def _known(answer: ChatMessageHistory, version: SessionContextVersion) -> list[Known]:
    found, left_out = origins(version), _left_out(answer, version)
    kept_out = _kept_out(answer.session_id, version.verified_keys)
    return [
        Known(
            key,
            value,
            key in version.verified_keys,
            found[key],
            left_out.get(key, ""),
            kept_out.get(key),
        )
        for key, value in json.loads(version.text).items()
    ]


def _left_out(answer: ChatMessageHistory, version: SessionContextVersion) -> dict[str, str]:
    is_off = answer.extra.delivery == Mentor.Delivery.OFF
    return dict.fromkeys(json.loads(version.text), "off") if is_off else {}


def _kept_out(session_id: UUID, keys: list[str]) -> dict[str, KeptOut]:
    """Of these keys, what was last kept out of this session, as far as that is still counted."""
    pointers = {step("/metadata", key): key for key in keys}
    pointers.pop("/metadata", None)  # of keys that are too long to be named
    rows = Refusal.objects.filter(last_session=session_id, code=KEPT_OUT, pointer__in=pointers)
    return {pointers[row.pointer]: KeptOut(row.last_at, row.door) for row in rows.order_by("last_at")}
