"""`/analytics/coverage/?mentor=`: what a mentor's prompt speaks of against what its clients send."""

from __future__ import annotations

from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from chat import transcripts
from chat.filters import Filter, parse
from chat.models import Mentor, Session
from chat.selections import Reader, Selection

from ..coverage import coverage, the_mentor
from .address import Address
from .door import staff_page
from .panels import panel
from .words import time_of, value_text

MOST_MENTORS: Final = 200
Json = dict[str, Any]


@staff_page
def coverage_page(request: HttpRequest, reader: Reader) -> HttpResponse:
    """Without a mentor: the mentors to choose from."""
    address = Address.of(request)
    found = panel(lambda: _covered(address, reader)) if "mentor" in dict(address.asked) else None
    context = {
        "here": "coverage",
        "found": found,
        "mentors": _mentors(address, reader),
        "several_tenants": reader.tenants().count() > 1,
        "chips": [pair for pair in address.asked if pair[0] not in ("mentor", "tenant")],
        "dashboard": address.at("/analytics/").link(),
    }
    return render(request, "analytics/coverage.html", context, status=found.status if found else 200)


def _covered(address: Address, reader: Reader) -> Json:
    """Raises InvalidFilter, NotFound, TooSlow."""
    selection = transcripts.selected(parse(address.asked), reader)
    mentor = the_mentor(selection)
    found = coverage(selection, mentor)
    for one in found["never_mentioned"]:
        one["examples"] = _examples([one["example"]])
    for one in found["changing_types"]:
        one["examples"] = _examples(one["examples"])
    named = [one["session"] for one in found["refused"] if one["session"]]
    there = set(Session.objects.filter(mentor=mentor, pk__in=named).values_list("pk", flat=True))
    for one in found["refused"]:
        one["time"] = time_of(one["last_at"], selection.zone)
        one["is_there"] = one["session"] in there
    return {**found, "name": mentor.name, "tenant": mentor.tenant.key}


def _examples(found: list[Json | None]) -> list[Json]:
    return [{**one, "text": value_text(one["value"])} for one in found if one]


def _mentors(address: Address, reader: Reader) -> list[Json]:
    """The reader's, each with its address here."""
    rows = Mentor.objects.select_related("tenant").order_by("tenant__key", "name")
    tenants = Selection.of(Filter(), reader).tenant_ids
    if tenants is not None:
        rows = rows.filter(tenant_id__in=tenants)
    named = dict(address.asked)
    return [
        {
            "name": one.name,
            "slug": one.slug,
            "tenant": one.tenant.key,
            "href": address.without("mentor__in")
            .narrowed(("tenant", one.tenant.key), ("mentor", one.slug))
            .link(),
            "chosen": named.get("mentor") in (one.slug, str(one.unique_id))
            and named.get("tenant", one.tenant.key) == one.tenant.key,
        }
        for one in rows[:MOST_MENTORS]
    ]
