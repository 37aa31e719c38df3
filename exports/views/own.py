"""`/api/v1/exports/`: ask for a file, watch it come, fetch it, end it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.http import HttpResponseBase
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from chat.errors import InvalidFilter
from chat.selections import Reader

from .. import asking, jobs, shapes, tasks
from ..access import access_by_link, access_export, check_may_end, link_signature, visible
from ..models import Export
from . import described
from .asked import LIST, caller_of, check_known, listing
from .files import file_of


class Exports(APIView):
    """POST asks for an export; GET lists the tenant's, newest first."""

    @described.ask_for_export
    def post(self, request: Request) -> Response:
        check_known(request)
        caller = caller_of(request)
        wish: asking.ExportWish = asking.read(asking.ExportWish, dict(request.data))
        since, until = asking.between(wish)
        export = asking.ask(caller, wish, wish.query(), since=since, until=until)
        tasks.nudge(export.id)
        return Response(shapes.export(export), status=201, headers={"Location": _path(export)})

    @described.list_exports
    def get(self, request: Request) -> Response:
        check_known(request, "tenant", "state", *LIST)
        rows = visible(Export, Reader.of(caller_of(request))).select_related("tenant")
        if (state := request.query_params.get("state")) is not None:
            if state not in Export.State.values:
                raise InvalidFilter(
                    f"This must be one of {', '.join(Export.State.values)}.", pointer="?state"
                )
            rows = rows.filter(state=state)
        if (tenant := request.query_params.get("tenant")) is not None:
            rows = rows.filter(tenant__key=tenant.replace("\0", ""))
        return Response(listing(request, rows, shapes.export))


class OneExport(APIView):
    """GET shows it, with a link while it is ready. DELETE ends it: what runs is stopped, a file removed."""

    @described.show_export
    def get(self, request: Request, export_id: UUID) -> Response:
        check_known(request)
        export = access_export(caller_of(request), export_id)
        return Response({**shapes.export(export), "link": link_of(request, export)})

    @described.end_export
    def delete(self, request: Request, export_id: UUID) -> Response:
        check_known(request)
        caller = caller_of(request)
        export = access_export(caller, export_id)
        check_may_end(caller, export)
        jobs.end(export)
        export.refresh_from_db()
        return Response(shapes.export(export))


class Manifest(APIView):
    """What the file holds, and how to tell that it is whole."""

    @described.show_manifest
    def get(self, request: Request, export_id: UUID) -> Response:
        check_known(request)
        export = access_export(caller_of(request), export_id)
        jobs.check_ready(export, gone_too=False)
        return Response(export.manifest)


class Download(APIView):
    """The file, for a token or a member of staff."""

    @described.download_export
    def get(self, request: Request, export_id: UUID) -> HttpResponseBase:
        check_known(request)
        return file_of(request, access_export(caller_of(request), export_id))


class LinkedFile(APIView):
    """The file, for whoever was given its link: a browser sends no token with a click."""

    authentication_classes: list[Any] = []

    @described.download_by_link
    def get(self, request: Request, export_id: UUID, signature: str) -> HttpResponseBase:
        check_known(request)
        return file_of(request, access_by_link(export_id, signature))


def link_of(request: Request, export: Export) -> dict[str, Any] | None:
    """A fresh link to a file that is there."""
    if export.state != Export.State.READY:
        return None
    until = timezone.now() + timedelta(seconds=settings.EXPORTS_LINK_SECONDS)
    url = request.build_absolute_uri(f"{_path(export)}file/{link_signature(export)}/")
    return {"url": url, "expires_at": min(until, export.expires_at or until)}


def _path(export: Export) -> str:
    return f"/api/v1/exports/{export.id}/"
