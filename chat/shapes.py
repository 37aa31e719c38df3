"""The JSON of what readers are given: ours, and ibl.ai's where its clients read. A new column shows in none of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from .changes import changes
from .models import ChatMessageHistory, ChatMessageHistoryExtra, Session, SessionContextVersion
from .strict_json import dumps
from .transcripts import Pair, count_messages
from .wire_names import ROLES

Json = dict[str, Any]


# --- ours


def session(one: Session, title: str) -> Json:
    return {
        "id": str(one.pk),
        "tenant": one.tenant.key,
        "mentor": one.mentor.slug,
        "mentor_unique_id": str(one.mentor.unique_id),
        "user": one.user_id or None,
        "anonymous": one.anonymous,
        "title": title,
        "client_context": one.client_context,
        "context_version": one.context_version,
        "messages": count_messages(one),
        "created_at": one.created_at,
        "updated_at": one.updated_at,
    }


def message(one: ChatMessageHistory) -> Json:
    """A message with its snapshot; `content` is its sender's own words."""
    extra = _extra(one)
    return {
        "id": str(one.pk),
        "sequence": one.sequence,
        "role": one.role,
        "message_type": one.message_type,
        "content": one.own_words,
        "content_as_stored": None if one.content == one.own_words else one.content,
        "content_type": one.content_type,
        "status": one.status,
        "client_message_id": one.client_message_id,
        "metadata": one.metadata,
        "client_context": extra.metadata if extra else {},
        "context_version": extra.context_version if extra else 0,
        "created_at": one.created_at,
        "finished_at": one.finished_at,
    }


def question(one: ChatMessageHistory) -> Json:
    extra = _extra(one)
    page = extra is not None and extra.page_content_length
    shown = (
        {"length": extra.page_content_length, "sha256": extra.page_content_sha256} if extra and page else None
    )
    return {**message(one), "page_content": shown}


def answer(one: ChatMessageHistory) -> Json:
    extra = _extra(one) or ChatMessageHistoryExtra()
    return {
        **message(one),
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


def version(one: SessionContextVersion, before: SessionContextVersion | None) -> Json:
    """A value of the context, its keys in the order they were sent, and what it changed."""
    value = json.loads(one.text)
    found = changes(json.loads(before.text) if before else {}, value)
    return {
        "number": one.number,
        "client_context": value,
        "verified_keys": one.verified_keys,
        "author": one.author,
        "door": one.door,
        "created_at": one.created_at,
        "diff": {"added": found.added, "removed": found.removed, "changed": found.changed},
    }


def _extra(one: ChatMessageHistory) -> ChatMessageHistoryExtra | None:
    extra: ChatMessageHistoryExtra | None = getattr(one, "extra", None)
    return extra


# --- ibl.ai's


def ibl_session(one: Session, title: str) -> Json:
    return {
        "session_id": str(one.pk),
        "title": title,
        "mentor": one.mentor.slug,
        "mentor_unique_id": str(one.mentor.unique_id),
        "platform_key": one.tenant.key,
        "user_id": one.user_id,
        "client_context": one.client_context,
        "context_version": one.context_version,
        "message_count": count_messages(one),
        "is_shared": False,
        "created_at": one.created_at,
        "updated_at": one.updated_at,
    }


def ibl_message(one: ChatMessageHistory) -> Json:
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
        "client_context": extra.metadata if extra else {},
        "context_version": extra.context_version if extra else 0,
        "timestamp": one.created_at,
    }


def ibl_pair(one: Pair) -> Json:
    """`human` and `ai` are its clients'; beside them, everything that is known of both."""
    return {
        "human": one.question.own_words if one.question else "",
        "ai": one.answer.own_words if one.answer else "",
        "question": question(one.question) if one.question else None,
        "answer": answer(one.answer) if one.answer else None,
    }


# --- plain text


def as_text(one: Session, title: str, said: Iterable[ChatMessageHistory]) -> Iterator[str]:
    """For people: who said what and when, and each context where it came into force.

    What was said is indented, so nobody can write a line that looks like ours.
    """
    user = " ".join(one.user_id.split()) or "a visitor"
    yield f"{title}\n{one.mentor.slug} and {user}, {_at(one.created_at)}\nsession {one.pk}\n"
    known = 0
    for message_ in said:
        extra = _extra(message_)
        if extra and extra.context_version != known:
            known = extra.context_version
            yield f"\n[context {known}]\n    {dumps(extra.metadata)}\n"
        yield f"\n[{message_.sequence}] {ROLES['ibl'][message_.role]}, {_at(message_.created_at)}\n"
        yield "".join(f"    {line}\n" for line in message_.own_words.splitlines())


def _at(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
