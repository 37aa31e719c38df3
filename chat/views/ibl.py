"""ibl.ai's paths for a user's sessions: read, renamed, removed, in its shapes. Our filters work at its lists too."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from .. import access, policies, removals, shapes, transcripts
from ..cursors import Page
from ..errors import AuthenticationRequired, InvalidPayload, NotFound, PermissionDenied
from ..filters import Filter
from ..models import ApiToken, Session
from ..queries import Query, caller_of, check_names, reader_of, uuid_of
from ..selections import Reader, Selection
from . import described_ibl as described
from .making import Sessions, in_vain
from .origins import FromAnywhere, credentials_of

MOST_COUNTED = 10_000
MOST_PAGES = 100
MOST_IDS = 1_000
RECENT_SESSIONS, RECENT_MESSAGES = 10, 10
LONGEST_TITLE = 300


def told_page(request: Request, reader: Reader, **path: Any) -> Response:
    """A page of sessions, newest first: `{count, next, previous, results}`."""
    query = Query(request, ibl=True)
    page, rows = _page(query, query.limit(), reader, path)
    titles = transcripts.titles(page.rows)
    return query.told(
        {
            "count": transcripts.count_up_to(rows, MOST_COUNTED),
            "next": query.link({"cursor": page.next} if page.next else None),
            "previous": query.link({"cursor": page.previous} if page.previous else None),
            "results": [shapes.ibl_session(one, titles[one.pk], "operator") for one in page.rows],
        }
    )


def _page(query: Query, limit: int, reader: Reader, path: dict[str, Any]) -> tuple[Page[Session], Any]:
    """And the rows that it is a page of."""
    cursor, number = query.take("cursor") or "", query.number("page", default=1, most=MOST_PAGES)
    asked = query.filter(**path)
    check_names(asked.tenant or "", *asked.mentor, *asked.user)
    rows = transcripts.selected(asked, reader).sessions()
    return transcripts.page_of(rows, limit, cursor=cursor, number=number), rows


class UserSessions(Sessions):
    """`…/users/{user_id}/sessions/`: `GET` lists them, `POST` makes one."""

    @described.ibl_list_sessions
    def get(self, request: Request, org: str, user_id: str) -> Response:
        return told_page(request, reader_of(request), tenant=org, user=(user_id,))


class MentorSessions(APIView):
    """`GET /api/v1/{org}/{mentor}/{user_id}/sessions/`."""

    @described.ibl_list_sessions_of_mentor
    def get(self, request: Request, org: str, mentor: str, user_id: str) -> Response:
        return told_page(request, reader_of(request), tenant=org, mentor=(mentor,), user=(user_id,))


class UserSession(FromAnywhere):
    """`…/sessions/{session_id}/`. A visitor reads their own; whoever may write renames and removes."""

    methods_elsewhere = ("GET",)

    @described.ibl_show_session
    def get(self, request: Request, org: str, session_id: str, user_id: str = "") -> Response:
        query = Query(request, ibl=True)
        session = _readable(request, org, user_id, session_id)
        access.check_origin(credentials_of(request), tuple(session.mentor.allowed_origins))
        span = transcripts.Range.of(
            transcripts.count_messages(session),
            query.limit(),
            before=query.number("before"),
            after=query.number("after"),
            page=query.number("page", default=1),
            from_end=True,
        )
        query.finish()
        said, reader = transcripts.messages(session, span), _reads_as(request)
        view = session.mentor.policy.view(reader)
        return query.told(
            {
                "count": span.count,
                "title": transcripts.titles([session])[session.pk],
                "is_shared": False,
                # No greeting is stored as a message, so there is none for a client to hide.
                "proactive_prompt": "",
                "mentor_unique_id": str(session.mentor.unique_id),
                "platform_key": session.tenant.key,
                "client_context": shapes.client_context(session, reader),
                "context_version": session.context_version,
                "previous": query.link(span.later),
                "next": query.link(span.earlier),
                "results": [shapes.ibl_message(one, view) for one in reversed(said) if not one.deleted_at],
            }
        )

    @described.ibl_rename_session
    def put(self, request: Request, org: str, session_id: str, user_id: str = "") -> Response:
        session = _writable(request, org, user_id, session_id)
        body = dict(request.data)
        if "title" in body:
            removals.rename(session, _title(body["title"]))
        title = transcripts.titles([session])[session.pk]
        warnings = in_vain(body, "title")
        return Response(
            shapes.ibl_session(session, title, "operator") | ({"warnings": warnings} if warnings else {})
        )

    @described.ibl_remove_session
    def delete(self, request: Request, org: str, session_id: str, user_id: str = "") -> Response:
        removals.remove(_writable(request, org, user_id, session_id).pk)
        return Response(status=204)


def _title(sent: object) -> str:
    if not isinstance(sent, str) or len(sent) > LONGEST_TITLE:
        raise InvalidPayload(f"title must be text of at most {LONGEST_TITLE} characters.", pointer="/title")
    return " ".join(sent.split())  # one line, as a derived one


class DownloadSession(APIView):
    """`…/sessions/{session_id}/download-session`: a page of plain text."""

    @described.ibl_download_session
    def get(self, request: Request, org: str, user_id: str, session_id: str) -> HttpResponse:
        session = _the_users(reader_of(request), org, user_id, session_id)
        Query(request, ibl=True).filter()
        title, view = transcripts.titles([session])[session.pk], session.mentor.policy.view("export")
        lines = shapes.as_text(session, title, transcripts.every_message(session), view)
        name = f'attachment; filename="session-{session.pk}.txt"'
        return HttpResponse(
            "".join(lines), content_type="text/plain; charset=utf-8", headers={"Content-Disposition": name}
        )


class RecentMessages(APIView):
    """`…/recent-messages/?mentor=`: a user's newest sessions, each with its last messages, newest first."""

    @described.ibl_list_recent_messages
    def get(self, request: Request, org: str, user_id: str) -> Response:
        reader, query = reader_of(request), Query(request, ibl=True)
        limit = query.limit(default=RECENT_SESSIONS)
        page, _ = _page(query, limit, reader, {"tenant": org, "user": (user_id,)})
        titles = transcripts.titles(page.rows)
        said = transcripts.newest_messages(page.rows, RECENT_MESSAGES)
        return query.told(
            [
                {
                    **shapes.ibl_session(one, titles[one.pk], "operator"),
                    "messages": [
                        shapes.ibl_message(message, one.mentor.policy.view("operator"))
                        for message in said[one.pk]
                        if not message.deleted_at
                    ],
                }
                for one in page.rows
            ],
            **_linked(query, page),
        )


