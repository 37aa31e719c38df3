"""API tokens in the admin: a secret is in one answer to one request, and nowhere else."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from ..models import ApiToken
from .forms import TokenForm
from .revoking import Revocable
from .scope import TenantFilter


class ApiTokenAdmin(Revocable):
    tenant_lookup = "tenant_id"
    issued_template = "admin/chat/apitoken/issued.html"
    revoke_template = "admin/chat/apitoken/revoke.html"
    looked_up_by = ("tenant", "scope__exact")
    named_by = "name"
    form = TokenForm
    list_display = ("name", "tenant", "mentor", "scope", "shown_prefix", "state", "expires_at", "created_at")
    list_filter = (TenantFilter, "scope")
    list_select_related = ("tenant", "mentor__tenant")
    search_fields = ("name", "prefix")
    fields = ("tenant", "mentor", "name", "scope", "expires_at")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return (*self.fields, "shown_prefix", "state", "created_at", "revoked_at") if obj else self.fields

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """What a secret opens never changes after it was given away."""
        fixed = ("tenant", "mentor", "scope", "shown_prefix", "state", "created_at", "revoked_at")
        return fixed if obj else ()

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("tenant", "mentor__tenant")

    # --- adding

    def save_model(self, request: HttpRequest, obj: ApiToken, form: Any, change: bool) -> None:
        if change:
            obj.save()
            return
        issued, secret = ApiToken.issue(
            obj.tenant, scope=obj.scope, name=obj.name, mentor=obj.mentor, expires_at=obj.expires_at
        )
        obj.pk, obj.prefix, obj.created_at = issued.pk, issued.prefix, issued.created_at
        obj.secret = secret  # type: ignore[attr-defined]

    # --- columns

    @admin.display(description="prefix")
    def shown_prefix(self, token: ApiToken) -> str:
        return f"{token.prefix}…"

    @admin.display(description="state")
    def state(self, token: ApiToken) -> str:
        if token.revoked_at:
            return "revoked"
        return "expired" if token.expires_at and token.expires_at <= timezone.now() else "good"
