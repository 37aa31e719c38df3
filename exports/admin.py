"""Exports and schedules in the admin: watched, ended, fetched and planned, each by staff of its tenant."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from django import forms
from django.contrib import admin
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html

from chat import access, strict_json
from chat.admin.forms import StrictJSONField
from chat.admin.lists import CappedPaginator
from chat.admin.scope import TenantFilter, TenantScoped
from chat.errors import ChatError
from chat.selections import Reader

from . import asking, jobs
from .models import Export, Schedule, ScheduledWindow, check_query

if TYPE_CHECKING:
    _ScheduleForm = forms.ModelForm[Schedule]
    _Windows = admin.TabularInline[ScheduledWindow, Schedule]
else:
    _ScheduleForm = forms.ModelForm
    _Windows = admin.TabularInline


@admin.register(Export)
class ExportAdmin(TenantScoped):
    tenant_lookup = "tenant_id"
    list_display = ("created_at", "tenant", "what", "state", "progress", "asked_by", "file")
    list_display_links = ("created_at",)
    list_filter = (TenantFilter, "state", "purpose")
    list_select_related = ("tenant",)
    ordering = ("-created_at",)
    sortable_by = ()
    paginator = CappedPaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    actions = ("end",)
    fieldsets = (
        (None, {"fields": ("tenant", "state", "phase", "progress", "error", "file", "expires_at")}),
        ("Asked for", {"fields": ("filter_", "since", "until", "shape", "asked_by", "purpose", "name")}),
        ("Run", {"fields": ("created_at", "started_at", "finished_at", "holder", "attempts", "told")}),
    )

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """The row knows which file there is to be removed."""
        return False

    def has_end_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("exports.change_export")

    @admin.action(description="End selected exports: stop them, remove their files", permissions=["end"])
    def end(self, request: HttpRequest, queryset: QuerySet[Export]) -> None:
        exports = list(queryset)
        for export in exports:
            jobs.end(export)
            self.log_change(request, export, "Ended.")
        self.message_user(request, f"Ended: {len(exports)}. What runs stops within seconds.")

    @admin.display(description="what")
    def what(self, export: Export) -> str:
        return f"{export.grain}s, {export.format}"

    @admin.display(description="progress")
    def progress(self, export: Export) -> str:
        of = (
            ""
            if export.total is None or export.state == Export.State.READY
            else f" of about {export.total:,}"
        )
        return f"{export.rows:,}{of} rows, {export.bytes:,} bytes"

    @admin.display(description="file")
    def file(self, export: Export) -> str:
        if export.state != Export.State.READY:
            return "–"
        return format_html('<a href="/api/v1/exports/{}/download/">{}</a>', export.id, export.file_name)

    @admin.display(description="filter")
    def filter_(self, export: Export) -> str:
        return "\n".join(f"{name} = {text}" for name, text in export.query) or "everything"

    @admin.display(description="shape")
    def shape(self, export: Export) -> str:
        return f"{self.what(export)}: {', '.join(export.columns) or 'the usual columns'}"

    @admin.display(description="manifest")
    def told(self, export: Export) -> str:
        return format_html("<pre>{}</pre>", strict_json.dumps(export.manifest) if export.manifest else "–")


class ScheduleForm(_ScheduleForm):
    def clean_query(self) -> Any:
        check_query(self.cleaned_data["query"])
        return self.cleaned_data["query"]

    def clean(self) -> dict[str, Any] | None:
        """The filter must be one that this tenant may ask, of columns that there are."""
        cleaned = super().clean() or self.cleaned_data
        tenant = cleaned.get("tenant") or self.instance.tenant
        if tenant is not None and "query" in cleaned:
            try:
                asking.reach([(n, t) for n, t in cleaned["query"]], Reader(frozenset({tenant.pk})))
                asking.check_form(asking.Wish(**{name: cleaned[name] for name in FORM if name in cleaned}))
            except (ChatError, ValueError) as error:
                raise ValidationError(getattr(error, "message", "This is no list of names.")) from None
        return cleaned


FORM = ("grain", "format", "columns", "context_keys", "formula_safety", "bom")


class Windows(_Windows):
    """What it has opened, newest first."""

    model = ScheduledWindow
    fields = readonly_fields = ("start", "end", "due_at", "export")
    extra, max_num, can_delete, show_change_link = 0, 0, False, False

    def get_queryset(self, request: HttpRequest) -> QuerySet[ScheduledWindow]:
        return super().get_queryset(request).select_related("export", "schedule")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Schedule)
class ScheduleAdmin(TenantScoped):
    tenant_lookup = "tenant_id"
    form = ScheduleForm
    inlines = (Windows,)
    list_display = ("name", "tenant", "every", "window", "grain", "format", "active")
    list_filter = (TenantFilter, "active", "every")
    list_select_related = ("tenant",)
    fieldsets = (
        (None, {"fields": ("tenant", "name", "active")}),
        ("When", {"fields": ("every", "hour", "weekday", "day", "window")}),
        (
            "What",
            {"fields": ("query", "grain", "format", "columns", "context_keys", "formula_safety", "bom")},
        ),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("tenant",) if obj else ()

    def formfield_for_dbfield(self, db_field: models.Field[Any, Any], request: Any, **kwargs: Any) -> Any:
        if isinstance(db_field, models.JSONField):
            return db_field.formfield(form_class=StrictJSONField, empty=db_field.default)
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    def save_model(self, request: HttpRequest, obj: Schedule, form: Any, change: bool) -> None:
        if not change:
            obj.asked_by = access.staff_caller(cast(User, request.user)).label
        obj.save()
