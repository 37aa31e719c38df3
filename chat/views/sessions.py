"""Reading sessions at our own paths: the list by any filter, one session, every value its context ever had."""

from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from .. import cursors, shapes, transcripts
from ..filters import Filter
from ..models import Session
from ..provenance import token_names
from ..queries import Query, reader_of, uuid_of
from ..selections import Selection
from . import described


class SessionList(APIView):
    """`GET /api/v1/sessions/`: newest first, by the whole filter grammar."""

    @described.list_sessions
    def get(self, request: Request) -> Response:
        reader, query = reader_of(request), Query(request)
        limit, cursor, count = query.limit(), query.take("cursor") or "", query.flag("count")
        rows = Selection.of(query.filter(), reader).sessions()
        page = cursors.page(transcripts.listed(rows), cursor=cursor, limit=limit)
        titles = transcripts.titles(page.rows)
        body = {
            "results": [shapes.session(one, titles[one.pk], "operator") for one in page.rows],
            "next": query.link({"cursor": page.next} if page.next else None),
            "previous": query.link({"cursor": page.previous} if page.previous else None),
        }
        return query.told({**body, "count": cursors.count(rows)} if count else body)


class SessionDetail(APIView):
    """`GET /api/v1/sessions/{id}/`."""

    @described.show_session
    def get(self, request: Request, session_id: str) -> Response:
        query, session = _asked(request, session_id)
        query.finish()
        title = transcripts.titles([session])[session.pk]
        more = {
            "verified_keys": transcripts.verified_keys(session, session.mentor.policy.view("operator")),
            "metadata": shapes.metadata(session, "operator"),
            "running": session.turn_id is not None,
        }
        return query.told({**shapes.session(session, title, "operator"), **more})


class ContextVersions(APIView):
    """`GET /api/v1/sessions/{id}/context/versions/`: oldest first, each with what it changed."""

    @described.list_context_versions
    def get(self, request: Request, session_id: str) -> Response:
        query, session = _asked(request, session_id)
        span = transcripts.Range.of(
            session.context_version,
            query.limit(),
            before=query.number("before"),
            after=query.number("after"),
        )
        query.finish()
        return query.told(
            {
                "results": _versions(session, span),
                "next": query.link(span.later),
                "previous": query.link(span.earlier),
            }
        )


def _versions(session: Session, span: transcripts.Range) -> list[shapes.Json]:
    stored = {one.number: one for one in transcripts.versions(session, span)}
    tokens, view = token_names(stored.values()), session.mentor.policy.view("operator")
    return [
        shapes.version(one, stored.get(number - 1), view, tokens=tokens)
        for number, one in stored.items()
        if number >= span.first
    ]


def _asked(request: Request, session_id: str) -> tuple[Query, Session]:
    reader = reader_of(request)
    selection = Selection.of(Filter(session=(uuid_of(session_id),)), reader)
    return Query(request), transcripts.the_session(selection)
