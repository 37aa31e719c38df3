"""What every view of exports asks of its request first."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.db.models import QuerySet
from rest_framework.request import Request

from chat.cursors import page, read_limit
from chat.errors import InvalidFilter
from chat.queries import caller_of

LIST = ("limit", "cursor", "count")
__all__ = ["LIST", "caller_of", "check_known", "listing", "parameters"]


def check_known(request: Request, *names: str) -> None:
    """Raises InvalidFilter for the first query parameter that means nothing here."""
    for name in request.query_params:
        if name not in names:
            message = f"There is no such parameter here: there are {', '.join(names)}." if names else None
            raise InvalidFilter(message or "This path has no parameters.", pointer=f"?{name[:100]}")


def parameters(request: Request, *ours: str) -> list[tuple[str, str]]:
    """The query in its order, without what is not the filter's."""
    given = request.query_params.lists()
    return [(name, text) for name, texts in given if name not in ours for text in texts]


def listing(request: Request, rows: QuerySet[Any], show: Any) -> dict[str, Any]:
    """A page, newest first."""
    asked = request.query_params
    found = page(rows, cursor=asked.get("cursor", ""), limit=read_limit(asked.get("limit")))
    body: dict[str, Any] = {
        "results": [show(row) for row in found.rows],
        "next": _address(request, found.next),
        "previous": _address(request, found.previous),
    }
    if asked.get("count") == "true":
        body["count"] = rows.count()
    return body


def _address(request: Request, cursor: str | None) -> str | None:
    if cursor is None:
        return None
    kept = [(name, text) for name, text in parameters(request) if name != "cursor"]
    return request.build_absolute_uri(f"{request.path}?{urlencode([*kept, ('cursor', cursor)])}")
