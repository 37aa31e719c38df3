"""What ibl.ai's paths of tasks and reports take and answer."""

from __future__ import annotations

from typing import Any, Final

from chat.describing import VENDOR, Operation, file, filters, ok, waiting
from chat.describing.parameters import local
from chat.describing.shapes import (
    FLAG,
    OBJECT,
    TEXT,
    TIME,
    UUID,
    Json,
    closed,
    many,
    named,
    null_or,
    said,
    words,
)
from chat.wire_names import IBL_PARAMETERS

from ..columns import CHAT_HISTORY
from ..sending import CONTENT_TYPES

STATES: Final = words(
    *("pending", "running", "accumulating", "processing", "storing"),
    *("completed", "cancelled", "error", "expired"),
)
TASK: Final = named("IblTask", closed({"task_id": UUID, "state": STATES, "error": null_or(TEXT)}))
ROWS: Final = named(
    "IblChatHistoryRows",
    many(
        closed(
            {
                "type": words("human", "ai", "system"),
                "content": TEXT,
                "timestamp": TIME,
                "client_context": said(OBJECT, "What the message was written under."),
            }
        )
    ),
)
REPORT: Final = named(
    "IblReport",
    closed(
        {
            "report_id": UUID,
            "report_name": TEXT,
            "state": STATES,
            "started_on": null_or(TIME),
            "owner": TEXT,
            "expires": null_or(TIME),
            "url": null_or(TEXT),
            "created_at": TIME,
        }
    ),
)
_ONE_REPORT: Final = closed({"data": REPORT})
_CSV: Final = CONTENT_TYPES["csv"]
_FILE: Final = file(_CSV, json=ROWS) | waiting(TASK)
_TO_CSV: Final = local(
    "to_csv",
    words("", "true", "false"),
    f"CSV of {', '.join(CHAT_HISTORY)} instead of JSON; the name alone is a yes.",
    allowEmptyValue=True,
)
NEW_REPORT_KEYS: Final[Json] = {
    "report_name": words("ai-mentor-chat-history"),
    "force": said(FLAG, "Make one although there is one of the same question.", default=False),
    "filters": said(OBJECT, "The filter's parameters, by our names."),
    "mentor": TEXT,
    "learner_id": said(TEXT, "ibl.ai's name of `user`."),
    **{name: said(TEXT, f"ibl.ai's name of `{ours}`.") for name, ours in IBL_PARAMETERS.items()},
}
NEW_REPORT: Final = named(
    "IblNewReport",
    closed(
        NEW_REPORT_KEYS,
        optional=tuple(name for name in NEW_REPORT_KEYS if name != "report_name"),
        # The vendor's that have no meaning here, which are named in the answer's header.
        additionalProperties=True,
    ),
)


def _vendors(id: str, summary: str, answers: dict[str, Json], *parameters: Json, **more: Any) -> Operation:
    return Operation(id, summary, VENDOR, answers, list(parameters), **more)


_ASKED: Final = ok(closed({"task_id": UUID}), "It was asked for.")
ibl_export_session = _vendors(
    "ibl_export_session",
    "Ask for a session's messages as a file.",
    _ASKED,
    *filters("tenant", "session", ibl=True),
)
ibl_export_user = _vendors(
    "ibl_export_user",
    "Ask for all messages of a user as a file.",
    _ASKED,
    *filters("tenant", "user", ibl=True),
)
ibl_download_session_task = _vendors(
    "ibl_download_session_task", "A session's messages, once they are ready.", _FILE, _TO_CSV
)
ibl_download_user_task = _vendors(
    "ibl_download_user_task", "A user's messages, once they are ready.", _FILE, _TO_CSV
)
ibl_show_task = _vendors("ibl_show_task", "How far a task is.", ok(closed({"task": TASK})), _TO_CSV)
ibl_ask_for_report = _vendors(
    "ibl_ask_for_report",
    "The report of a question: the one that there is, or a new one.",
    ok(_ONE_REPORT),
    body=NEW_REPORT,
)
ibl_list_reports = _vendors(
    "ibl_list_reports", "The newest hundred reports.", ok(closed({"data": many(REPORT)}))
)
ibl_show_report = _vendors(
    "ibl_show_report",
    "The newest report of a name.",
    ok(_ONE_REPORT),
    local("mentor_unique_id", TEXT, "About this mentor."),
)
ibl_download_report = _vendors(
    "ibl_download_report",
    "A report's file, once it is ready.",
    file(_CSV, json=many(OBJECT)) | waiting(_ONE_REPORT),
    local("format", words("csv", "json", default="csv"), "As which."),
    local("columns", TEXT, "Some of the report's, with commas between them."),
)
