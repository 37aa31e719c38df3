"""What a mentor's policy makes of a value before and after the context law: what is kept out, masked, refused.

Pure functions of texts and a policy; `client_context` alone calls them.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

from . import schemas
from .errors import Detail, SchemaViolation
from .masks import is_masked
from .payloads import PayloadWarning
from .policies import Policy, Reader, masked
from .schemas import MOST_FAULTS, Fault
from .secret_keys import without_secrets
from .strict_json import same, spell, spelled, step

Warnings = list[PayloadWarning]
ROOT = "/metadata"


def alike(one: Any, other: Any) -> bool:
    """Whether two values of strict_json.spelled are equal as JSON."""
    return same(json.loads(spell(one)), json.loads(spell(other)))


def warning(code: str, key: str, message: str) -> PayloadWarning:
    return {"code": code, "pointer": step(ROOT, key), "message": message}


def blind(sent: str, policy: Policy, reader: Reader) -> frozenset[str]:
    """The keys of it whose value in force its sender is not shown whole, and must not learn by guessing: of such
    a key no warning tells by its absence that the guess was right. A mask that comes back is no guess."""
    view = policy.view(reader)
    keys = ((key, value) for key, value in spelled(sent).items() if key in view.unseen) if view else ()
    return frozenset(key for key, value in keys if not (isinstance(value, str) and is_masked(value)))


def admitted(
    sent: str,
    in_force: str,
    policy: Policy,
    *,
    verified: bool,
    operator: bool,
    blind: Collection[str] = (),
) -> tuple[str, Warnings]:
    """The text that takes effect of what somebody sent, by who it is, and what to tell them.

    `verified`: the tenant's own server stands for it; `operator`: a member of staff sends it.
    """
    if not policy.judges and not policy.view("operator"):
        return sent, []
    sent, told = without_secrets(sent, policy.secrets)
    now, new = spelled(in_force), spelled(sent)
    before = dict(new)
    _unmask(new, now, policy)
    if not verified:
        told += _without_unverified(new, now, policy, blind)
    if operator:
        told += _without_locked(new, now, policy, blind)
    told += _masked(new, now, policy)
    return (sent if new == before else spell(new)), told


def _unmask(new: dict[str, Any], now: Mapping[str, Any], policy: Policy) -> None:
    """A mask that comes back from somebody who was shown it stands for the value behind it."""
    for key in policy.view("operator").masked & new.keys() & now.keys():
        value = new[key]
        if isinstance(value, str) and is_masked(value) and value == masked(now[key]):
            new[key] = now[key]


def _without_unverified(
    new: dict[str, Any], now: Mapping[str, Any], policy: Policy, blind: Collection[str]
) -> Warnings:
    keys = [key for key in new if key in policy.verified_only]
    told = [
        warning("verified_only", key, "Only the tenant's own server may set this key.")
        for key in keys
        if key not in now or key in blind or not alike(new[key], now[key])
    ]
    for key in keys:
        del new[key]
    return told


def _without_locked(
    new: dict[str, Any], now: Mapping[str, Any], policy: Policy, blind: Collection[str]
) -> Warnings:
    told = Warnings()
    for key in sorted(policy.locked & (new.keys() | now.keys())):
        if (key in new) != (key in now) or key in blind or not alike(new[key], now[key]):
            told.append(warning("locked_key_kept", key, "This key is not for operators to change."))
        if key in now:
            new[key] = now[key]
        else:
            new.pop(key, None)
    return told


def _masked(new: dict[str, Any], now: Mapping[str, Any], policy: Policy) -> Warnings:
    """What is never stored is replaced here, unless it is the mask that is stored already."""
    told = Warnings()
    for key in policy.masked_when_stored & new.keys():
        if key in now and alike(new[key], now[key]):
            continue
        new[key] = masked(new[key])
        told.append(warning("value_masked", key, "No more of this value is stored than is shown."))
    return told


def allowed(text: str, policy: Policy) -> tuple[str, Warnings]:
    """The context as the schema lets it be. Raises SchemaViolation, with a pointer for every fault."""
    faults = policy.faults(json.loads(text))
    if not faults:
        return text, []
    if policy.mode == "warn":
        return text, [{"code": "schema_violation", **one} for one in _details(faults)]
    unknown = [fault for fault in faults if fault.unknown] if policy.mode == "strip" else []
    if not unknown:
        raise SchemaViolation(details=_details(faults))
    text = spell(schemas.without(spelled(text), [fault.place for fault in unknown]))
    told: Warnings = [{"code": "key_stripped", **one} for one in _details(unknown)]
    rest, more = allowed(text, policy)
    return rest, [*told, *more]


def _details(faults: list[Fault]) -> list[Detail]:
    return [fault.detail(ROOT) for fault in faults[:MOST_FAULTS]]
