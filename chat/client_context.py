"""The context law. This module alone decides what becomes of metadata that somebody sends.

A value replaces the context whole; null or absent changes nothing; {} clears it; an equal value makes no new
version. Keys that a tenant's own token set, or that its back end signed, are verified: any other writer replaces
the unsigned keys only.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from uuid import UUID

from . import admissions, strict_json, telemetry
from .admissions import alike, warning
from .models import SessionContextVersion, statements
from .payloads import PayloadWarning
from .policies import NONE, Policy, Reader
from .signatures import Signed
from .writes import Change

Warnings = list[PayloadWarning]
EMPTY = "{}"


def digest_of(text: str, *, verified: bool = False) -> str:
    """124 bits that tell two context texts apart, and whether all keys are verified; it keeps no secret."""
    return ("v" if verified else "u") + hashlib.blake2b(text.encode(), digest_size=16).hexdigest()[1:]


def is_in_force(text: str, digest: str, *, verified: bool = False) -> bool:
    """Whether the session's digest is of this text; asked for `verified`, with every key verified."""
    if verified:
        return digest == digest_of(text, verified=True)
    return digest[1:] == digest_of(text)[1:]


@dataclass(frozen=True, slots=True)
class InForce:
    """One value of a session's context: its compact JSON text as the client spelled it, and its verified keys."""

    text: str = EMPTY
    verified_keys: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        return digest_of(self.text, verified=len(self.verified_keys) == len(json.loads(self.text)))

    def with_text(self, text: str) -> InForce:
        """The same keys verified, as far as they are still there."""
        if text == self.text:
            return self
        left = json.loads(text)
        return InForce(text, tuple(key for key in self.verified_keys if key in left))


@dataclass(frozen=True, slots=True)
class Decision:
    """What a write comes to: the context from now on, whether that is a new version, and what to tell the sender."""

    context: InForce
    changed: bool
    warnings: Warnings = field(default_factory=list)
    signed_by: str | None = None  # the key of the token whose claims were taken in


def decide(
    now: InForce,
    sent: str | None,
    *,
    verified: bool,
    vouched: Collection[str] | None = None,
    policy: Policy = NONE,
    operator: bool = False,
    reader: Reader | None = None,
) -> Decision:
    """Apply the law to one write; `sent` is the metadata's compact text, None for null or absent.

    Equal is equal in both layers: a value that gets verified is a new version. Of what a tenant's server patches
    only the `vouched` keys are verified. The policy is the mentor's; `operator`: a member of staff writes; who
    asks for another may read as `reader`. Raises SchemaViolation: what would be in force is not what the schema
    allows.
    """
    if sent is None:
        return Decision(now, changed=False)
    blind = admissions.blind(sent, policy, reader or _reads_as(verified, operator))
    sent, told = admissions.admitted(
        sent, now.text, policy, verified=verified, operator=operator, blind=blind
    )
    new, kept_out = _layered(now, sent, verified, vouched, blind)
    return _decided(now, new, [*told, *kept_out], policy)


def _reads_as(verified: bool, operator: bool) -> Reader:
    return "operator" if verified or operator else "user"


def decide_signed(
    now: InForce,
    signed: Signed,
    sent: str | None,
    *,
    verified: bool,
    policy: Policy = NONE,
    operator: bool = False,
) -> Decision:
    """The same for a write that brings a signed token: first its claims, then what was sent beside them.

    The claims replace the verified layer; what this very session was told before by this very token it is not
    told again. Beside a tenant's own token both are vouched for: their union replaces all, the claims win.
    """
    text, told = admissions.admitted(signed.text, now.text, policy, verified=True, operator=False)
    claims = InForce(text, tuple(json.loads(text)))
    both_vouched = verified and sent is not None
    if both_vouched:
        new = claims
    else:
        new, told = (now, []) if signed.again else (_under_claims(now, claims), told)
    if sent is not None:
        blind = admissions.blind(sent, policy, _reads_as(verified, operator))
        sent, more = admissions.admitted(
            sent, new.text, policy, verified=verified, operator=operator, blind=blind
        )
        new, kept_out = _over_unsigned_keys(new, sent, blind)
        told = [*told, *more, *kept_out]
    if both_vouched:
        new = InForce(new.text, tuple(json.loads(new.text)))
    took = both_vouched or not signed.again
    return replace(_decided(now, new, told, policy), signed_by=signed.kid if took else None)


