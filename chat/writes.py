"""A write of a context as it is asked for beside a turn: its body, its conditions, the key to know it again by."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field

from .errors import InvalidContext, InvalidPayload, PreconditionFailed
from .limits import Limits
from .payloads import Flow, PayloadWarning, check_metadata, validated
from .strict_json import ParsedObject, step

MOST_WARNINGS: Final = 20
UNGUESSABLE: Final = 16  # characters of an Idempotency-Key that can speak for its sender
_TAG: Final = re.compile(r'(W/)?"([^"]*)"')
_KEY: Final = re.compile(r'"?([\x21\x23-\x7e]{1,128})"?', re.ASCII)


class NewContext(BaseModel):
    """The body of a write that replaces the context; `flow` and `user` say whose session it may begin."""

    model_config = ConfigDict(strict=True, extra="ignore")

    client_context: dict[str, Any]
    metadata_token: Annotated[str | None, Field(repr=False, min_length=1)] = None
    flow: Flow | None = None
    user: Annotated[str, Field(max_length=255)] | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """What a write makes of the context: the whole new value's compact text, as its sender spelled it; None: nothing.

    `vouched`: the keys that a tenant's own server stands for; None: all of them. `dropped`: keys that were to go.
    """

    text: str | None
    vouched: frozenset[str] | None = None
    dropped: frozenset[str] = frozenset()
    warnings: list[PayloadWarning] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Conditions:
    """If-Match and If-None-Match (RFC 9110), as they were sent. A context that was never set is of no version."""

    match: str | None = None
    none_match: str | None = None

    def check(self, version: int) -> None:
        """Raises PreconditionFailed where the context is of another version than the sender believes."""
        if self.match is not None and not _names(self.match, version, weakly=False):
            raise PreconditionFailed()
        if self.is_known(version):
            raise PreconditionFailed()

    def is_known(self, version: int) -> bool:
        """Whether If-None-Match names this version."""
        return self.none_match is not None and _names(self.none_match, version, weakly=True)


def tag(version: int) -> str:
    return f'"{version}"'


def _names(header: str, version: int, *, weakly: bool) -> bool:
    if header.strip() == "*":
        return version > 0
    return any(name == str(version) and (weakly or not weak) for weak, name in _TAG.findall(header))


def check_key(header: str | None) -> str:
    """An Idempotency-Key without its quotes; "" for none. Raises InvalidPayload."""
    if header is None:
        return ""
    found = _KEY.fullmatch(header.strip())
    if found is None:
        raise InvalidPayload("Idempotency-Key has 1 to 128 printable ASCII characters.")
    return found[1]


def digest_of(*parts: str) -> str:
    """NUL parts them: none of what was let in has one."""
    return sha256("\0".join(parts).encode()).hexdigest()


def replaced(sent: ParsedObject, limits: Limits) -> tuple[NewContext, Change]:
    """The body as a whole new value, or as a signed token alone. Raises InvalidContext, MetadataTooLarge."""
    alone = sent.value.get("metadata_token") is not None and "client_context" not in sent.value
    body = validated(
        NewContext, {"client_context": {}, **sent.value} if alone else sent.value, InvalidContext
    )
    if alone:
        return body, Change(None, warnings=_unknown(sent.value))
    text = sent.text("client_context") or ""
    check_metadata(text, body.client_context, limits, "/client_context")
    return body, Change(text, warnings=_unknown(sent.value))


def _unknown(sent: dict[str, Any]) -> list[PayloadWarning]:
    message = "This key is not known here and has no effect."
    strange = [step("", key) for key in sent if key not in NewContext.model_fields]
    return [
        {"code": "unknown_key", "pointer": pointer, "message": message} for pointer in strange[:MOST_WARNINGS]
    ]


def address_class(address: str) -> str | None:
    """Of what kind a client's address is; the address itself is kept nowhere. None: it has none."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return None
    found = getattr(found, "ipv4_mapped", None) or found
    if found.is_loopback:
        return "loopback"
    return f"public-v{found.version}" if found.is_global else "private"
