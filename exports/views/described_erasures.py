"""What our path of erasures takes and answers."""

from __future__ import annotations

from typing import Final

from chat.describing import Operation, ok
from chat.describing.parameters import LIST
from chat.describing.shapes import (
    FLAG,
    TEXT,
    TIME,
    UUID,
    WHOLE,
    Json,
    closed,
    named,
    null_or,
    pages,
    said,
    words,
)
from chat.models import Erasure

_COUNTS: Final[Json] = {
    "type": "object",
    "description": "How many rows and files, by what they were.",
    "additionalProperties": WHOLE,
    "examples": [{"sessions": 2, "messages": 8, "exports_made_anew": 1}],
}
ERASURE_WISH: Final = named(
    "ErasureWish",
    closed(
        {
            "user_id": said(TEXT, "As the tenant calls them.", minLength=1, maxLength=255),
            "tenant": null_or(TEXT, "Its key, for who may erase in several."),
            "dry_run": said(FLAG, "Only count what there is.", default=False),
        },
        optional=("tenant", "dry_run"),
    ),
)
ERASURE: Final = named(
    "Erasure",
    closed(
        {
            "id": UUID,
            "tenant": TEXT,
            "kind": words(*Erasure.Kind.values),
            "state": words("running", "done"),
            "asked_by": TEXT,
            "created_at": TIME,
            "finished_at": null_or(TIME),
            "counts": _COUNTS,
        }
    ),
)
_FOUND: Final = ok(closed({"counts": _COUNTS}), "What there is, with `dry_run`.")
_TAG: Final = "privacy"
erase_user = Operation(
    "erase_user",
    "Erase a user, which a worker does.",
    _TAG,
    {**_FOUND, **ok(ERASURE, "It is under way.", status=202)},
    body=ERASURE_WISH,
)
list_erasures = Operation(
    "list_erasures", "What was erased, newest first, also by retention.", _TAG, ok(pages(ERASURE)), LIST
)
show_erasure = Operation("show_erasure", "One erasure.", _TAG, ok(ERASURE))
