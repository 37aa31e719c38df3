"""ibl.ai's nine report states, and which of ours each one is."""

from __future__ import annotations

from typing import Final

from ..models import Export

_WHILE_RUNNING: Final = {
    Export.Phase.STARTING: "running",
    Export.Phase.READING: "accumulating",
    Export.Phase.CLOSING: "processing",
    Export.Phase.STORING: "storing",
}
_ELSE: Final = {
    Export.State.REQUESTED: "pending",
    Export.State.READY: "completed",
    Export.State.CANCELLED: "cancelled",
    Export.State.FAILED: "error",
    Export.State.EXPIRED: "expired",
}


def state_of(export: Export) -> str:
    if export.state == Export.State.RUNNING:
        return _WHILE_RUNNING[Export.Phase(export.phase)]
    return _ELSE[Export.State(export.state)]
