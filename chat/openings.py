"""What a turn begins with, what comes of it, and what that is in the rows."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from uuid import UUID

from django.conf import settings

from . import access, prompts, strict_json
from .client_context import Decision
from .errors import Unavailable
from .limits import Limits
from .message_metadata import Attached
from .models import Mentor, statements
from .models.messages import message_id
from .payloads import BaseConsumerPayload


class StaleGrant(Unavailable):
    """The mentor or the token was changed in this very moment: try again."""


@dataclass(slots=True)
class Opening:
    """All that begin needs: an authorised payload, and ids made before it runs, so that it is safe to run twice."""

    grant: access.Grant
    payload: BaseConsumerPayload
    door: str
    holder: str
    limits: Limits
    cached_context: str | None = None
    # Of what kind the client's address is, as writes.address_class says it.
    address_class: str | None = None
    # What the sender sent beside the words of the user's message, where anything.
    attached: Attached | None = None
    user_message: UUID = field(default_factory=message_id)
    answer: UUID = field(default_factory=message_id)


@dataclass(slots=True)
class Begun:
    """A stored turn whose answer is to be streamed."""

    session_id: UUID
    user_message: UUID
    answer: UUID
    sequence: int
    fence: int
    context: Decision
    context_version: int
    fill_cache: bool
    greeting: str
    history: list[tuple[str, str]]
    created: bool


@dataclass(slots=True)
class SentBefore:
    """The payload was accepted before: its answer has this id."""

    answer: UUID


def write_params(opening: Opening, begun: Begun) -> statements.Params:
    return {
        **_message_params(opening, begun),
        **_context_params(opening, begun),
        **_lease_params(opening, begun),
    }


def greeting_of(mentor: access.MentorFacts, *, first: bool) -> str:
    return prompts.greeting_instructions(mentor.greeting_method, mentor.greeting_text) if first else ""


def _message_params(opening: Opening, begun: Begun) -> statements.Params:
    payload, mentor = opening.payload, opening.grant.mentor
    in_message = mentor.context_delivery == Mentor.Delivery.USER_BLOCK
    block = prompts.context_block(begun.context.context.text) if in_message else ""
    page = payload.page_content.encode() if payload.page_content.strip() else b""  # as the composer
    return {
        "session": begun.session_id,
        "user_message": begun.user_message,
        "answer": begun.answer,
        "sequence": begun.sequence - 1,
        "content": prompts.compose_user_prompt(begun.greeting, payload.prompt, "", block),
        "text": payload.prompt,
        "client_message_id": payload.client_message_id,
        "payload_digest": payload.payload_digest,
        "delivery": mentor.context_delivery,
        "mentor_version": mentor.version,
        "model": mentor.model or settings.LLM_MODEL,
        "page_content_length": len(page) or None,
        "page_content_sha256": hashlib.sha256(page).hexdigest() if page else "",
        "page_content": payload.page_content if page and mentor.keep_page_content else "",
        "history_window": mentor.history_window,
    }


def _context_params(opening: Opening, begun: Begun) -> statements.Params:
    decision, token = begun.context, opening.grant.caller.token
    return {
        # None: the snapshots copy what the session's row holds.
        "value": decision.context.text if decision.changed else None,
        "verified_keys": strict_json.dumps(list(decision.context.verified_keys)),
        "context_version": begun.context_version,
        "digest": decision.context.digest if decision.changed else "",
        "author": opening.grant.caller.label,
        "door": opening.door,
        "token": token.id if token else None,
        "address_class": opening.address_class,
    }


def _lease_params(opening: Opening, begun: Begun) -> statements.Params:
    return {"fence": begun.fence, "holder": opening.holder, "lease": settings.TURN_LEASE_SECONDS}
