"""The models that answer: any OpenAI-compatible server, or, where none is configured, a demonstration."""

from __future__ import annotations

from functools import lru_cache

from django.conf import settings

from .. import limits
from .demo import DemoModel
from .http import close
from .openai import OpenAIModel
from .request import Ending, Hear, Model, ModelRequest, Usage, request_body

__all__ = [
    "DemoModel",
    "Ending",
    "Hear",
    "Model",
    "ModelRequest",
    "OpenAIModel",
    "Usage",
    "close",
    "current",
    "request_body",
]


def current() -> Model:
    """The model that the settings in force name."""
    if not settings.LLM_BASE_URL:
        return DemoModel(delay=settings.DEMO_MODEL_DELAY_MS / 1000)
    return _configured(
        settings.LLM_BASE_URL,
        settings.LLM_API_KEY,
        connect_timeout=settings.LLM_CONNECT_TIMEOUT,
        first_token_timeout=settings.LLM_FIRST_TOKEN_TIMEOUT,
        idle_timeout=settings.LLM_IDLE_TIMEOUT,
        total_timeout=settings.LLM_TOTAL_TIMEOUT,
        answer_bytes=limits.current().answer_bytes,
    )


# A model holds no connection, only its address and bounds: one is made per set of settings, not per turn.
_configured = lru_cache(maxsize=8)(OpenAIModel)
