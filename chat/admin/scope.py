"""Whose rows a member of staff sees, everywhere in the admin: lists, pages, searches and choices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from django.contrib import admin
from django.contrib.auth.models import User
from django.db.models import ForeignKey, Model, QuerySet
from django.forms import ModelChoiceField
from django.http import HttpRequest

from .. import access
from ..models import Tenant

if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin[Any]
else:
    _ModelAdmin = admin.ModelAdmin


def tenant_ids(request: HttpRequest) -> frozenset[int] | None:
    """The tenants of a member of staff, asked for once in a request; None: every tenant."""
    kept = vars(request)
    if "tenant_ids" not in kept:
        kept["tenant_ids"] = access.staff_caller(cast(User, request.user)).tenant_ids
    found: frozenset[int] | None = kept["tenant_ids"]
    return found


def is_superuser(request: HttpRequest) -> bool:
    return bool(request.user.is_active and request.user.is_superuser)


class TenantScoped(_ModelAdmin):
    """Shows nothing but rows of the tenants that the member of staff belongs to.

    A row of another tenant is answered as one that does not exist: a redirect to the index with a sentence.
    """

    tenant_lookup: str  # from the model to the id of its tenant

    class Media:
        css = {"all": ["admin-extra.css"]}

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = super().get_queryset(request)
        tenants = tenant_ids(request)
        return rows if tenants is None else rows.filter(**{f"{self.tenant_lookup}__in": tenants})

    def formfield_for_foreignkey(
        self, db_field: ForeignKey[Any, Any], request: HttpRequest, **kwargs: Any
    ) -> ModelChoiceField[Any]:
        """Choices, also those that a form posts by hand, are the visible rows."""
        kwargs["queryset"] = visible(self.admin_site, db_field.related_model, request)
        return cast("ModelChoiceField[Any]", super().formfield_for_foreignkey(db_field, request, **kwargs))


def visible(site: admin.AdminSite, model: type[Model], request: HttpRequest) -> QuerySet[Any]:
    return site.get_model_admin(model).get_queryset(request)


class TenantFilter(admin.SimpleListFilter):
    """Django's own filter on a relation would name every tenant there is."""

    title = "tenant"
    parameter_name = "tenant"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        tenants = visible(model_admin.admin_site, Tenant, request).values_list("pk", "key")
        return [(str(pk), key) for pk, key in tenants[:200]]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        # The id itself and not the key: the planner knows how many rows each tenant has.
        return with_id(queryset, "tenant_id", self.value())


def with_id(rows: QuerySet[Any], column: str, value: str | None) -> QuerySet[Any]:
    """Rows whose column is the id that a filter's address names; every row where it names none."""
    if value is None:
        return rows
    return rows.filter(**{column: int(value)}) if value.isdecimal() and len(value) < 19 else rows.none()
