"""The file format of recorded conversations: one JSON object a line, read lazily, mistakes named by line.

A line: {"conversation_id", "tenant", "mentor", "user_id", "client_context": {…},
"turns": [{"role": "user" | "assistant" | …, "text", "metadata"?: {…}}]}.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

_NAMES = ("conversation_id", "tenant", "mentor", "user_id")


class UnreadableFile(Exception):
    """The file of conversations cannot be read."""


@dataclass(frozen=True, slots=True)
class UserTurn:
    """What one user turn sends: `metadata` None means that the key is left out."""

    text: str
    metadata: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Conversation:
    conversation_id: str
    tenant: str
    mentor: str
    user_id: str
    turns: tuple[UserTurn, ...]


def read(paths: list[Path], *, limit: int | None = None) -> Iterator[Conversation]:
    """The conversations of the files that have a user turn, at most `limit` of each file."""
    for path in paths:
        yield from islice((one for one in _read(path) if one.turns), limit)


def _read(path: Path) -> Iterator[Conversation]:
    try:
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield _parse(line, f"{path}:{number}")
    except (OSError, UnicodeDecodeError) as error:
        raise UnreadableFile(f"{path}: {error}.") from error


def _parse(line: str, place: str) -> Conversation:
    try:
        raw = json.loads(line)
        names = {name: raw[name] for name in _NAMES}
        turns = tuple(_user_turns(raw.get("client_context") or {}, raw["turns"]))
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise UnreadableFile(f"{place}: is not a conversation ({error}).") from error
    except KeyError as error:
        raise UnreadableFile(f"{place}: {error.args[0]} is missing.") from error
    if not all(isinstance(name, str) and name for name in names.values()):
        raise UnreadableFile(f"{place}: its names must be strings that are not empty.")
    return Conversation(**names, turns=turns)


def _user_turns(known_before: dict[str, Any], turns: list[dict[str, Any]]) -> Iterator[UserTurn]:
    """What the host page sends: all it knows with the first message, then what a turn brings itself."""
    first = True
    for turn in turns:
        if turn["role"] == "user":
            metadata = turn.get("metadata")
            yield UserTurn(turn["text"], {**known_before, **(metadata or {})} if first else metadata)
            first = False
