"""Refusals in the admin: what mentors were not given, to read."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from .lists import CappedPaginator
from .scope import TenantFilter, TenantScoped, is_superuser


class RefusalAdmin(TenantScoped):
    tenant_lookup = "tenant_id"
    list_display = ("day", "mentor", "pointer", "code", "door", "count", "last_at")
    list_filter = (TenantFilter,)
    list_select_related = ("mentor__tenant",)
    ordering = ("-day", "-pk")
    sortable_by = ()
    actions = None
    paginator = CappedPaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """They go with their mentor, which a superuser may delete."""
        return is_superuser(request)

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        return lookup == "tenant"
