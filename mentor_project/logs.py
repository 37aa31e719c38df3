"""Logs: one JSON object a line, never the text of a message or a metadata value."""

from __future__ import annotations

import logging
from typing import Any

import structlog

from chat.telemetry import exception_without_words

_SHARED: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    # By name: Django's extras hold the request, and its address what stands in the query.
    structlog.stdlib.ExtraAdder(allow=["code", "said", "status_code"]),
]


def lines(level: str) -> dict[str, Any]:
    """Django's LOGGING, at this level (empty: ours at INFO and libraries at WARNING), structlog set up to match."""
    structlog.configure(
        processors=[*_SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    logging.captureWarnings(True)
    # Libraries quote what they are sent in their debug lines: those are never written.
    libraries = {"": "WARNING", "DEBUG": "INFO"}.get(level, level)
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "lines": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": _SHARED,
                "processors": [
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    structlog.processors.ExceptionRenderer(exception_without_words),
                    structlog.processors.JSONRenderer(),
                ],
            }
        },
        "filters": {"one_line": {"()": "django.utils.log.CallbackFilter", "callback": _one_line}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "lines"}},
        "root": {"handlers": ["stderr"], "level": libraries},
        "loggers": {
            "chat": {"level": level or "INFO"},
            "exports": {"level": level or "INFO"},
            "django.security.DisallowedHost": {"filters": ["one_line"]},
        },
    }


def _one_line(record: logging.LogRecord) -> bool:
    """Every scanner meets this one: the sentence is enough."""
    record.exc_info = None
    return True
