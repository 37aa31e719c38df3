"""The sign of life of a running export: its lease renewed and its progress written, by a thread of its own.

The thread that reads rows may wait long for the first of them, and its connection is in the middle of a COPY.
"""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Self

import structlog
from django.conf import settings
from django.db import Error, connection

from . import leases
from .leases import Cancelled, Held, LeaseLost, Progress
from .models import Export

log = structlog.get_logger(__name__)
LONGEST_PAUSE = 1.0


class Pulse:
    """What the work reports to, and asks whether it may go on."""

    def __init__(self, held: Held, export: Export) -> None:
        self._held, self._over = held, threading.Event()
        self._phase: str = Export.Phase.STARTING
        self._progress = Progress(export.rows, export.bytes, export.resume)
        self._total = export.total
        self._ended: Exception | None = None
        self._thread = threading.Thread(target=self._live, name="export-pulse", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """No more signs: what is written next is the last word. Raises what ended the work meanwhile."""
        self._over.set()
        self._thread.join()

    def expect(self, total: int | None) -> None:
        self._total = total

    def enter(self, phase: str) -> None:
        """Raises Cancelled, LeaseLost."""
        self._phase = phase
        self.check()

    def reached(self, progress: Progress) -> None:
        """The work file holds so much. Raises Cancelled, LeaseLost."""
        self._progress = progress
        self.check()

    def check(self) -> None:
        if self._ended is not None:
            raise self._ended

    def _live(self) -> None:
        pause = min(LONGEST_PAUSE, settings.EXPORTS_LEASE_SECONDS / 4)
        try:
            self._beat()
            while self._ended is None and not self._over.wait(pause):
                self._beat()
        finally:
            connection.close()

    def _beat(self) -> None:
        try:
            leases.renew(self._held, self._phase, self._progress, self._total)
        except (Cancelled, LeaseLost) as ended:
            self._ended = ended
        except Error as error:
            # Another will take it, should the database stay away for longer than the lease.
            log.warning("export_pulse_failed", error=type(error).__name__)
