"""`/analytics/`: what is in a filter, in figures, charts and a table. All its state is its address."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.middleware.csrf import get_token
from django.shortcuts import render
from django.utils import timezone

from chat import transcripts
from chat.errors import InvalidFilter, NotFound
from chat.filters import Filter, parse
from chat.models import Tenant
from chat.selections import Reader, Selection

from ..periods import INTERVALS
from ..questions import Key, path_of, read_interval, read_keys, read_metrics
from . import figures, keys, lists
from .address import Address, typed
from .door import staff_page
from .panels import Panel, panel
from .words import METRICS

MOST_TENANTS: Final = 200
FIRST_DAYS: Final = 30
_FORM: Final = ("tenant", "from", "to", "search")
_TIMES: Final = (("from", "From"), ("to", "To"))
_UNKNOWN: Final = "There is no such tenant or mentor here."


@dataclass(frozen=True, slots=True)
class Chip:
    """One condition, as it is written, and the address without it."""

    name: str
    text: str
    without: str
    is_wrong: bool = False


@staff_page
def dashboard(request: HttpRequest, reader: Reader) -> HttpResponse:
    if not request.GET:
        return HttpResponseRedirect(f"{request.path}?from={_first_day(reader)}")
    address = Address.of(request)
    try:
        if wanted := address.get("add"):
            address = _with(address, wanted, reader)
    except InvalidFilter as error:
        return _page(request, reader, address, error)
    if request.GET.get("add") or address.is_untidy:
        return HttpResponseRedirect(address.link())
    return _page(request, reader, address)


@staff_page
def facet_values(request: HttpRequest, reader: Reader) -> HttpResponse:
    """`/analytics/values/?key=context.stateCode&…`: the values of one key, as a piece of the dashboard."""
    address = Address.of(request)

    def ask() -> keys.Values:
        path = path_of((address.get("key") or "").removeprefix("context."), "key")
        selection = transcripts.selected(parse(address.asked), reader)
        return keys.values_of(selection, address.at("/analytics/"), path)

    found = panel(ask)
    return render(request, "analytics/values.html", {"found": found}, status=found.status)


def _first_day(reader: Reader) -> str:
    zone = Selection.of(Filter(), reader).zone
    return (timezone.now().astimezone(zone) - timedelta(days=FIRST_DAYS - 1)).date().isoformat()


def _with(address: Address, wanted: str, reader: Reader) -> Address:
    """The address with a condition that was typed. Raises InvalidFilter."""
    narrowed = address.narrowed(typed(wanted))
    try:
        transcripts.selected(parse(narrowed.asked), reader)
    except NotFound:
        # A stranger's name as one that nobody has.
        raise InvalidFilter(_UNKNOWN, pointer="?add") from None
    return narrowed


def _page(
    request: HttpRequest, reader: Reader, address: Address, fault: InvalidFilter | None = None
) -> HttpResponse:
    """What can be shown of the address is shown, also where something in it is wrong."""
    found: dict[str, Any] = {}
    typed_wrongly = request.GET.get("add", "") if fault else ""
    try:
        found = _found(address, reader)
    except InvalidFilter as error:
        fault = error
    statuses = [one.status for one in found.values() if isinstance(one, Panel)]
    context = {**_frame(address, reader, fault), **found, "typed": typed_wrongly, "csrf": get_token(request)}
    status = fault.status if fault else max(statuses, default=200)
    return render(request, "analytics/dashboard.html", context, status=status)


def _frame(address: Address, reader: Reader, fault: InvalidFilter | None) -> dict[str, Any]:
    """What the page shows of the address alone."""
    said = dict(address.asked)
    pointers = {detail["pointer"] for detail in fault.details} if fault else set()
    tenants = list(reader.tenants().values_list("key", "name")[:MOST_TENANTS])
    return {
        "here": "dashboard",
        "address": address,
        "fault": fault,
        "chips": [
            Chip(name, text, address.without_one(at).link(), f"?{name}" in pointers)
            for at, (name, text) in enumerate(address.asked)
        ],
        "said": {"tenant": said.get("tenant", ""), "search": said.get("search", "")},
        "times": [(name, label, said.get(name, "")) for name, label in _TIMES],
        "kept": [pair for pair in address.asked if pair[0] not in _FORM],
        "tenants": tenants,
        "several_tenants": len(tenants) > 1 and "tenant" not in said,
        "metrics": METRICS,
        "intervals": INTERVALS,
        "everything": address.without("from", "to").link(),
        "coverage": address.at("/analytics/coverage/").link(),
    }


def _found(address: Address, reader: Reader) -> dict[str, Any]:
    """Raises InvalidFilter where the filter or what is to be shown is none, NotFound for a stranger's."""
    selection = transcripts.selected(parse(address.asked), reader)
    (metric,) = read_metrics([address.get("metric") or "sessions"])[:1]
    interval = read_interval(address.get("interval"))
    found = panel(lambda: keys.facets(selection, address))
    in_use = found.shown.rows if found.shown else []
    by = _by(address, selection, [one.key for one in in_use if "array" not in one.types])
    tiles = panel(lambda: figures.tiles(selection, address, metric))
    return {
        "view": {"metric": metric, "interval": interval, "by": by.written, "name": METRICS[metric]},
        "facets": found,
        "choices": keys.choices(in_use, by.written),
        "tiles": tiles,
        "total": tiles.shown[0].value if tiles.shown else "",
        "chart": panel(lambda: figures.over_time(selection, address, metric, interval)),
        "bars": panel(lambda: figures.by_key(selection, address, metric, by)),
        "sessions": panel(lambda: lists.sessions(selection, address)),
        "zone": selection.zone.key,
        "exports": _exports(address, selection, in_use),
    }


def _by(address: Address, selection: Selection, in_use: list[str]) -> Key:
    """What is asked for, else a key that the tenant has pinned, else the one of the most sessions."""
    written = address.get("by")
    if written is None:
        tenant = _tenant(selection)
        pinned = {f"context.{key}" for key in tenant.pinned_keys} if tenant else set()
        written = next((key for key in in_use if key in pinned), in_use[0] if in_use else "mentor")
    return read_keys([written])[0]


def _tenant(selection: Selection) -> Tenant | None:
    """The one tenant that is meant; None where there may be several."""
    if selection.tenant_ids is None or len(selection.tenant_ids) != 1:
        return None
    return Tenant.objects.filter(pk=selection.tenant_ids[0]).first()


def _exports(address: Address, selection: Selection, in_use: list[keys.Facet]) -> dict[str, Any]:
    """What the script sends to the API of exports; `tenant` is empty where several are meant."""
    body: dict[str, list[str]] = {}
    for name, text in address.asked:
        body.setdefault(name, []).append(text)
    tenant = _tenant(selection)
    return {
        "filter": body,
        "tenant": tenant.key if tenant else "",
        "keys": [one.label for one in in_use[:100]],
    }
