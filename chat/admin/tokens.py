"""API tokens in the admin: a secret is in one answer to one request, and nowhere else."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone

from ..models import ApiToken
from .forms import TokenForm
from .scope import TenantFilter, TenantScoped, is_superuser


class ApiTokenAdmin(TenantScoped):
    tenant_lookup = "tenant_id"
    form = TokenForm
    list_display = ("name", "tenant", "mentor", "scope", "shown_prefix", "state", "expires_at", "created_at")
    list_filter = (TenantFilter, "scope")
    list_select_related = ("tenant", "mentor__tenant")
    search_fields = ("name", "prefix")
    actions = ("revoke",)
    fields = ("tenant", "mentor", "name", "scope", "expires_at")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return (*self.fields, "shown_prefix", "state", "created_at", "revoked_at") if obj else self.fields

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """What a secret opens never changes after it was given away."""
        fixed = ("tenant", "mentor", "scope", "shown_prefix", "state", "created_at", "revoked_at")
        return fixed if obj else ()

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("tenant", "mentor__tenant")

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        """No lookups by hand in the address: they could feel for a digest."""
        return lookup in ("tenant", "scope__exact")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return is_superuser(request)

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

    def response_add(
        self, request: HttpRequest, obj: ApiToken, post_url_continue: str | None = None
    ) -> HttpResponse:
        """The page with the secret answers the form itself: a redirect would have to keep it somewhere."""
        context = self._page(request, "API token issued", token=obj)
        return TemplateResponse(request, "admin/chat/apitoken/issued.html", context)

    # --- revoking

    @admin.action(description="Revoke selected API tokens", permissions=["change"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiToken]) -> HttpResponse | None:
        """Asks first: clients that use these tokens are refused from their next request on."""
        usable = queryset.filter(revoked_at=None)
        if request.POST.get("confirmed"):
            tokens = list(usable)
            for token in tokens:
                token.revoke()
                self.log_change(request, token, "Revoked.")
            self.message_user(request, f"Revoked: {', '.join(token.name for token in tokens) or 'none'}.")
            return None
        return TemplateResponse(
            request,
            "admin/chat/apitoken/revoke.html",
            self._page(request, "Revoke API tokens", tokens=usable),
        )

    def _page(self, request: HttpRequest, title: str, **more: Any) -> dict[str, Any]:
        site = self.admin_site.each_context(request)
        return {**site, "opts": self.opts, "media": self.media, "title": title, **more}

    # --- columns

    @admin.display(description="prefix")
    def shown_prefix(self, token: ApiToken) -> str:
        return f"{token.prefix}…"

    @admin.display(description="state")
    def state(self, token: ApiToken) -> str:
        if token.revoked_at:
            return "revoked"
        return "expired" if token.expires_at and token.expires_at <= timezone.now() else "good"
