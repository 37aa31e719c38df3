"""What a model was sent for an answer, rebuilt from what is stored: the same bytes, also after edits since.

What was taken out of the session since then shows as removed: that something was sent is told, not what.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from . import client_context, prompts, shapes, strict_json, transcripts
from .delivery import Delivered, Plan, deliver
from .errors import NotFound
from .llm import ModelRequest, request_body
from .models import ChatMessageHistory, MentorVersion, MessageDebug, statements
from .policies import EVERYTHING, View
from .runner import model_request

NOT_ASKED = "No question stands before this answer: there is no prompt."


def request_of(answer: ChatMessageHistory, shown: View = EVERYTHING) -> ModelRequest:
    """The request whose answer this is; as `shown` lets its reader see it.

    Of page content that the mentor does not keep, only the length and SHA-256 stand in the prompt. Raises
    NotFound where nobody had asked, as in conversations that were imported.
    """
    asked, version = question_of(answer), prompting_of(answer)
    delivered = delivered_of(answer, version, shown)
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


def delivered_of(answer: ChatMessageHistory, version: MentorVersion, shown: View = EVERYTHING) -> Delivered:
    """What its model was given of the context, as `shown` lets its reader see it."""
    context = client_context.in_force(answer.session_id, answer.extra.context_version)
    return deliver(Plan.of(version), answer.extra.delivery, context.text, context.verified_keys, shown)


def _greeting(version: MentorVersion, delivered: Delivered) -> str:
    return prompts.greeting_instructions(version.greeting_method, version.greeting_text, delivered.values)


@dataclass(frozen=True, slots=True)
class Shown:
    """The request as staff and a tenant's tokens may read it; `complete`: it is what was sent, to the byte."""

    request: ModelRequest
    complete: bool
    hides: bool = False


def shown_request(answer: ChatMessageHistory) -> Shown:
    """What the mentor's present policy keeps from them stands in it as [hidden]. Raises NotFound."""
    request, view = request_of(answer), answer.session.mentor.policy.view("operator")
    if not view:
        return Shown(request, is_whole(answer))
    shown = request_of(answer, view)
    hides = request_body(shown) != request_body(request)
    return Shown(shown, not hides and is_whole(answer), hides)


def is_whole(answer: ChatMessageHistory) -> bool:
    """Whether nothing that was sent for it stands in the request by its mark only. Raises NotFound."""
    asked, version = question_of(answer), prompting_of(answer)
    kept = asked.extra.page_content or not asked.extra.page_content_length
    said = all(words is not None for _, words in history_of(asked, version))
    return bool(kept) and said and asked.deleted_at is None and not _has_lapsed(answer)


def _has_lapsed(answer: ChatMessageHistory) -> bool:
    """Whether a value that was sent has been taken out since."""
    context = client_context.in_force(answer.session_id, answer.extra.context_version)
    return prompts.REMOVED in strict_json.spelled(context.text).values()


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
    """As it was posted, as far as that is shown; None of an answer that nobody had asked for, as in imported ones."""
    try:
        return orjson.loads(request_body(shown_request(answer).request))
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
