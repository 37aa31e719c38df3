"""The files: one conversation a line, as strictly judged as what comes in at a door, each mistake with its place.

A line: {"conversation_id", "tenant", "mentor", "user_id", "client_context"?: {…},
"turns": [{"role": "user" | "assistant" | "system", "text", "metadata"?: {…}}]}; other keys are not read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from chat import limits, strict_json
from chat.configuration.document import Slug
from chat.errors import ChatError
from chat.payloads import check_metadata, check_prompt

LINE_BYTES = 16 * 1024 * 1024
LINE_DEPTH = 64
ROLES = {"user": "user", "assistant": "mentor", "system": "service"}


class UnreadableFile(Exception):
    """A file cannot be read, or a line of it is no conversation; the text names the place."""


@dataclass(frozen=True, slots=True)
class Turn:
    """What one side said, in our roles. `metadata` is compact text as the file spells it; None: there was none."""

    role: str
    text: str
    metadata: str | None


@dataclass(frozen=True, slots=True)
class Conversation:
    place: str
    conversation_id: str
    tenant: str
    mentor: str
    user_id: str
    turns: tuple[Turn, ...]


class _Turn(BaseModel):
    model_config = ConfigDict(strict=True)
    role: Literal["user", "assistant", "system"]
    text: str
    metadata: dict[str, Any] | None = None


class _Line(BaseModel):
    model_config = ConfigDict(strict=True)
    conversation_id: Annotated[str, Field(min_length=1, max_length=255)]
    tenant: Slug
    mentor: Slug
    user_id: Annotated[str, Field(min_length=1, max_length=255)]
    client_context: dict[str, Any] | None = None
    turns: Annotated[list[_Turn], Field(min_length=1)]


def read(paths: Iterable[Path], *, tenant_prefix: str = "") -> Iterator[Conversation]:
    """The conversations of the files, one line in memory at a time. Raises UnreadableFile."""
    for path in paths:
        try:
            with path.open("rb") as file:
                for number, line in enumerate(file, start=1):
                    if line.strip():
                        yield _conversation(line, f"{path}:{number}", tenant_prefix)
        except OSError as error:
            raise UnreadableFile(f"{path} cannot be read: {error.strerror}.") from error


def _conversation(raw: bytes, place: str, tenant_prefix: str) -> Conversation:
    try:
        parsed = strict_json.parse_object(raw, max_bytes=LINE_BYTES, max_depth=LINE_DEPTH)
        if isinstance(tenant := parsed.value.get("tenant"), str) and tenant:
            parsed.value["tenant"] = tenant_prefix + tenant
        line = _Line.model_validate(parsed.value)
        turns = tuple(_turns(line, strict_json.spelled(parsed.source.lstrip(" \t\r\n"))))
    except ValidationError as error:
        raise UnreadableFile(_told(place, *_faults(error))) from None
    except ChatError as error:
        details = [(one["pointer"], one["message"]) for one in error.details]
        raise UnreadableFile(_told(place, *details)) from None
    return Conversation(place, line.conversation_id, line.tenant, line.mentor, line.user_id, turns)


def _turns(line: _Line, spelled: dict[str, Any]) -> Iterator[Turn]:
    """What each side sends: with the user's first message comes all that was known before it."""
    known: tuple[dict[str, Any], dict[str, Any]] | None
    known = (line.client_context or {}, spelled.get("client_context") or {})
    for number, turn in enumerate(line.turns):
        value, as_spelled = turn.metadata, spelled["turns"][number].get("metadata")
        if turn.role == "user" and known is not None:
            value, as_spelled = {**known[0], **(value or {})}, {**known[1], **(as_spelled or {})}
            known = None
        text = None if value is None else strict_json.spell(as_spelled)
        _check(turn, value, text, f"/turns/{number}")
        yield Turn(ROLES[turn.role], turn.text, text)


def _check(turn: _Turn, value: dict[str, Any] | None, text: str | None, pointer: str) -> None:
    """The bounds that a door has, but for one: what was said may be empty."""
    if turn.role != "user":
        return
    bounds = limits.current()
    try:
        check_prompt(turn.text, bounds)
        if value is not None and text is not None:
            check_metadata(text, value, bounds)
    except ChatError as error:
        key = "metadata" if error.code == "metadata_too_large" else "text"
        raise type(error)(error.message, pointer=f"{pointer}/{key}") from None


_SENTENCES = {
    "missing": "is required.",
    "string_type": "must be a string.",
    "string_too_short": "must not be empty.",
    "string_too_long": "must have at most {max_length} characters.",
    "string_pattern_mismatch": "must be a slug: letters, digits, - and _.",
    "literal_error": "must be {expected}.",
    "list_type": "must be a list.",
    "dict_type": "must be an object.",
    "model_type": "must be an object.",
    "too_short": "must not be empty.",
}


def _faults(error: ValidationError) -> list[tuple[str, str]]:
    return [(_pointer(one["loc"]), _sentence(one)) for one in error.errors(include_url=False)]


def _pointer(steps: Iterable[int | str]) -> str:
    pointer = ""
    for one in steps:
        pointer = strict_json.step(pointer, str(one))
    return pointer


def _sentence(fault: ErrorDetails) -> str:
    return _SENTENCES.get(fault["type"], "is not valid.").format(**fault.get("ctx", {}))


def _told(place: str, *faults: tuple[str, str]) -> str:
    """One line for each fault: file:line, pointer, sentence."""
    lines = (f"{place}: {pointer or '/'} {message}" for pointer, message in faults)
    return "\n".join(lines).replace("The payload", "The line")
