"""ibl.ai's reports: asked for once, found again until they expire, fetched as CSV or JSON."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponseBase
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from chat.errors import InvalidFilter, InvalidPayload, NotFound
from chat.queries import Query, caller_of, check_names, uuid_of
from chat.selections import Reader
from chat.strict_json import dumps, step
from chat.wire_names import IBL_IGNORED, IBL_PARAMETERS

from .. import asking, tasks
from ..access import visible
from ..models import Export
from . import described_ibl as described
from .files import converted, not_ready
from .own import link_of
from .states import state_of

CHAT_HISTORY = "ai-mentor-chat-history"
NAMES = {**IBL_PARAMETERS, "mentor": "mentor", "learner_id": "user"}
State = Export.State


class NewReport(APIView):
    """`POST /api/reports/platforms/{key}/new`: the report of this question that there is, or a new one."""

    @described.ibl_ask_for_report
    def post(self, request: Request, key: str) -> Response:
        check_names(key)
        caller, body = caller_of(request), dict(request.data)
        if body.get("report_name") != CHAT_HISTORY:
            raise InvalidPayload(f"report_name must be {CHAT_HISTORY}.", pointer="/report_name")
        if body.get("platform_key") not in (None, "", key):
            raise InvalidPayload("The path says this already.", pointer="/platform_key")
        query = [("tenant", key), *_query(body)]
        asking.reach(query, Reader.of(caller))
        report = None if body.get("force") is True else _existing(request, key, query)
        if report is None:
            wish = asking.Wish(format="jsonl")
            report = asking.ask(caller, wish, query, purpose=Export.Purpose.REPORT, name=CHAT_HISTORY)
            tasks.nudge(report.id)
        return _answer(_shown(request, report), body)


class Reports(APIView):
    """`GET /api/reports/platforms/{key}/`: the newest hundred."""

    @described.ibl_list_reports
    def get(self, request: Request, key: str) -> Response:
        rows = _reports(request, key)[:100]
        return Response({"data": [_shown(request, report) for report in rows]})


class OneReport(APIView):
    """`GET …/{report_name}?mentor_unique_id=`: the newest of that name."""

    @described.ibl_show_report
    def get(self, request: Request, key: str, report_name: str) -> Response:
        check_names(key, report_name)
        asked = Query(request, ibl=True)
        query = [["mentor", name] for name in asked.filter(tenant=key).mentor]
        found = (row for row in _reports(request, key).filter(name=report_name)[:100])
        report = next((row for row in found if all(pair in row.query for pair in query)), None)
        if report is None:
            raise NotFound()
        return asked.told({"data": _shown(request, report)})


class ReportFile(APIView):
    """`GET …/{task_id}/download?format=csv|json&columns=`: 202 until it is ready."""

    @described.ibl_download_report
    def get(self, request: Request, key: str, task_id: str) -> HttpResponseBase:
        asked = request.query_params
        kind = asked.get("format", "csv")
        if kind not in ("csv", "json"):
            raise InvalidFilter("This must be csv or json.", pointer="?format")
        report = _reports(request, key).filter(pk=uuid_of(task_id)).first()
        if report is None:
            raise NotFound()
        if not report.is_over:
            return not_ready({"data": _shown(request, report)})
        return converted(
            request, report, kind, [name for name in asked.get("columns", "").split(",") if name]
        )


def _reports(request: Request, key: str) -> QuerySet[Export]:
    check_names(key)
    rows = visible(Export, Reader.of(caller_of(request))).select_related("tenant")
    return rows.filter(tenant__key=key, purpose=Export.Purpose.REPORT).order_by("-created_at")


def _existing(request: Request, key: str, query: asking.Query) -> Export | None:
    """One of the same question that is on its way or there to be fetched."""
    alive = _reports(request, key).filter(state__in=[State.REQUESTED, State.RUNNING, State.READY])
    pairs = [list(pair) for pair in query]
    same = (row for row in alive[:100] if row.query == pairs)
    return next((row for row in same if row.expires_at is None or row.expires_at > timezone.now()), None)


def _query(body: dict[str, Any]) -> asking.Query:
    """The filter that a report's body says, by the vendor's names and, in `filters`, by ours.

    Raises InvalidPayload for a key that nobody knows.
    """
    known = {"report_name", "force", "filters", *NAMES, *IBL_IGNORED}
    if strange := [name for name in body if name not in known]:
        raise InvalidPayload("This key is not known here.", pointer=step("", strange[0]))
    filters = {} if body.get("filters") is None else body["filters"]
    if not isinstance(filters, dict):
        raise InvalidPayload("filters must be an object.", pointer="/filters")
    named = {NAMES[name]: body[name] for name in NAMES if body.get(name) not in (None, "")}
    named.pop("tenant", None)
    return [(name, _text(value)) for name, value in {**named, **filters}.items()]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else dumps(value)


def _answer(shown: dict[str, Any], body: dict[str, Any]) -> Response:
    ignored = sorted(name for name in body if name in IBL_IGNORED)
    return Response({"data": shown}, headers={"X-Ignored-Parameters": ", ".join(ignored)} if ignored else {})


def _shown(request: Request, report: Export) -> dict[str, Any]:
    link = link_of(request, report)
    return {
        "report_id": str(report.id),
        "report_name": report.name,
        "state": state_of(report),
        "started_on": report.started_at,
        "owner": report.asked_by,
        "expires": report.expires_at,
        "url": link["url"] if link else None,
        "created_at": report.created_at,
    }
