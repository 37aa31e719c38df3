"""What is asked, and what is hoped for: the median in milliseconds that a client sees."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

SESSIONS = "/api/v1/sessions/"
BREAKDOWN = "/api/v1/analytics/breakdown/"
KEYS = "/api/v1/analytics/context/keys/"
VALUES = "/api/v1/analytics/context/values/"
MESSAGES = "/api/analytics/messages/"
ADDITIVE = "sessions,messages,tokens,failures"


@dataclass(frozen=True, slots=True)
class Question:
    """`page` above 1: the time of that page of the list, reached from page to page."""

    group: str
    name: str
    path: str
    aim_ms: float
    page: int = 1


def questions() -> Iterator[Question]:
    """Every question, in the order of the table; first what any answer of the server costs."""
    yield Question("the server itself", "healthz/live", "/healthz/live", math.inf)
    nobody = "00000000-0000-4000-8000-000000000000"
    yield Question(
        "the server itself", "an empty list, authorised", _asked(SESSIONS, session=nobody), math.inf
    )
    yield from _lists()
    yield from _counted_ahead()
    yield from _from_the_rows()
    yield from _searches()


def _asked(path: str, days: int | None = None, **more: str | int) -> str:
    since = {"from": (datetime.now(UTC) - timedelta(days=days - 1)).date().isoformat()} if days else {}
    return f"{path}?{urlencode([(name.replace('__dot__', '.'), value) for name, value in (since | more).items()])}"


def _by(*keys: str, days: int, metric: str = ADDITIVE, **more: str) -> str:
    by = "".join(f"&{urlencode({'by': f'context.{key}'})}" for key in keys)
    return _asked(BREAKDOWN, days, metric=metric, **more) + by


def _lists() -> Iterator[Question]:
    for what, value in (("common", "CA"), ("rare", "GU"), ("absent", "XX")):
        path = _asked(SESSIONS, context__dot__stateCode=value, limit=50)
        yield Question("lists", f"newest 50, stateCode {what}", path, 10)
    path = _asked(SESSIONS, context__dot__stateCode="CA", limit=25)
    yield Question("lists", "page 1,000 of 25, stateCode common", path, 30, page=1_000)
    yield Question("lists", "page 1,000 of 25, no condition", _asked(SESSIONS, limit=25), 30, page=1_000)


def _counted_ahead() -> Iterator[Question]:
    group = "counted ahead: pinned keys, additive metrics"
    yield Question(group, "30 days by one key", _by("stateCode", days=30), 10)
    yield Question(group, "30 days by two keys", _by("stateCode", "productGroup", days=30), 20)
    yield Question(group, "180 days by one key", _by("stateCode", days=180), 30)
    yield Question(group, "180 days by two keys", _by("stateCode", "productGroup", days=180), 30)
    yield Question(group, "30 days by one key and day", _by("stateCode", days=30, interval="day"), 30)
    yield Question(group, "facets: values of a pinned key, 30 days", _asked(VALUES, 30, key="stateCode"), 30)
    yield Question(group, "facets: keys, 30 days", _asked(KEYS, 30), 30)


def _from_the_rows() -> Iterator[Question]:
    group = "from the rows, 30 days"
    yield Question(group, "by a key that is not pinned", _by("page", days=30), 300)
    yield Question(group, "distinct users by one key", _by("stateCode", days=30, metric="users"), 300)
    percentiles = "ttft_p50,ttft_p95,duration_p50,duration_p95"
    yield Question(group, "percentiles by one key", _by("stateCode", days=30, metric=percentiles), 300)
    further = {"context__dot__cohort": "cohort-3"}
    yield Question(group, "by one key, with a further condition", _by("stateCode", days=30, **further), 300)
    yield Question(group, "facets: values of another key", _asked(VALUES, 30, key="page"), 300)
    further = {"context__dot__appVersion__gt": "20"}
    yield Question(group, "facets: keys, with a further condition", _asked(KEYS, 30, **further), 300)
    snapshot = _asked(BREAKDOWN, 30, metric="messages", by="message_context.stateCode")
    yield Question(group, "messages by a key of their snapshots", snapshot, 300)


def _searches() -> Iterator[Question]:
    group = "text search, a tenant's 30 days"
    words = {
        "a common word": "license",
        "two words": "annuity deadline",
        "a rare word": "usufruct",
        "an absent word": "xylophonist",
        "a common Chinese word": "酒店",
        "a rare Chinese word": "颐和园",
        "an absent Chinese word": "兵马俑",
    }
    for what, text in words.items():
        yield Question(group, f"sessions with {what}", _asked(SESSIONS, 30, search=text, limit=50), 300)
    for what, text in words.items():
        path = _asked(BREAKDOWN, 30, metric="messages", search=text)
        yield Question(group, f"number of messages with {what}", path, 300)
    yield Question(group, "ibl.ai's list, two words", _asked(MESSAGES, 30, search=words["two words"]), 300)
