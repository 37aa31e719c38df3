"""Quickchat's paths: a conversation's metadata, and the list of them; in its shapes, with its errors and rates."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from django.db import InterfaceError, OperationalError
from django.db.models import QuerySet
from pydantic import BaseModel, ConfigDict, Field
from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from .. import contexts, limits, messages, rates, shapes, telemetry, transcripts, writes
from ..access import Caller
from ..authentication import TokenAuthentication
from ..contexts import Sender, Write
from ..database import bounded
from ..errors import (
    AuthenticationRequired,
    ChatError,
    Detail,
    InvalidContext,
    InvalidFilter,
    InvalidPayload,
    PermissionDenied,
    RateLimited,
    Unavailable,
)
from ..models import ApiToken, Session
from ..parsers import SpelledJSONParser
from ..payloads import check_metadata, validated
from ..queries import Query, uuid_of
from ..rates import Window
from ..selections import Reader
from ..strict_json import ParsedObject
from ..wire_names import QUICKCHAT_IGNORED, QUICKCHAT_PARAMETERS
from ..writes import Change
from . import described_quickchat as described

DOOR = "quickchat"
MOST_COUNTED = 10_000
MOST_OFFSET = 10_000
CODES = {
    400: "BAD_REQUEST",
    401: "PERMISSION_DENIED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "CONFLICT",
    422: "VALIDATION_ERROR",
    429: "TOO_MANY_REQUESTS",
    503: "SERVICE_UNAVAILABLE",
}


class SetMetadata(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore")

    metadata: dict[str, Any]
    metadata_token: Annotated[str | None, Field(repr=False, min_length=1)] = None


class _Quickchat(APIView):
    """By its token alone, counted per token and path; what it knows of errors is told as it tells them."""

    authentication_classes = (TokenAuthentication,)
    parser_classes = (SpelledJSONParser,)
    endpoint = ""
    window: Window | None = None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        caller, reads = _caller(request), request.method in ("GET", "HEAD")
        most = limits.current()
        quota = most.quickchat_reads_per_minute if reads else most.quickchat_writes_per_minute
        self.window = rates.count_call(caller, f"{self.endpoint}:{'read' if reads else 'write'}", quota)
        if self.window is not None and not self.window.passes:
            raise RateLimited("Too many requests: wait a moment.", retry_after=self.window.seconds)
        if not reads and caller.token and caller.token.scope != ApiToken.Scope.WRITE_ALL:
            raise PermissionDenied("Insufficient token scope. Required: write_all")

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        response = super().finalize_response(request, response, *args, **kwargs)
        for name, value in (_told(self.window) if self.window else {}).items():
            response[name] = value
        return response

    def get_exception_handler(self) -> Callable[[Exception, dict[str, Any]], Response | None]:
        return refused


class Metadata(_Quickchat):
    """`/v1/api_core/conversations/{conv_id}/metadata`."""

    endpoint = "metadata"

    @described.quickchat_show_metadata
    def get(self, request: Request, conv_id: str) -> Response:
        Query(request).finish()
        session = messages.access_messages(_caller(request), uuid_of(conv_id))
        return _metadata(session, session.context_version)

    @described.quickchat_set_metadata
    def post(self, request: Request, conv_id: str) -> Response:
        Query(request).finish()
        caller = _caller(request)
        session = messages.access_messages(caller, uuid_of(conv_id))
        sent, change, token = _change(request.data)
        sender = Sender(caller, DOOR, writes.address_class(request.META.get("REMOTE_ADDR", "")))
        key = writes.check_key(request.headers.get("Idempotency-Key"))
        digest = writes.digest_of(caller.label, DOOR, sent)
        asked = Write("POST", lambda now: change, key=key, digest=digest, token=token)
        return _metadata(session, contexts.write(session.pk, asked, sender).version)


class Conversations(_Quickchat):
    """`GET /v1/api_core/conversations`: newest first, by its filters and by ours."""

    endpoint = "conversations"

    @described.quickchat_list_conversations
    def get(self, request: Request) -> Response:
        reader = Reader.of(_caller(request))
        query = Query(request, names=QUICKCHAT_PARAMETERS, ignoring=QUICKCHAT_IGNORED)
        limit, offset = query.limit(), _offset(query)
        rows = transcripts.selected(query.filter(), reader).sessions()
        items = _items(rows, offset, limit)
        counted = transcripts.count_up_to(rows, MOST_COUNTED)
        return query.told({"items": items, "offset": offset, "count": counted})


def _caller(request: Request) -> Caller:
    if not isinstance(request.auth, Caller) or request.auth.token is None:
        raise AuthenticationRequired("This needs a token, as Authorization: Bearer.")
    return request.auth


def _change(sent: Any) -> tuple[str, Change, str | None]:
    """The body's text, what it makes of the context, and the signed token that it brings, perhaps alone."""
    if not isinstance(sent, ParsedObject):
        raise InvalidPayload("The payload is empty.", pointer="")
    alone = sent.value.get("metadata_token") is not None and "metadata" not in sent.value
    body = validated(SetMetadata, {"metadata": {}, **sent.value} if alone else sent.value, InvalidContext)
    if alone:
        return sent.source, Change(None), body.metadata_token
    text = sent.text("metadata") or ""
    check_metadata(text, body.metadata, limits.current())
    return sent.source, Change(text), body.metadata_token


