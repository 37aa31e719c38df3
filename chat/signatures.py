"""Contexts that a tenant's back end has signed: what a token says, and whether it may say it here and now.

A token is a JWT by one of the tenant's keys, for one mentor and, where it says so, one user and one session. Its
`metadata` becomes the verified layer; client_context.py decides what comes of that. A token is never stored or
logged, only that its `jti` was used.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final
from uuid import UUID

import jwt
from django.utils import timezone
from jwt.api_jws import PyJWS
from pydantic import BaseModel, ConfigDict, Field, PlainValidator
from pydantic_core import PydanticCustomError

from . import limits
from .errors import (
    ChatError,
    InvalidPayload,
    MetadataTooLarge,
    TokenExpired,
    TokenForeign,
    TokenInvalid,
    TokenReplayed,
    TokenSuperseded,
)
from .limits import Limits
from .models import Session, SigningKey, UsedToken
from .payloads import MAX_DEPTH, check_metadata, validated
from .strict_json import parse_object

LEEWAY: Final = 30.0  # seconds that two clocks may differ
POINTER: Final = "/metadata_token"
# Beside the metadata; and JSON that escapes every character takes up to three bytes for one, base64 four for three.
OTHER_BYTES: Final = 8 * 1024
LAST_SECOND: Final = 253_000_000_000  # of the year 9987: what a date can hold
AT_ONCE: Final = 5_000
_JWS: Final = PyJWS()


def _audience(value: object) -> frozenset[str]:
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise PydanticCustomError("audience", "must be a string or a list of strings.")
    return frozenset(names)


Audience = Annotated[frozenset[str], PlainValidator(_audience)]
Seconds = Annotated[float, Field(ge=0, le=LAST_SECOND)]


class Claims(BaseModel):
    """What a token says, in seconds since 1970 where it is a time; `sub` and `user` are the same."""

    model_config = ConfigDict(strict=True, extra="ignore")

    iat: Seconds
    exp: Seconds
    nbf: Seconds | None = None
    aud: Audience
    jti: Annotated[str, Field(min_length=1, max_length=255)]
    metadata: dict[str, Any]
    sub: str | None = None
    user: str | None = None
    session: str | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """The session that a token is brought to, and the names of its mentor that a token may be for."""

    session_id: UUID
    tenant_id: int
    audience: frozenset[str]
    user_id: str


@dataclass(frozen=True, slots=True)
class Signed:
    """The verified keys as compact JSON text, and whose key signed them; `again`: the token was used here before."""

    text: str
    kid: str
    again: bool = False


def audience(unique_id: UUID, tenant: str, slug: str) -> frozenset[str]:
    return frozenset((str(unique_id), f"{tenant}/{slug}"))


def accept(token: str, place: Place) -> Signed:
    """What the token says, for the holder of the session's row lock; it is used when the transaction commits.

    Raises TokenInvalid, TokenExpired, TokenForeign, TokenReplayed, TokenSuperseded, MetadataTooLarge.
    """
    claims, text, kid = read(token, place.tenant_id, limits.current())
    _check_times(claims)
    _check_place(claims, place)
    new = _use(claims, place)
    here = Session.objects.filter(pk=place.session_id)
    newest = here.values_list("signed_at", flat=True).get()
    if newest is not None and claims.iat < newest:
        raise TokenSuperseded(pointer=POINTER)
    if new:
        here.update(signed_at=claims.iat)
    return Signed(text, kid, again=not new)


# --- what it says


def read(token: str, tenant_id: int, most: Limits) -> tuple[Claims, str, str]:
    """The claims of a token by one of the tenant's valid keys, its metadata's text as it was spelled, the key's id.

    Raises TokenInvalid, MetadataTooLarge.
    """
    max_bytes = 4 * most.metadata_bytes + OTHER_BYTES
    if len(token) > max_bytes:
        told = f"The token is {len(token)} bytes long; at most {max_bytes} are accepted."
        raise MetadataTooLarge(told, pointer=POINTER)
    payload, kid = _opened(token, tenant_id)
    try:
        parsed = parse_object(payload, max_bytes=max_bytes, max_depth=max(MAX_DEPTH, most.metadata_depth + 2))
        claims = validated(Claims, parsed.value)
    except ChatError as error:
        raise _invalid(error) from None
    text = parsed.text("metadata") or ""
    check_metadata(text, claims.metadata, most, POINTER)
    return claims, text, kid


def _opened(token: str, tenant_id: int) -> tuple[bytes, str]:
    """The payload, and the key's id. The algorithm is the key's too: what the header says of it can only agree."""
    try:
        kid = _JWS.get_unverified_header(token).get("kid")
    except (jwt.PyJWTError, ValueError):
        raise TokenInvalid(pointer=POINTER) from None
    for key in SigningKey.valid(tenant_id):
        if kid is None or kid == key.kid:
            try:
                opened = _JWS.decode_complete(token, key.material, algorithms=[key.algorithm])
            except (jwt.PyJWTError, ValueError):
                continue
            return opened["payload"], key.kid
    raise TokenInvalid(pointer=POINTER)


def _invalid(error: ChatError) -> TokenInvalid:
    """Each fault of the claims, at the token."""
    if not isinstance(error, InvalidPayload) or not any(one["pointer"] for one in error.details):
        return TokenInvalid("What the token says is not the JSON that is taken here.", pointer=POINTER)
    told = [f"The token's {one['message']}" for one in error.details]
    return TokenInvalid(told[0], details=[{"pointer": POINTER, "message": one} for one in told])


# --- whether it may


def _check_times(claims: Claims) -> None:
    now = time.time()
    if claims.exp <= now - LEEWAY:
        raise TokenExpired(pointer=POINTER)
    for name, begin in (("iat", claims.iat), ("nbf", claims.nbf or 0)):
        if begin > now + LEEWAY:
            raise TokenInvalid(f"The token's {name} is in the future.", pointer=POINTER)


def _check_place(claims: Claims, place: Place) -> None:
    if not claims.aud & place.audience:
        raise TokenForeign("The token is for another mentor.", pointer=POINTER)
    if {claims.sub, claims.user} - {None, place.user_id}:
        raise TokenForeign("The token is for another user.", pointer=POINTER)
    if claims.session is not None and claims.session.lower() != str(place.session_id):
        raise TokenForeign("The token is for another session.", pointer=POINTER)


def _use(claims: Claims, place: Place) -> bool:
    """Whether this is the first use of its jti. Raises TokenReplayed where that was another session's.

    Of two sessions at once the second waits here for the first to commit: then it sees whose it is.
    """
    uses = UsedToken.objects.filter(tenant_id=place.tenant_id, jti=claims.jti)
    new = not uses.exists()
    if new:
        until = datetime.fromtimestamp(claims.exp + LEEWAY, UTC)
        use = UsedToken(
            tenant_id=place.tenant_id, jti=claims.jti, session_id=place.session_id, expires_at=until
        )
        UsedToken.objects.bulk_create([use], ignore_conflicts=True)
    if uses.values_list("session_id", flat=True).get() != place.session_id:
        raise TokenReplayed(pointer=POINTER)
    return new


def forget() -> int:
    """Remove the uses of tokens that have expired, some at a time; how many."""
    gone = UsedToken.objects.filter(expires_at__lt=timezone.now() - timedelta(minutes=5)).order_by(
        "expires_at"
    )
    return UsedToken.objects.filter(pk__in=list(gone.values_list("pk", flat=True)[:AT_ONCE])).delete()[0]
