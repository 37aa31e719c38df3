"""What Quickchat's paths take and answer."""

from __future__ import annotations

from typing import Final

from ..describing import Operation, filters, ok
from ..describing.parameters import LIMIT, local
from ..describing.shapes import CONTEXT, TEXT, TIME, UUID, WHOLE, Json, closed, many, named, null_or, said
from ..wire_names import QUICKCHAT_IGNORED, QUICKCHAT_PARAMETERS
from .described_contexts import SIGNED

TAG: Final = "Quickchat"
_METADATA: Final = closed({"metadata": CONTEXT})
_SET: Final[Json] = {
    "type": "object",
    "properties": {"metadata": CONTEXT, "metadata_token": SIGNED},
    "anyOf": [{"required": ["metadata"]}, {"required": ["metadata_token"]}],
}
_CONVERSATION: Final = named(
    "QuickchatConversation",
    closed(
        {
            "conv_id": UUID,
            "scenario_id": said(UUID, "The mentor's."),
            "user_id": null_or(TEXT, "Null for a visitor."),
            "title": TEXT,
            "metadata": CONTEXT,
            "message_count": WHOLE,
            "created_at": TIME,
            "updated_at": TIME,
        }
    ),
)
_POINTER: Final = said(TEXT, "Where within the field the fault is.")
_ERROR: Final = many(closed({"message": TEXT, "code": TEXT, "pointer": _POINTER}, optional=("pointer",)))
_REFUSED: Final[dict[str, Json]] = {
    "default": {
        "description": "It was refused, and nothing was changed.",
        "content": {
            "application/json": {
                "schema": named(
                    "QuickchatErrors",
                    closed({"errors": {"type": "object", "additionalProperties": _ERROR}}),
                )
            }
        },
    }
}

quickchat_show_metadata = Operation(
    "quickchat_show_metadata", "A conversation's metadata.", TAG, {**ok(_METADATA), **_REFUSED}
)
quickchat_set_metadata = Operation(
    "quickchat_set_metadata",
    "Replace a conversation's metadata.",
    TAG,
    {**ok(_METADATA), **_REFUSED},
    body=_SET,
)
quickchat_list_conversations = Operation(
    "quickchat_list_conversations",
    "Conversations, newest first.",
    TAG,
    {
        **ok(
            closed(
                {
                    "items": many(_CONVERSATION),
                    "offset": WHOLE,
                    "count": null_or(WHOLE, "Null where the list is too long to count."),
                }
            )
        ),
        **_REFUSED,
    },
    parameters=[
        *filters(),
        *(local(name, TEXT, f"Quickchat's name of `{ours}`.") for name, ours in QUICKCHAT_PARAMETERS.items()),
        *(local(name, TEXT, "Has no effect here.") for name in sorted(QUICKCHAT_IGNORED)),
        LIMIT,
        local("offset", {**WHOLE, "minimum": 0, "default": 0}, "How many to leave out."),
    ],
)
