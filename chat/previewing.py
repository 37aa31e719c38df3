"""What if: the prompt that would be sent under some context, and on request its answer. Nothing is stored."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Final
from uuid import UUID

from asgiref.sync import async_to_sync
from django.conf import settings
from pydantic import BaseModel, BeforeValidator, ConfigDict

from . import admissions, client_context, llm, prompts, rebuild, transcripts
from .access import Caller
from .client_context import Decision, InForce
from .database import release
from .delivery import OFF, SYSTEM_PROMPT, Delivered, Plan, deliver
from .errors import Draining, ModelTimeout, NotFound
from .limits import Limits
from .live import any_draining
from .models import ChatMessageHistory, Session, statements
from .models.tenants import Prompting
from .payloads import PayloadWarning, Uuid, check_metadata, check_prompt, cut_at_word, size, validated
from .policies import policy_of
from .rates import check_token_rate
from .runner import model_request
from .shapes import was_generated
from .strict_json import ParsedObject, step

ANSWER_SECONDS: Final = 60.0
MOST_WARNINGS: Final = 20


def _null_is_empty(value: object) -> object:
    return "" if value is None else value


class Wish(BaseModel):
    """The body of a preview; made by `wish_of`, which also fills the derived fields."""

    model_config = ConfigDict(strict=True, extra="ignore")

    metadata: dict[str, Any] | None = None
    prompt: str | None = None
    page_content: Annotated[str, BeforeValidator(_null_is_empty)] = ""
    include_metadata_in_prompt: bool | None = None
    verified: bool | None = None
    message_id: Uuid | None = None
    answer: bool = False

    # Derived, never taken from the client.
    metadata_text: str | None = None
    warnings: list[PayloadWarning] = []


WIRE_KEYS: Final = Wish.model_fields.keys() - {"metadata_text", "warnings"}


def wish_of(sent: ParsedObject, limits: Limits) -> Wish:
    """Raises InvalidPayload, MetadataTooLarge, PromptTooLarge."""
    wish = validated(Wish, {key: sent.value[key] for key in sent.value if key in WIRE_KEYS})
    if wish.metadata is not None:
        wish.metadata_text = sent.text("metadata") or ""
        check_metadata(wish.metadata_text, wish.metadata, limits)
    check_prompt(wish.prompt or "", limits)
    strange = [key for key in sent.value if key not in WIRE_KEYS]
    wish.warnings = [_unknown(key) for key in strange[:MOST_WARNINGS]]
    _cut_page(wish, limits.page_content_bytes)
    return wish


def _unknown(key: str) -> PayloadWarning:
    message = "This key is not known here and has no effect."
    return {"code": "unknown_key", "pointer": step("", key), "message": message}


def _cut_page(wish: Wish, most: int) -> None:
    sent, wish.page_content = wish.page_content, cut_at_word(wish.page_content, most)
    if wish.page_content is not sent:
        message = f"The page content was cut: {size(wish.page_content)} of {size(sent)} bytes were kept."
        wish.warnings.append({"code": "page_content_cut", "pointer": "/page_content", "message": message})


@dataclass(frozen=True, slots=True)
class Scene:
    """Where a prompt is composed: a session as it stands, or as it stood when something was asked."""

    prompting: Prompting
    mentor_version: int
    model: str
    delivery: str
    now: InForce
    version: int
    history: Sequence[tuple[str, str | None]]
    is_first: bool
    prompt: str = ""
    page_content: str = ""


@dataclass(frozen=True, slots=True)
class Preview:
    """What a message would come to: the law's decision on its metadata, and the request to the model.

    Both are as the caller may see them: `before` and `context` by their view, the request with marks.
    """

    scene: Scene
    decision: Decision
    before: dict[str, Any]
    context: dict[str, Any]
    delivery: str
    left_out: dict[str, str]
    request: llm.ModelRequest

    @property
    def version(self) -> int:
        """The version that the context would be of."""
        return self.scene.version + self.decision.changed


@dataclass(frozen=True, slots=True)
class Answer:
    content: str
    ending: llm.Ending
    duration_ms: float


def preview(session: Session, wish: Wish, caller: Caller) -> Preview:
    """Raises NotFound for a message that is not this session's, and what the context law refuses."""
    scene = _scene_then(session, wish.message_id) if wish.message_id else _scene_now(session)
    decision = _decide(session, scene, wish, caller)
    view = session.mentor.policy.view("operator")
    how, context = _delivery(scene, wish), decision.context
    delivered = deliver(Plan.of(scene.prompting), how, context.text, context.verified_keys, view)
    after = json.loads(context.text)
    return Preview(
        scene,
        decision,
        view.value(json.loads(scene.now.text)),
        view.value(after),
        how,
        dict.fromkeys(after, OFF) if how == OFF else dict(delivered.left_out),
        _request(scene, wish, delivered),
    )


