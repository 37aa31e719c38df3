"""What the paths of a session's messages take and answer."""

from __future__ import annotations

from typing import Final

from ..describing import Operation, done, made, ok
from ..describing.parameters import local
from ..describing.shapes import (
    ADDRESS,
    CONTEXT,
    FLAG,
    OBJECT,
    ROLE,
    STATUS,
    TEXT,
    TIME,
    UUID,
    WARNING,
    WHOLE,
    Json,
    closed,
    many,
    named,
    null_or,
    said,
    words,
)
from ..message_pages import DEFAULT_LIMIT, MOST
from ..posts import MESSAGE_TYPES, MOST_FILES, PARTICIPANT_ROLES

_ROLES: Final = words(*PARTICIPANT_ROLES)
_TYPES: Final = words(*MESSAGE_TYPES)
_KEYS: Final[Json] = {
    "id": UUID,
    "sender": closed({"participant_id": TEXT, "participant_role": _ROLES}),
    "content": said(TEXT, "The sender's own words."),
    "content_type": TEXT,
    "message_type": _TYPES,
    "metadata": said(OBJECT, "What the sender attached, without its debug data."),
    "timestamp": TIME,
    "filenames": many(TEXT),
    "has_debug_data": said(FLAG, "Whether you are shown debug data of it."),
    "sequence": said(WHOLE, "Its place in the session: 1, 2, 3 …"),
    "role": ROLE,
    "status": STATUS,
    "client_message_id": null_or(TEXT, "What its sender called it."),
    "client_context": CONTEXT,
    "context_version": WHOLE,
    "rejected_metadata": null_or(OBJECT, "What a page attached and may not set; for tokens and staff."),
    "deleted_at": null_or(TIME, "Since then only its place is left."),
}
MESSAGE: Final = named("Message", closed(_KEYS))
_ANSWER: Final = closed({"id": UUID, "status": STATUS, "sequence": WHOLE})
POSTED: Final = named(
    "PostedMessage",
    closed({**_KEYS, "warnings": many(WARNING), "answer": _ANSWER}, optional=("answer",)),
)
_NAME: Final[Json] = {**TEXT, "maxLength": 255}
NEW_MESSAGE_KEYS: Final[Json] = {
    "id": null_or({**TEXT, "minLength": 1, "maxLength": 128}, "Yours: its `client_message_id`."),
    "sender": null_or(
        {
            "type": "object",
            "properties": {"participant_id": null_or(_NAME), "participant_role": null_or(_ROLES)},
        },
        "The session's user, where none is named.",
    ),
    "content": TEXT,
    "content_type": null_or({**TEXT, "maxLength": 100, "default": "text/plain"}),
    "message_type": null_or({**_TYPES, "default": "chat"}),
    "metadata": null_or(OBJECT, "Kept whole; `debug` is kept apart."),
    "filenames": null_or({**many(_NAME), "maxItems": MOST_FILES}),
    "debug_data": null_or(OBJECT, "Merged over the metadata's `debug`."),
}
_NEW_MESSAGE: Final[Json] = {
    "type": "object",
    "properties": NEW_MESSAGE_KEYS,
    "required": ["content"],
    "description": "Other keys have no effect, and are named in `warnings`.",
}
_DELETED: Final = local("deleted", {**FLAG, "default": False}, "Whether messages that were removed show too.")

list_messages = Operation(
    "list_messages",
    "The messages of a session, oldest first.",
    "messages",
    ok(closed({"results": many(MESSAGE), "next": ADDRESS, "previous": ADDRESS})),
    parameters=[
        local("participant_role", many(_ROLES), "Of one of these.", style="form", explode=True),
        local("message_type", many(_TYPES), "Of one of these types.", style="form", explode=True),
        local("before", TEXT, "What stands before this message, by our id or its sender's."),
        local("after", TEXT, "What stands after this message, by our id or its sender's."),
        local(
            "limit", {**WHOLE, "minimum": 1, "maximum": MOST, "default": DEFAULT_LIMIT}, "How many at most."
        ),
        _DELETED,
    ],
)
post_message = Operation(
    "post_message",
    "Add a message of any type.",
    "messages",
    made(POSTED),
    parameters=[
        local("respond", {**FLAG, "default": False}, "Whether the mentor answers: a turn like any other.")
    ],
    body=_NEW_MESSAGE,
)
show_message = Operation(
    "show_message",
    "One message.",
    "messages",
    ok(MESSAGE),
    parameters=[_DELETED],
    detail="By our id or its sender's.",
)
remove_message = Operation(
    "remove_message",
    "Take a message's words and all that was attached out of a session.",
    "messages",
    done("Its place, its ids and its snapshot are left."),
)
show_debug_data = Operation(
    "show_debug_data",
    "What was attached to a message for those who look for faults; of an answer, what it was made from.",
    "messages",
    ok(named("MessageDebugData", closed({"message_id": UUID, "debug_data": OBJECT}))),
)
