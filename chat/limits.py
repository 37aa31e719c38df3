"""The limits that a caller can meet, in one place, each a setting of the same name in capitals.

Sizes are bytes of UTF-8; rates are per minute; 0 switches a rate off.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, fields
from typing import Any

from django.conf import settings
from django.core.signals import setting_changed
from django.dispatch import receiver


@dataclass(frozen=True, slots=True)
class Limits:
    metadata_bytes: int = 16 * 1024
    metadata_depth: int = 16
    metadata_keys: int = 256
    prompt_bytes: int = 32 * 1024
    page_content_bytes: int = 256 * 1024
    frame_bytes: int = 512 * 1024
    answer_bytes: int = 1024 * 1024
    turns_per_minute_per_session: int = 60
    turns_per_minute_per_token: int = 6000
    quickchat_reads_per_minute: int = 120
    quickchat_writes_per_minute: int = 60
    sockets_per_token: int = 1000
    answers_per_socket: int = 16
    subscriptions_per_socket: int = 8
    exports_per_tenant: int = 10


@functools.cache
def current() -> Limits:
    """The limits in force, from settings named LIMIT_<FIELD>."""
    return Limits(**{f.name: getattr(settings, f"LIMIT_{f.name.upper()}") for f in fields(Limits)})


@receiver(setting_changed)
def _forget(*, setting: str, **_: Any) -> None:
    if setting.startswith("LIMIT_"):
        current.cache_clear()
