"""The JSON of what readers are given: ours, and ibl.ai's where its clients read. A new column shows in none of them.

Each is as its mentor's policy lets its reader see it: sessions are asked for by who reads, what is within them by
the `View` of that reader.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final

from django.conf import settings

from .changes import changes
from .message_metadata import footer, with_footer
from .models import ChatMessageHistory, ChatMessageHistoryExtra, Session, SessionContextVersion
from .policies import Reader, View
from .strict_json import dumps
from .transcripts import Pair, count_messages
from .wire_names import ROLES

Json = dict[str, Any]
NOTHING: Final[Mapping[Any, Any]] = MappingProxyType({})


def client_context(one: Session, reader: Reader) -> Json:
    """The context in force, as this reader sees it."""
    view = one.mentor.policy.view(reader)
    return view.value(one.client_context) if view else one.client_context


def metadata(one: Session, reader: Reader) -> Json:
    """All that the session keeps."""
    kept: Json = one.metadata
    return {**kept, "client_context": client_context(one, reader)} if one.mentor.policy.view(reader) else kept


def snapshot(extra: ChatMessageHistoryExtra | None, view: View) -> Json:
    """The context that a message was written under."""
    known: Json = extra.metadata if extra else {}
    return view.value(known) if view else known


def stored_content(one: ChatMessageHistory, view: View) -> str | None:
    """The content with its block, where it is more than own words; None also where it holds more than is shown.

    It is what the model read, under the policy of then: whoever sees less of a context sees the words alone.
    """
    return None if view or one.content == one.own_words else one.content


# --- ours


def session(one: Session, title: str, reader: Reader) -> Json:
    return {
        "id": str(one.pk),
        "tenant": one.tenant.key,
        "mentor": one.mentor.slug,
        "mentor_unique_id": str(one.mentor.unique_id),
        "user": one.user_id or None,
        "anonymous": one.anonymous,
        "title": title,
        "client_context": client_context(one, reader),
        "context_version": one.context_version,
        "messages": count_messages(one),
        "created_at": one.created_at,
        "updated_at": one.updated_at,
    }


def message(one: ChatMessageHistory, view: View) -> Json:
    """A message with its snapshot; `content` is its sender's own words."""
    extra = _extra(one)
    return {
        "id": str(one.pk),
        "sequence": one.sequence,
        "role": one.role,
        "message_type": one.message_type,
        "content": one.own_words,
        "content_as_stored": stored_content(one, view),
        "content_type": one.content_type,
        "status": one.status,
        "client_message_id": one.client_message_id,
        "metadata": one.metadata,
        "client_context": snapshot(extra, view),
        "context_version": extra.context_version if extra else 0,
        "created_at": one.created_at,
        "finished_at": one.finished_at,
    }


def question(one: ChatMessageHistory, view: View) -> Json:
    extra = _extra(one)
    page = extra is not None and extra.page_content_length
    shown = (
        {"length": extra.page_content_length, "sha256": extra.page_content_sha256} if extra and page else None
    )
    return {**message(one, view), "page_content": shown}


def answer(one: ChatMessageHistory, view: View) -> Json:
    extra = _extra(one) or ChatMessageHistoryExtra()
    return {
        **message(one, view),
        "model": extra.model,
        "mentor_version": extra.mentor_version,
        "delivery": extra.delivery,
        "finish_reason": extra.finish_reason,
        "error": extra.error or None,
        "usage": usage(extra),
        "ttft_ms": extra.ttft_ms,
        "duration_ms": extra.duration_ms,
    }


def usage(extra: ChatMessageHistoryExtra) -> Json | None:
    """As the last frame of the turn told it."""
    if extra.prompt_tokens is None or extra.completion_tokens is None:
        return None
    counts = {"prompt_tokens": extra.prompt_tokens, "completion_tokens": extra.completion_tokens}
    return {**counts, "total_tokens": extra.prompt_tokens + extra.completion_tokens}


def version(
    one: SessionContextVersion,
    before: SessionContextVersion | None,
    view: View,
    *,
    inspected: bool = True,
    tokens: Mapping[int, str] = NOTHING,
) -> Json:
    """A value of the context, its keys in the order they were sent, and what it changed; `tokens`: their names."""
    return {
        "number": one.number,
        "client_context": _shown(one, view),
        "verified_keys": view.names(one.verified_keys),
        "author": one.author if inspected else None,
        "door": one.door,
        **_provenance(one if inspected else None, tokens),
        "created_at": one.created_at,
        "diff": difference(before, one, view),
    }


def origin(one: SessionContextVersion, tokens: Mapping[int, str]) -> Json:
    """Who set a version, when and how, for those who may inspect it."""
    return {
        "version": one.number,
        "created_at": one.created_at,
        "author": one.author,
        "door": one.door,
        **_provenance(one, tokens),
    }


def context(one: SessionContextVersion | None, view: View, *, inspected: bool) -> Json:
    """The context as a thing of its own; None: it was never set."""
    return {
        "client_context": _shown(one, view),
        "version": one.number if one else 0,
        "created_at": one.created_at if one else None,
        "author": one.author if one and inspected else None,
        "door": one.door if one else None,
        "verified_keys": view.names(one.verified_keys) if one else [],
    }


def difference(before: SessionContextVersion | None, after: SessionContextVersion | None, view: View) -> Json:
    """What changed from one version to another; None is the empty one before the first."""
    found = changes(_shown(before, view), _shown(after, view))
    return {"added": found.added, "removed": found.removed, "changed": found.changed}


