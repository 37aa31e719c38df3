"""What operators see of us: the counters of /metrics, and exceptions in the log; never what somebody wrote.

Labels are codes and names.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from types import TracebackType

from prometheus_client import Counter, Gauge, Histogram

TURNS = Counter("mentor_turns_total", "Turns that reached a final status.", ["door", "status"])
REFUSED = Counter("mentor_refused_total", "Payloads that were refused.", ["door", "code"])
REFUSALS_LOST = Counter(
    "mentor_refusals_lost_total", "Values refused, cut or kept out that coverage will not count."
)
CONTEXT_CHANGES = Counter("mentor_context_changes_total", "New context versions.", ["door"])
CACHE_ERRORS = Counter("mentor_cache_errors_total", "Calls of the cache that failed.", ["action"])
CONTEXT_CACHE = Counter("mentor_context_cache_total", "Reads of a context in force.", ["result"])
RUNNING = Gauge("mentor_turns_running", "Turns that this process runs now.")
SOCKETS = Gauge("mentor_sockets_open", "WebSockets that this process holds open.")
LISTENERS = Gauge("mentor_listeners", "Who listens to a session's events in this process.")
REAPED = Counter("mentor_turns_reaped_total", "Turns whose process died and that were marked interrupted.")
FIRST_TOKEN = Histogram(
    "mentor_first_token_seconds",
    "From the accepted payload to the first token.",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
DURATION = Histogram(
    "mentor_turn_seconds",
    "From the accepted payload to the final status.",
    buckets=(0.01, 0.05, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600),
)

# What is wrong with the machine, the settings or the program: these words quote no value of a payload.
TELLING = {
    *("OSError", "OperationalError", "InterfaceError", "RedisError", "ImproperlyConfigured"),
    *("AttributeError", "ImportError", "NameError", "NotImplementedError", "TypeError"),
}


def exception_without_words(
    exc_info: tuple[type[BaseException], BaseException, TracebackType | None],
) -> str:
    """A traceback for the log, causes first: where and of what type.

    The words of most exceptions are left out, as they quote the value that they are about.
    """
    return "\n".join(reversed([_described(error) for error in _causes(exc_info[1])]))


def _described(error: BaseException) -> str:
    telling = any(base.__name__ in TELLING for base in type(error).__mro__)
    words = f": {error}" if telling else ""
    return "".join(traceback.format_tb(error.__traceback__)) + type(error).__qualname__ + words


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
