"""The figures of a selection: totals, a metric over time, and a metric by the values of one key."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from django.db.models import Min
from django.utils import timezone

from chat.database import bounded
from chat.filters import Condition, Moment, written
from chat.selections import Selection
from chat.strict_json import dumps

from ..breakdown import breakdown
from ..metrics import ADDITIVE
from ..questions import Key, Question
from .address import Address, Pair
from .panels import panel
from .words import METRICS, number, value_text

Json = dict[str, Any]
# What is counted ahead, and what each row must be read for: that may take too long, and the rest is still told.
QUICK: Final = ("sessions", "messages", "messages_per_session", "tokens", "failures")
SLOW: Final = ("users", "ttft_p50", "duration_p50")
TILES: Final = (*QUICK[:2], SLOW[0], QUICK[2], *SLOW[1:], *QUICK[3:])
BUCKETS: Final = 12
# The longest time that is shown by the hour, by the day, by the week; what is longer is by the month.
_SPANS: Final = (("hour", timedelta(days=3)), ("day", timedelta(days=100)), ("week", timedelta(days=750)))
_FORMATS: Final = {"hour": "%a %d %b, %H:%M", "day": "%a %d %b %Y", "week": "Week of %d %b %Y"}


@dataclass(frozen=True, slots=True)
class Tile:
    metric: str
    label: str
    value: str
    href: str
    chosen: bool
    fault: str = ""


def tiles(selection: Selection, address: Address, chosen: str) -> list[Tile]:
    """The metrics of the whole selection; each is a link to its charts. Raises TooSlow."""
    total = breakdown(selection, Question(QUICK))["total"]
    slow = panel(lambda: breakdown(selection, Question(SLOW))["total"])
    total |= slow.shown or dict.fromkeys(SLOW)
    return [
        Tile(
            name,
            METRICS[name],
            number(name, total[name]),
            address.link(metric=name),
            name == chosen,
            slow.fault if name in SLOW else "",
        )
        for name in TILES
    ]


# --- over time


@dataclass(frozen=True, slots=True)
class Point:
    label: str
    value: str
    href: str


@dataclass(frozen=True, slots=True)
class Times:
    """Points for the table, and `data` for the script that draws them."""

    interval: str
    points: list[Point]
    total: str
    data: dict[str, Any]


def over_time(selection: Selection, address: Address, metric: str, interval: str | None) -> Times:
    """Raises InvalidFilter where there would be too many points, TooSlow."""
    interval = interval or fitting(selection)
    total = breakdown(selection, Question((metric,), interval=interval))["total"]
    starts = [datetime.fromisoformat(point["at"]) for point in total.get("points", [])]
    values = [point[metric] for point in total.get("points", [])]
    links = [
        address.narrowed(*_within(selection, _period(start, interval))).link(interval=None)
        for start in starts
    ]
    labels = [f"{start:{_FORMATS.get(interval, '%B %Y')}}" for start in starts]
    texts = [number(metric, value) for value in values]
    return Times(
        interval,
        [Point(*row) for row in zip(labels, texts, links, strict=True)],
        number(metric, total[metric]),
        {
            "at": [int(start.timestamp()) for start in starts],
            "values": values,
            "labels": labels,
            "texts": texts,
            "links": links,
            "interval": interval,
            "zone": selection.zone.key,
            "name": METRICS[metric],
            "bars": metric in ADDITIVE or metric in ("users", "tokens"),
        },
    )


def fitting(selection: Selection) -> str:
    """The interval that gives some tens of points over the time that is asked for."""
    asked, now = selection.filter, timezone.now()
    end = min(asked.until.end(selection.zone), now) if asked.until else now
    begin = asked.since.begin(selection.zone) if asked.since else _first(selection)
    return next((name for name, most in _SPANS if begin is None or end - begin <= most), "month")


def _first(selection: Selection) -> datetime | None:
    with bounded():
        found: datetime | None = selection.sessions().aggregate(first=Min("created_at"))["first"]
    return found


def _within(selection: Selection, period: tuple[Pair, Pair]) -> list[Pair]:
    """What of a period is news to the filter: the first and the last one may reach beyond its time."""
    asked, zone = selection.filter, selection.zone
    begin, end = (Moment.parse(text) for _, text in period)
    earlier = asked.since is not None and begin.begin(zone) < asked.since.begin(zone)
    later = asked.until is not None and end.end(zone) > asked.until.end(zone)
    return [pair for pair, is_known in zip(period, (earlier, later), strict=True) if not is_known]


def _period(start: datetime, interval: str) -> tuple[Pair, Pair]:
    """One period as a filter: an hour by its instants, a longer one by its days, both included."""
    if interval == "hour":
        return ("from", _instant(start)), ("to", _instant(start.astimezone(UTC) + timedelta(hours=1)))
    day = start.date()
    last = {
        "day": day,
        "week": day + timedelta(days=6),
        "month": (day + timedelta(days=31)).replace(day=1) - timedelta(days=1),
    }[interval]
    return ("from", day.isoformat()), ("to", last.isoformat())


def _instant(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


# --- by the values of a key


@dataclass(frozen=True, slots=True)
class Bar:
    """`length` of 100 is the longest; `share` is that of the whole, where the parts add up to it."""

    text: str
    is_value: bool
    value: str
    length: str
    share: str
    href: str


def by_key(selection: Selection, address: Address, metric: str, key: Key) -> list[Bar]:
    """The values of the most sessions, then all others as one, then what has none. Raises TooSlow."""
    found = breakdown(selection, Question((metric,), by=(key,), buckets=BUCKETS))
    longest = max((bucket[metric] or 0 for bucket in found["results"]), default=0)
    whole = found["total"][metric] if metric in ADDITIVE | {"tokens"} else None
    buckets = [(*bucket["keys"], bucket[metric]) for bucket in found["results"]]
    conditions = [_condition(selection, key, told) for told, _ in buckets]
    links = [address.narrowed(pair).link() if pair else "" for pair in conditions]
    return [
        _bar(told, number(metric, value), value or 0, longest, whole, href)
        for (told, value), href in zip(buckets, links, strict=True)
    ]


def _bar(told: Json, said: str, value: float, longest: float, whole: float | None, href: str) -> Bar:
    text = "All others" if "other" in told else "No value" if "missing" in told else value_text(told["value"])
    return Bar(
        text,
        "other" not in told and "missing" not in told,
        said,
        f"{100 * value / longest:.1f}" if longest else "0",
        _share(value, whole) if whole else "",
        href,
    )


def _share(value: float, whole: float) -> str:
    return f"{100 * value / whole:.0f} %" if not 0 < value < whole / 100 else "< 1 %"


def _condition(selection: Selection, key: Key, told: Json) -> Pair | None:
    """The filter that means one bucket; None: there is none."""
    if "other" in told:
        return None
    if not key.path:
        if "missing" in told:
            return ("anonymous", "true") if key.root == "user" else None
        # Mentors of several tenants may share a slug.
        named = len(selection.tenant_ids or ()) == 1 or "mentor_unique_id" not in told
        return key.root, str(told["value"] if named else told["mentor_unique_id"])
    return value_condition(key.root, key.path, told)


def value_condition(root: Any, path: Any, told: Json) -> Pair:
    if "missing" in told:
        return written(Condition(root, path, "exists", "false"))
    return written(Condition(root, path, "eq", dumps(told["value"])))