def _under_claims(now: InForce, claims: InForce) -> InForce:
    """The upper layer replaced: unsigned keys stay, but for those that are claimed now."""
    ours = strict_json.spelled(now.text)
    unsigned = {key: value for key, value in ours.items() if key not in now.verified_keys}
    text = strict_json.spell({**unsigned, **strict_json.spelled(claims.text)}) if unsigned else claims.text
    return InForce(text, claims.verified_keys)


def _decided(now: InForce, new: InForce, told: Warnings, policy: Policy) -> Decision:
    text, faults = admissions.allowed(new.text, policy)
    new, warnings = new.with_text(text), [*told, *faults]
    same_layers = set(new.verified_keys) == set(now.verified_keys)
    if same_layers and strict_json.same(json.loads(new.text), json.loads(now.text)):
        return Decision(now, changed=False, warnings=warnings)
    return Decision(new, changed=True, warnings=warnings)


def _layered(
    now: InForce, sent: str, verified: bool, vouched: Collection[str] | None, blind: Collection[str]
) -> tuple[InForce, Warnings]:
    if not verified:
        return _over_unsigned_keys(now, sent, blind)
    return InForce(sent, tuple(key for key in json.loads(sent) if vouched is None or key in vouched)), []


def _over_unsigned_keys(now: InForce, sent: str, blind: Collection[str]) -> tuple[InForce, Warnings]:
    """The lower layer replaced, the verified keys kept above it."""
    if not now.verified_keys:
        return InForce(sent), []
    ours, theirs = strict_json.spelled(now.text), strict_json.spelled(sent)
    kept = {key: ours[key] for key in now.verified_keys if key in ours}
    warnings = [
        _kept_out(key)
        for key in theirs
        if key in kept and (key in blind or not alike(theirs[key], kept[key]))
    ]
    return InForce(strict_json.spell({**theirs, **kept}), tuple(kept)), warnings


def decide_change(
    now: InForce,
    change: Change,
    *,
    verified: bool,
    policy: Policy = NONE,
    operator: bool = False,
    signed: Signed | None = None,
) -> Decision:
    """The same for a write beside a turn, which may be a patch: it is told of each key that it could not remove."""
    if signed is not None:
        decision = decide_signed(
            now, signed, change.text, verified=verified, policy=policy, operator=operator
        )
    else:
        decision = decide(
            now, change.text, verified=verified, vouched=change.vouched, policy=policy, operator=operator
        )
    left = json.loads(change.text or EMPTY)
    kept = [key for key in now.verified_keys if key in change.dropped and key not in left]
    told = [*decision.warnings, *([] if verified else map(_kept_out, kept))]
    return replace(decision, warnings=[*change.warnings, *told])


def _kept_out(key: str) -> PayloadWarning:
    return warning("verified_key_kept", key, "A verified value stays in force here.")


def in_force(session_id: UUID, version: int) -> InForce:
    """The stored version: the truth that every cached text is held against."""
    if version == 0:
        return InForce()
    found = statements.context_text(session_id, version)
    if found is None:
        raise SessionContextVersion.DoesNotExist
    return InForce(found[0], tuple(found[1]))


def text_in_force(cached: str | None, digest: str, stored: Callable[[], InForce]) -> tuple[str, bool]:
    """The text of the context in force, and whether the cache should be filled with it.

    A cached text counts only if it is the one whose digest the session's row names: a stale one never wins.
    """
    if not digest:
        return EMPTY, False
    if cached is not None and is_in_force(cached, digest):
        telemetry.CONTEXT_CACHE.labels("hit").inc()
        return cached, False
    telemetry.CONTEXT_CACHE.labels("miss" if cached is None else "stale").inc()
    return stored().text, True
