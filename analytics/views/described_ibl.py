"""What ibl.ai's paths of analytics take and answer."""

from __future__ import annotations

from typing import Any, Final

from chat.describing import VENDOR, Operation, filters, ok
from chat.describing.parameters import AFTER, BEFORE, PAGE, PAGE_SIZE, local
from chat.describing.shapes import (
    ADDRESS,
    CONTEXT,
    FLAG,
    NULL,
    NUMBER,
    OBJECT,
    ROLE,
    STATUS,
    TEXT,
    TIME,
    UUID,
    WHOLE,
    Json,
    closed,
    ibl_pages,
    many,
    named,
    null_or,
    said,
    words,
)
from chat.views.described import DELIVERY, PAGE_CONTENT

from ..periods import INTERVALS
from .choices import CHARTS, DATE_FILTERS

_ITEM_KEYS: Final[Json] = {
    "platform_name": TEXT,
    "platform_key": TEXT,
    "mentor": said(TEXT, "Its name."),
    "mentor_unique_id": UUID,
    "model": TEXT,
    "cost": said(TEXT, "Not known here."),
    "username": null_or(TEXT),
    "name": TEXT,
    "first_user_message": null_or(TEXT),
    "topics": NULL,
    "message_count": WHOLE,
    "user_queries": WHOLE,
    "assistant_responses": WHOLE,
    "average_sentiment": NULL,
    "sentiment": NULL,
    "created_at": TIME,
    "platform": WHOLE,
    "session": UUID,
    "user": NULL,
}
ITEM: Final = named("IblConversation", closed(_ITEM_KEYS))
HISTORY: Final = named(
    "IblChatHistory",
    closed(
        {
            "id": UUID,
            "mentor": TEXT,
            "student": null_or(TEXT),
            "model": TEXT,
            "platform": TEXT,
            "inserted_at": TIME,
            "is_authenticated": FLAG,
            "is_conversation": FLAG,
            "llm_name": TEXT,
            "metadata": said(OBJECT, "All that the session keeps; `client_context` is in it."),
            "title": TEXT,
            "message_count_human": WHOLE,
            "message_count_ai": WHOLE,
            "sentiment": NULL,
            "topics": NULL,
            "rating": NULL,
            "tools": many(OBJECT),
        }
    ),
)
CHART: Final = named(
    "IblChart",
    closed({"metric": words(*CHARTS), "points": many(closed({"date": TEXT, "value": WHOLE}))}),
)
MESSAGES: Final = named(
    "IblMessages",
    closed(
        {
            "summary": closed({"total_conversations": WHOLE, "total_messages": WHOLE}),
            "results": many(ITEM),
            "pagination": closed(
                {
                    "page": WHOLE,
                    "limit": WHOLE,
                    "total": WHOLE,
                    "total_pages": WHOLE,
                    "has_next": FLAG,
                    "has_previous": FLAG,
                }
            ),
        }
    ),
)
_MESSAGE_KEYS: Final[Json] = {
    "id": UUID,
    "sequence": WHOLE,
    "role": ROLE,
    "message_type": TEXT,
    "content": said(TEXT, "The sender's own words."),
    "content_as_stored": null_or(
        TEXT, "With the context block that the model was shown, where there was one."
    ),
    "content_type": TEXT,
    "status": STATUS,
    "client_message_id": null_or(TEXT),
    "metadata": said(OBJECT, "What the sender attached to it."),
    "client_context": CONTEXT,
    "context_version": WHOLE,
    "created_at": TIME,
    "finished_at": null_or(TIME),
}
_USAGE: Final = closed({"prompt_tokens": WHOLE, "completion_tokens": WHOLE, "total_tokens": WHOLE})
QUESTION: Final = named("Question", closed({**_MESSAGE_KEYS, "page_content": PAGE_CONTENT}))
ANSWER: Final = named(
    "Answer",
    closed(
        {
            **_MESSAGE_KEYS,
            "model": TEXT,
            "mentor_version": WHOLE,
            "delivery": {"enum": [*DELIVERY["enum"], ""]},
            "finish_reason": TEXT,
            "error": null_or(TEXT),
            "usage": null_or(_USAGE),
            "ttft_ms": null_or(NUMBER, "Milliseconds to its first token."),
            "duration_ms": null_or(NUMBER),
        }
    ),
)
DETAILS: Final = named(
    "IblDetails",
    closed(
        {
            "summary": closed(
                {
                    **_ITEM_KEYS,
                    "title": TEXT,
                    "client_context": CONTEXT,
                    "context_version": WHOLE,
                    "anonymous": FLAG,
                    "updated_at": TIME,
                    "failures": WHOLE,
                    "usage": _USAGE,
                }
            ),
            "messages": many(
                closed({"human": TEXT, "ai": TEXT, "question": null_or(QUESTION), "answer": null_or(ANSWER)})
            ),
            "next": ADDRESS,
            "previous": ADDRESS,
        }
    ),
)


def _vendors(id: str, summary: str, shape: Json, *parameters: Json, **more: Any) -> Operation:
    return Operation(id, summary, VENDOR, ok(shape), list(parameters), **more)


_BY_NUMBER: Final = (
    PAGE,
    local("limit", {**WHOLE, "minimum": 1, "maximum": 100, "default": 20}, "How many."),
)
ibl_chart_conversations = _vendors(
    "ibl_chart_conversations",
    "How many sessions began, by time.",
    CHART,
    local("metric", words(*CHARTS, default="conversations"), "Both count the sessions that began."),
    local("date_filter", words(*DATE_FILTERS), "Days of the tenant; `30d` without one or without dates."),
    local("granularity", words(*INTERVALS, default="day"), "How long a period is."),
    *filters(ibl=True),
)
ibl_list_conversations = _vendors(
    "ibl_list_conversations",
    "Sessions with their first message, newest first.",
    MESSAGES,
    *_BY_NUMBER,
    PAGE_SIZE,
    *filters(ibl=True),
)
ibl_show_details = _vendors(
    "ibl_show_details",
    "One session as questions and answers, oldest first, each with its own context.",
    DETAILS,
    local("session_id", UUID, "Which session.", required=True),
    local("limit", {**WHOLE, "minimum": 1, "maximum": 100, "default": 100}, "How many turns."),
    *(PAGE_SIZE, BEFORE, AFTER),
    *filters("session", ibl=True),
    elsewhere={"/api/v2/": "ibl_show_details_v2"},
    detail="`/api/v2/messages/details/` and `/api/analytics/messages/details/` are the same.",
)
ibl_list_chat_history = _vendors(
    "ibl_list_chat_history",
    "Sessions with their full metadata, newest first.",
    ibl_pages(HISTORY),
    *_BY_NUMBER,
    PAGE_SIZE,
    local("filter_user_id", TEXT, "Of this user. The user in the path is who asks, and decides nothing."),
    *filters("tenant", "user", ibl=True),
)
