"""Where a context came from, in words: who set it, how, from what kind of address, with which message."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from chat.models import SessionContextVersion

from .words import Time, time_of

# Messages on the first page of a session, and before one on a page of its own.
FIRST_PAGE: Final = 100
AROUND: Final = 20
DOORS: Final = {
    "websocket": "over a WebSocket",
    "sse": "over an event stream",
    "rest": "by the API",
    "quickchat": "at Quickchat's path",
    "import": "by an import",
    "retention": "when the time of another value was over",
}
NAMED: Final = {"anonymous": "a visitor's page", "retention": "retention"}
ADDRESSES: Final = {
    "loopback": "from the same machine",
    "private": "from a private network",
    "public-v4": "from the internet (IPv4)",
    "public-v6": "from the internet (IPv6)",
}


@dataclass(frozen=True, slots=True)
class Came:
    """A version's origin; `message` is the number of the one that carried it, 0 where it came by itself."""

    number: int
    by: str
    name: str
    how: str
    where: str
    message: int
    place_of_message: str
    at: Time
    signed_by: str = ""


def came(
    version: SessionContextVersion, tokens: Mapping[int, str], numbers: Mapping[Any, int], zone: ZoneInfo
) -> Came:
    """`tokens`: their names by id; `numbers`: those of messages by id."""
    by, name = _author(version, tokens)
    message = numbers.get(version.message_id, 0)
    return Came(
        version.number,
        by,
        name,
        door(version.door),
        ADDRESSES.get(version.address_class or "", ""),
        message,
        place(version.session_id, message) if message else "",
        time_of(version.created_at, zone),
        version.signed_by or "",
    )


def door(name: str) -> str:
    return DOORS.get(name, f"through {name}")


def place(session_id: UUID, sequence: int) -> str:
    """The address of a message on the page of its session."""
    page = f"?after={sequence - AROUND}" if sequence > FIRST_PAGE else ""
    return f"/analytics/sessions/{session_id}/{page}#message-{sequence}"


def _author(version: SessionContextVersion, tokens: Mapping[int, str]) -> tuple[str, str]:
    """Of which kind, and its name."""
    kind, _, name = version.author.partition(":")
    if kind == "token":
        return "the tenant's server, token", tokens.get(version.token_id or 0, name)
    if kind == "staff" and name:
        return "staff", name
    return (NAMED[kind], "") if kind in NAMED else ("", version.author)
