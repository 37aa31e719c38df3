"""The metrics: what each is made of, and where its parts are counted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

Parts = Mapping[str, Any]

# Milliseconds; all other parts are whole numbers.
TIMES: Final = ("ttft_p50", "ttft_p95", "duration_p50", "duration_p95")
# Parts by where they are counted.
PARTS: Final[dict[str, tuple[str, ...]]] = {
    "sessions": ("sessions", "users", "messages"),
    "answers": (*TIMES, "prompt_tokens", "completion_tokens"),
    "failures": ("failures",),
}
# The parts of which the sum over buckets is that of the whole.
ADDITIVE: Final = frozenset({"sessions", "messages", "prompt_tokens", "completion_tokens", "failures"})
_MADE_OF: Final[dict[str, tuple[str, ...]]] = {
    **{part: (part,) for parts in PARTS.values() for part in parts},
    "tokens": ("prompt_tokens", "completion_tokens"),
    "messages_per_session": ("messages", "sessions"),
}
METRICS: Final = (
    *("sessions", "messages", "users", "ttft_p50", "ttft_p95", "duration_p50", "duration_p95"),
    *("prompt_tokens", "completion_tokens", "tokens", "failures", "messages_per_session"),
)


def parts_of(metrics: tuple[str, ...]) -> frozenset[str]:
    return frozenset(part for metric in metrics for part in _MADE_OF[metric])


def measured(metric: str, parts: Parts) -> float | int | None:
    """The metric of one bucket; None where there is nothing to measure."""
    if metric == "tokens":
        return int(_count("prompt_tokens", parts) + _count("completion_tokens", parts))
    if metric == "messages_per_session":
        sessions = _count("sessions", parts)
        return round(_count("messages", parts) / sessions, 3) if sessions else None
    if metric in ADDITIVE or metric == "users":
        return _count(metric, parts)
    value = parts.get(metric)
    return None if value is None else round(float(value), 3)


def _count(part: str, parts: Parts) -> int:
    return int(parts.get(part) or 0)
