"""How the pages say numbers, times and values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from django.utils import timezone

from chat.filters import Condition, written
from chat.strict_json import dumps

LONGEST: Final = 120
METRICS: Final = {
    "sessions": "Sessions",
    "messages": "Messages",
    "users": "Users",
    "messages_per_session": "Messages per session",
    "ttft_p50": "First token, median",
    "ttft_p95": "First token, 95 %",
    "duration_p50": "Answer, median",
    "duration_p95": "Answer, 95 %",
    "tokens": "Tokens",
    "prompt_tokens": "Prompt tokens",
    "completion_tokens": "Completion tokens",
    "failures": "Failures",
}
_MINUTE, _HOUR, _DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Time:
    """An instant in words, and exactly: in its zone, and as machines read it."""

    ago: str
    exact: str
    iso: str


def time_of(moment: datetime, zone: ZoneInfo) -> Time:
    local = moment.astimezone(zone)
    iso = moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return Time(_ago(local), f"{local:%Y-%m-%d %H:%M:%S} {zone.key}", iso)


def _ago(local: datetime) -> str:
    past = timezone.now() - local
    if not timedelta(0) <= past < 7 * _DAY:
        return f"{local.day} {local:%b %Y}"
    if past < _MINUTE:
        return "just now"
    if past < _HOUR:
        return f"{past // _MINUTE} min ago"
    if past < _DAY:
        return f"{past // _HOUR} h ago"
    return f"{past // _DAY} day{'s' if past >= 2 * _DAY else ''} ago"


def number(metric: str, value: float | None) -> str:
    """A metric's value with its unit; an en dash where there is nothing to measure."""
    if value is None:
        return "–"
    if metric.startswith(("ttft", "duration")):
        return f"{value:,.0f} ms" if value < 1_000 else f"{value / 1_000:,.2f} s"
    return f"{value:,.2f}" if isinstance(value, float) else f"{value:,}"


def plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def value_text(value: Any) -> str:
    """A JSON value as a filter writes it, so that the text "2026" is told from the number; not whole if long."""
    text = written(Condition("context", ("key",), "eq", dumps(value)))[1]
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
