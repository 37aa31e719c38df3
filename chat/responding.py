"""An answer that a posted message asks for: the same turn as at every door, begun from a view's thread."""

from __future__ import annotations

import asyncio
import contextvars
from typing import Any

from asgiref.sync import async_to_sync

from . import limits
from .access import Credentials
from .errors import IdempotencyMismatch, InvalidMessage, MessageExists
from .message_metadata import Attached
from .messages import check_is_new
from .models import ChatMessageHistory, Session
from .openings import Begun
from .payloads import BaseConsumerPayload
from .posts import Draft
from .runner import LLMRunner
from .strict_json import dumps

DOOR = "rest"


def respond(session: Session, draft: Draft, credentials: Credentials, metadata_token: Any = None) -> Begun:
    """Store the message as a turn's question and let its answer be written; back after the first event.

    `metadata_token` goes along as it was sent.

    Raises InvalidMessage, MessageExists, and what a turn is refused for.
    """
    _check_is_a_prompt(draft)
    check_is_new(session.pk, draft.client_message_id)
    attached = draft.attached if draft.attached != Attached() else None
    runner = LLMRunner(_payload(session, draft, metadata_token), credentials, DOOR, attached)
    try:
        async_to_sync(_begin)(runner)
    except IdempotencyMismatch:
        raise MessageExists(pointer="/id") from None
    if not runner.has_begun:  # the same was sent at the same moment
        raise MessageExists(pointer="/id")
    return runner.begun


def _check_is_a_prompt(draft: Draft) -> None:
    if draft.role != ChatMessageHistory.Role.USER:
        told = "Only a user's message is answered."
        raise InvalidMessage(told, pointer="/sender/participant_role")
    if draft.message_type != "chat":
        raise InvalidMessage("Only a message of the type chat is answered.", pointer="/message_type")
    if not draft.content.strip():
        raise InvalidMessage("content must not be blank.", pointer="/content")


def _payload(session: Session, draft: Draft, metadata_token: Any) -> BaseConsumerPayload:
    sent = {
        "session_id": str(session.pk),
        "flow": {"name": str(session.mentor.unique_id), "tenant": session.tenant.key},
        "prompt": draft.content,
        "client_message_id": draft.client_message_id,
        "metadata_token": metadata_token,
    }
    return BaseConsumerPayload.parse(dumps(sent), limits.current())


async def _begin(runner: LLMRunner) -> None:
    """In the server's loop, where the turn then lives. A request that is given up takes nothing along: what was
    begun without a holder would have to wait for the reaper."""
    loop = asyncio.get_running_loop()
    await asyncio.shield(loop.create_task(_start(runner), context=contextvars.Context()))


async def _start(runner: LLMRunner) -> None:
    await runner.arun()
