"""The turn: every door parses, authorises, and calls this.

begin (one transaction) → first event → compose → stream → finish (one transaction) → last event. The turn runs
in a task of its own: it outlives the client that asked for it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterable, Sequence
from typing import Any
from uuid import UUID

import structlog
from django.conf import settings

from . import access, leases, limits, llm, openings, prompts, refusals, telemetry, turns
from .cache import store
from .database import in_database
from .delivery import Delivered
from .errors import (
    ChatError,
    Draining,
    LeaseLost,
    ModelError,
    SchemaViolation,
    TokenInvalid,
    Unavailable,
)
from .following import follow_turn
from .live import LiveTurn, Process, process
from .message_metadata import Attached
from .models import ChatMessageHistory
from .payloads import BaseConsumerPayload, PayloadWarning
from .rates import check_token_rate

log = structlog.get_logger(__name__)
Status = ChatMessageHistory.Status
FINISH_TRIES = 20


class LLMRunner:
    """One payload of one authorised caller, from the database to the model and back."""

    def __init__(
        self,
        payload: BaseConsumerPayload,
        credentials: access.Credentials,
        door: str,
        attached: Attached | None = None,
    ) -> None:
        self.payload = payload
        self.attached = attached
        self.credentials = credentials
        self.door = door
        self.grant: access.Grant
        self.opening: openings.Opening
        self.begun: openings.Begun
        self.has_begun = False
        self.ending = llm.Ending("", None)
        self.first_token_at: float | None = None
        self.started_at = time.monotonic()

    async def arun(self, cached_context: str | None = None) -> AsyncIterable[str]:
        """Store the payload and start its turn; the turn's frames, from the first on.

        Everything that can be refused is refused (ChatError) before this returns.
        """
        here = process()
        if here.draining:
            raise Draining()
        await here.start()
        try:
            begun = await self._begin(here, cached_context)
        except (SchemaViolation, TokenInvalid) as error:
            self._count(here, refusals.of_error(error))
            raise
        if isinstance(begun, openings.SentBefore):
            return follow_turn(begun.answer)
        self.begun, self.has_begun = begun, True
        here.changed(begun.session_id)
        turn = LiveTurn(leases.Held(begun.session_id, begun.answer, begun.fence), self.door)
        turn.emit(self._start_frame())
        here.add(turn)
        turn.task = here.spawn(self._run(turn))
        if self.payload.warnings or begun.context.warnings:
            self._count_withheld(here)
        return turn.follow()

    def _count_withheld(self, here: Process) -> None:
        """The values that were cut or kept out: the mentor's owner hears of them too."""
        self._count(here, refusals.of_warnings([*self.payload.warnings, *self.begun.context.warnings]))

    def _count(self, here: Process, told: list[PayloadWarning]) -> None:
        if told:
            home = refusals.Home(self.grant.mentor.tenant_id, self.grant.mentor.id)
            here.tally.add(home, self.door, told, self.payload.session_id)

    async def _begin(self, here: Process, cached_context: str | None) -> openings.Begun | openings.SentBefore:
        if self.payload.metadata_text is None and cached_context is None:
            cached_context = await store().get_context(self.payload.session_id)
        self.grant = await self._authorise(fresh=False)
        await check_token_rate(self.grant.caller)
        opening = self.opening = openings.Opening(
            self.grant,
            self.payload,
            self.door,
            here.channel,
            limits.current(),
            cached_context,
            self.credentials.address_class,
            self.attached,
        )
        async with here.alone(self.payload.session_id):
            try:
                return await in_database(turns.begin, opening)
            except openings.StaleGrant:
                opening.grant = self.grant = await self._authorise(fresh=True)
                return await in_database(turns.begin, opening)

    async def _authorise(self, *, fresh: bool) -> access.Grant:
        flow = self.payload.flow
        asked = (self.credentials, flow.tenant, flow.name, flow.username or "")
        grant = None if fresh else access.cached_grant(*asked)
        return grant if grant is not None else await in_database(access.access_mentor, *asked)

    def _start_frame(self) -> dict[str, Any]:
        begun, payload = self.begun, self.payload
        choice = openings.refused_choice(self.opening)
        warnings = [*payload.warnings, *self.grant.warnings, *choice, *begun.context.warnings]
        view = self.grant.mentor.plan.policy.view(self.grant.caller.reads_as)
        left = {key: why for key, why in begun.delivered.left_out.items() if key not in view.hidden}
        left_out = {"left_out": left} if left else {}
        frame: dict[str, Any] = {
            "generation_id": begun.answer,
            "message_id": begun.answer,
            "user_message_id": begun.user_message,
            "sequence": begun.sequence,
            "client_message_id": payload.client_message_id,
            "context": {
                "version": begun.context_version,
                "changed": begun.context.changed,
                "warnings": warnings,
                **left_out,
            },
        }
        if begun.created and self.grant.caller.kind == "anonymous":
            frame["session_token"] = access.session_token(begun.session_id)
        return frame

    @property
    def context_text(self) -> str:
        """The context in force, for the caller to bring again with the session's next payload."""
        return self.begun.context.context.text

    async def asetup_user_prompt(self) -> str:
        """What the model is given as the user's message: greeting, prompt, page content, context block."""
        begun, payload = self.begun, self.payload
        return prompts.compose_user_prompt(
            begun.greeting, payload.prompt, payload.page_content, begun.delivered.in_message
        )

    async def _request(self) -> llm.ModelRequest:
        mentor = self.grant.mentor
        return model_request(
            system_prompt=mentor.system_prompt,
            delivered=self.begun.delivered,
            history=self.begun.history,
            user_prompt=await self.asetup_user_prompt(),
            model=mentor.model or settings.LLM_MODEL,
            parameters=mentor.model_parameters,
        )

    async def _run(self, turn: LiveTurn) -> None:
        error: ChatError | None = None
        try:
            if self.begun.fill_cache:
                await store().set_context(self.begun.session_id, self.context_text)
            turn.streaming = turn.stop_reason is None
            if turn.streaming:
                await self._stream(turn)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            assert task is not None
            task.uncancel()
            turn.stop_reason = turn.stop_reason or "interrupted"  # else the loop itself is going down
        except ModelError as failure:
            error = failure
        except Exception as failure:
            log.exception("turn_failed", generation_id=turn.generation_id, error=type(failure).__name__)
            error = ChatError("The answer failed.")
        turn.streaming = False
        await self._finish(turn, *_ending(turn, error))

    async def _stream(self, turn: LiveTurn) -> None:
        def hear(text: str) -> None:
            if self.first_token_at is None:
                self.first_token_at = time.monotonic()
            turn.emit_text(text)

        self.ending = await llm.current().answer(await self._request(), hear)

    async def _finish(self, turn: LiveTurn, status: str, error: ChatError | None) -> None:
        turn.tell()
        outcome = self._outcome(turn, status, error)
        try:
            await _persist(turn.held, outcome)
        except LeaseLost as lost:
            status, error = Status.INTERRUPTED, lost
        except Unavailable as away:
            status, error = Status.INTERRUPTED, away
        except Exception as failure:
            # Its lease is renewed no more, so the reaper ends it; a turn that is never done would keep it for ever.
            log.exception("finish_failed", generation_id=turn.generation_id, error=type(failure).__name__)
            status, error = Status.INTERRUPTED, ChatError("The answer could not be stored.")
        process().changed(turn.held.session_id)
        telemetry.TURNS.labels(self.door, status).inc()
        telemetry.DURATION.observe(time.monotonic() - self.started_at)
        if self.first_token_at is not None:
            telemetry.FIRST_TOKEN.observe(self.first_token_at - self.started_at)
        turn.end(self._end_frame(status, error))

    def _outcome(self, turn: LiveTurn, status: str, error: ChatError | None) -> leases.Outcome:
        first, usage = self.first_token_at, self.ending.usage
        return leases.Outcome(
            status=status,
            content=turn.content,
            finish_reason=self.ending.finish_reason,
            prompt_tokens=usage.prompt_tokens if usage else None,
            completion_tokens=usage.completion_tokens if usage else None,
            ttft_ms=None if first is None else round((first - self.started_at) * 1000, 3),
            duration_ms=round((time.monotonic() - self.started_at) * 1000, 3),
            error=error.code if error else "",
        )

    def _end_frame(self, status: str, error: ChatError | None) -> dict[str, Any]:
        frame: dict[str, Any] = {
            "generation_id": self.begun.answer,
            "message_id": self.begun.answer,
            "sequence": self.begun.sequence,
            "status": status,
        }
        if error is not None:
            return {**error.as_frame(), **frame}
        usage = self.ending.usage
        counts = (
            None
            if usage is None
            else {
                "prompt_tokens": usage.prompt_tokens,
                "completion_tokens": usage.completion_tokens,
                "total_tokens": usage.total_tokens,
            }
        )
        return {"eos": True, **frame, "usage": counts}


