"""A session's context as a thing of its own: shown, replaced, patched, cleared; any of its values, any two compared."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.http import HttpRequest
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response

from .. import access, contexts, limits, messages, patches, shapes, writes
from ..access import Caller, Grant
from ..client_context import EMPTY, InForce
from ..contexts import Sender, Write, Written
from ..errors import InvalidContext, InvalidFilter, InvalidPayload, NotFound
from ..models import Session
from ..parsers import JSONPatchParser, MergePatchParser, SpelledJSONParser
from ..payloads import Flow
from ..policies import View
from ..provenance import token_names
from ..queries import Query, caller_of, check_names, uuid_of
from ..strict_json import ParsedObject
from ..writes import Change, Conditions, NewContext
from . import described_contexts as described
from .origins import FromAnywhere, credentials_of

DOOR = "rest"
PARSERS: dict[str, tuple[type[BaseParser], ...]] = {
    "PUT": (SpelledJSONParser,),
    "PATCH": (MergePatchParser, JSONPatchParser),
}


class SessionContext(FromAnywhere):
    """`/api/v1/sessions/{id}/context/`."""

    methods_elsewhere = ("GET", "PUT", "PATCH", "DELETE")

    def initialize_request(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Request:
        self.parser_classes = PARSERS.get(request.method or "", (SpelledJSONParser,))
        return super().initialize_request(request, *args, **kwargs)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        response = super().finalize_response(request, response, *args, **kwargs)
        response["Accept-Patch"] = ", ".join(parser.media_type or "" for parser in PARSERS["PATCH"])
        response["Cache-Control"] = "private, no-cache"
        return response

    @described.show_context
    def get(self, request: Request, session_id: str) -> Response:
        caller, session = _asked(request, session_id)
        Query(request).finish()
        headers = {"ETag": writes.tag(session.context_version)}
        if _conditions(request).is_known(session.context_version):
            return Response(status=304, headers=headers)
        version = contexts.version_of(session, session.context_version)
        return Response(
            shapes.context(version, _view(caller, session), inspected=_inspects(caller)), headers=headers
        )

    @described.replace_context
    def put(self, request: Request, session_id: str) -> Response:
        sent, query = _object(request), Query(request)
        body, change = writes.replaced(sent, limits.current())
        flow, user = _flow(body, query)
        query.finish()
        grant = _grant(request, flow, user) if flow else None
        text = "\0".join([sent.source, *((flow.tenant, flow.name, user) if flow else ())])
        return _written(request, session_id, lambda now, unseen: change, text, grant, body.metadata_token)

    @described.patch_context
    def patch(self, request: Request, session_id: str) -> Response:
        Query(request).finish()
        return _written(request, session_id, *_patch(request.data))

    @described.clear_context
    def delete(self, request: Request, session_id: str) -> Response:
        Query(request).finish()
        return _written(request, session_id, lambda now, unseen: Change(EMPTY), "")


class ContextVersion(FromAnywhere):
    """`GET /api/v1/sessions/{id}/context/versions/{number}/`."""

    methods_elsewhere = ("GET",)

    @described.show_context_version
    def get(self, request: Request, session_id: str, number: str) -> Response:
        caller, session = _asked(request, session_id)
        Query(request).finish()
        one = contexts.version_of(session, _number_of(number))
        if one is None:
            raise NotFound()
        before = contexts.version_of(session, one.number - 1)
        tokens, view = token_names([one]) if _inspects(caller) else {}, _view(caller, session)
        return Response(shapes.version(one, before, view, inspected=_inspects(caller), tokens=tokens))


class ContextDiff(FromAnywhere):
    """`GET /api/v1/sessions/{id}/context/diff?from=&to=`: the last change, unless other versions are named."""

    methods_elsewhere = ("GET",)

    @described.compare_contexts
    def get(self, request: Request, session_id: str) -> Response:
        caller, session = _asked(request, session_id)
        query, last = Query(request), session.context_version
        to = _version(query, "to", last, last)
        since = _version(query, "from", max(0, to - 1), last)
        query.finish()
        versions = contexts.version_of(session, since), contexts.version_of(session, to)
        found = shapes.difference(*versions, _view(caller, session))
        return Response({"from": since, "to": to, **found})


# --- who asks, and for what


def _asked(request: Request, session_id: str) -> tuple[Caller, Session]:
    caller = caller_of(request)
    session = messages.access_messages(caller, uuid_of(session_id))
    access.check_origin(credentials_of(request), tuple(session.mentor.allowed_origins))
    return caller, session


def _inspects(caller: Caller) -> bool:
    return caller.kind != "anonymous"


def _view(caller: Caller, session: Session) -> View:
    return session.mentor.policy.view(caller.reads_as)


def _conditions(request: Request) -> Conditions:
    return Conditions(request.headers.get("If-Match"), request.headers.get("If-None-Match"))


def _number_of(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise NotFound()
    return int(text)


def _version(query: Query, name: str, default: int, last: int) -> int:
    text = query.take(name)
    if text is None:
        return default
    if not text.isascii() or not text.isdigit() or len(text) > 9 or int(text) > last:
        raise InvalidFilter(f"{name} is the number of a version, from 0 to {last}.", pointer=f"?{name}")
    return int(text)


def _object(request: Request) -> ParsedObject:
    """The body; DRF makes something of its own of none."""
    sent: Any = request.data
    if not isinstance(sent, ParsedObject):
        raise InvalidPayload("The payload is empty.", pointer="")
    return sent


def _flow(body: NewContext, query: Query) -> tuple[Flow | None, str]:
    """Whose session may be begun: out of the body, or of the address."""
    named, user = _flow_of(query.take("mentor"), query.take("tenant")), query.take("user")
    if user and len(user) > 255:
        raise InvalidContext("user has at most 255 characters.", pointer="?user")
    if body.flow and named:
        raise InvalidContext("The body names the mentor already.", pointer="?mentor")
    flow = body.flow or named
    users = {name for name in (body.user, flow and flow.username, user) if name}
    if len(users) > 1:
        raise InvalidContext("Two users are named.", pointer="/user")
    check_names(*users, *((flow.name, flow.tenant) if flow else ()))
    return flow, next(iter(users), "")


def _flow_of(mentor: str | None, tenant: str | None) -> Flow | None:
    if not mentor and not tenant:
        return None
    if not mentor or not tenant:
        name = "tenant" if mentor else "mentor"
        raise InvalidContext("A new session has a mentor and a tenant.", pointer=f"?{name}")
    return Flow(name=mentor[:255], tenant=tenant[:255])


def _grant(request: Request, flow: Flow, user: str) -> Grant:
    return access.access_mentor(credentials_of(request), flow.tenant, flow.name, user)


# Of a context, and of the keys of it that are not there for the caller to test, copy or move.
Changing = Callable[[InForce, frozenset[str]], Change]


def _patch(sent: Any) -> tuple[Changing, str]:
    """What the body makes of a context, and its text."""
    if isinstance(sent, ParsedObject):
        return lambda now, unseen: _merged(now, sent.source), sent.source
    if isinstance(sent, tuple):
        steps = patches.operations(sent[0])
        return lambda now, unseen: patches.patched(
            now.text, steps, frozenset(now.verified_keys), limits.current(), unseen
        ), sent[1]
    raise InvalidPayload("The payload is empty.", pointer="")


def _merged(now: InForce, patch: str) -> Change:
    return patches.merged(now.text, patch, frozenset(now.verified_keys), limits.current())


# --- writing


def _written(
    request: Request,
    session_id: str,
    change: Changing,
    text: str,
    grant: Grant | None = None,
    token: str | None = None,
) -> Response:
    key, unseen = uuid_of(session_id), frozenset[str]()
    if grant:
        caller, view = grant.caller, grant.mentor.plan.policy.view(grant.caller.reads_as)
    else:
        caller, session = _writer(request, session_id)
        view = _view(caller, session)
        unseen = view.unseen
    sender = Sender(caller, DOOR, writes.address_class(request.META.get("REMOTE_ADDR", "")))
    asked = _write(request, lambda now: change(now, unseen), caller, text, token)
    begins = functools.partial(contexts.begin, grant=grant) if grant else contexts.write
    written = begins(key, asked=asked, sender=sender)
    return _told(key, caller, view, written, list(grant.warnings) if grant else [])


def _writer(request: Request, session_id: str) -> tuple[Caller, Session]:
    messages.check_may_write(caller_of(request))
    caller, session = _asked(request, session_id)
    messages.check_is_open(caller, session)
    return caller, session


def _write(
    request: Request, change: Callable[[InForce], Change], caller: Caller, text: str, token: str | None
) -> Write:
    method, kind = request.method or "", request.content_type or ""
    digest = writes.digest_of(caller.label, kind, text)
    idempotency_key = writes.check_key(request.headers.get("Idempotency-Key"))
    return Write(method, change, _conditions(request), idempotency_key, digest, token)


def _told(session_id: UUID, caller: Caller, view: View, written: Written, warnings: list[Any]) -> Response:
    """What was written, also where there is another value by now."""
    version = contexts.version_of(Session(pk=session_id), written.version)
    body = {
        "session_id": str(session_id),
        **shapes.context(version, view, inspected=_inspects(caller)),
        "changed": written.changed,
        "warnings": [*warnings, *written.warnings],
    }
    if written.created and caller.kind == "anonymous":
        body["session_token"] = access.session_token(session_id)
    return Response(body, 201 if written.created else 200, headers={"ETag": writes.tag(written.version)})
