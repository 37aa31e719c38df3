"""Messages of any type, with what their senders attached: the list, one, its debug data. In Semantic Workbench's
shape, with our keys beside its own."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from .. import access, message_pages, messages, shapes
from ..access import Caller
from ..errors import InvalidFilter, NotFound, PermissionDenied
from ..message_pages import Wanted
from ..models import ChatMessageHistory, Session
from ..posts import MESSAGE_TYPES, PARTICIPANT_ROLES, Draft
from ..queries import Query, caller_of, uuid_of
from ..rebuild import debug_of
from ..responding import respond
from . import described_messages as described
from .origins import FromAnywhere, credentials_of


class SessionMessages(FromAnywhere):
    """`/api/v1/sessions/{id}/messages/`: `GET` lists them, oldest first, `POST` adds one."""

    methods_elsewhere = ("GET", "POST")

    @described.list_messages
    def get(self, request: Request, session_id: str) -> Response:
        caller, query = caller_of(request), Query(request)
        session = _session(request, caller, session_id)
        wanted = _wanted(query)
        query.finish()
        page = message_pages.page(session, wanted)
        return query.told(
            {
                "results": [_told(caller, one) for one in page.rows],
                "next": query.link(_later(page, wanted)),
                "previous": query.link({"before": page.rows[0].pk} if page.has_earlier else None),
            }
        )

    @described.post_message
    def post(self, request: Request, session_id: str) -> Response:
        caller, query = caller_of(request), Query(request)
        is_asked = query.flag("respond")
        query.finish()
        messages.check_may_write(caller)
        session = _session(request, caller, session_id)
        messages.check_is_open(caller, session)
        body = dict(request.data)
        token = body.pop("metadata_token", None) if is_asked else None  # what only stores sets no context
        draft = messages.draft_of(caller, body)
        if not is_asked:
            return _posted(_stored(caller, session, draft), draft)
        return _posted(_answered(request, caller, session, draft, token), draft)


class SessionMessage(FromAnywhere):
    """`/api/v1/sessions/{id}/messages/{message_id}/`: `GET` shows it, `DELETE` leaves a tombstone."""

    methods_elsewhere = ("GET", "DELETE")

    @described.show_message
    def get(self, request: Request, session_id: str, message_id: str) -> Response:
        caller, query = caller_of(request), Query(request)
        session = _session(request, caller, session_id)
        deleted = query.flag("deleted")
        query.finish()
        message = _message(session, message_id, deleted=deleted)
        return Response(_told(caller, message_pages.one(session, message.pk)))

    @described.remove_message
    def delete(self, request: Request, session_id: str, message_id: str) -> Response:
        caller = caller_of(request)
        messages.check_may_write(caller)
        session = _session(request, caller, session_id)
        messages.check_is_open(caller, session)
        messages.delete_message(caller, session.pk, message_id)
        return Response(status=204)


class MessageDebugData(APIView):
    """`/api/v1/sessions/{id}/messages/{message_id}/debug_data/`: for tenant tokens and staff."""

    @described.show_debug_data
    def get(self, request: Request, session_id: str, message_id: str) -> Response:
        caller = caller_of(request)
        Query(request).finish()
        session = messages.access_messages(caller, uuid_of(session_id))
        if not access.may_inspect(caller, session):
            raise NotFound()
        message = _message(session, message_id)
        return Response({"message_id": str(message.pk), "debug_data": debug_of(message)})


def _session(request: Request, caller: Caller, session_id: str) -> Session:
    session = messages.access_messages(caller, uuid_of(session_id))
    access.check_origin(credentials_of(request), tuple(session.mentor.allowed_origins))
    return session


def _message(session: Session, name: str, *, deleted: bool = False) -> ChatMessageHistory:
    message = messages.find(session, name)
    if message.deleted_at is not None and not deleted:
        raise NotFound()
    return message


def _told(caller: Caller, message: ChatMessageHistory) -> shapes.Json:
    return shapes.posted(message, caller.reads_as)


def _posted(told: shapes.Json, draft: Draft) -> Response:
    return Response({**told, "warnings": draft.warnings}, status=201)


def _stored(caller: Caller, session: Session, draft: Draft) -> shapes.Json:
    message = messages.store_message(caller, session.pk, draft)
    return _told(caller, message_pages.one(session, message.pk))


def _answered(request: Request, caller: Caller, session: Session, draft: Draft, token: Any) -> shapes.Json:
    if caller.kind == "staff":
        raise PermissionDenied("A user's message is answered for the tenant's token or the user's own page.")
    begun = respond(session, draft, credentials_of(request), token)
    answer = {"id": str(begun.answer), "status": "streaming", "sequence": begun.sequence}
    return {**_told(caller, message_pages.one(session, begun.user_message)), "answer": answer}


# --- what is asked


def _wanted(query: Query) -> Wanted:
    return Wanted(
        _words(query, "participant_role", PARTICIPANT_ROLES),
        _words(query, "message_type", MESSAGE_TYPES),
        query.take("before") or "",
        query.take("after") or "",
        query.number("limit", default=message_pages.DEFAULT_LIMIT, most=message_pages.MOST),
        query.flag("deleted"),
    )


def _words(query: Query, name: str, known: tuple[str, ...]) -> tuple[str, ...]:
    found = tuple(query.take_all(name))
    if any(word not in known for word in found):
        raise InvalidFilter(f"{name} is one of {', '.join(known)}.", pointer=f"?{name}")
    return found


def _later(page: message_pages.Page, wanted: Wanted) -> dict[str, Any] | None:
    if not page.has_later:
        return None
    # Between two messages the next page has the same end.
    end = {"before": wanted.before} if wanted.before and wanted.after else {}
    return {"after": page.rows[-1].pk, **end}
