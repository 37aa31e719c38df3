"""What ibl.ai's paths of sessions take and answer."""

from __future__ import annotations

from typing import Any, Final

from ..describing import TENANTS, VENDOR, Operation, done, file, filters, ok
from ..describing.parameters import AFTER, BEFORE, IBL_LIST, LIMIT, PAGE, PAGE_SIZE
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
    ibl_pages,
    many,
    named,
    said,
    words,
)

IBL_SESSION_KEYS: Final[Json] = {
    "session_id": UUID,
    "title": TEXT,
    "mentor": TEXT,
    "mentor_unique_id": UUID,
    "platform_key": TEXT,
    "user_id": TEXT,
    "client_context": CONTEXT,
    "context_version": WHOLE,
    "message_count": WHOLE,
    "is_shared": FLAG,
    "created_at": TIME,
    "updated_at": TIME,
}
IBL_SESSION: Final = named("IblSession", closed(IBL_SESSION_KEYS))
IBL_MESSAGE: Final = named(
    "IblMessage",
    closed(
        {
            "id": UUID,
            "type": words("human", "ai", "system"),
            "role": ROLE,
            "sequence": WHOLE,
            "content": said(TEXT, "The sender's own words."),
            "content_type": TEXT,
            "status": STATUS,
            "metadata": said(OBJECT, "What the sender attached to it."),
            "client_context": said(CONTEXT, "What the message was written under."),
            "context_version": WHOLE,
            "timestamp": TIME,
        }
    ),
)
IBL_ONE_SESSION: Final = named(
    "IblSessionDetail",
    closed(
        {
            "count": WHOLE,
            "title": TEXT,
            "is_shared": FLAG,
            "proactive_prompt": TEXT,
            "mentor_unique_id": UUID,
            "platform_key": TEXT,
            "client_context": CONTEXT,
            "context_version": WHOLE,
            "previous": ADDRESS,
            "next": ADDRESS,
            "results": many(IBL_MESSAGE),
        }
    ),
)
IBL_RENAMED: Final = named(
    "IblRenamedSession",
    closed({**IBL_SESSION_KEYS, "warnings": many(WARNING)}, optional=("warnings",)),
)
IBL_RECENT: Final = named("IblRecentSession", closed({**IBL_SESSION_KEYS, "messages": many(IBL_MESSAGE)}))
IBL_MADE: Final = named(
    "IblMadeSession",
    closed(
        {
            "session_id": UUID,
            "mentor": TEXT,
            "mentor_unique_id": UUID,
            "tools": many(OBJECT),
            "enable_artifacts": FLAG,
            "artifacts": many(OBJECT),
            "session_token": said(TEXT, "To a visitor: the proof that the session is theirs."),
            "warnings": many(WARNING),
        },
        optional=("session_token", "warnings"),
    ),
)


def _vendors(id: str, summary: str, answers: dict[str, Json], *parameters: Json, **more: Any) -> Operation:
    return Operation(id, summary, VENDOR, answers, list(parameters), **more)


_OF_USER: Final = filters("tenant", "user", ibl=True)
ibl_list_sessions = _vendors(
    "ibl_list_sessions",
    "A user's sessions, newest first.",
    ok(ibl_pages(IBL_SESSION)),
    *_OF_USER,
    *IBL_LIST,
)
ibl_list_sessions_of_mentor = _vendors(
    "ibl_list_sessions_of_mentor",
    "A user's sessions with one mentor, newest first.",
    ok(ibl_pages(IBL_SESSION)),
    *filters("tenant", "mentor", "user", ibl=True),
    *IBL_LIST,
)
ibl_make_session = _vendors(
    "ibl_make_session",
    "Make a session, which no client needs: the first message makes it too.",
    ok(IBL_MADE, "It was made."),
    body=closed({"mentor": said(TEXT, "Its slug, name or UUID.")}, additionalProperties=True),
    visitors=True,
    elsewhere={TENANTS: "ibl_make_session_of_visitor"},
)
ibl_show_session = _vendors(
    "ibl_show_session",
    "One session and its messages, newest first.",
    ok(IBL_ONE_SESSION),
    *(LIMIT, PAGE_SIZE, BEFORE, AFTER, PAGE),
    visitors=True,
    elsewhere={TENANTS: "ibl_show_session_of_visitor"},
)
ibl_rename_session = _vendors(
    "ibl_rename_session",
    "Set a session's title.",
    ok(IBL_RENAMED, "The session as it now is."),
    body=closed(
        {"title": said(TEXT, "Empty: how the first prompt begins.", maxLength=300)},
        optional=("title",),
        additionalProperties=True,
    ),
    elsewhere={TENANTS: "ibl_rename_session_of_visitor"},
)
ibl_remove_session = _vendors(
    "ibl_remove_session",
    "Remove a session with all it holds.",
    done("It is gone."),
    elsewhere={TENANTS: "ibl_remove_session_of_visitor"},
)
ibl_download_session = _vendors("ibl_download_session", "A session as plain text.", file("text/plain"))
ibl_list_recent_messages = _vendors(
    "ibl_list_recent_messages",
    "A user's newest sessions, each with its last messages, newest first.",
    ok(many(IBL_RECENT), "Where there are more, the header `Link` has the next page's address."),
    *_OF_USER,
    *IBL_LIST,
)
ibl_list_session_ids = _vendors(
    "ibl_list_session_ids",
    "The ids of a user's sessions, newest first.",
    ok(many(closed({"id": UUID})), "Where there are more, the header `Link` has the next page's address."),
    *_OF_USER,
    *IBL_LIST,
)
ibl_clear_history = _vendors(
    "ibl_clear_history",
    "Remove all sessions of a user, or those of a filter.",
    done("They are gone."),
    *_OF_USER,
)
