"""The project as a Django app: it brings the system checks of its settings."""

from __future__ import annotations

from django.apps import AppConfig


class MentorProjectConfig(AppConfig):
    name = "mentor_project"

    def ready(self) -> None:
        from . import checks

        assert checks  # importing it registers them
