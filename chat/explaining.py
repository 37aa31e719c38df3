"""Why an answer is as it is: what its model knew, where each value came from, what it was not shown, and its prompt."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from . import access, placeholders, rebuild, shapes
from .access import Caller
from .delivery import HIDDEN, NOT_LISTED, NOT_SHOWN, OFF, OVER_BUDGET
from .errors import NotFound
from .llm import ModelRequest
from .models import (
    ChatMessageHistory,
    MentorVersion,
    Refusal,
    SessionContextVersion,
)
from .models.tenants import Prompting
from .policies import View
from .provenance import Origin, origins, token_names
from .strict_json import step

NO_TURN: Final = "No turn made this message: there is nothing to explain."
# Why a key of the context was not put before the model.
REASONS: Final = (OFF, HIDDEN, NOT_LISTED, OVER_BUDGET)
KEPT_OUT: Final = "verified_key_kept"
Role = ChatMessageHistory.Role


@dataclass(frozen=True, slots=True)
class KeptOut:
    """When a value that was not verified was last kept out of this session, and at which door."""

    at: datetime
    door: str


@dataclass(frozen=True, slots=True)
class Known:
    """One key of the context that an answer was written under.

    `value` is the mark where it is `concealed` from who asks. `left_out`: why it was not in the block; a prompt of
    the mentor may have `named` it all the same.
    """

    key: str
    value: Any
    verified: bool
    origin: Origin
    concealed: bool = False
    masked: bool = False
    left_out: str = ""
    named: bool = False
    kept_out: KeptOut | None = None

    @property
    def signed_by(self) -> str | None:
        """The key of the token that vouches for it, whoever carried that."""
        return self.origin.version.signed_by if self.verified else None

    @property
    def shown(self) -> bool:
        """Whether the model was shown it."""
        return not self.left_out or (self.named and self.left_out in (NOT_LISTED, OVER_BUDGET))


@dataclass(frozen=True, slots=True)
class Explanation:
    """Of an answer; `version` is None where no context had been set."""

    answer: ChatMessageHistory
    question: ChatMessageHistory
    prompting: MentorVersion
    version: SessionContextVersion | None
    view: View
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
    """All that staff and tokens may see of an answer that a turn made. Raises NotFound where nobody had asked."""
    question, prompting = rebuild.question_of(answer), rebuild.prompting_of(answer)
    version, view = _version_of(answer), answer.session.mentor.policy.view("operator")
    shown = rebuild.shown_request(answer)
    known = _known(answer, version, prompting, view) if version else []
    return Explanation(
        answer,
        question,
        prompting,
        version,
        view,
        known,
        shown.request,
        shown.complete,
        token_names(one.origin.version for one in known),
    )


def _version_of(answer: ChatMessageHistory) -> SessionContextVersion | None:
    number = answer.extra.context_version
    return SessionContextVersion.objects.get(session=answer.session_id, number=number) if number else None


def _known(
    answer: ChatMessageHistory, version: SessionContextVersion, prompting: MentorVersion, view: View
) -> list[Known]:
    found, left_out = origins(version), _left_out(answer, version)
    context = json.loads(version.text)
    seen, named = view.value(context), named_in(prompting)
    kept_out = _kept_out(answer.session_id, version.verified_keys)
    return [
        Known(
            key,
            NOT_SHOWN if key in view.hidden else seen[key],
            key in version.verified_keys,
            found[key],
            key in view.hidden,
            key in view.masked,
            left_out.get(key, ""),
            key in named,
            kept_out.get(key),
        )
        for key in context
    ]


def _left_out(answer: ChatMessageHistory, version: SessionContextVersion) -> dict[str, str]:
    """The keys that were not in the block, and why."""
    if answer.extra.delivery == OFF:
        return dict.fromkeys(json.loads(version.text), OFF)
    return answer.extra.left_out or {}


def named_in(prompting: Prompting) -> set[str]:
    """The keys that its system prompt names."""
    found = placeholders.names(prompting.system_prompt)
    return {*found, *(name.split(".")[0] for name in found)}


def _kept_out(session_id: UUID, keys: list[str]) -> dict[str, KeptOut]:
    """Of these keys, what was last kept out of this session, as far as that is still counted."""
    pointers = {step("/metadata", key): key for key in keys}
    pointers.pop("/metadata", None)  # of keys that are too long to be named
    rows = Refusal.objects.filter(last_session=session_id, code=KEPT_OUT, pointer__in=pointers)
    return {pointers[row.pointer]: KeptOut(row.last_at, row.door) for row in rows.order_by("last_at")}
