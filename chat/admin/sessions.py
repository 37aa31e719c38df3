"""Sessions in the admin: found by id, message or user, read as a conversation, deleted by superusers only."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce, Substr
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html

from ..models import ChatMessageHistory, Mentor, Session, Tenant
from .conversation import read_conversation
from .filtering import is_filter, meant
from .lists import MOST_ROWS, LargeTable, by_id
from .scope import TenantFilter, is_superuser, tenant_ids, visible, with_id


class MentorFilter(admin.SimpleListFilter):
    title = "mentor"
    parameter_name = "mentor"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        mentors = visible(model_admin.admin_site, Mentor, request)
        mentors = with_id(mentors, "tenant_id", request.GET.get("tenant"))
        return [(str(mentor.pk), str(mentor)) for mentor in mentors[:200]]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return with_id(queryset, "mentor_id", self.value())


class StartedFilter(admin.SimpleListFilter):
    title = "started"
    parameter_name = "started"
    hours = {"hour": 1, "day": 24, "week": 7 * 24, "month": 30 * 24}

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(name, f"in the last {name}") for name in self.hours]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        hours = self.hours.get(self.value() or "")
        return queryset.filter(created_at__gte=timezone.now() - timedelta(hours=hours)) if hours else queryset


class TurnFilter(admin.SimpleListFilter):
    """The index of running turns is small, that of idle sessions would be the table."""

    title = "turn"
    parameter_name = "turn"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("running", "running")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(turn_id__isnull=False) if self.value() == "running" else queryset


class SessionAdmin(LargeTable):
    tenant_lookup = "tenant_id"
    ordering = ("-created_at",)
    list_display = (
        *("short_id", "opening", "user", "mentor", "messages", "context", "turn"),
        *("started", "active"),
    )
    list_filter = (TenantFilter, MentorFilter, StartedFilter, TurnFilter)
    list_select_related = ("mentor__tenant",)
    search_help_text = (
        "A user id, the id of a session or of one of its messages (whole or from eight digits), or a filter such "
        "as context.stateCode=CA & status=failed."
    )

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        if is_filter(search_term):
            return self.listed(meant(request, queryset, search_term, MOST_ROWS)), False
        return super().get_search_results(request, queryset, search_term)

    def found(self, request: HttpRequest, term: str) -> Iterator[QuerySet[Any, Any]]:
        yield by_id(self.get_queryset(request), term).values_list("pk", flat=True)
        messages = visible(self.admin_site, ChatMessageHistory, request)
        yield by_id(messages, term).values_list("session_id", flat=True)
        yield of_user(request, term)

    def listed(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        first = ChatMessageHistory.objects.filter(session=OuterRef("pk"), sequence=1)
        words = first.values(words=Substr(Coalesce("text", "content"), 1, 90))
        sessions: QuerySet[Any] = queryset.annotate(first_words=Subquery(words))
        return sessions.only(
            *(
                "title",
                "user_id",
                "anonymous",
                "context_version",
                "next_sequence",
                "created_at",
                "updated_at",
            ),
            *("turn_id", "mentor__slug", "mentor__tenant__key"),
        )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("mentor__tenant")

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: Session | None = None,
    ) -> HttpResponse:
        if obj is not None:
            start = request.GET.get("from", "")
            page = read_conversation(obj, int(start) if start.isdecimal() and len(start) < 10 else None)
            context |= {"session": obj, "page": page, "title": f"Session {obj.pk}", "subtitle": None}
        return super().render_change_form(request, context, add, change, form_url, obj)

    # --- deleting

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return is_superuser(request)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """A session's rows are told by their number: thousands of lines would not be read."""
        count = {"messages": sum(session.next_sequence - 1 for session in objs)}
        return [f"Session {session.pk} with all it holds" for session in objs], count, set(), []

    # --- columns

    @admin.display(description="session")
    def short_id(self, session: Session) -> str:
        return format_html('<code title="{}">{}…</code>', session.pk, str(session.pk)[:8])

    @admin.display(description="begins")
    def opening(self, session: Any) -> str:
        words = session.title or session.first_words or ""
        return format_html('<bdi class="excerpt">{}</bdi>', " ".join(words.split()))

    @admin.display(description="user")
    def user(self, session: Session) -> str:
        return session.user_id or "anonymous"

    @admin.display(description="messages")
    def messages(self, session: Session) -> int:
        return session.next_sequence - 1

    @admin.display(description="context")
    def context(self, session: Session) -> str:
        return f"v{session.context_version}" if session.context_version else "never set"

    @admin.display(description="started (UTC)")
    def started(self, session: Session) -> str:
        return at(session.created_at)

    @admin.display(description="active (UTC)")
    def active(self, session: Session) -> str:
        return at(session.updated_at)

    @admin.display(description="turn")
    def turn(self, session: Session) -> str:
        return "running" if session.turn_id else "–"


def at(time: Any) -> str:
    return format_html('<time datetime="{}">{}</time>', time.isoformat(), f"{time:%Y-%m-%d %H:%M:%S}")


def link(session_id: UUID | str, words: str) -> str:
    return format_html('<a href="{}">{}</a>', reverse("admin:chat_session_change", args=[session_id]), words)


def of_user(request: HttpRequest, user_id: str) -> QuerySet[Any, Any]:
    """Ids of a user's sessions, newest first: the index starts with the tenant, so the tenants are named."""
    tenants = tenant_ids(request)
    chosen: Any = Tenant.objects.order_by().values("pk") if tenants is None else tenants
    sessions = Session.objects.filter(tenant_id__in=chosen, user_id=user_id)
    return sessions.order_by("-created_at").values_list("pk", flat=True)
