"""A context's block as it is composed, and as its lines are read."""

from __future__ import annotations

from typing import Any

from chat.prompts import CONTEXT_END, CONTEXT_START, context_block
from chat.strict_json import dumps


def lines_of(block: str) -> list[str]:
    """The key: value lines of a block, split at everything Python calls a line end."""
    first, *lines, last = block.splitlines()
    assert (first, last) == (CONTEXT_START, CONTEXT_END)
    return lines


def block_of(**context: Any) -> str:
    return context_block(dumps(context))
