"""Lists that stay fast at millions of rows: nothing is counted to the end or sought without an index."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.contrib import admin
from django.contrib.admin.views.main import ORDER_VAR, ChangeList
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.functional import cached_property

from .scope import TenantScoped

if TYPE_CHECKING:
    _Paginator = Paginator[Any]
else:
    _Paginator = Paginator

MOST_ROWS = 1000  # that a list counts and pages through; what is older is found by search and filters
_ID_PREFIX = re.compile(r"[0-9a-f]{8,32}")


class CappedPaginator(_Paginator):
    """Counts to MOST_ROWS and no further: COUNT(*) over a large table reads all of it."""

    @cached_property
    def count(self) -> int:
        rows: Any = self.object_list
        return int(rows.order_by()[:MOST_ROWS].count())

    @property
    def is_capped(self) -> bool:
        return self.count >= MOST_ROWS


class FixedOrder(ChangeList):
    """Sorted as its admin says, whatever the address asks for: no other order has an index."""

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> Any:
        self.params.pop(ORDER_VAR, None)
        return super().get_ordering(request, queryset)


class LargeTable(TenantScoped):
    """Rows to read: nobody adds or changes them here."""

    actions = None
    paginator = CappedPaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    list_per_page = 50
    sortable_by = ()
    fieldsets = ((None, {"fields": ()}),)  # the page is a template's
    search_fields = ("pk",)  # makes the search box appear; `found` does the work

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return FixedOrder

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        """No lookups by hand in the address: most would read the whole table."""
        return lookup in {getattr(chosen, "parameter_name", None) for chosen in self.list_filter}

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """What a list shows. Ids are found first: then no sort order can tempt the planner to walk."""
        term = search_term.strip().replace("\0", "")
        if term:
            lookups = (list(rows[:MOST_ROWS]) for rows in self.found(request, term))
            queryset = queryset.filter(pk__in=next(filter(None, lookups), []))
        else:
            queryset = self.newest(request, queryset)
        return self.listed(queryset), False

    def found(self, request: HttpRequest, term: str) -> Iterator[QuerySet[Any, Any]]:
        """What a search term may mean, as queries for ids, each by an index; the first that finds counts."""
        raise NotImplementedError

    def newest(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """What is listed where nothing is sought."""
        return queryset

    def listed(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Nothing but the columns that the list shows."""
        return queryset


def by_id(rows: QuerySet[Any], term: str) -> QuerySet[Any]:
    """Rows whose UUID is the term, or starts with its eight or more hexadecimal digits."""
    digits = term.replace("-", "").lower()
    if not _ID_PREFIX.fullmatch(digits):
        return rows.none()
    return rows.order_by().filter(pk__range=(UUID(digits.ljust(32, "0")), UUID(digits.ljust(32, "f"))))
