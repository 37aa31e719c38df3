"""What a turn begins with, what comes of it, and what that is in the rows."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from uuid import UUID

from django.conf import settings

from . import access, prompts, strict_json
from .client_context import Decision
from .delivery import OFF, SYSTEM_PROMPT, Delivered, deliver
from .errors import Unavailable
from .limits import Limits
from .message_metadata import Attached
from .models import statements
from .models.messages import message_id
from .payloads import BaseConsumerPayload, PayloadWarning


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
    # What the model is given of the context; how, the session may have been told to do otherwise than the mentor.
    delivered: Delivered
    session_delivery: str
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


def chosen_delivery(opening: Opening, kept: str) -> str:
    """How the session's context is delivered from now on; "" is the mentor's own way. `kept`: until now."""
    match opening.payload.include_metadata_in_prompt:
        case False:
            return OFF
        case True if _may_choose(opening.grant):
            return SYSTEM_PROMPT
    return kept


def _may_choose(grant: access.Grant) -> bool:
    return grant.caller.kind != "anonymous" or grant.mentor.allow_metadata_in_prompt


def refused_choice(opening: Opening) -> list[PayloadWarning]:
    """What to tell a visitor whose choice the mentor does not leave to visitors."""
    if not opening.payload.include_metadata_in_prompt or _may_choose(opening.grant):
        return []
    told = "This mentor decides itself where the context goes."
    return [{"code": "metadata_in_prompt_ignored", "pointer": "/include_metadata_in_prompt", "message": told}]


def delivered_of(mentor: access.MentorFacts, session_delivery: str, decision: Decision) -> Delivered:
    context = decision.context
    how = session_delivery or mentor.context_delivery
    return deliver(mentor.plan, how, context.text, context.verified_keys)


def greeting_of(mentor: access.MentorFacts, delivered: Delivered, *, first: bool) -> str:
    if not first:
        return ""
    return prompts.greeting_instructions(mentor.greeting_method, mentor.greeting_text, delivered.values)


def _message_params(opening: Opening, begun: Begun) -> statements.Params:
    payload, mentor = opening.payload, opening.grant.mentor
    delivered = begun.delivered
    page = payload.page_content.encode() if payload.page_content.strip() else b""  # as the composer
    return {
        "session": begun.session_id,
        "user_message": begun.user_message,
        "answer": begun.answer,
        "sequence": begun.sequence - 1,
        "content": prompts.compose_user_prompt(begun.greeting, payload.prompt, "", delivered.in_message),
        "text": payload.prompt,
        "client_message_id": payload.client_message_id,
        "payload_digest": payload.payload_digest,
        "delivery": delivered.how,
        "session_delivery": begun.session_delivery,
        "left_out": strict_json.dumps(delivered.left_out) if delivered.left_out else None,
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
        "signed_by": decision.signed_by,
    }


def _lease_params(opening: Opening, begun: Begun) -> statements.Params:
    return {"fence": begun.fence, "holder": opening.holder, "lease": settings.TURN_LEASE_SECONDS}
