"""The Celery application: a nudge for rows that wait, never the only place where work is written down."""

from __future__ import annotations

import os
from typing import Any

from celery import Celery
from celery.signals import setup_logging

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mentor_project.settings")
app = Celery("mentor_project")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@setup_logging.connect
def keep_our_logging(**options: Any) -> None:
    """Workers write lines as web processes do; without a receiver Celery brings a format of its own."""
