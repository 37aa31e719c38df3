"""Erasures in the admin: asked for here as rows, which a worker takes; and what was erased, to read."""

from __future__ import annotations

from typing import Any, cast

from django.contrib import admin
from django.contrib.auth.models import User
from django.http import HttpRequest
from django.utils.html import format_html_join

from .. import access, erasing
from ..models import Erasure
from .lists import CappedPaginator
from .scope import TenantFilter, TenantScoped


class ErasureAdmin(TenantScoped):
    tenant_lookup = "tenant_id"
    list_display = ("created_at", "tenant", "kind", "state", "erased", "asked_by", "finished_at")
    list_filter = (TenantFilter, "kind")
    list_select_related = ("tenant",)
    ordering = ("-created_at",)
    sortable_by = ()
    actions = None
    paginator = CappedPaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    fields = ("tenant", "kind", "state", "erased", "asked_by", "created_at", "finished_at")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        # Whom it is about is typed in, and shown to nobody.
        return self.fields if obj else ("tenant", "user_id")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """They go with their tenant."""
        return False

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        return lookup in ("tenant", "kind__exact")

    def formfield_for_dbfield(self, db_field: Any, request: Any, **kwargs: Any) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if field is not None and db_field.name == "user_id":
            field.required = True
            field.help_text = "Exactly as in their sessions. All that is stored of them is erased, for good."
        return field

    def save_model(self, request: HttpRequest, obj: Erasure, form: Any, change: bool) -> None:
        """A worker finds the row within half a minute."""
        label = access.staff_caller(cast(User, request.user)).label
        asked = erasing.ask(obj.tenant_id, obj.user_id, label)
        obj.pk, obj.created_at = asked.pk, asked.created_at

    @admin.display(description="state")
    def state(self, erasure: Erasure) -> str:
        return "done" if erasure.finished_at else "running"

    @admin.display(description="erased")
    def erased(self, erasure: Erasure) -> str:
        told = ((f"{number:,}", noun.replace("_", " ")) for noun, number in sorted(erasure.counts.items()))
        return format_html_join(", ", "{} {}", told) or "–"
