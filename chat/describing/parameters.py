"""Parameters, each told once and referred to: of paths, of the filter, of pages."""

from __future__ import annotations

from typing import Any, Final

from ..cursors import DEFAULT_LIMIT, MOST
from ..filters import FIELDS, ROLES, STATUSES
from ..wire_names import IBL_PARAMETERS
from .shapes import FLAG, TEXT, UUID, WHOLE, Json

PARAMETERS: Final[dict[str, Json]] = {}


def local(name: str, schema: Json, description: str, **more: Any) -> Json:
    """One that means this at its own path only."""
    return {"name": name, "in": "query", "description": description, "schema": schema, **more}


def shared(name: str, schema: Json, description: str, **more: Any) -> Json:
    """Register it; what stands for it from then on."""
    told = local(name, schema, description, **more)
    key = f"{told['in']}.{name}"
    assert key not in PARAMETERS, key
    PARAMETERS[key] = told
    return {"$ref": f"#/components/parameters/{key}"}


# --- of paths

PATH: Final = {
    name: shared(name, schema, description, **{"in": "path", "required": True})
    for name, schema, description in (
        ("org", TEXT, "The tenant's key."),
        ("key", TEXT, "The tenant's key."),
        ("mentor", TEXT, "The mentor's slug or UUID."),
        ("user_id", TEXT, "The user, as the tenant calls them."),
        ("session_id", UUID, "The session."),
        ("message_id", UUID, "The message."),
        ("number", WHOLE, "The version's number: 1, 2, 3 …"),
        ("conv_id", UUID, "The session."),
        ("export_id", UUID, "The export."),
        ("erasure_id", UUID, "The erasure."),
        ("schedule_id", UUID, "The schedule."),
        ("signature", TEXT, "What the link was signed with."),
        ("task_id", UUID, "The task or report, as it was named when it was asked for."),
        ("report_name", TEXT, "The report's name."),
    )
}


# --- of the filter

_DAY: Final = "A day of the tenant's time zone (`2026-11-20`) or an instant (`2026-11-20T08:00:00Z`)"
_LIST: Final = "With commas between them."
_FIELDS: Final[dict[str, tuple[Json, str]]] = {
    "tenant": (TEXT, "The tenant's key. Another's is as one that does not exist."),
    "mentor": (TEXT, "With this mentor, by slug or UUID."),
    "mentor__in": (TEXT, f"With one of these mentors. {_LIST}"),
    "user": (TEXT, "Of this user."),
    "user__in": (TEXT, f"Of one of these users. {_LIST}"),
    "user__ne": (TEXT, "Of any other user."),
    "session": (TEXT, f"With one of these ids. {_LIST}"),
    "session__in": (TEXT, "The same as `session`."),
    "anonymous": (FLAG, "Of visitors (true) or of named users (false)."),
    "from": (TEXT, f"That began from then on. {_DAY}."),
    "to": (TEXT, f"That began up to then. {_DAY}; a day is included, an instant is not."),
    "min_messages": (WHOLE, "With at least so many messages."),
    "max_messages": (WHOLE, "With at most so many messages."),
    "status": (TEXT, f"With a message of one of these statuses: {', '.join(STATUSES)}. {_LIST}"),
    "status__in": (TEXT, "The same as `status`."),
    "role": (TEXT, f"With a message of one of these roles: {', '.join(ROLES)}. {_LIST}"),
    "role__in": (TEXT, "The same as `role`."),
    "search": (TEXT, "With a message that has all these words; `licens*` is the beginning of one."),
}
_KEYS: Final = (
    "Any number of parameters whose names are `{root}.PATH` or `{root}.PATH__OPERATOR`; here they are an object, such "
    'as `{{"{root}.stateCode": "CA", "{root}.order.total__gte": "100"}}`. {of} A path is keys with dots between '
    'them, to any depth; a key with a dot stands in double quotes (`{root}."a.b"`). Operators: `eq` (or none), `ne` '
    "(holds also where there is no such key), `in`, `gt`, `gte`, `lt`, `lte`, `contains`, `startswith`, `exists`, "
    '`type`. A value is read as JSON where it looks like it: `2026` is a number, `"2026"` text.'
)
_OF: Final = {
    "context": "About the client context that is now in force.",
    "message_context": "About the context that a message was written under.",
}


def _keys(root: str) -> Json:
    """Exploded, so that each key of the object is a parameter of its own."""
    schema = {
        "type": "object",
        "propertyNames": {"pattern": rf"^{root}\..+"},
        "additionalProperties": TEXT,
        "default": {},
    }
    told = _KEYS.format(root=root, of=_OF[root])
    return shared(f"{root}.KEY", schema, told, style="form", explode=True)


_FILTER: Final = {name: shared(name, *told) for name, told in _FIELDS.items()}
_CONDITIONS: Final = [_keys(root) for root in _OF]
_VENDORS: Final = [
    shared(name, TEXT, f"ibl.ai's name of `{ours}`. Sent empty, it counts as not sent.")
    for name, ours in IBL_PARAMETERS.items()
]


def filters(*said_already: str, ibl: bool = False) -> list[Json]:
    """The one filter grammar, without the fields that the path says already."""
    ours = [_FILTER[name] for name, one in FIELDS.items() if one.sets not in said_already]
    return [*ours, *_CONDITIONS, *(_VENDORS if ibl else [])]


# --- of pages

LIMIT: Final = shared(
    "limit", {**WHOLE, "minimum": 1, "maximum": MOST, "default": DEFAULT_LIMIT}, "How many."
)
CURSOR: Final = shared("cursor", TEXT, "Out of `next` or `previous`.")
COUNT: Final = shared("count", {**FLAG, "default": False}, "Whether to count the whole list.")
BEFORE: Final = shared("before", {**WHOLE, "minimum": 1}, "What stands before this number of the list.")
AFTER: Final = shared("after", {**WHOLE, "minimum": 1}, "What stands after this number of the list.")
PAGE: Final = shared("page", {**WHOLE, "minimum": 1, "default": 1}, "The number of the page.")
# Instead of `limit`, which it is the vendor's name of.
PAGE_SIZE: Final = shared("page_size", {**WHOLE, "minimum": 1}, "The same as `limit`.")
LIST: Final = [LIMIT, CURSOR, COUNT]
IBL_LIST: Final = [LIMIT, PAGE_SIZE, CURSOR, PAGE]
