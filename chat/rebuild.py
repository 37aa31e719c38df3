"""What a model was sent for an answer, rebuilt from what is stored: the same bytes, also after edits since."""

from __future__ import annotations

from . import client_context, prompts
from .errors import NotFound
from .llm import ModelRequest
from .models import ChatMessageHistory, Mentor, MentorVersion, statements
from .runner import model_request

NOT_ASKED = "No question stands before this answer: there is no prompt."


def request_of(answer: ChatMessageHistory) -> ModelRequest:
    """The request whose answer this is.

    Of page content that the mentor does not keep, only the length and SHA-256 stand in the prompt. Raises
    NotFound where nobody had asked, as in conversations that were imported.
    """
    before_it = {"session_id": answer.session_id, "sequence": answer.sequence - 1}
    asked = ChatMessageHistory.objects.select_related("extra").filter(role="user", **before_it).first()
    if asked is None:
        raise NotFound(NOT_ASKED)
    version = MentorVersion.objects.get(
        mentor_id=answer.session.mentor_id, number=answer.extra.mentor_version
    )
    context = client_context.in_force(answer.session_id, answer.extra.context_version)
    in_message = answer.extra.delivery == Mentor.Delivery.USER_BLOCK
    first = asked.sequence == 1
    user_prompt = prompts.compose_user_prompt(
        prompts.greeting_instructions(version.greeting_method, version.greeting_text) if first else "",
        asked.own_words,
        _page_content(asked),
        prompts.context_block(context.text) if in_message else "",
    )
    before = {
        "session": answer.session_id,
        "sequence": asked.sequence,
        "history_window": version.history_window,
    }
    return model_request(
        system_prompt=version.system_prompt,
        delivery=answer.extra.delivery,
        context_text=context.text,
        history=statements.history(before),
        user_prompt=user_prompt,
        model=answer.extra.model,
        parameters=version.model_parameters,
    )


def _page_content(asked: ChatMessageHistory) -> str:
    extra = asked.extra
    if extra.page_content or not extra.page_content_length:
        return extra.page_content
    return prompts.page_content_stamp(extra.page_content_length, extra.page_content_sha256)
