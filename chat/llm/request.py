"""What goes to a model and what comes back: the words that every model shares."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import orjson

RESERVED = frozenset({"messages", "model", "stream"})


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """One call: the model's name, the prompt as role/content pairs, and the mentor's model parameters."""

    model: str
    messages: list[dict[str, str]]
    parameters: dict[str, Any]


@dataclass(slots=True)
class Usage:
    """Token counts as the model's server reported them (the demonstration counts words)."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


@dataclass(slots=True)
class Ending:
    """How an answer ended; the usage is None where the server counts nothing."""

    finish_reason: str
    usage: Usage | None


Hear = Callable[[str], None]
"""Is told all text that arrived together."""


class Model(Protocol):
    """Whoever answers. Raises one of the ModelError family; cancelling it stops the model."""

    async def answer(self, request: ModelRequest, hear: Hear) -> Ending: ...


def request_body(request: ModelRequest) -> bytes:
    """The exact bytes posted for a request; parameters cannot replace the prompt, the model or streaming.

    Keys are sorted: jsonb does not keep the order of a mentor's parameters, and a prompt that is
    rebuilt later has to give the same bytes.
    """
    body: dict[str, Any] = {"stream_options": {"include_usage": True}}
    body |= {key: value for key, value in request.parameters.items() if key not in RESERVED}
    body |= {"model": request.model, "messages": request.messages, "stream": True}
    return orjson.dumps(body, option=orjson.OPT_SORT_KEYS)
