"""ibl.ai's export tasks: a session's messages, or all of a user's, as JSON or CSV of exactly four columns."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpResponseBase
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from chat.errors import InvalidFilter, NotFound
from chat.filters import parse
from chat.queries import Query, check_names, uuid_of
from chat.selections import Reader, Selection

from .. import asking, tasks
from ..access import visible
from ..columns import CHAT_HISTORY
from ..models import Export
from . import described_ibl as described
from .asked import caller_of, check_known
from .files import converted, not_ready
from .states import state_of

SESSION, USER = Export.Purpose.SESSION_TASK, Export.Purpose.USER_TASK


class SessionTasks(APIView):
    """`POST …/tasks/sessions/{session_id}/`: answers `{task_id}`."""

    @described.ibl_export_session
    def post(self, request: Request, org: str, user_id: str, session_id: UUID) -> Response:
        check_names(org, user_id)
        caller = caller_of(request)
        query = [("tenant", org), ("session", str(session_id))]
        sessions = Selection.of(parse(query), Reader.of(caller)).sessions()
        # A visitor's session has no user, so no path could name it otherwise.
        found = sessions.values_list("user_id", "anonymous").first()
        if found is None or (found[0] != user_id and not found[1]):
            raise NotFound()
        return _asked(request, query, SESSION, user_id)


class UserTasks(APIView):
    """`POST …/export-chathistory/`: every message of a user, as `{task_id}`."""

    @described.ibl_export_user
    def post(self, request: Request, org: str, user_id: str) -> Response:
        check_names(org, user_id)
        return _asked(request, [("tenant", org), ("user", user_id)], USER, user_id)


class SessionTaskFile(APIView):
    """`GET …/sessions/{session_id}/tasks/{task_id}/`: 202 until it is ready, then JSON, or CSV by `?to_csv=true`."""

    @described.ibl_download_session_task
    def get(
        self, request: Request, org: str, user_id: str, session_id: UUID, task_id: str
    ) -> HttpResponseBase:
        task = _task(request, org, user_id, task_id, SESSION)
        if ["session", str(session_id)] not in task.query:
            raise NotFound()
        return _file(request, task)


class UserTaskFile(APIView):
    """`GET …/downloads/tasks/{task_id}/?to_csv`"""

    @described.ibl_download_user_task
    def get(self, request: Request, org: str, user_id: str, task_id: str) -> HttpResponseBase:
        return _file(request, _task(request, org, user_id, task_id, USER))


class TaskState(APIView):
    """`GET …/tasks/{task_id}`: how far it is, whichever kind it is."""

    @described.ibl_show_task
    def get(self, request: Request, org: str, user_id: str, task_id: str) -> Response:
        task = _task(request, org, user_id, task_id, SESSION, USER)
        return Response({"task": _told(task)})


def _asked(request: Request, path: asking.Query, purpose: str, user_id: str) -> Response:
    """What the path says, narrowed by the query: by the vendor's names or by ours."""
    asked = Query(request, ibl=True)
    query = [*path, *asked.filter().query]
    parse(query)
    wish = asking.Wish(format="jsonl", columns=list(CHAT_HISTORY))
    export = asking.ask(caller_of(request), wish, query, purpose=purpose, name=user_id)
    tasks.nudge(export.id)
    return asked.told({"task_id": str(export.id)})


def _task(request: Request, org: str, user_id: str, task_id: str, *purposes: str) -> Export:
    check_known(request, "to_csv")
    check_names(org, user_id)
    rows = visible(Export, Reader.of(caller_of(request))).select_related("tenant")
    rows = rows.filter(tenant__key=org, name=user_id, purpose__in=purposes)
    task = rows.filter(pk=uuid_of(task_id)).first()
    if task is None:
        raise NotFound()
    return task


def _file(request: Request, task: Export) -> HttpResponseBase:
    if not task.is_over:
        return not_ready(_told(task))
    return converted(request, task, "csv" if _wants_csv(request) else "json", list(CHAT_HISTORY))


def _told(task: Export) -> dict[str, Any]:
    return {"task_id": str(task.id), "state": state_of(task), "error": task.error or None}


def _wants_csv(request: Request) -> bool:
    """`?to_csv` alone is a yes."""
    said = request.query_params.get("to_csv")
    if said not in (None, "", "true", "false", "True", "False", "1", "0"):
        raise InvalidFilter("This must be true or false.", pointer="?to_csv")
    return said in ("", "true", "True", "1")