def _ending(turn: LiveTurn, error: ChatError | None) -> tuple[str, ChatError | None]:
    """The final status of a stream that is over, and what to say if it did not end well."""
    if turn.stop_reason == "stopped":
        return Status.STOPPED, None
    if turn.stop_reason is not None:
        return Status.INTERRUPTED, LeaseLost() if turn.stop_reason == "lost" else Draining()
    if error is None:
        return Status.COMPLETE, None
    return (Status.INTERRUPTED if turn.texts else Status.FAILED), error


async def _persist(held: leases.Held, outcome: leases.Outcome) -> None:
    """Store the outcome, through a restart of the database too; raises Unavailable after half a minute."""
    for attempt in range(FINISH_TRIES):
        try:
            return await in_database(leases.finish, held, outcome)
        except Unavailable:
            if attempt == FINISH_TRIES - 1:
                raise
            await asyncio.sleep(min(0.1 * 2**attempt, 2.0))


def model_request(
    *,
    system_prompt: str,
    delivered: Delivered,
    history: Sequence[tuple[str, str | None]],
    user_prompt: str,
    model: str,
    parameters: dict[str, Any],
) -> llm.ModelRequest:
    """What a model is sent: the same for the turn that sends it and for the one who rebuilds it later."""
    system = prompts.system_prompt(system_prompt, delivered.values, delivered.in_system_prompt)
    return llm.ModelRequest(model, prompts.messages(system, history, user_prompt), parameters)


async def stop_turn(answer: UUID) -> None:
    """Stop a running turn, whichever process runs it; one that has ended is let be."""
    here = process()
    turn = here.turns.get(str(answer))
    if turn is not None:
        turn.stop("stopped")
        return
    holder = await in_database(leases.ask_to_stop, answer)
    if holder:
        await here.wake(holder, str(answer))
