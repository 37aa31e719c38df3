"""What our paths of exports and schedules take and answer."""

from __future__ import annotations

from typing import Any, Final

from chat.describing import Operation, done, file, filters, made, ok
from chat.describing.parameters import LIST, local
from chat.describing.shapes import (
    FLAG,
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

from ..models import Export, Schedule
from ..sending import CONTENT_TYPES

_SCALAR: Final[Json] = {"type": ["string", "number", "boolean"]}
_FILTER: Final[Json] = {
    "type": "object",
    "description": "The filter's parameters, as they would stand in an address; a list gives one several times.",
    "additionalProperties": {"anyOf": [_SCALAR, many(_SCALAR)]},
    "examples": [{"context.stateCode": "CA", "from": "2026-11-01"}],
}
_FORM_KEYS: Final[Json] = {
    "grain": words(*Export.Grain.values, default="message", description="What a row is."),
    "format": words(*Export.Format.values, default="csv"),
    "columns": said(many(TEXT), "Their names, in their order; none: the usual ones."),
    "context_keys": said(many(TEXT), "Paths such as `order.region`: each gets a column `ctx.` and that."),
    "formula_safety": said(FLAG, "CSV: what a spreadsheet would run is quoted.", default=True),
    "bom": said(FLAG, "CSV: begin with a byte order mark.", default=False),
}
_WISH_KEYS: Final[Json] = {"filter": _FILTER, **_FORM_KEYS}
_TIMED_KEYS: Final[Json] = {
    "every": words(*Schedule.Every.values, default="day"),
    "hour": said(WHOLE, "Of the tenant's day.", minimum=0, maximum=23, default=3),
    "weekday": said(WHOLE, "For weekly ones; 0 is Monday.", minimum=0, maximum=6, default=0),
    "day": said(
        WHOLE, "For monthly ones; the month's last where that is earlier.", minimum=1, maximum=31, default=1
    ),
    "window": words(
        *Schedule.Window.values, default="day", description="The last whole one. Not longer than `every`."
    ),
    "active": said(FLAG, "What is due while it is off is left out.", default=True),
}
EXPORT_WISH_KEYS: Final[Json] = {
    **_WISH_KEYS,
    "incremental": said(
        FLAG, "Only messages that are final, each once in a chain of exports.", default=False
    ),
    "since": null_or(TEXT, "The `cursor` of an earlier export; makes this one incremental."),
}
SCHEDULE_WISH_KEYS: Final[Json] = {
    "name": said(TEXT, "One of its tenant's.", minLength=1, maxLength=200),
    **_TIMED_KEYS,
    **_WISH_KEYS,
}


def _wish(name: str, keys: Json, *required: str) -> Json:
    return named(name, closed(keys, optional=tuple(key for key in keys if key not in required)))


EXPORT_WISH: Final = _wish("ExportWish", EXPORT_WISH_KEYS)
SCHEDULE_WISH: Final = _wish("ScheduleWish", SCHEDULE_WISH_KEYS, "name")
SCHEDULE_CHANGE: Final = _wish("ScheduleChange", SCHEDULE_WISH_KEYS)

_EXPORT_KEYS: Final[Json] = {
    "id": UUID,
    "state": words(*Export.State.values),
    "phase": null_or(words(*Export.Phase.values), "Of a running one."),
    "progress": closed(
        {"rows": WHOLE, "total": null_or(WHOLE, "An estimate until it is ready."), "bytes": WHOLE}
    ),
    "error": null_or(TEXT, "Why it failed, in a sentence."),
    "tenant": null_or(TEXT),
    **_WISH_KEYS,
    "since": null_or(TIME),
    "until": null_or(TIME),
    "cursor": null_or(TEXT, "Of a ready incremental one: what the next names as `since`."),
    "asked_by": TEXT,
    "name": said(TEXT, "A schedule's, a report's, or the user of a task."),
    "file_name": null_or(TEXT),
    "download": null_or(TEXT, "The path of the file of a ready one."),
    "created_at": TIME,
    "started_at": null_or(TIME),
    "finished_at": null_or(TIME),
    "expires_at": null_or(TIME, "When the file is removed."),
    "remade_at": null_or(TIME, "A user was erased: since then the file is made without them."),
}
_LINK: Final = null_or(
    closed({"url": TEXT, "expires_at": TIME}), "For browsers: whoever has the link has the file."
)
EXPORT: Final = named("Export", closed(_EXPORT_KEYS))
LINKED_EXPORT: Final = named("LinkedExport", closed({**_EXPORT_KEYS, "link": _LINK}))
MANIFEST: Final = named(
    "Manifest",
    closed(
        {
            "export": UUID,
            "schema_version": said(WHOLE, "Of the columns."),
            "tenant": null_or(TEXT),
            "filter": many({**many(TEXT), "minItems": 2, "maxItems": 2}),
            "since": null_or(TIME),
            "until": null_or(TIME),
            "grain": words(*Export.Grain.values),
            "format": words(*Export.Format.values),
            "columns": many(TEXT),
            "formula_safety": FLAG,
            "rows": WHOLE,
            "bytes": WHOLE,
            "sha256": TEXT,
            "started_at": null_or(TIME),
            "finished_at": TIME,
        }
    ),
)
_SCHEDULE_KEYS: Final[Json] = {
    "id": UUID,
    "name": TEXT,
    **_TIMED_KEYS,
    "tenant": null_or(TEXT),
    **_WISH_KEYS,
    "asked_by": TEXT,
    "created_at": TIME,
}
_WINDOW: Final = closed({"start": TIME, "end": TIME, "due_at": TIME, "export": null_or(UUID)})
SCHEDULE: Final = named("Schedule", closed(_SCHEDULE_KEYS))
WHOLE_SCHEDULE: Final = named(
    "ScheduleDetail", closed({**_SCHEDULE_KEYS, "windows": said(many(_WINDOW), "The latest twenty.")})
)


def _ours(id: str, summary: str, answers: dict[str, Json], *parameters: Json, **more: Any) -> Operation:
    return Operation(id, summary, "exports", answers, list(parameters), **more)


_FILE: Final = file(*(CONTENT_TYPES[kind] for kind in Export.Format.values))
_AS_TEXT: Final[Json] = {
    name: {**TEXT, "description": "With commas between them."} if schema["type"] == "array" else schema
    for name, schema in _FORM_KEYS.items()
    if name != "format"
}
ask_for_export = _ours(
    "ask_for_export", "Ask for a file, which a worker makes.", made(EXPORT), body=EXPORT_WISH
)
list_exports = _ours(
    "list_exports",
    "The tenant's exports, newest first.",
    ok(pages(EXPORT)),
    local("state", words(*Export.State.values), "In this state."),
    local("tenant", TEXT, "Of this tenant, for who may read several."),
    *LIST,
)
show_export = _ours("show_export", "One export, with a link while it is ready.", ok(LINKED_EXPORT))
end_export = _ours(
    "end_export", "End an export: what runs is stopped, a file removed.", ok(EXPORT, "What has become of it.")
)
show_manifest = _ours(
    "show_manifest", "What an export's file holds, and how to tell that it is whole.", ok(MANIFEST)
)
download_export = _ours("download_export", "The file of an export.", _FILE)
download_by_link = _ours("download_by_link", "The file of an export, for whoever has its link.", _FILE)
stream_export = _ours(
    "stream_export",
    "Rows at once as CSV, without a job, a file or a manifest.",
    file(CONTENT_TYPES["csv"]),
    *(local(name, schema, schema.get("description", "")) for name, schema in _AS_TEXT.items()),
    *filters(),
)
make_schedule = _ours(
    "make_schedule", "Make a schedule: an export again and again.", made(SCHEDULE), body=SCHEDULE_WISH
)
list_schedules = _ours("list_schedules", "The tenant's schedules.", ok(pages(SCHEDULE)), *LIST)
show_schedule = _ours("show_schedule", "One schedule with its latest windows.", ok(WHOLE_SCHEDULE))
change_schedule = _ours(
    "change_schedule", "Change what the body names.", ok(SCHEDULE, "As it now is."), body=SCHEDULE_CHANGE
)
remove_schedule = _ours("remove_schedule", "Remove a schedule, not its files.", done("It is gone."))
