"""The chat page at `/`: the mentors of one tenant that let visitors in, under a policy of its own."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from . import limits
from .models import Mentor

FIRST_TENANT = "demo"
MOST_MENTORS = 100


@require_safe
def chat_page(request: HttpRequest) -> HttpResponse:
    """`/?tenant=demo&mentor=licensing-coach`; without a mentor the first, without a tenant the demo's.

    404 for a mentor that is not listed, and for a tenant that lists none: an unknown one looks the same.
    """
    mentors = [listed(mentor) for mentor in open_mentors(request.GET.get("tenant", FIRST_TENANT))]
    chosen = _chosen(mentors, request.GET.get("mentor"), named="tenant" in request.GET)
    response = render(request, "chat/index.html", {"page": _page(mentors, chosen), "chosen": chosen})
    response["Content-Security-Policy"] = content_security_policy(request.get_host())
    return response


def open_mentors(tenant: str) -> list[Mentor]:
    """The active mentors of a tenant that need no token, by name: one tenant never sees another's."""
    if "\0" in tenant:  # PostgreSQL refuses to look for it
        return []
    mentors = Mentor.objects.filter(tenant__key=tenant, is_active=True, allow_anonymous=True)
    return list(mentors.select_related("tenant").order_by("name", "slug")[:MOST_MENTORS])


def content_security_policy(host: str) -> str:
    """Nothing but our own files, and sockets to our own host, which `'self'` alone is not in older Safari."""
    return "; ".join(
        [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            f"connect-src 'self' ws://{host} wss://{host}",
            "img-src 'self' data:",
            "base-uri 'none'",
            "frame-ancestors 'none'",
            "form-action 'self'",
        ]
    )


def listed(mentor: Mentor) -> dict[str, Any]:
    """All of a mentor that a visitor may know."""
    greets = mentor.greeting_method == Mentor.GreetingMethod.PROACTIVE_RESPONSE
    return {
        "tenant": mentor.tenant.key,
        "slug": mentor.slug,
        "name": mentor.name,
        "description": mentor.description,
        "greeting_method": mentor.greeting_method,
        # Instructions to the model are not the visitor's to read.
        "greeting_text": mentor.greeting_text if greets else "",
        "starter_prompts": mentor.starter_prompts,
    }


def _chosen(mentors: list[dict[str, Any]], slug: str | None, *, named: bool) -> dict[str, Any] | None:
    found = next((mentor for mentor in mentors if slug in (None, mentor["slug"])), None)
    if found is None and (named or slug is not None):
        raise Http404
    return found


def _page(mentors: list[dict[str, Any]], chosen: dict[str, Any] | None) -> dict[str, Any]:
    now = limits.current()
    return {
        "mentors": mentors,
        "chosen": chosen and {"tenant": chosen["tenant"], "slug": chosen["slug"]},
        "limits": {"metadata_bytes": now.metadata_bytes, "prompt_bytes": now.prompt_bytes},
    }
