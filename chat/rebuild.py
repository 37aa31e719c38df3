"""What a model was sent for an answer, rebuilt from what is stored: the same bytes, also after edits since.

What was taken out of the session since then shows as removed: that something was sent is told, not what.
"""

from __future__ import annotations

from typing import Any

import orjson

from . import client_context, prompts, shapes, transcripts
from .errors import NotFound
from .llm import ModelRequest, request_body
from .models import ChatMessageHistory, Mentor, MentorVersion, MessageDebug, statements
from .runner import model_request

NOT_ASKED = "No question stands before this answer: there is no prompt."


def request_of(answer: ChatMessageHistory) -> ModelRequest:
    """The request whose answer this is.

    Of page content that the mentor does not keep, only the length and SHA-256 stand in the prompt. Raises
    NotFound where nobody had asked, as in conversations that were imported.
    """
    asked, version = question_of(answer), prompting_of(answer)
    context = client_context.in_force(answer.session_id, answer.extra.context_version)
    in_message = answer.extra.delivery == Mentor.Delivery.USER_BLOCK
    first = not transcripts.has_answered(asked.session_id, before=asked.sequence)
    user_prompt = prompts.compose_user_prompt(
        prompts.greeting_instructions(version.greeting_method, version.greeting_text) if first else "",
        asked.own_words if asked.deleted_at is None else prompts.REMOVED,
        page_content_of(asked),
        prompts.context_block(context.text) if in_message else "",
    )
    return model_request(
        system_prompt=version.system_prompt,
        delivery=answer.extra.delivery,
        context_text=context.text,
        history=history_of(asked, version),
        user_prompt=user_prompt,
        model=answer.extra.model,
        parameters=version.model_parameters,
    )


def is_whole(answer: ChatMessageHistory) -> bool:
    """Whether nothing that was sent for it stands in the request by its mark only. Raises NotFound."""
    asked, version = question_of(answer), prompting_of(answer)
    kept = asked.extra.page_content or not asked.extra.page_content_length
    said = all(words is not None for _, words in history_of(asked, version))
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


def prompting_of(answer: ChatMessageHistory) -> MentorVersion:
    """The mentor's version that it was written under."""
    number = answer.extra.mentor_version
    return MentorVersion.objects.get(mentor_id=answer.session.mentor_id, number=number)


def question_of(answer: ChatMessageHistory) -> ChatMessageHistory:
    """The message that it answers. Raises NotFound where nobody had asked."""
    before_it = {"session_id": answer.session_id, "sequence": answer.sequence - 1}
    asked = ChatMessageHistory.objects.select_related("extra").filter(role="user", **before_it).first()
    # An answer that was posted answers nothing.
    if asked is None or not shapes.was_generated(answer):
        raise NotFound(NOT_ASKED)
    return asked


def history_of(asked: ChatMessageHistory, version: MentorVersion) -> list[tuple[str, str | None]]:
    """What had been said before it, as the model was shown it; None for words that were removed since."""
    before = {
        "session": asked.session_id,
        "sequence": asked.sequence,
        "history_window": version.history_window,
    }
    return statements.history_then(before)


def page_content_of(asked: ChatMessageHistory) -> str:
    """What came with it, or the stamp of what was not kept."""
    extra = asked.extra
    if extra.page_content or not extra.page_content_length:
        return extra.page_content
    return prompts.page_content_stamp(extra.page_content_length, extra.page_content_sha256)
