"""Messages in the admin: what was said, what was known, how an answer came about, and its exact prompt."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.core.exceptions import ObjectDoesNotExist
from django.db.models import QuerySet
from django.db.models.functions import Coalesce, Substr
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.html import format_html

from .. import shapes
from ..errors import NotFound
from ..llm import request_body
from ..models import ChatMessageHistory, Session
from ..reading import Part, Reading, part, read
from ..rebuild import shown_request
from .conversation import PAGE, said
from .lists import LargeTable, by_id
from .scope import tenant_ids, visible
from .sessions import at, link, of_user

NEWEST_SESSIONS = 200
DAYS = 7


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a model was sent for an answer: as it reads, and the body's very bytes.

    `stamped`: page content was shown to the model and not kept, so its length and SHA-256 stand for it.
    `hides`: so does [hidden] for what is not for staff.
    """

    model: str
    system: Part | None
    history: list[Part]
    asked: Part
    parameters: Reading
    body: str
    stamped: bool
    hides: bool


class StatusFilter(admin.SimpleListFilter):
    """Of the last days only: without an index of its own, a rare status is sought by walking back in time."""

    title = f"not complete, in the last {DAYS} days"
    parameter_name = "status"
    statuses = [
        status for status in ChatMessageHistory.Status if status != ChatMessageHistory.Status.COMPLETE
    ]

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(status.value, str(status.label).lower()) for status in self.statuses]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value()
        if value is None:
            return queryset
        return queryset.filter(status=value, created_at__gte=timezone.now() - timedelta(days=DAYS))


class MessageAdmin(LargeTable):
    tenant_lookup = "session__tenant_id"
    ordering = ("-created_at", "-sequence")  # both messages of a turn have one time
    list_display = ("number", "excerpt", "role", "status", "session_link", "context", "written", "mentor")
    list_filter = (StatusFilter,)
    list_select_related = ("session__mentor__tenant", "extra")
    search_help_text = (
        "A user id, the id of a message or of its session (whole or from eight digits), "
        "or the start of a client_message_id."
    )

    def found(self, request: HttpRequest, term: str) -> Iterator[QuerySet[Any, Any]]:
        messages = self.get_queryset(request).order_by()
        yield by_id(messages, term).values_list("pk", flat=True)
        sessions = by_id(visible(self.admin_site, Session, request), term).values_list("pk", flat=True)
        for theirs in (sessions, of_user(request, term)):
            newest = list(theirs[:NEWEST_SESSIONS])
            yield messages.filter(session__in=newest).values_list("pk", flat=True)
        yield messages.filter(client_message_id__startswith=term).values_list("pk", flat=True)

    def newest(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """A message does not name its tenant: a quiet tenant's newest would be sought through everybody's."""
        if tenant_ids(request) is None:
            return queryset
        sessions = visible(self.admin_site, Session, request).order_by("-created_at").select_related(None)
        return queryset.filter(session__in=sessions.values("pk")[:NEWEST_SESSIONS])

    def listed(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        words = Substr(Coalesce("text", "content"), 1, 90)
        messages: QuerySet[Any] = queryset.annotate(first_words=words)
        return messages.only(
            *("sequence", "role", "status", "created_at", "session__mentor__slug"),
            *("session__mentor__tenant__key", "extra__context_version"),
        )

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        limited = tenant_ids(request) is not None and not request.GET.get("q")
        context = {"newest_sessions": NEWEST_SESSIONS if limited else None}
        return super().changelist_view(request, {**(extra_context or {}), **context})

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: ChatMessageHistory | None = None,
    ) -> HttpResponse:
        if obj is not None:
            context |= {"message": obj, "said": said(obj), "sent": read(obj.metadata), **_known(obj)}
            context |= {"put_aside": read(obj.rejected_metadata) if obj.rejected_metadata else None}
            context |= {"around": max(1, obj.sequence - PAGE // 2), "subtitle": None}
            context |= {"title": f"Message {obj.sequence} of session {obj.session_id}"}
        return super().render_change_form(request, context, add, change, form_url, obj)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("session__mentor__tenant", "extra")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    # --- columns

    @admin.display(description="message")
    def number(self, message: ChatMessageHistory) -> str:
        return format_html('<span title="{}">#{}</span>', message.pk, message.sequence)

    @admin.display(description="own words")
    def excerpt(self, message: Any) -> str:
        return format_html('<bdi class="excerpt">{}</bdi>', " ".join((message.first_words or "").split()))

    @admin.display(description="session")
    def session_link(self, message: ChatMessageHistory) -> str:
        return link(message.session_id, f"{str(message.session_id)[:8]}…")

    @admin.display(description="mentor")
    def mentor(self, message: ChatMessageHistory) -> str:
        return str(message.session.mentor)

    @admin.display(description="context")
    def context(self, message: Any) -> str:
        extra = getattr(message, "extra", None)
        return f"v{extra.context_version}" if extra and extra.context_version else "–"

    @admin.display(description="written (UTC)")
    def written(self, message: ChatMessageHistory) -> str:
        return at(message.created_at)


def _known(message: ChatMessageHistory) -> dict[str, Any]:
    """The snapshot, and of an answer its prompt."""
    extra = getattr(message, "extra", None)
    if extra is None:
        return {"extra": None}
    view = message.session.mentor.policy.view("operator")
    known = {"extra": extra, "snapshot": read(shapes.snapshot(extra, view))}
    known["stored"] = shapes.stored_content(message, view)
    if message.role == ChatMessageHistory.Role.MENTOR:
        known["prompt"] = _prompt(message)
    return known


def _prompt(answer: ChatMessageHistory) -> Prompt | None:
    """None where what it was made from is not stored any more."""
    try:
        found = shown_request(answer)
    except (ObjectDoesNotExist, NotFound):
        return None
    request = found.request
    *before, asked = [part(**message) for message in request.messages]
    system = before.pop(0) if before and before[0].role == "system" else None
    body = request_body(request).decode()
    return Prompt(
        request.model,
        system,
        before,
        asked,
        read(request.parameters),
        body,
        _is_stamped(answer),
        found.hides,
    )


def _is_stamped(answer: ChatMessageHistory) -> bool:
    shown = answer.session.messages.filter(sequence=answer.sequence - 1, extra__page_content_length__gt=0)
    return shown.filter(extra__page_content="").exists()
