"""What is issued once and revoked for good: an API token, a signing key. Its secret is in one answer, nowhere else."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from .scope import TenantScoped, is_superuser


class Revocable(TenantScoped):
    """Of rows with `revoked_at` and `revoke()`; what the two pages say stands in templates of its own name."""

    issued_template: ClassVar[str]
    revoke_template: ClassVar[str]
    looked_up_by: ClassVar[tuple[str, ...]]
    named_by: ClassVar[str]
    actions = ("revoke",)

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        """No lookups by hand in the address: they could feel for a secret."""
        return lookup in self.looked_up_by

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return is_superuser(request)

    def has_secret(self, row: Any) -> bool:
        """Whether there is anything to show once."""
        return True

    def response_add(
        self, request: HttpRequest, obj: Any, post_url_continue: str | None = None
    ) -> HttpResponse:
        """The page with the secret answers the form itself: a redirect would have to keep it somewhere."""
        if not self.has_secret(obj):
            return super().response_add(request, obj, post_url_continue)
        context = self._page(request, f"{self._noun()} issued", issued=obj, name=self._name(obj))
        return TemplateResponse(request, self.issued_template, context)

    @admin.action(description="Revoke selected %(verbose_name_plural)s", permissions=["change"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:
        """Asks first: whoever uses them is refused from the next request on."""
        usable = queryset.filter(revoked_at=None)
        if not request.POST.get("confirmed"):
            title = f"Revoke {self._nouns()}"
            return TemplateResponse(request, self.revoke_template, self._page(request, title, rows=usable))
        names = ", ".join(self._revoked(request, usable)) or "none"
        self.message_user(request, f"Revoked: {names}.")
        return None

    def _revoked(self, request: HttpRequest, rows: Iterable[Any]) -> list[str]:
        names = []
        for row in list(rows):
            row.revoke()
            self.log_change(request, row, "Revoked.")
            names.append(self._name(row))
        return names

    def _name(self, row: Model) -> str:
        return str(getattr(row, self.named_by))

    def _noun(self) -> str:
        noun = str(self.opts.verbose_name)
        return noun[:1].upper() + noun[1:]

    def _nouns(self) -> str:
        return str(self.opts.verbose_name_plural)

    def _page(self, request: HttpRequest, title: str, **more: Any) -> dict[str, Any]:
        site = self.admin_site.each_context(request)
        return {**site, "opts": self.opts, "media": self.media, "title": title, **more}
