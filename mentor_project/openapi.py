"""The OpenAPI description: the operations that the views wear, and the doors that are not Django views."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import orjson
import yaml
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import path
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.views import SpectacularSwaggerSplitView

from chat.describing.parameters import PARAMETERS
from chat.describing.shapes import SCHEMAS

SOCKETS = Path(settings.BASE_DIR) / "static" / "api" / "asyncapi.yaml"
# Swagger's page writes styles of its own and shows images of its own; everything comes from here.
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
)


class TokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "chat.authentication.TokenAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": "`Api-Token KEY` (also `Token`, `Bearer`); a visitor's own session: `Session TOKEN`.",
        }


class StaffScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "chat.authentication.StaffAuthentication"
    name = "staff"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {
            "type": "apiKey",
            "in": "cookie",
            "name": settings.SESSION_COOKIE_NAME,
            "description": "A member of staff who is signed in at /admin/.",
        }


@functools.cache
def _sockets() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(SOCKETS.read_text())
    return document


def add_chat(result: dict[str, Any], **context: Any) -> dict[str, Any]:
    """The event-stream door, which Channels serves, with the schemas of the sockets' own description."""
    result["components"].setdefault("schemas", {}).update(_sockets()["components"]["schemas"])
    ours = {
        "/api/mentor/chat/": _CHAT,
        "/api/mentor/chat/{generation_id}/": _RESUME,
        "/api/v1/sessions/{session_id}/events": _LISTEN,
    }
    result["paths"] = ours | result["paths"]
    return result


def add_components(result: dict[str, Any], **context: Any) -> dict[str, Any]:
    """The shapes and parameters that operations refer to by name."""
    result["components"].setdefault("schemas", {}).update(SCHEMAS)
    result["components"]["parameters"] = PARAMETERS
    return result


def add_problems(result: dict[str, Any], **context: Any) -> dict[str, Any]:
    """Every path may refuse, and says so in one shape."""
    result["components"].setdefault("schemas", {})["Problem"] = _PROBLEM
    for operations in result["paths"].values():
        for operation in operations.values():
            operation["responses"].setdefault("default", _REFUSAL)
    return result


def _schema(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


_PROBLEM: dict[str, Any] = {
    "type": "object",
    "description": "RFC 9457: why nothing was done.",
    "required": ["type", "title", "status", "detail", "code"],
    "properties": {
        "type": {"type": "string", "examples": ["urn:mentor-context:not_found"]},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "A sentence for people."},
        "code": {"type": "string", "description": "A word for programs."},
        "errors": {"type": "array", "items": _schema("Detail")},
    },
}
_REFUSAL: dict[str, Any] = {
    "description": "It was refused, and nothing was changed.",
    "content": {"application/problem+json": {"schema": _schema("Problem")}},
}
_FRAMES: dict[str, Any] = {
    "description": "Events: `id:` is the frame's `event`, `data:` the frame as JSON.",
    "content": {
        "text/event-stream": {
            "schema": {"oneOf": [_schema(f"{kind}Frame") for kind in ("Start", "Text", "End", "Broken")]}
        }
    },
}
_REFUSED_FRAME: dict[str, Any] = {
    "description": "It was refused before the stream began, and nothing was stored.",
    "content": {"application/json": {"schema": _schema("ErrorFrame")}},
}
_SECURITY: list[dict[str, list[str]]] = [{"token": []}, {"staff": []}, {}]
_CHAT: dict[str, Any] = {
    "post": {
        "operationId": "chat",
        "tags": ["chat"],
        "summary": "Say something to a mentor; the answer is a stream of events.",
        "description": "`/api/agent/chat/` is the same door. The socket `/ws/chat/` takes the same payload.",
        "security": _SECURITY,
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": _schema("ChatPayload")}},
        },
        "responses": {"200": _FRAMES, "default": _REFUSED_FRAME},
    }
}
_RESUME: dict[str, Any] = {
    "get": {
        "operationId": "resume_chat",
        "tags": ["chat"],
        "summary": "The events of a turn that were missed, and those still to come.",
        "security": _SECURITY,
        "parameters": [
            {
                "name": "generation_id",
                "in": "path",
                "required": True,
                "schema": {"type": "string", "format": "uuid"},
            },
            {"name": "Last-Event-ID", "in": "header", "schema": {"type": "integer", "minimum": 0}},
        ],
        "responses": {"200": _FRAMES, "default": _REFUSED_FRAME},
    }
}

_LISTEN: dict[str, Any] = {
    "get": {
        "operationId": "listen_to_session",
        "tags": ["sessions"],
        "summary": "What happens in a session, as a stream of events that does not end by itself.",
        "description": "The first event is `session.updated`, how the session stands now. With `Last-Event-ID` the "
        "stream goes on after the event of that id, whenever that was. `subscribe` on `/ws/chat/` is the same.",
        "security": _SECURITY,
        "parameters": [
            {
                "name": "session_id",
                "in": "path",
                "required": True,
                "schema": {"type": "string", "format": "uuid"},
            },
            {"name": "Last-Event-ID", "in": "header", "schema": _schema("EventId")},
        ],
        "responses": {
            "200": {
                "description": "Events: `event:` is an `EventName`, `id:` an `EventId`, `data:` a `SessionEvent`.",
                "content": {"text/event-stream": {"schema": _schema("SessionEvent")}},
            },
            "default": {**_REFUSED_FRAME, "description": "You may not listen to it, or it is not there."},
        },
    }
}


@functools.cache
def _document() -> bytes:
    """The same for everybody, and too dear to be made for each who asks."""
    return orjson.dumps(SchemaGenerator().get_schema(request=None, public=True))  # type: ignore[no-untyped-call]


def document(request: HttpRequest) -> HttpResponse:
    """`GET /api/openapi.json`."""
    return HttpResponse(_document(), content_type="application/vnd.oai.openapi+json")


class Page(SpectacularSwaggerSplitView):
    """`GET /api/docs/`: the document as a page to try it."""

    url_name = "openapi"
    authentication_classes: list[Any] = []

    def finalize_response(self, request: Any, response: Any, *args: Any, **kwargs: Any) -> Any:
        response = super().finalize_response(request, response, *args, **kwargs)
        response["Content-Security-Policy"] = PAGE_POLICY
        return response


def sockets(request: HttpRequest) -> HttpResponse:
    """`GET /api/asyncapi.yaml`: the sockets."""
    return HttpResponse(SOCKETS.read_bytes(), content_type="application/yaml")


urlpatterns = [
    path("api/openapi.json", document, name="openapi"),
    path("api/asyncapi.yaml", sockets),
    path("api/docs/", Page.as_view()),
]
