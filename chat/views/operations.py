"""What operators and balancers ask: are we well, and the figures of this process."""

from __future__ import annotations

from django.conf import settings
from django.db import Error, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from ..live import any_draining


def live(request: HttpRequest) -> HttpResponse:
    """The process answers."""
    return JsonResponse({"status": "ok"})


def ready(request: HttpRequest) -> HttpResponse:
    """What a balancer should know: the database and its migrations must be there, the cache may be away."""
    checks = {"database": _database_state(), "cache": _cache_state()}
    if any_draining():
        checks["process"] = "draining"
    usable = checks["database"] == "ok" and "process" not in checks
    status = "ok" if usable and checks["cache"] == "ok" else "degraded" if usable else "unavailable"
    return JsonResponse({"status": status, "checks": checks}, status=200 if usable else 503)


def _database_state() -> str:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        executor = MigrationExecutor(connection)
        return "not migrated" if executor.migration_plan(executor.loader.graph.leaf_nodes()) else "ok"
    except Error:
        return "unreachable"


def _cache_state() -> str:
    if not settings.REDIS_URL:
        return "ok"
    from django_redis import get_redis_connection

    try:
        get_redis_connection().ping()
    except Exception:
        return "unreachable"
    return "ok"


def metrics(request: HttpRequest) -> HttpResponse:
    """Prometheus' text format, of this process."""
    return HttpResponse(generate_latest(), content_type=CONTENT_TYPE_LATEST)
