"""`/analytics/messages/{id}/`: why an answer is as it is, key by key; its exact prompt; and what if."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, cast
from uuid import UUID
from zoneinfo import ZoneInfo

from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import get_token
from django.shortcuts import render

from chat import explaining, transcripts
from chat.access import staff_caller
from chat.explaining import Explanation, Known
from chat.filters import Filter
from chat.llm import ModelRequest, request_body
from chat.models import ChatMessageHistory
from chat.reading import Part, part, read_text, seen
from chat.selections import Reader
from chat.strict_json import spelled

from .door import staff_page
from .origins import Came, came, door, place
from .words import Time, time_of

# Characters of the question and the answer, of which the session's page has the rest.
QUOTED: Final = 600
NOTHING: Final = "{}"
SIDES: Final = ("A", "B")
LEFT_OUT: Final = {
    "off": "no context is put before this model",
    "hidden": "the schema hides it from the model",
    "not_listed": "the mentor's list of keys does not name it",
    "over_budget": "the budget of tokens was used up",
}
DELIVERIES: Final = {
    "user_block": "in the user's message",
    "system_prompt": "in the system prompt",
    "off": "not shown to the model",
}


@dataclass(frozen=True, slots=True)
class Line:
    """One key with its origin in words."""

    key: str
    value: str
    verified: bool
    signed_by: str
    masked: bool
    came: Came
    or_earlier: bool
    shown: bool
    left_out: str
    kept_out: str
    kept_out_at: Time | None


@dataclass(frozen=True, slots=True)
class Prompt:
    system: Part | None
    history: list[Part]
    asked: Part
    body: str


@staff_page
def explanation(request: HttpRequest, reader: Reader, message_id: UUID) -> HttpResponse:
    caller = staff_caller(cast(User, request.user))
    answer = explaining.find_answer(caller, message_id)
    one = explaining.explain(answer)
    tenant = answer.session.tenant.key
    zone = transcripts.selected(Filter(tenant=tenant), reader).zone
    context = {
        "answer": answer,
        "back": place(answer.session_id, answer.sequence),
        "question": one.question,
        "said": _quoted(answer),
        "asked": _quoted(one.question),
        "extra": answer.extra,
        "lines": _lines(one, zone),
        "prompting": one.prompting,
        "delivery": DELIVERIES.get(answer.extra.delivery, ""),
        "written": time_of(answer.created_at, zone),
        "prompt": _prompt(one.request),
        "is_whole": one.is_whole,
        "in_force": read_text(one.view.text(one.version.text)).raw if one.version else NOTHING,
        "words": one.question.own_words,
        "page_content": one.question.extra,
        "sides": SIDES,
        "csrf": get_token(request),
    }
    return render(request, "analytics/explanation.html", context)


def _quoted(message: ChatMessageHistory) -> str:
    words = message.own_words
    return words if len(words) <= QUOTED else f"{words[:QUOTED]}…"


def _lines(one: Explanation, zone: ZoneInfo) -> list[Line]:
    values = one.view.value(spelled(one.version.text)) if one.version else {}
    numbers = _numbers(one.known)
    return [
        _line(known, values.get(known.key, known.value), one.tokens, numbers, zone) for known in one.known
    ]


def _numbers(known: Iterable[Known]) -> dict[Any, int]:
    """Of the messages that carried the values."""
    ids = {one.origin.version.message_id for one in known if one.origin.version.message_id}
    return dict(ChatMessageHistory.objects.filter(pk__in=ids).values_list("pk", "sequence")) if ids else {}


def _line(one: Known, value: Any, tokens: dict[int, str], numbers: dict[Any, int], zone: ZoneInfo) -> Line:
    kept_out = one.kept_out
    return Line(
        seen(one.key),
        seen(value),
        one.verified,
        one.signed_by or "",
        one.masked,
        came(one.origin.version, tokens, numbers, zone),
        one.origin.or_earlier,
        one.shown,
        LEFT_OUT.get(one.left_out, one.left_out),
        door(kept_out.door) if kept_out else "",
        time_of(kept_out.at, zone) if kept_out else None,
    )


def _prompt(request: ModelRequest) -> Prompt:
    *before, asked = [part(**message) for message in request.messages]
    system = before.pop(0) if before and before[0].role == "system" else None
    return Prompt(system, before, asked, request_body(request).decode())
