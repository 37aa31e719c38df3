"""The Django project: settings, URLs, the ASGI application, Celery."""

from .celery import app as celery_app

__all__ = ["celery_app"]
