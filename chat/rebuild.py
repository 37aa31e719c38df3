"""What a model was sent for an answer, rebuilt from what is stored: the same bytes, also after edits since.

What was taken out of the session since then shows as removed: that something was sent is told, not what.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import orjson

from . import client_context, prompts, shapes, strict_json, transcripts
from .access import Caller
from .delivery import HIDDEN, OFF, Delivered, Plan, deliver
from .errors import NotFound
from .llm import ModelRequest, request_body
from .models import ChatMessageHistory, MentorVersion, MessageDebug, statements
from .runner import model_request
from .visibility import concealed_by, view_of

NOT_ASKED = "No question stands before this answer: there is no prompt."


def request_of(answer: ChatMessageHistory, concealed: Collection[str] = ()) -> ModelRequest:
    """The request whose answer this is; the values of `concealed` keys stand in it by a mark only.

    Of page content that the mentor does not keep, only the length and SHA-256 stand in the prompt. Raises
    NotFound where nobody had asked, as in conversations that were imported.
    """
    asked, version = question_of(answer), prompting_of(answer)
    delivered = delivered_of(answer, version, concealed)
    first = not transcripts.has_answered(asked.session_id, before=asked.sequence)
    user_prompt = prompts.compose_user_prompt(
        _greeting(version, delivered) if first else "",
        asked.own_words if asked.deleted_at is None else prompts.REMOVED,
        page_content_of(asked),
        delivered.in_message,
    )
    return model_request(
        system_prompt=version.system_prompt,
        delivered=delivered,
        history=history_of(asked, version),
        user_prompt=user_prompt,
        model=answer.extra.model,
        parameters=version.model_parameters,
    )


def delivered_of(
    answer: ChatMessageHistory, version: MentorVersion, concealed: Collection[str] = ()
) -> Delivered:
    """What its model was given of the context."""
    context = client_context.in_force(answer.session_id, answer.extra.context_version)
    return deliver(Plan.of(version), answer.extra.delivery, context.text, context.verified_keys, concealed)


def _greeting(version: MentorVersion, delivered: Delivered) -> str:
    return prompts.greeting_instructions(version.greeting_method, version.greeting_text, delivered.values)


def is_whole(answer: ChatMessageHistory, concealed: Collection[str] = ()) -> bool:
    """Whether nothing that was sent for it stands in the request by a mark only. Raises NotFound."""
    asked, version = question_of(answer), prompting_of(answer)
    kept = asked.extra.page_content or not asked.extra.page_content_length
    said = all(words is not None for _, words in history_of(asked, version))
    conceals = _conceals(answer, concealed) or _has_lapsed(answer)
    return bool(kept) and said and asked.deleted_at is None and not conceals


def _has_lapsed(answer: ChatMessageHistory) -> bool:
    """Whether a value that was sent has been taken out since."""
    context = client_context.in_force(answer.session_id, answer.extra.context_version)
    return prompts.REMOVED in strict_json.spelled(context.text).values()


def _conceals(answer: ChatMessageHistory, concealed: Collection[str]) -> bool:
    left_out = answer.extra.left_out or {}
    sent = [key for key in answer.extra.metadata if left_out.get(key) != HIDDEN]
    return answer.extra.delivery != OFF and any(key in concealed for key in sent)


def debug_of(message: ChatMessageHistory, caller: Caller) -> dict[str, Any]:
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
    return {"request": _request_of(message, caller), "response": response}


def concealed_from(caller: Caller, answer: ChatMessageHistory) -> frozenset[str]:
    """The keys of its context that its prompt shows to this caller by a mark only."""
    prompting = prompting_of(answer)
    return concealed_by(view_of(caller, prompting, answer.session.mentor), prompting)


def _request_of(answer: ChatMessageHistory, caller: Caller) -> Any:
    """As it was posted; None of an answer that nobody had asked for, as in conversations that were imported."""
    try:
        return orjson.loads(request_body(request_of(answer, concealed_from(caller, answer))))
    except NotFound:
        return None


def prompting_of(answer: ChatMessageHistory) -> MentorVersion:
    """The mentor's version that it was written under. Raises NotFound of an answer that no turn made."""
    if not shapes.was_generated(answer):
        raise NotFound(NOT_ASKED)
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
