"""What was refused, cut or kept out in this process, gathered for a moment and then written at once.

No door waits for it, and no turn without such a thing knows of it. A database that is away costs the counts of that
moment, and nothing is tried again.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable
from typing import Final
from uuid import UUID

import structlog
from django.utils import timezone

from . import refusals, telemetry
from .database import in_database
from .payloads import PayloadWarning
from .refusals import Counted, Home, Sender, Times

log = structlog.get_logger(__name__)
WRITE_SECONDS: Final = 2.0
MOST_SENDERS: Final = 50  # at once, that nobody has proved; each costs a look at its token and mentor
MOST_KINDS: Final = 50  # of a sender at once


class Tally:
    """Of one event loop."""

    def __init__(self) -> None:
        self._counted: Counted = {}
        self._unproved = 0
        self._writing = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    def add(
        self, whose: Home | Sender, door: str, told: Iterable[PayloadWarning], session: UUID | None
    ) -> None:
        """Count what a client has been told; written within seconds."""
        now = timezone.now()
        for one in told:
            self._add(whose, refusals.kind_of(one, door), Times(1, now, one["message"], session))
        if self._counted and (self._task is None or self._task.done()):
            self._task = asyncio.get_running_loop().create_task(self._keep_writing())

    def _add(self, whose: Home | Sender, kind: refusals.Kind, times: Times) -> None:
        if isinstance(whose, Sender) and whose not in self._counted:
            if self._unproved >= MOST_SENDERS:
                telemetry.REFUSALS_LOST.inc()
                return
            self._unproved += 1
        kinds = self._counted.setdefault(whose, {})
        refusals.count(kinds, kind if kind in kinds or len(kinds) < MOST_KINDS else kind.at_root(), times)

    async def _keep_writing(self) -> None:
        while self._counted:
            await asyncio.sleep(WRITE_SECONDS)
            await self.write()

    async def write(self) -> None:
        """Write what there is now, and wait for what is being written."""
        async with self._writing:
            counted, self._counted, self._unproved = self._counted, {}, 0
            if not counted:
                return
            try:
                await in_database(refusals.record, counted)
            except BaseException as error:  # also where there is no more time
                lost = sum(times.count for kinds in counted.values() for times in kinds.values())
                telemetry.REFUSALS_LOST.inc(lost)
                log.warning("refusals_lost", count=lost, error=type(error).__name__)
                if not isinstance(error, Exception):
                    raise

    async def write_within(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.write()