def _metadata(session: Session, version: int) -> Response:
    view = session.mentor.policy.view("operator")
    told = shapes.context(contexts.version_of(session, version), view, inspected=True)
    return Response({"metadata": told["client_context"]})


def _offset(query: Query) -> int:
    text = query.take("offset") or "0"
    if not text.isascii() or not text.isdigit() or len(text) > 9 or int(text) > MOST_OFFSET:
        raise InvalidFilter(f"offset is a whole number from 0 to {MOST_OFFSET}.", pointer="?offset")
    return int(text)


def _items(rows: QuerySet[Session], offset: int, limit: int) -> list[dict[str, Any]]:
    with bounded():
        found = list(transcripts.listed(rows.order_by("-created_at", "-pk"))[offset : offset + limit])
    titles = transcripts.titles(found)
    return [shapes.quickchat_conversation(one, titles[one.pk], "operator") for one in found]


# --- as Quickchat tells it


def _told(window: Window) -> dict[str, str]:
    """The draft's two fields (draft-ietf-httpapi-ratelimit-headers), and the three that went before them."""
    return {
        "RateLimit-Policy": f'"default";q={window.quota};w=60',
        "RateLimit": f'"default";r={window.remaining};t={window.seconds}',
        "RateLimit-Limit": str(window.quota),
        "RateLimit-Remaining": str(window.remaining),
        "RateLimit-Reset": str(window.seconds),
    }


def refused(error: Exception, context: dict[str, Any]) -> Response | None:
    """`{"errors": {"root": [{"message", "code"}]}}`, or the field's name where one is at fault."""
    if isinstance(error, OperationalError | InterfaceError):
        error = Unavailable()
    if isinstance(error, APIException):
        return _refusal(error.status_code, [{"pointer": "", "message": str(error.detail)}], {})
    if not isinstance(error, ChatError):
        return None
    telemetry.REFUSED.labels(DOOR, error.code).inc()
    status = 422 if error.status == 413 else error.status
    headers = {} if error.retry_after is None else {"Retry-After": str(int(error.retry_after))}
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return _refusal(status, error.details or [{"pointer": "", "message": error.message}], headers)


def _refusal(status: int, faults: list[Detail], headers: dict[str, str]) -> Response:
    errors: dict[str, list[dict[str, str]]] = {}
    for fault in faults:
        field, within, _ = fault["pointer"].lstrip("/?").partition("/")
        told = {"message": fault["message"], "code": CODES.get(status, "BAD_REQUEST")}
        if within:  # a field has no name for what is within it
            told["pointer"] = fault["pointer"]
        errors.setdefault(field or "root", []).append(told)
    return Response({"errors": errors}, status, headers=headers)
