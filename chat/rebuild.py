"""What a model was sent for an answer, rebuilt from what is stored: the same bytes, also after edits since.

What was taken out of the session since then shows as removed: that something was sent is told, not what.
"""

from __future__ import annotations

from typing import Any

import orjson

from . import client_context, prompts, shapes, transcripts
from .delivery import Delivered, Plan, deliver
from .errors import NotFound
from .llm import ModelRequest, request_body
from .models import ChatMessageHistory, MentorVersion, MessageDebug, statements
from .runner import model_request

NOT_ASKED = "No question stands before this answer: there is no prompt."


def request_of(answer: ChatMessageHistory) -> ModelRequest:
    """The request whose answer this is.

    Of page content that the mentor does not keep, only the length and SHA-256 stand in the prompt. Raises
    NotFound where nobody had asked, as in conversations that were imported.
    """
    asked = _question_of(answer)
    version = MentorVersion.objects.get(
        mentor_id=answer.session.mentor_id, number=answer.extra.mentor_version
    )
    context = client_context.in_force(answer.session_id, answer.extra.context_version)
    delivered = deliver(Plan.of(version), answer.extra.delivery, context.text, context.verified_keys)
    first = not transcripts.has_answered(asked.session_id, before=asked.sequence)
    user_prompt = prompts.compose_user_prompt(
        _greeting(version, delivered) if first else "",
        asked.own_words if asked.deleted_at is None else prompts.REMOVED,
        _page_content(asked),
        delivered.in_message,
    )
    return model_request(
        system_prompt=version.system_prompt,
        delivered=delivered,
        history=_history(asked, version),
        user_prompt=user_prompt,
        model=answer.extra.model,
        parameters=version.model_parameters,
    )


def _greeting(version: MentorVersion, delivered: Delivered) -> str:
    return prompts.greeting_instructions(version.greeting_method, version.greeting_text, delivered.values)


def is_whole(answer: ChatMessageHistory) -> bool:
    """Whether nothing that was sent for it stands in the request by its mark only. Raises NotFound."""
    asked = _question_of(answer)
    version = MentorVersion.objects.get(
        mentor_id=answer.session.mentor_id, number=answer.extra.mentor_version
    )
    kept = asked.extra.page_content or not asked.extra.page_content_length
    said = all(words is not None for _, words in _history(asked, version))
    return bool(kept) and said and asked.deleted_at is None


def debug_of(message: ChatMessageHistory) -> dict[str, Any]:
    """What its sender attached for those who look for faults; of an answer of a turn, what it was made from."""
    stored = MessageDebug.objects.filter(pk=message.pk).first()
    if stored is not None or not shapes.was_generated(message):
        data: dict[str, Any] = stored.data if stored else {}
        return data
    extra = message.extra
    response = {
        "content": message.content,
        "status": message.status,
        "model": extra.model,
        "finish_reason": extra.finish_reason,
        "error": extra.error or None,
        "usage": shapes.usage(extra),
        "ttft_ms": extra.ttft_ms,
        "duration_ms": extra.duration_ms,
    }
    return {"request": _request_of(message), "response": response}


def _request_of(answer: ChatMessageHistory) -> Any:
    """As it was posted; None of an answer that nobody had asked for, as in conversations that were imported."""
    try:
        return orjson.loads(request_body(request_of(answer)))
    except NotFound:
        return None


def _question_of(answer: ChatMessageHistory) -> ChatMessageHistory:
    before_it = {"session_id": answer.session_id, "sequence": answer.sequence - 1}
    asked = ChatMessageHistory.objects.select_related("extra").filter(role="user", **before_it).first()
    # An answer that was posted answers nothing.
    if asked is None or not shapes.was_generated(answer):
        raise NotFound(NOT_ASKED)
    return asked


def _history(asked: ChatMessageHistory, version: MentorVersion) -> list[tuple[str, str | None]]:
    before = {
        "session": asked.session_id,
        "sequence": asked.sequence,
        "history_window": version.history_window,
    }
    return statements.history_then(before)


def _page_content(asked: ChatMessageHistory) -> str:
    extra = asked.extra
    if extra.page_content or not extra.page_content_length:
        return extra.page_content
    return prompts.page_content_stamp(extra.page_content_length, extra.page_content_sha256)
