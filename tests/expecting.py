"""What stands in an expected JSON document for values that differ from run to run."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Like:
    """Equal to every value that passes."""

    def __init__(self, name: str, passes: Callable[[Any], bool]) -> None:
        self.name = name
        self.passes = passes

    def __eq__(self, other: object) -> bool:
        return self.passes(other)

    def __hash__(self) -> int:
        return hash(self.name)

    def __repr__(self) -> str:
        return f"<{self.name}>"


SENTENCE = Like("a sentence", lambda value: isinstance(value, str) and bool(value) and value.endswith("."))
AN_ID = Like("an id", lambda value: isinstance(value, str) and UUID.fullmatch(value) is not None)
SECONDS = Like("seconds", lambda value: isinstance(value, int | float) and 0 < value <= 60)
A_SECRET = Like("a secret", lambda value: isinstance(value, str) and len(value) >= 32)


def refusal(status: int, code: str, /, *pointers: str, **more: Any) -> dict[str, Any]:
    """The whole error object of the sockets and of SSE."""
    frame = {"error": SENTENCE, "status_code": status, "code": code, **more}
    if pointers:
        frame["details"] = [{"pointer": pointer, "message": SENTENCE} for pointer in pointers]
    return frame


def problem(status: int, code: str, *pointers: str) -> dict[str, Any]:
    """The whole problem document (RFC 9457) of the REST paths."""
    body = {
        "type": f"urn:mentor-context:{code}",
        "title": code.replace("_", " ").capitalize(),
        "status": status,
        "detail": SENTENCE,
        "code": code,
    }
    if pointers:
        body["errors"] = [{"pointer": pointer, "message": SENTENCE} for pointer in pointers]
    return body


def broken_turn(status: int, code: str, how: str, sequence: int = 2, event: int = 2) -> dict[str, Any]:
    """The last frame of a turn that did not end well."""
    ids = {"generation_id": AN_ID, "message_id": AN_ID}
    return refusal(status, code, **ids, event=event, sequence=sequence, status=how)
