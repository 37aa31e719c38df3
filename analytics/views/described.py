"""What our paths of analytics take and answer."""

from __future__ import annotations

from typing import Any, Final

from chat.describing import Operation, filters, ok
from chat.describing.parameters import LIMIT, LIST, local
from chat.describing.shapes import (
    ANYTHING,
    FLAG,
    NUMBER,
    OBJECT,
    TEXT,
    TIME,
    UUID,
    WHOLE,
    Json,
    closed,
    many,
    named,
    null_or,
    pages,
    said,
    words,
)
from chat.views.described import DELIVERY, SESSION_KEYS
from chat.wire_names import ROLES

from ..metrics import METRICS
from ..periods import INTERVALS
from .choices import CONTEXTS

CONVERSATION: Final = named(
    "Conversation",
    closed(
        {
            **{name: schema for name, schema in SESSION_KEYS.items() if name != "client_context"},
            "messages_by_role": closed(dict.fromkeys(ROLES["ibl"], WHOLE)),
            "model": null_or(TEXT, "The one of the latest answer."),
            "metadata": said(OBJECT, "All that the session keeps; `client_context` is in it."),
        }
    ),
)
_TYPES: Final[Json] = {
    "type": "object",
    "description": "How many sessions have it with a value of this JSON type.",
    "additionalProperties": WHOLE,
    "propertyNames": {"enum": ["array", "boolean", "null", "number", "object", "string"]},
}
KEYS: Final = named(
    "ContextKeys",
    closed(
        {
            "of": words(*CONTEXTS),
            "sessions": WHOLE,
            "complete": said(FLAG, "False where there are more keys than are listed."),
            "results": many(
                closed({"key": said(TEXT, "As a filter takes it."), "sessions": WHOLE, "types": _TYPES})
            ),
        }
    ),
)
VALUES: Final = named(
    "ContextValues",
    closed(
        {
            "key": TEXT,
            "sessions": WHOLE,
            "missing": said(WHOLE, "Sessions without the key."),
            "distinct": said(WHOLE, "How many values there are."),
            "results": many(closed({"value": ANYTHING, "sessions": WHOLE})),
        }
    ),
)
_MEASURES: Final[Json] = {metric: null_or(NUMBER) for metric in METRICS}
_POINTS: Final = many(closed({"at": TIME, **_MEASURES}, optional=METRICS))
_BUCKET: Final[Json] = {**_MEASURES, "points": _POINTS}
_ENTRY: Final = closed(
    {
        "value": ANYTHING,
        "missing": said(FLAG, "There is no such key."),
        "other": said(FLAG, "Every value beyond `limit`."),
        "mentor_unique_id": UUID,
    },
    optional=("missing", "other", "mentor_unique_id"),
)
BREAKDOWN: Final = named(
    "Breakdown",
    closed(
        {
            "metrics": many(words(*METRICS)),
            "by": many(TEXT),
            "interval": null_or(words(*INTERVALS)),
            "time_zone": TEXT,
            "total": closed(_BUCKET, optional=tuple(_BUCKET)),
            "results": many(
                closed({"keys": said(many(_ENTRY), "One for each `by`."), **_BUCKET}, optional=tuple(_BUCKET))
            ),
        }
    ),
)
_EXAMPLE: Final = null_or(closed({"value": ANYTHING, "session": UUID}))
_REFUSED: Final = closed(
    {
        "code": said(TEXT, "Of the error or the warning that the client was told."),
        "pointer": said(
            TEXT, "RFC 6901, into the payload; all of `/metadata` where there were too many in a day."
        ),
        "door": words("websocket", "sse"),
        "count": WHOLE,
        "last_at": TIME,
        "message": said(TEXT, "What the client was told last."),
        "session": null_or(UUID, "That was named last; there is one only if it has had a turn."),
    }
)
_MENTION: Final[Json] = {"key": TEXT, "how": words("placeholder", "word")}
COVERAGE: Final = named(
    "Coverage",
    closed(
        {
            "mentor": closed({"slug": TEXT, "unique_id": UUID, "version": WHOLE}),
            "delivery": DELIVERY,
            "sessions": WHOLE,
            "complete": FLAG,
            "mentioned": many(closed({**_MENTION, "sessions": WHOLE})),
            "never_sent": many(closed(_MENTION)),
            "never_mentioned": many(closed({"key": TEXT, "sessions": WHOLE, "example": _EXAMPLE})),
            "changing_types": many(closed({"key": TEXT, "types": _TYPES, "examples": many(_EXAMPLE)})),
            "refused": said(
                many(_REFUSED), "The most frequent first, at most 50; of the filter, its time counts."
            ),
        }
    ),
)


def _ours(id: str, summary: str, shape: Json, *parameters: Json, **more: Any) -> Operation:
    return Operation(id, summary, "analytics", ok(shape), [*parameters, *filters()], **more)


_OF: Final = local("of", words(*CONTEXTS, default="context"), "Now in force, or in force at each message.")
list_conversations = _ours(
    "list_conversations",
    "Sessions by any filter, each with its full metadata, newest first.",
    pages(CONVERSATION),
    *LIST,
)
list_context_keys = _ours(
    "list_context_keys", "The keys of the context that are in use, with their types.", KEYS, _OF
)
list_context_values = _ours(
    "list_context_values",
    "The values of one key of the context.",
    VALUES,
    local("key", TEXT, "A path such as `order.region`.", required=True),
    _OF,
    LIMIT,
)
break_down = _ours(
    "break_down",
    "Metrics, by keys of the context and by time.",
    BREAKDOWN,
    local("metric", many(TEXT), f"Some of {', '.join(METRICS)}; `sessions` without one."),
    local(
        "by", {**many(TEXT), "maxItems": 2}, "`context.KEY`, `message_context.KEY`, mentor, user or status."
    ),
    local("interval", words(*INTERVALS), "Adds `points`, in the tenant's time zone."),
    local(
        "limit",
        {**WHOLE, "minimum": 1, "maximum": 100, "default": 10},
        "How many values of each key have a bucket of their own.",
    ),
    detail="With `by` the points are in the buckets, else in `total`.",
)
show_coverage = _ours(
    "show_coverage",
    "What a mentor's prompt speaks of against what its clients send.",
    COVERAGE,
    detail="The filter must name one mentor.",
)