def _shown(one: SessionContextVersion | None, view: View) -> Json:
    value: Json = json.loads(view.text(one.text)) if one else {}
    return value


def _provenance(one: SessionContextVersion | None, tokens: Mapping[int, str]) -> Json:
    """Not for end users: for them it is null."""
    return {
        "token_id": one.token_id if one else None,
        "token_name": tokens.get(one.token_id) if one and one.token_id else None,
        "message_id": str(one.message_id) if one and one.message_id else None,
        "address_class": one.address_class if one else None,
        "signed_by": one.signed_by if one else None,
    }


def _extra(one: ChatMessageHistory) -> ChatMessageHistoryExtra | None:
    extra: ChatMessageHistoryExtra | None = getattr(one, "extra", None)
    return extra


# --- Semantic Workbench's


def posted(one: Any, reader: Reader) -> Json:
    """A message of `message_pages.readable`."""
    extra, view, inspected = _extra(one), one.session.mentor.policy.view(reader), reader != "user"
    has_debug = one.deleted_at is None and (one.has_debug or was_generated(one))
    return {
        "id": str(one.pk),
        "sender": {"participant_id": _participant(one), "participant_role": ROLES["workbench"][one.role]},
        "content": one.own_words,
        "content_type": one.content_type,
        "message_type": one.message_type,
        "metadata": _with_footer(one, extra),
        "timestamp": one.created_at,
        "filenames": one.filenames or [],
        "has_debug_data": inspected and has_debug,
        "sequence": one.sequence,
        "role": one.role,
        "status": one.status,
        "client_message_id": one.client_message_id,
        "client_context": snapshot(extra, view),
        "context_version": extra.context_version if extra else 0,
        "rejected_metadata": one.rejected_metadata if inspected else None,
        "deleted_at": one.deleted_at,
    }


def was_generated(one: ChatMessageHistory) -> bool:
    """Whether a turn made this answer: a posted one is of no version of the mentor."""
    extra = _extra(one)
    return one.role == ChatMessageHistory.Role.MENTOR and extra is not None and extra.mentor_version > 0


def _participant(one: ChatMessageHistory) -> str:
    if one.sender_id:
        return one.sender_id
    if one.role == ChatMessageHistory.Role.USER:
        return one.session.user_id or "anonymous"
    return "service" if one.role == ChatMessageHistory.Role.SERVICE else str(one.session.mentor.unique_id)


def _with_footer(one: ChatMessageHistory, extra: ChatMessageHistoryExtra | None) -> Json:
    took = usage(extra) if extra and not one.deleted_at else None
    if took is None:
        metadata: Json = one.metadata
        return metadata
    line = footer(took["prompt_tokens"], took["completion_tokens"], settings.LLM_CONTEXT_WINDOW)
    return with_footer(one.metadata, line)


# --- ibl.ai's


def ibl_session(one: Session, title: str, reader: Reader) -> Json:
    return {
        "session_id": str(one.pk),
        "title": title,
        "mentor": one.mentor.slug,
        "mentor_unique_id": str(one.mentor.unique_id),
        "platform_key": one.tenant.key,
        "user_id": one.user_id,
        "client_context": client_context(one, reader),
        "context_version": one.context_version,
        "message_count": count_messages(one),
        "is_shared": False,
        "created_at": one.created_at,
        "updated_at": one.updated_at,
    }


def ibl_message(one: ChatMessageHistory, view: View) -> Json:
    extra = _extra(one)
    return {
        "id": str(one.pk),
        "type": ROLES["ibl"][one.role],
        "role": one.role,
        "sequence": one.sequence,
        "content": one.own_words,
        "content_type": one.content_type,
        "status": one.status,
        "metadata": one.metadata,
        "client_context": snapshot(extra, view),
        "context_version": extra.context_version if extra else 0,
        "timestamp": one.created_at,
    }


def ibl_pair(one: Pair, view: View) -> Json:
    """`human` and `ai` are its clients'; beside them, everything that is known of both."""
    return {
        "human": one.question.own_words if one.question else "",
        "ai": one.answer.own_words if one.answer else "",
        "question": question(one.question, view) if one.question else None,
        "answer": answer(one.answer, view) if one.answer else None,
    }


# --- Quickchat's


def quickchat_conversation(one: Session, title: str, reader: Reader) -> Json:
    return {
        "conv_id": str(one.pk),
        "scenario_id": str(one.mentor.unique_id),
        "user_id": one.user_id or None,
        "title": title,
        "metadata": client_context(one, reader),
        "message_count": count_messages(one),
        "created_at": one.created_at,
        "updated_at": one.updated_at,
    }


# --- plain text


def as_text(one: Session, title: str, said: Iterable[ChatMessageHistory], view: View) -> Iterator[str]:
    """For people: who said what and when, and each context where it came into force.

    What was said is indented, so nobody can write a line that looks like ours.
    """
    user = " ".join(one.user_id.split()) or "a visitor"
    yield f"{title}\n{one.mentor.slug} and {user}, {_at(one.created_at)}\nsession {one.pk}\n"
    known = 0
    for message_ in said:
        if message_.deleted_at is not None:
            continue
        extra = _extra(message_)
        if extra and extra.context_version != known:
            known = extra.context_version
            yield f"\n[context {known}]\n    {dumps(snapshot(extra, view))}\n"
        yield f"\n[{message_.sequence}] {ROLES['ibl'][message_.role]}, {_at(message_.created_at)}\n"
        yield "".join(f"    {line}\n" for line in message_.own_words.splitlines())


def _at(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