class SessionIds(APIView):
    """`…/sessionid/?start_date=&end_date=`: `[{"id": …}]`, newest first."""

    @described.ibl_list_session_ids
    def get(self, request: Request, org: str, user_id: str) -> Response:
        reader, query = reader_of(request), Query(request, ibl=True)
        limit = query.limit(default=MOST_IDS, most=MOST_IDS)
        page, _ = _page(query, limit, reader, {"tenant": org, "user": (user_id,)})
        return query.told([{"id": str(one.pk)} for one in page.rows], **_linked(query, page))


def _linked(query: Query, page: Page[Session]) -> dict[str, str]:
    """Where the body is a bare list, the next page is in a header (RFC 8288)."""
    link = query.link({"cursor": page.next} if page.next else None)
    return {"Link": f'<{link}>; rel="next"'} if link else {}


class ClearHistory(APIView):
    """`DELETE …/clear-chathistory`: all sessions of a user."""

    @described.ibl_clear_history
    def delete(self, request: Request, org: str, user_id: str) -> Response:
        reader, query = _writer(request), Query(request, ibl=True)
        asked = query.filter(tenant=org, user=(user_id,))
        check_names(org, user_id)
        removals.remove_all(transcripts.selected(asked, reader).sessions())
        return Response(status=204)


# --- whose it is


def _the_users(reader: Reader, org: str, user_id: str, session_id: str) -> Session:
    check_names(org, user_id)
    asked = Filter(tenant=org, user=(user_id,) if user_id else (), session=(uuid_of(session_id),))
    return transcripts.the_session(Selection.of(asked, reader))


def _readable(request: Request, org: str, user_id: str, session_id: str) -> Session:
    """The tenant's readers' own way, or a visitor's: by the session's token, or where the mentor takes it, its id."""
    caller = request.auth if isinstance(request.auth, access.Caller) else None
    if caller is not None and caller.kind != "anonymous":
        return _the_users(reader_of(request), org, user_id, session_id)
    key = uuid_of(session_id)
    try:
        session = access.access_session(caller or access.anonymous_caller(""), key)
        if session.tenant.key != org:
            raise NotFound()
    except NotFound:
        if caller is None:
            raise AuthenticationRequired("This needs a token or a staff session.") from None
        raise
    return session


def _reads_as(request: Request) -> policies.Reader:
    """A visitor may have shown nothing but the session's id."""
    return request.auth.reads_as if isinstance(request.auth, access.Caller) else "user"


def _writer(request: Request) -> Reader:
    """Raises PermissionDenied for whoever may only read."""
    caller = caller_of(request)
    if caller.kind == "anonymous" or (caller.token and caller.token.scope != ApiToken.Scope.WRITE_ALL):
        raise PermissionDenied("This needs a token with the scope write_all.")
    return Reader.of(caller)


def _writable(request: Request, org: str, user_id: str, session_id: str) -> Session:
    return _the_users(_writer(request), org, user_id, session_id)
