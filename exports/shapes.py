"""Exports and schedules as JSON, one way at each door of ours."""

from __future__ import annotations

from typing import Any

from .asking import cursor_of
from .models import Export, Schedule, Wanted

Json = dict[str, Any]


def filter_of(wanted: Wanted) -> Json:
    """Name and text; a name that was given several times has a list."""
    shown: Json = {}
    for name, text in wanted.query:
        before = shown.get(name)
        shown[name] = text if before is None else [*(before if isinstance(before, list) else [before]), text]
    return shown


def wanted(row: Wanted) -> Json:
    return {
        "tenant": row.tenant.key if row.tenant else None,
        "filter": filter_of(row),
        "grain": row.grain,
        "format": row.format,
        "columns": row.columns,
        "context_keys": row.context_keys,
        "formula_safety": row.formula_safety,
        "bom": row.bom,
    }


def export(row: Export) -> Json:
    """Without its link, which is made for one answer."""
    ready = row.state == Export.State.READY
    return {
        "id": row.id,
        "state": row.state,
        "phase": row.phase if row.state == Export.State.RUNNING else None,
        "progress": {"rows": row.rows, "total": row.total, "bytes": row.bytes},
        "error": row.error or None,
        **wanted(row),
        "since": row.since,
        "until": row.until,
        "cursor": cursor_of(row) if ready else None,
        "asked_by": row.asked_by,
        "name": row.name,
        "file_name": row.file_name or None,
        "download": f"/api/v1/exports/{row.id}/download/" if ready else None,
        "created_at": row.created_at,
        "started_at": row.started_at,
        "finished_at": row.finished_at,
        "expires_at": row.expires_at,
        "remade_at": row.remade_at,
    }


def schedule(row: Schedule) -> Json:
    return {
        "id": row.id,
        "name": row.name,
        "active": row.active,
        "every": row.every,
        "hour": row.hour,
        "weekday": row.weekday,
        "day": row.day,
        "window": row.window,
        **wanted(row),
        "asked_by": row.asked_by,
        "created_at": row.created_at,
    }
