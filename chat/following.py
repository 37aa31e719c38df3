"""Events of a turn for whoever did not see them as they came: a client that returns, or sends again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import orjson
from django.conf import settings

from . import access, leases
from .cache import store
from .database import in_database
from .errors import told_by
from .live import TICK_SECONDS, process
from .models import ChatMessageHistory

POLL_SECONDS = 0.1
LOOK_SECONDS = 1.0
# The last frames of a turn that is over may still be on their way to the log.
LAST_FRAMES_SECONDS = 2.5 * TICK_SECONDS
Status = ChatMessageHistory.Status


async def resume_turn(answer: UUID, after: int) -> AsyncIterator[str]:
    """Exactly the frames after the first `after` ones, or one that says so and brings the stored message."""
    async for frame in _frames(str(answer), after):
        if frame is not None:
            yield frame
            continue
        message = await in_database(_stored, answer)
        stored = {name: getattr(message, name) for name in ("id", "sequence", "role", "status", "content")}
        yield _dumps({"resumed": False, "generation_id": str(answer), "message": stored})


async def follow_turn(answer: UUID) -> AsyncIterator[str]:
    """All frames of a turn; where they are gone, the rest told from the stored message."""
    known: list[dict[str, Any]] = []
    async for frame in _frames(str(answer), 0):
        if frame is not None:
            known.append(orjson.loads(frame))
            yield frame
            continue
        for told in await in_database(_told, await _finished(answer), known):
            yield told


async def _frames(generation_id: str, after: int) -> AsyncIterator[str | None]:
    """The frames after `after`, from this process or from the log; None, last, where they have a gap.

    None at once for an answer that was taken out of its session: its frames may still be there.
    """
    if await in_database(_is_removed, UUID(generation_id)):
        yield None
        return
    live = process().turns.get(generation_id)
    if live is not None and after <= len(live.frames):
        async for frame in live.follow(after):
            yield frame
        return
    running = await in_database(_is_streaming, UUID(generation_id))
    patience = LOOK_SECONDS if running else LAST_FRAMES_SECONDS
    quiet_since = time.monotonic()
    while True:
        # One more than is asked for: the frame that the client has already proves that the log is whole.
        known = await store().read_events(generation_id, max(after - 1, 0))
        events = [orjson.loads(frame) for frame in known]
        if [event["event"] for event in events] != list(range(max(after, 1), max(after, 1) + len(events))):
            break
        for event, frame in zip(events, known, strict=True):
            if event["event"] > after:
                after = event["event"]
                quiet_since = time.monotonic()
                yield frame
        if events and ("eos" in events[-1] or "error" in events[-1]):
            return
        if time.monotonic() - quiet_since > patience:
            if not events or not await in_database(_is_streaming, UUID(generation_id)):
                break
            quiet_since = time.monotonic()
        await asyncio.sleep(POLL_SECONDS)
    yield None


def _is_removed(answer: UUID) -> bool:
    return ChatMessageHistory.objects.filter(id=answer, deleted_at__isnull=False).exists()


def _is_streaming(answer: UUID) -> bool:
    return _stored(answer).status == Status.STREAMING


def _stored(answer: UUID) -> ChatMessageHistory:
    """The answer; one whose holder is gone is marked now, and does not wait for the reaper."""
    messages = ChatMessageHistory.objects.select_related("extra")
    message = messages.get(id=answer)
    if message.status == Status.STREAMING and leases.reap(message.session_id):
        message = messages.get(id=answer)
    return message


async def _finished(answer: UUID) -> ChatMessageHistory:
    """The message once its turn is over: by its end, or by the reaper."""
    deadline = time.monotonic() + settings.LLM_TOTAL_TIMEOUT + 60
    message = await in_database(_stored, answer)
    while message.status == Status.STREAMING and time.monotonic() < deadline:
        await asyncio.sleep(POLL_SECONDS * 5)
        message = await in_database(_stored, answer)
    return message


def _told(answer: ChatMessageHistory, known: list[dict[str, Any]]) -> list[str]:
    """A finished turn as its frames (the start, the text, the end), less what the known ones told."""
    generation = {"generation_id": answer.id}
    place = {"message_id": answer.id, "sequence": answer.sequence}
    frames = [] if known else [{**generation, **place, **_start(answer)}]
    heard = "".join(frame.get("data", "") for frame in known)
    # A broken answer was perhaps heard further than it was stored: there is nothing to add to it then.
    if answer.content.startswith(heard) and answer.content != heard:
        frames.append({**generation, "data": answer.content[len(heard) :]})
    frames.append({**generation, **_end(answer), **place, "status": answer.status})
    return [_dumps({"event": number, **frame}) for number, frame in enumerate(frames, len(known) + 1)]


def _start(answer: ChatMessageHistory) -> dict[str, Any]:
    messages = ChatMessageHistory.objects.filter(session_id=answer.session_id).select_related(
        "extra", "session"
    )
    asked = messages.get(sequence=answer.sequence - 1)
    before = messages.filter(sequence=answer.sequence - 2).first()
    version = answer.extra.context_version
    changed = version > (before.extra.context_version if before else 0)
    start = {
        "user_message_id": asked.id,
        "client_message_id": asked.client_message_id,
        "context": {"version": version, "changed": changed, "warnings": []},
    }
    first_of_a_visitor = asked.sequence == 1 and asked.session.anonymous
    token = {"session_token": access.session_token(asked.session_id)} if first_of_a_visitor else {}
    return {**start, **token}


def _end(answer: ChatMessageHistory) -> dict[str, Any]:
    extra = answer.extra
    if answer.status in (Status.FAILED, Status.INTERRUPTED):
        return told_by(extra.error).as_frame()
    if extra.prompt_tokens is None or extra.completion_tokens is None:
        return {"eos": True, "usage": None}
    total = extra.prompt_tokens + extra.completion_tokens
    counts = {"prompt_tokens": extra.prompt_tokens, "completion_tokens": extra.completion_tokens}
    return {"eos": True, "usage": {**counts, "total_tokens": total}}


def _dumps(frame: dict[str, Any]) -> str:
    return orjson.dumps(frame).decode()
