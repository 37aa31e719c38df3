"""Background jobs in process: a Celery worker and its beat in threads, where there is no Redis for others."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import structlog
from django.conf import settings

log = structlog.get_logger(__name__)
PAUSE_SECONDS = 5.0


def start_embedded() -> bool:
    """Start worker and beat in daemon threads unless Redis says that they run elsewhere; whether it did.

    They end with the process, and leave its signals alone.
    """
    if settings.REDIS_URL:
        return False
    threading.Thread(target=_work_on, name="celery-worker", daemon=True).start()
    return True


def _work_on() -> None:
    """Work for as long as the process lives: a worker that ends (a full disk, say) is followed by another."""
    from celery.beat import EmbeddedService

    from mentor_project.celery import app

    _make_spool()
    beat: Any = EmbeddedService(app, thread=True, scheduler_cls=settings.CELERY_BEAT_SCHEDULER)
    beat.start()
    while True:
        try:
            _worker(app).start()
        except Exception:
            log.exception("background_jobs_failed")
        log.error("background_jobs_ended", again_in_seconds=PAUSE_SECONDS)
        time.sleep(PAUSE_SECONDS)


def _make_spool() -> None:
    options = settings.CELERY_BROKER_TRANSPORT_OPTIONS
    for folder in (options["data_folder_in"], options["control_folder"]):
        Path(folder).mkdir(parents=True, exist_ok=True)


def _worker(app: Any) -> Any:
    from celery import signals

    worker = app.WorkController(
        pool="threads",
        concurrency=2,
        without_heartbeat=True,
        without_mingle=True,
        without_gossip=True,
        quiet=True,
    )
    # As the command line's worker does: from here on each task gives its database connection back.
    signals.worker_init.send(sender=worker)
    return worker
