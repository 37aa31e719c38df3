"""Analytics at ibl.ai's paths, in its shapes and with its parameters."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from chat import cursors, transcripts
from chat.errors import InvalidFilter
from chat.filters import Moment
from chat.queries import Query, check_names, reader_of
from chat.selections import Selection

from .. import conversations
from ..breakdown import breakdown
from ..periods import INTERVALS
from ..questions import Question
from . import described_ibl as described
from .choices import CHARTS, DATE_FILTERS, DAYS, choice

DEFAULT_SIZE, MOST_OF_A_PAGE = 20, 100
# A page by its number costs what stands before it: further on there are cursors, on our own paths.
MOST_ROWS_BEFORE: Final = 10_000


class ConversationsChart(APIView):
    """`GET /api/analytics/conversations/`: how many sessions began, as `{metric, points: [{date, value}]}`."""

    @described.ibl_chart_conversations
    def get(self, request: Request) -> Response:
        reader, query = reader_of(request), Query(request, ibl=True)
        metric = choice(query, "metric", CHARTS, "conversations")
        interval = choice(query, "granularity", INTERVALS, "day")
        time = choice(query, "date_filter", DATE_FILTERS, "")
        selection = _within(transcripts.selected(query.filter(), reader), time)
        try:
            points = breakdown(selection, Question(interval=interval))["total"]["points"]
        except InvalidFilter as error:
            raise InvalidFilter(error.message, pointer="?granularity") from None
        told = [{"date": _date(point["at"], interval), "value": point["sessions"]} for point in points]
        return query.told({"metric": metric, "points": told})


def _date(at: str, interval: str) -> str:
    return at if interval == "hour" else at[:10]


def _within(selection: Selection, time: str) -> Selection:
    """The sessions of the time that `date_filter` names, in days of the tenant; of dates that are given, those."""
    dated = selection.filter.since is not None or selection.filter.until is not None
    name = time or ("custom" if dated else "30d")
    if name != "custom" and dated:
        raise InvalidFilter("With dates of its own the time is custom.", pointer="?date_filter")
    if name == "custom" and not dated:
        raise InvalidFilter("A custom time needs start_date, end_date or both.", pointer="?date_filter")
    if name not in DAYS:
        return selection
    today = timezone.now().astimezone(selection.zone).date()
    since = Moment(today - timedelta(days=DAYS[name] - 1))
    return replace(selection, filter=selection.filter.within(since=since))


class MessagesList(APIView):
    """`GET /api/analytics/messages/`: sessions with their first message, as `{summary, results, pagination}`."""

    @described.ibl_list_conversations
    def get(self, request: Request) -> Response:
        reader, query = reader_of(request), Query(request, ibl=True)
        page, size = _page(query)
        selection = transcripts.selected(query.filter(), reader)
        summary = conversations.summary(selection)
        total = summary["conversations"]
        body = {
            "summary": {f"total_{name}": count for name, count in summary.items()},
            "results": [conversations.ibl_item(one) for one in conversations.numbered(selection, page, size)],
            "pagination": {
                **{"page": page, "limit": size, "total": total, "total_pages": -(-total // size)},
                **{"has_next": page * size < total, "has_previous": page > 1},
            },
        }
        return query.told(body)


def _page(query: Query) -> tuple[int, int]:
    size = query.limit(default=DEFAULT_SIZE, most=MOST_OF_A_PAGE)
    return query.number("page", default=1, most=MOST_ROWS_BEFORE // size), size


class ChatHistory(APIView):
    """`GET /api/ai-analytics/orgs/{org}/users/{user_id}/chat-history/`: sessions with the full metadata.

    As there, the user in the path is who asks, and `filter_user_id` whose sessions are meant.
    """

    @described.ibl_list_chat_history
    def get(self, request: Request, org: str, user_id: str) -> Response:
        reader, query = reader_of(request), Query(request, ibl=True)
        check_names(org)
        page, size = _page(query)
        user = query.take("filter_user_id")
        path: dict[str, Any] = {"tenant": org, **({"user": (user,)} if user else {})}
        selection = transcripts.selected(query.filter(**path), reader)
        count = cursors.count(selection.sessions())
        body = {
            "count": count,
            "next": query.link({"page": page + 1} if page * size < count else None),
            "previous": query.link({"page": page - 1} if page > 1 else None),
            "results": [
                conversations.ibl_history(one) for one in conversations.numbered(selection, page, size)
            ],
        }
        return query.told(body)
