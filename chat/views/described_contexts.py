"""What the paths of a session's context take and answer."""

from __future__ import annotations

from typing import Final

from ..describing import Operation, ok
from ..describing.parameters import local
from ..describing.shapes import (
    ANYTHING,
    CONTEXT,
    FLAG,
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
from ..patches import MEMBERS, MOST_OPERATIONS
from .described import DIFF, VERSION

_KEYS: Final[Json] = {
    "client_context": CONTEXT,
    "version": said(WHOLE, "How many values the context has had: 0 where it was never set."),
    "created_at": null_or(TIME, "When this value was set."),
    "author": null_or(TEXT, "Who set it; null for end users."),
    "door": null_or(TEXT, "Through which door it came."),
    "verified_keys": many(TEXT),
}
_WRITTEN: Final = named(
    "WrittenContext",
    closed(
        {
            "session_id": UUID,
            **_KEYS,
            "changed": said(FLAG, "Whether this is a new version: an equal value makes none."),
            "warnings": many(WARNING),
            "session_token": said(TEXT, "A visitor's, whose session this began."),
        },
        optional=("session_token",),
    ),
)
SIGNED: Final = null_or({**TEXT, "minLength": 1}, "A JWT of the tenant's back end: the verified keys.")
NEW_CONTEXT_KEYS: Final[Json] = {
    "client_context": CONTEXT,
    "metadata_token": SIGNED,
    "flow": null_or(
        {
            "type": "object",
            "properties": {"name": TEXT, "tenant": TEXT},
            "required": ["name", "tenant"],
            "additionalProperties": True,
        },
        "Which mentor of which tenant: begins the session, where there is none.",
    ),
    "user": null_or({**TEXT, "maxLength": 255}, "Whose session a tenant's token begins."),
}
_NEW_CONTEXT: Final[Json] = {
    "type": "object",
    "properties": NEW_CONTEXT_KEYS,
    "anyOf": [{"required": ["client_context"]}, {"required": ["metadata_token"]}],
    "description": "Other keys have no effect, and are named in `warnings`.",
}
_STEP: Final[Json] = {
    "type": "object",
    "properties": {"op": words(*MEMBERS), "path": TEXT, "from": TEXT, "value": ANYTHING},
    "required": ["op", "path"],
}


def _header(name: str, description: str) -> Json:
    return {"name": name, "in": "header", "description": description, "schema": TEXT}


_CONDITIONS: Final = [
    _header("If-Match", 'Only if the context is of this version, such as `"3"`; `*`: if it was ever set.'),
    _header("If-None-Match", "`*`: only if it was never set."),
    _header("Idempotency-Key", "Sent again within 24 hours, the write is told and not done a second time."),
]

show_context = Operation(
    "show_context",
    "The context in force.",
    "sessions",
    {
        **ok(named("ContextInForce", closed(_KEYS))),
        "304": {"description": "It is of the version that `If-None-Match` names."},
    },
    parameters=[_header("If-None-Match", "Of the version that is known already.")],
)
replace_context = Operation(
    "replace_context",
    "Replace the context; with a mentor, before the first message too.",
    "sessions",
    {**ok(_WRITTEN), **ok(_WRITTEN, "It began the session.", status=201)},
    parameters=[
        *_CONDITIONS,
        local("mentor", TEXT, "With `tenant`, the same as `flow`: by slug or UUID."),
        local("tenant", TEXT, "The tenant's key."),
        local("user", TEXT, "Whose session a tenant's token begins."),
    ],
    body=_NEW_CONTEXT,
    visitors=True,
)
patch_context = Operation(
    "patch_context",
    "Change a part of the context.",
    "sessions",
    ok(_WRITTEN),
    parameters=_CONDITIONS,
    bodies={
        "application/merge-patch+json": {"type": "object", "description": "RFC 7396."},
        "application/json-patch+json": {
            **many(_STEP),
            "maxItems": MOST_OPERATIONS,
            "description": "RFC 6902. After each of them the context keeps to its limits.",
        },
    },
)
clear_context = Operation(
    "clear_context", "Clear the context: what `{}` does.", "sessions", ok(_WRITTEN), parameters=_CONDITIONS
)
show_context_version = Operation(
    "show_context_version", "One value that the context has had.", "sessions", ok(VERSION)
)
compare_contexts = Operation(
    "compare_contexts",
    "What changed from one value of the context to another.",
    "sessions",
    ok(named("ContextDiff", closed({"from": WHOLE, "to": WHOLE, **DIFF["properties"]}))),
    parameters=[
        local(
            "from", WHOLE, "A version's number; 0 is the empty one. The one before `to`, where none is named."
        ),
        local("to", WHOLE, "A version's number. The one in force, where none is named."),
    ],
)
