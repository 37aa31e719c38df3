"""A stored file on its way out: as it is, or as one of ibl.ai's two shapes."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponseBase
from rest_framework.request import Request
from rest_framework.response import Response

from chat.errors import InvalidFilter

from .. import jobs, storage
from ..conversions import as_array, as_csv
from ..models import Export
from ..sending import attachment


def file_of(request: Request, export: Export) -> HttpResponseBase:
    """Raises ExportNotReady, ExportGone, NotFound."""
    jobs.check_ready(export)
    pieces = storage.pieces(export)
    return attachment(request, lambda: pieces, export.file_name, export.format)


def not_ready(body: dict[str, Any]) -> Response:
    return Response(body, status=202, headers={"Retry-After": "2"})


def converted(request: Request, export: Export, kind: str, columns: list[str]) -> HttpResponseBase:
    """A file of JSON lines as one JSON array or as CSV; `columns` none: those that it has.

    Raises ExportNotReady, ExportGone, NotFound, InvalidFilter.
    """
    jobs.check_ready(export)
    there: list[str] = (export.manifest or {})["columns"]
    if strange := [name for name in columns if name not in there]:
        raise InvalidFilter(f"{strange[0][:100]} is not in this report.", pointer="?columns")
    make = as_csv if kind == "csv" else as_array
    pieces = storage.pieces(export)
    name = f"{export.file_name.removesuffix('.jsonl')}.{kind}"
    return attachment(request, lambda: make(pieces, columns or there), name, kind)
