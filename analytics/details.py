"""One session, whole: what it is, and its messages as questions with their answers."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import Count, Q, QuerySet, Sum
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from chat import shapes, transcripts
from chat.errors import InvalidFilter
from chat.models import ChatMessageHistory, Session
from chat.queries import Query, check_names, reader_of

from .conversations import ibl_item, told
from .views import described_ibl as described

Json = dict[str, Any]
TURNS = 100
# One session has no range of dates: a client that asks about a month still gets it.
MEANINGLESS = frozenset({"start_date", "end_date", "date_filter"})
Status = ChatMessageHistory.Status
FAILURES = (Status.FAILED, Status.INTERRUPTED)


class Details(APIView):
    """`GET /api/analytics/messages/details/?session_id=`, and the same at `/api/v2/messages/details/`."""

    @described.ibl_show_details
    def get(self, request: Request) -> Response:
        reader, query = reader_of(request), Query(request, ibl=True, ignoring=MEANINGLESS)
        key = _session_id(query.take("session_id"))
        limit = query.limit(default=TURNS)
        before, after = query.number("before"), query.number("after")
        asked = query.filter(session=(key,))
        check_names(asked.tenant or "", *asked.mentor, *asked.user)
        session = transcripts.the_session(transcripts.selected(asked, reader))
        span = transcripts.Range.of(
            transcripts.count_messages(session), 2 * limit, before=before, after=after
        )
        view = session.mentor.policy.view("operator")
        said, span = transcripts.whole_turns(transcripts.messages(session, span), span, backward=before > 0)
        return query.told(
            {
                "summary": summary(session),
                "messages": [shapes.ibl_pair(pair, view) for pair in transcripts.pairs(said)],
                "next": query.link(span.later),
                "previous": query.link(span.earlier),
            }
        )


def _session_id(text: str | None) -> UUID:
    try:
        return UUID(text or "")
    except ValueError:
        raise InvalidFilter("This must be a session's UUID.", pointer="?session_id") from None


def summary(session: Session) -> Json:
    """ibl.ai's item of its list of conversations, and ours beside it."""
    (one,) = told([session])
    counts = _counts(session.messages.all())
    usage = {
        "prompt_tokens": counts.pop("prompt_tokens"),
        "completion_tokens": counts.pop("completion_tokens"),
    }
    return {
        **ibl_item(one),
        "title": one.title,
        "client_context": shapes.client_context(session, "operator"),
        "context_version": session.context_version,
        "anonymous": session.anonymous,
        "updated_at": session.updated_at,
        **counts,
        "usage": {**usage, "total_tokens": sum(usage.values())},
    }


def _counts(messages: QuerySet[ChatMessageHistory]) -> dict[str, int]:
    failed = Q(role=ChatMessageHistory.Role.MENTOR, status__in=FAILURES)
    found = messages.aggregate(
        failures=Count("pk", filter=failed),
        prompt_tokens=Sum("extra__prompt_tokens"),
        completion_tokens=Sum("extra__completion_tokens"),
    )
    return {name: count or 0 for name, count in found.items()}
