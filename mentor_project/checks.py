"""What is wrong with the settings, told before every command, each fault with an id.

Errors stop the program. Warnings of a deployment are told by `manage.py check --deploy`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register

from chat.limits import Limits

POSITIVE = (
    *("LLM_CONNECT_TIMEOUT", "LLM_FIRST_TOKEN_TIMEOUT", "LLM_IDLE_TIMEOUT", "LLM_TOTAL_TIMEOUT"),
    *("TURN_LEASE_SECONDS", "TURN_HEARTBEAT_SECONDS", "EVENT_LOG_SECONDS", "DATABASE_THREADS"),
    "READ_TIMEOUT_MS",
    *("EXPORTS_LEASE_SECONDS", "EXPORTS_AT_ONCE", "EXPORTS_KEEP_DAYS", "EXPORTS_LINK_SECONDS"),
)
NOT_NEGATIVE = (
    *("DRAIN_SECONDS", "DEMO_MODEL_DELAY_MS", "DATABASE_LOCK_TIMEOUT_MS", "DATABASE_STATEMENT_TIMEOUT_MS"),
    *("EXPORTS_CUT_SECONDS", "LLM_CONTEXT_WINDOW", "RETENTION_DAYS"),
)
RATES = {
    *("turns_per_minute_per_session", "turns_per_minute_per_token", "sockets_per_token"),
    "exports_per_tenant",
}
PARTS_OF_A_FRAME = ("metadata_bytes", "prompt_bytes")
# The server closes a socket whose frame is larger, before anybody can be told why.
LARGEST_FRAME_BYTES = 1024 * 1024


@register
def check_model_server(app_configs: Any, **options: Any) -> list[CheckMessage]:
    return list(_model_server())


@register
def check_services(app_configs: Any, **options: Any) -> list[CheckMessage]:
    return list(_services())


@register
def check_numbers(app_configs: Any, **options: Any) -> list[CheckMessage]:
    return list(_numbers())


@register
def check_limits(app_configs: Any, **options: Any) -> list[CheckMessage]:
    return list(_limits({f.name: getattr(settings, f"LIMIT_{f.name.upper()}") for f in fields(Limits)}))


@register(deploy=True)
def check_deployment(app_configs: Any, **options: Any) -> list[CheckMessage]:
    return list(_deployment())


def _model_server() -> Iterator[CheckMessage]:
    if not settings.LLM_BASE_URL:
        return
    address = urlsplit(settings.LLM_BASE_URL)
    if address.scheme not in ("http", "https") or not address.hostname:
        yield Error(
            "LLM_BASE_URL is not an http or https address.",
            hint="It ends where /chat/completions begins, as in http://127.0.0.1:11434/v1.",
            id="mentor_project.E001",
        )
    if not settings.LLM_MODEL:
        yield Warning(
            "LLM_BASE_URL is set and LLM_MODEL is not.",
            hint="A mentor that names no model of its own cannot answer.",
            id="mentor_project.W001",
        )


def _services() -> Iterator[CheckMessage]:
    redis = urlsplit(settings.REDIS_URL)
    if settings.REDIS_URL and (redis.scheme not in ("redis", "rediss") or not redis.hostname):
        yield Error("REDIS_URL is not a redis:// or rediss:// address.", id="mentor_project.E002")
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,50}", settings.KEY_PREFIX):
        yield Error(
            "KEY_PREFIX may have letters, digits, dots, dashes and underscores only.",
            id="mentor_project.E003",
        )


def _numbers() -> Iterator[CheckMessage]:
    # Said so that a NaN, which is neither more nor less than anything, is found too.
    wrong = [f"{name} must be more than 0." for name in POSITIVE if not getattr(settings, name) > 0]
    wrong += [f"{name} must not be negative." for name in NOT_NEGATIVE if not getattr(settings, name) >= 0]
    yield from (Error(words, id="mentor_project.E004") for words in wrong)
    if not settings.TURN_HEARTBEAT_SECONDS * 2 < settings.TURN_LEASE_SECONDS:
        yield Error(
            "TURN_LEASE_SECONDS must be more than twice TURN_HEARTBEAT_SECONDS.",
            hint="Else one late heartbeat takes a running turn from the process that runs it.",
            id="mentor_project.E005",
        )


def _limits(now: dict[str, int]) -> Iterator[CheckMessage]:
    for name, value in now.items():
        if value < 0 or (value == 0 and name not in RATES):
            bound = "must not be negative" if name in RATES else "must be more than 0"
            yield Error(f"LIMIT_{name.upper()} {bound}.", id="mentor_project.E006")
    for name in PARTS_OF_A_FRAME:
        if now[name] > now["frame_bytes"]:
            yield Error(
                f"LIMIT_{name.upper()} is more than LIMIT_FRAME_BYTES.",
                hint="What it permits would be refused with the frame that brings it.",
                id="mentor_project.E007",
            )
    if now["frame_bytes"] > LARGEST_FRAME_BYTES:
        yield Error(
            f"LIMIT_FRAME_BYTES must not be more than {LARGEST_FRAME_BYTES}.",
            hint="A larger frame closes its socket before it is read.",
            id="mentor_project.E008",
        )


def _deployment() -> Iterator[CheckMessage]:
    on_postgres = urlsplit(settings.DATABASE_URL).scheme not in ("", "sqlite")
    if on_postgres and not settings.REDIS_URL:
        yield Warning(
            "DATABASE_URL is set and REDIS_URL is not.",
            hint="One web process works so. Of several, each has its own cache, its own rates and its own "
            "background jobs, and a client that returns to another one is not sent the events it missed.",
            id="mentor_project.W002",
        )
    if on_postgres and settings.DEBUG:
        yield Warning("DEBUG is on and DATABASE_URL is set.", id="mentor_project.W003")
    if on_postgres and not settings.SECRET_KEY_GIVEN:
        yield Warning(
            "SECRET_KEY is one that this machine made for itself.",
            hint="Set the same one for all processes: session tokens and sign-ins are signed with it.",
            id="mentor_project.W004",
        )
    if "*" in settings.ALLOWED_HOSTS:
        yield Warning(
            "ALLOWED_HOSTS lets every host name in.",
            hint="Pages of a host that is allowed count as our own: name those that lead here.",
            id="mentor_project.W005",
        )
