"""How REST paths tell their errors (RFC 9457)."""

from __future__ import annotations

from typing import Any

from django.db import InterfaceError, OperationalError
from django.http import Http404
from rest_framework import exceptions
from rest_framework.permissions import SAFE_METHODS
from rest_framework.response import Response
from rest_framework.views import exception_handler

from . import telemetry
from .database import was_stopped
from .errors import ChatError, NotFound, TooSlow, Unavailable


def problem(error: Exception, context: dict[str, Any]) -> Response | None:
    """Errors as problem details: type, title, status, detail, code, and a pointer for every fault."""
    if isinstance(error, Http404):
        error = NotFound()
    if isinstance(error, OperationalError | InterfaceError):
        # A question may be narrowed; what writes may only be tried again.
        asks = context["request"].method in SAFE_METHODS
        error = TooSlow() if asks and was_stopped(error) else Unavailable()
    if isinstance(error, ChatError):
        telemetry.REFUSED.labels("rest", error.code).inc()
        return _problem(error.code, error.status, error.message, error.details, error.retry_after)
    response = exception_handler(error, context)
    if response is None or not isinstance(error, exceptions.APIException):
        return response
    codes = error.get_codes()
    code = codes if isinstance(codes, str) else "invalid_payload"
    return _problem(code, response.status_code, str(error.detail), [], None)


def _problem(code: str, status: int, detail: str, errors: list[Any], retry_after: float | None) -> Response:
    body = {
        "type": f"urn:mentor-context:{code}",
        "title": code.replace("_", " ").capitalize(),
        "status": status,
    }
    body |= {"detail": detail, "code": code, **({"errors": errors} if errors else {})}
    headers = {} if retry_after is None else {"Retry-After": str(int(retry_after) + 1)}
    if status == 401:
        headers["WWW-Authenticate"] = "Api-Token"
    return Response(body, status=status, headers=headers, content_type="application/problem+json")
