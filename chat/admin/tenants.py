"""Tenants and mentors in the admin; a mentor's page ends with every version of what decides its prompts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib import admin
from django.db import models
from django.db.models import QuerySet
from django.forms import Field
from django.forms.widgets import Script
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html

from .. import strict_json
from ..models import Mentor, MentorVersion, Tenant
from ..reading import Difference, Reading, differences, read
from .forms import MentorForm, StrictJSONField
from .scope import TenantFilter, TenantScoped, is_superuser

VERSIONS = 20  # of the newest that a mentor's page lists


class DeletedWhileUnused(TenantScoped):
    """A tenant or mentor with sessions is not deleted here: its conversations would go with it, unread."""

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return obj is not None and is_superuser(request) and not obj.sessions.exists()

    def formfield_for_dbfield(
        self, db_field: models.Field[Any, Any], request: Any, **kwargs: Any
    ) -> Field | None:
        if isinstance(db_field, models.JSONField):
            widget = {"widget": kwargs["widget"]} if "widget" in kwargs else {}
            return db_field.formfield(form_class=StrictJSONField, empty=db_field.default, **widget)
        return super().formfield_for_dbfield(db_field, request, **kwargs)


class TenantAdmin(DeletedWhileUnused):
    tenant_lookup = "pk"
    list_display = ("key", "name", "time_zone", "created_at")
    search_fields = ("key", "name")
    autocomplete_fields = ("members",)
    fields = (
        "key",
        "name",
        "time_zone",
        "pinned_keys",
        "retention_days",
        "secrets",
        "members",
        "see_also",
        "created_at",
    )

    def has_add_permission(self, request: HttpRequest) -> bool:
        """A member of staff would not see the tenant that they had made."""
        return is_superuser(request) and super().has_add_permission(request)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        # Who is a member decides what others see, and the key is what clients send.
        return ("see_also", "created_at", *(() if is_superuser(request) else ("key", "members")))

    @admin.display(description="see also")
    def see_also(self, tenant: Tenant) -> str:
        return _links(["mentor", "apitoken", "session"], f"tenant={tenant.pk}") if tenant.pk else "–"


@dataclass(frozen=True, slots=True)
class Prompting:
    """One version of what decides a mentor's prompts, and what it changed in the one before."""

    version: MentorVersion
    changes: list[Difference]
    reading: Reading


class MentorAdmin(DeletedWhileUnused):
    class Media:
        js = [Script("admin-schema.js", type="module")]

    tenant_lookup = "tenant_id"
    form = MentorForm
    list_display = ("slug", "name", "tenant", "is_active", "allow_anonymous", "context_delivery", "version")
    list_filter = (TenantFilter, "is_active", "allow_anonymous")
    list_select_related = ("tenant",)
    search_fields = ("slug", "name", "unique_id")
    fieldsets = (
        (None, {"fields": ("tenant", "name", "slug", "unique_id", "description", "is_active", "see_also")}),
        ("Prompts", {"fields": ("system_prompt", "greeting_method", "greeting_text", "starter_prompts")}),
        ("Model", {"fields": ("model", "model_parameters", "history_window")}),
        (
            "Context before the model",
            {
                "fields": (
                    *("context_delivery", "context_keys", "context_labels", "context_budget"),
                    *("mark_verified", "allow_metadata_in_prompt"),
                )
            },
        ),
        ("Schema of the context", {"fields": ("context_schema", "schema_mode")}),
        ("Who may talk", {"fields": ("allow_anonymous", "anonymous_continuation", "allowed_origins")}),
        ("Frame", {"fields": ("show_context",)}),
        ("Storing", {"fields": ("keep_page_content", "version", "created_at", "updated_at")}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("tenant")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        # The sessions of a mentor stay with their tenant.
        fixed = ("unique_id", "see_also", "version", "created_at", "updated_at")
        return (*fixed, "tenant") if obj else fixed

    def get_prepopulated_fields(self, request: HttpRequest, obj: Any = None) -> dict[str, Sequence[str]]:
        return {} if obj else {"slug": ("name",)}

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: Mentor | None = None,
    ) -> HttpResponse:
        if obj is not None:
            context["versions"] = list(_versions(obj))
        return super().render_change_form(request, context, add, change, form_url, obj)

    @admin.display(description="see also")
    def see_also(self, mentor: Mentor) -> str:
        return _links(["session"], f"tenant={mentor.tenant_id}&mentor={mentor.pk}") if mentor.pk else "–"


def _versions(mentor: Mentor) -> Iterator[Prompting]:
    """The newest versions, newest first."""
    rows = list(mentor.versions.order_by("-number")[: VERSIONS + 1])
    texts = [strict_json.dumps(row.prompting()) for row in rows]
    for row, text, before in zip(rows, texts, [*texts[1:], ""], strict=True):
        if before or row.number == 1:
            yield Prompting(row, differences(before or text, text), read(row.prompting()))


def _links(names: list[str], query: str) -> str:
    words = {"mentor": "Mentors", "apitoken": "API tokens", "session": "Sessions"}
    links = [(reverse(f"admin:chat_{name}_changelist"), query, words[name]) for name in names]
    return format_html(
        " · ".join(['<a href="{}?{}">{}</a>'] * len(links)), *[x for one in links for x in one]
    )
