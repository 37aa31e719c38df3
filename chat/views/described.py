"""What our paths of sessions and messages take and answer."""

from __future__ import annotations

from typing import Final

from ..describing import Operation, filters, ok
from ..describing.parameters import AFTER, BEFORE, LIMIT, LIST
from ..describing.shapes import (
    ADDRESS,
    ANYTHING,
    CONTEXT,
    FLAG,
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
from ..models import Mentor

SESSION_KEYS: Final[Json] = {
    "id": UUID,
    "tenant": TEXT,
    "mentor": said(TEXT, "Its slug."),
    "mentor_unique_id": UUID,
    "user": null_or(TEXT, "Null for a visitor."),
    "anonymous": FLAG,
    "title": said(TEXT, "As long as none is set, how the first prompt begins."),
    "client_context": CONTEXT,
    "context_version": said(WHOLE, "How many values the context has had."),
    "messages": said(WHOLE, "How many there are."),
    "created_at": TIME,
    "updated_at": TIME,
}
SESSION: Final = named("Session", closed(SESSION_KEYS))
WHOLE_SESSION: Final = named(
    "SessionDetail",
    closed(
        {
            **SESSION_KEYS,
            "verified_keys": said(many(TEXT), "Keys that the tenant's own server set."),
            "metadata": said(OBJECT, "All that the session keeps."),
            "running": said(FLAG, "Whether an answer is being written."),
        }
    ),
)
_ONE_SIDED: Final = closed({"pointer": TEXT, "value": ANYTHING})
DIFF: Final = closed(
    {
        "added": many(_ONE_SIDED),
        "removed": many(_ONE_SIDED),
        "changed": many(closed({"pointer": TEXT, "before": ANYTHING, "after": ANYTHING})),
    },
    description="From the value before, by JSON pointer.",
)
PROVENANCE: Final[Json] = {
    "token_id": null_or(WHOLE, "Which token set it."),
    "token_name": null_or(TEXT, "What that token is called; null once it is gone."),
    "message_id": null_or(UUID, "Which message carried it."),
    "address_class": null_or(
        TEXT, "Of what kind its client's address was: `loopback`, `private`, `public-v4` or `public-v6`."
    ),
    "signed_by": null_or(TEXT, "The id of the key that signed its verified keys."),
}
VERSION: Final = named(
    "ContextVersion",
    closed(
        {
            "number": WHOLE,
            "client_context": CONTEXT,
            "verified_keys": many(TEXT),
            "author": null_or(TEXT, "Who set it; null for end users, as the five below `door`."),
            "door": said(TEXT, "Through which door it came."),
            **PROVENANCE,
            "created_at": TIME,
            "diff": DIFF,
        }
    ),
)
PAGE_CONTENT: Final = null_or(
    closed({"length": WHOLE, "sha256": TEXT}), "Of the page's text that the model was shown."
)
DELIVERY: Final = words(*Mentor.Delivery.values, description="How the model was shown the context.")
PROMPT: Final = named(
    "Prompt",
    closed(
        {
            "message_id": UUID,
            "session_id": UUID,
            "mentor_version": WHOLE,
            "context_version": WHOLE,
            "delivery": DELIVERY,
            "complete": said(
                FLAG,
                "False where page content that was sent is not kept, or something that was sent was removed since.",
            ),
            "page_content": PAGE_CONTENT,
            "request": said(OBJECT, "The body that was sent to the model's server."),
            "body": said(TEXT, "The same, byte for byte."),
        }
    ),
)

list_sessions = Operation(
    "list_sessions",
    "Sessions by any filter, newest first.",
    "sessions",
    ok(pages(SESSION)),
    parameters=[*filters(), *LIST],
)
show_session = Operation("show_session", "One session.", "sessions", ok(WHOLE_SESSION))
list_context_versions = Operation(
    "list_context_versions",
    "Every value that a session's context has had, oldest first.",
    "sessions",
    ok(closed({"results": many(VERSION), "next": ADDRESS, "previous": ADDRESS})),
    parameters=[LIMIT, BEFORE, AFTER],
)
show_prompt = Operation(
    "show_prompt", "What an answer was made from: the request to the model.", "messages", ok(PROMPT)
)