def _decide(session: Session, scene: Scene, wish: Wish, caller: Caller) -> Decision:
    """By the schema of the scene, and by what the tenant says of secrets today."""
    verified = caller.verified if wish.verified is None else wish.verified
    policy = policy_of(scene.prompting.context_schema, scene.prompting.schema_mode, session.tenant.secrets)
    operator = caller.kind == "staff" and not verified
    asked: dict[str, Any] = {"policy": policy, "reader": "operator"}
    decision = client_context.decide(
        scene.now, wish.metadata_text, verified=verified, operator=operator, **asked
    )
    # As nothing is stored, who may not see a value could guess at it for as long as it takes.
    guesses = wish.metadata_text and admissions.blind(wish.metadata_text, session.mentor.policy, "operator")
    return replace(decision, changed=True) if guesses else decision


def _delivery(scene: Scene, wish: Wish) -> str:
    if wish.include_metadata_in_prompt is None:
        return scene.delivery
    return SYSTEM_PROMPT if wish.include_metadata_in_prompt else OFF


def _request(scene: Scene, wish: Wish, delivered: Delivered) -> llm.ModelRequest:
    prompting, values = scene.prompting, delivered.values
    greeting = prompts.greeting_instructions(prompting.greeting_method, prompting.greeting_text, values)
    return model_request(
        system_prompt=prompting.system_prompt,
        delivered=delivered,
        history=scene.history,
        user_prompt=prompts.compose_user_prompt(
            greeting if scene.is_first else "",
            scene.prompt if wish.prompt is None else wish.prompt,
            wish.page_content or scene.page_content,
            delivered.in_message,
        ),
        model=scene.model,
        parameters=prompting.model_parameters,
    )


# --- where


def _scene_now(session: Session) -> Scene:
    mentor = session.mentor
    before = {
        "session": session.pk,
        "sequence": session.next_sequence,
        "history_window": mentor.history_window,
    }
    return Scene(
        mentor,
        mentor.version,
        mentor.model or settings.LLM_MODEL,
        session.delivery or mentor.context_delivery,
        client_context.in_force(session.pk, session.context_version),
        session.context_version,
        statements.history(before),
        not transcripts.has_answered(session.pk, before=session.next_sequence),
    )


def _scene_then(session: Session, message_id: UUID) -> Scene:
    """As it was when this answer's question was asked, under the context that the answer was given."""
    rows = session.messages.select_related("session", "extra")
    answer = rows.filter(pk=message_id, role=ChatMessageHistory.Role.MENTOR).first()
    if answer is None or not was_generated(answer):
        raise NotFound("The session has no such answer.", pointer="/message_id")
    asked, prompting = rebuild.question_of(answer), rebuild.prompting_of(answer)
    extra = answer.extra
    return Scene(
        prompting,
        prompting.number,
        extra.model,
        extra.delivery,
        client_context.in_force(session.pk, extra.context_version),
        extra.context_version,
        rebuild.history_of(asked, prompting),
        not transcripts.has_answered(session.pk, before=asked.sequence),
        asked.own_words if asked.deleted_at is None else prompts.REMOVED,
        rebuild.page_content_of(asked),
    )


# --- its answer


def answer(caller: Caller, request: llm.ModelRequest) -> Answer:
    """The model's, which counts as a turn of the caller's token. Raises RateLimited, Draining, ModelError."""
    release()
    started = time.monotonic()
    texts: list[str] = []
    ending = async_to_sync(_ask)(caller, request, texts.append)
    return Answer("".join(texts), ending, round((time.monotonic() - started) * 1000, 3))


async def _ask(caller: Caller, request: llm.ModelRequest, hear: llm.Hear) -> llm.Ending:
    if any_draining():
        raise Draining()
    await check_token_rate(caller)
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            return await llm.current().answer(request, hear)
    except TimeoutError:
        raise ModelTimeout() from None
