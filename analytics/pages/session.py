"""`/analytics/sessions/{id}/`: one session, each message beside the context it was written under."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from chat import shapes, transcripts
from chat.filters import Filter
from chat.models import Session
from chat.reading import read
from chat.selections import Reader

from ..details import summary
from .door import staff_page
from .transcript import transcript
from .words import time_of


@staff_page
def session(request: HttpRequest, reader: Reader, session_id: UUID) -> HttpResponse:
    selection = transcripts.selected(Filter(session=(session_id,)), reader)
    found = transcripts.the_session(selection)
    # Days and hours are those of the session's own tenant, whoever reads.
    zone = transcripts.selected(Filter(tenant=found.tenant.key), reader).zone
    context = {
        "session": found,
        "summary": summary(found),
        "page": transcript(found, zone, before=_number(request, "before"), after=_number(request, "after")),
        "in_force": read(shapes.client_context(found, "operator")),
        "began": time_of(found.created_at, zone),
        "active": time_of(found.updated_at, zone),
        "all": f"/analytics/?{urlencode({'tenant': found.tenant.key})}",
        **_links(request, found),
    }
    return render(request, "analytics/session.html", context)


def _number(request: HttpRequest, name: str) -> int:
    """The number of the message that a page is next to; 0 for what is none."""
    text = request.GET.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0


def _links(request: HttpRequest, found: Session) -> dict[str, Any]:
    """Pages of the admin, for those whom it lets in."""
    user, is_seen = request.user, "chat.view_session"
    return {
        "admin_page": reverse("admin:chat_session_change", args=[found.pk]) if user.has_perm(is_seen) else "",
        "sees_messages": user.has_perm("chat.view_chatmessagehistory"),
    }
