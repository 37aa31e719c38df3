"""Analytics at our own paths: sessions with all they know, facets, breakdowns, coverage."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from chat import cursors, transcripts
from chat.errors import InvalidFilter
from chat.queries import Query, reader_of

from .. import conversations, coverage, facets
from ..breakdown import breakdown
from ..questions import DEFAULT_BUCKETS, Question, path_of, read_interval, read_keys, read_metrics
from . import described
from .choices import CONTEXTS, choice


class Conversations(APIView):
    """`GET /api/v1/analytics/conversations/`: the sessions of a filter, newest first, each with its metadata."""

    @described.list_conversations
    def get(self, request: Request) -> Response:
        reader, query = reader_of(request), Query(request)
        cursor, limit, counting = query.take("cursor") or "", query.limit(), query.flag("count")
        sessions = transcripts.selected(query.filter(), reader).sessions()
        page = cursors.page(transcripts.listed(sessions), cursor=cursor, limit=limit)
        body: dict[str, Any] = {
            "results": [conversations.row(one) for one in conversations.told(page.rows)],
            "next": query.link({"cursor": page.next} if page.next else None),
            "previous": query.link({"cursor": page.previous} if page.previous else None),
        }
        return Response({"count": cursors.count(sessions), **body} if counting else body)


class ContextKeys(APIView):
    """`GET /api/v1/analytics/context/keys/`: the keys in use in the sessions of a filter."""

    @described.list_context_keys
    def get(self, request: Request) -> Response:
        reader, query = reader_of(request), Query(request)
        of: Any = choice(query, "of", CONTEXTS, "context")
        return Response(facets.keys(transcripts.selected(query.filter(), reader), of))


class ContextValues(APIView):
    """`GET /api/v1/analytics/context/values/?key=`: the values of one key."""

    @described.list_context_values
    def get(self, request: Request) -> Response:
        reader, query = reader_of(request), Query(request)
        of: Any = choice(query, "of", CONTEXTS, "context")
        written, limit = query.take("key"), query.limit()
        if written is None:
            raise InvalidFilter("key is required.", pointer="?key")
        path = path_of(written, "key")
        return Response(facets.values(transcripts.selected(query.filter(), reader), of, path, limit))


class Breakdown(APIView):
    """`GET /api/v1/analytics/breakdown/?metric=&by=&interval=`: metrics by keys and by time."""

    @described.break_down
    def get(self, request: Request) -> Response:
        reader, query = reader_of(request), Query(request)
        question = Question(
            metrics=read_metrics(query.take_all("metric")),
            by=read_keys(query.take_all("by")),
            interval=read_interval(query.take("interval")),
            buckets=query.number("limit", default=DEFAULT_BUCKETS, most=cursors.MOST),
        )
        return Response(breakdown(transcripts.selected(query.filter(), reader), question))


class Coverage(APIView):
    """`GET /api/v1/analytics/coverage/?mentor=`: what a prompt speaks of against what is sent."""

    @described.show_coverage
    def get(self, request: Request) -> Response:
        reader, query = reader_of(request), Query(request)
        selection = transcripts.selected(query.filter(), reader)
        return Response(coverage.coverage(selection, coverage.the_mentor(selection)))
