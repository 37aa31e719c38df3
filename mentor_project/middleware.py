"""What stands before all of Django: the answers to operators' probes."""

from __future__ import annotations

from collections.abc import Callable
from inspect import iscoroutinefunction
from typing import Any

from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponse
from django.urls import resolve
from django.utils.decorators import sync_and_async_middleware

# A balancer or a scraper asks a process by its address and without TLS, so neither is judged here.
PROBES = frozenset({"/healthz", "/healthz/live", "/healthz/ready", "/metrics"})


@sync_and_async_middleware
def probes_first(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    """Answer probes before hosts are checked and plain HTTP is sent to HTTPS."""
    if not iscoroutinefunction(get_response):
        return lambda request: (_probe if request.path_info in PROBES else get_response)(request)

    async def aprobes_first(request: HttpRequest) -> HttpResponse:
        answer = sync_to_async(_probe) if request.path_info in PROBES else get_response
        response: HttpResponse = await answer(request)
        return response

    return aprobes_first


def _probe(request: HttpRequest) -> HttpResponse:
    response: HttpResponse = resolve(request.path_info).func(request)
    return response
