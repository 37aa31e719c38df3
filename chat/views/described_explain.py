"""What the paths that explain answers, and try contexts out, take and answer."""

from __future__ import annotations

from typing import Final

from ..describing import Operation, ok
from ..describing.parameters import local
from ..describing.shapes import (
    ANYTHING,
    CONTEXT,
    FLAG,
    NUMBER,
    OBJECT,
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
from ..explaining import REASONS
from ..policies import MODES
from .described import DELIVERY, DIFF, PAGE_CONTENT, PROVENANCE

_REASON: Final = words(*REASONS)
_ORIGIN: Final = closed(
    {
        "version": said(WHOLE, "The version since which the key has this value, verified or not."),
        "created_at": TIME,
        "author": said(TEXT, "Who set it."),
        "door": said(TEXT, "Through which door it came."),
        **PROVENANCE,
        "or_earlier": said(FLAG, "True where older versions were not looked at, or are not kept any more."),
    }
)
_KEY: Final = named(
    "ExplainedKey",
    closed(
        {
            "key": TEXT,
            "value": said(ANYTHING, "`[hidden]` where it is not for you, a mask where it is masked."),
            "concealed": said(FLAG, "Whether the schema hides it from you."),
            "masked": said(FLAG, "Whether the schema masks it."),
            "verified": said(FLAG, "Whether the tenant's own server vouches for it."),
            "origin": _ORIGIN,
            "shown": said(
                FLAG, "Whether the model was shown it, in the block or where its system prompt names it."
            ),
            "left_out": null_or(_REASON, "Why it was not in the block of the context."),
            "kept_out": null_or(
                closed({"at": TIME, "door": TEXT}),
                "When this session last sent another value for it that was not verified and had no effect.",
            ),
        }
    ),
)
_REQUEST: Final[Json] = {
    "request": said(OBJECT, "The body for the model's server."),
    "body": said(TEXT, "The same, byte for byte."),
}
_EXPLANATION: Final = named(
    "Explanation",
    closed(
        {
            "message_id": said(UUID, "The answer."),
            "question_id": said(UUID, "What it answers."),
            "session_id": UUID,
            "mentor_version": WHOLE,
            "context_version": WHOLE,
            "delivery": DELIVERY,
            "schema": null_or(
                closed({"version": WHOLE, "mode": words(*MODES)}),
                "The schema of the context: the mentor's version that it is of, and what it did.",
            ),
            "keys": said(many(_KEY), "Of the context that it was written under, in its order."),
            "complete": said(FLAG, "As of the prompt by itself."),
            "page_content": PAGE_CONTENT,
            **_REQUEST,
        }
    ),
)
_ANSWER: Final = closed(
    {
        "content": TEXT,
        "finish_reason": TEXT,
        "usage": null_or(
            closed({"prompt_tokens": WHOLE, "completion_tokens": WHOLE, "total_tokens": WHOLE}),
            "Null where the model's server counts nothing.",
        ),
        "duration_ms": NUMBER,
    }
)
_PREVIEW: Final = named(
    "Preview",
    closed(
        {
            "session_id": UUID,
            "message_id": null_or(UUID, "The answer that it stands beside."),
            "mentor_version": WHOLE,
            "context": closed(
                {
                    "version": said(WHOLE, "The version that the context would be of."),
                    "changed": said(FLAG, "Whether that would be a new one."),
                    "warnings": many(WARNING),
                    "client_context": CONTEXT,
                    "verified_keys": many(TEXT),
                    "diff": DIFF,
                }
            ),
            "delivery": DELIVERY,
            "left_out": said(
                {"type": "object", "additionalProperties": _REASON},
                "The keys that the model would not be shown, each with the reason.",
            ),
            **_REQUEST,
            "answer": null_or(_ANSWER, "The model's, where it was asked for."),
        }
    ),
)
PREVIEW_KEYS: Final[Json] = {
    "metadata": null_or(OBJECT, "What a message would bring; null: it brings none."),
    "prompt": null_or(TEXT, "The user's words; with `message_id` those that were said then."),
    "page_content": null_or(TEXT),
    "include_metadata_in_prompt": null_or(FLAG, "As in a message."),
    "verified": null_or(
        FLAG, "Whether the tenant's own server brings it. Where nothing is said: whether a token asks."
    ),
    "message_id": null_or(
        UUID, "An answer: its question is asked again, after what was said before it and by its prompts."
    ),
    "answer": {**FLAG, "default": False},
}

explain_message = Operation(
    "explain_message",
    "Why an answer is as it is: what the model knew, where each value came from, and the prompt.",
    "messages",
    ok(_EXPLANATION),
    detail="Of an answer, or of the message that it answers. For tenant tokens and staff.",
)
preview_message = Operation(
    "preview_message",
    "What a message would come to under another context, without sending it.",
    "sessions",
    ok(_PREVIEW),
    parameters=[
        local("answer", {**FLAG, "default": False}, "Whether the model is asked: that takes `write_all`.")
    ],
    body={
        "type": "object",
        "properties": PREVIEW_KEYS,
        "description": "Other keys have no effect, and are named in the warnings.",
    },
    detail="Nothing is stored. What the context law would refuse is refused here with the same error.",
)
