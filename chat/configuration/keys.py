"""The signing keys of a configuration: what a document says of them, its mistakes, and what is done.

{"kid", "public_key" (EdDSA) | "secret_env" (HS256), "revoked"?}. A key is added or revoked, never changed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from django.core.exceptions import ValidationError

from chat.models import SigningKey, Tenant
from chat.models.signing import MOST_VALID, check_material

Sign = Literal["+", "~", "="]
Item = tuple[tuple[str | int, ...], dict[str, Any]]


def algorithm_of(key: Mapping[str, Any]) -> str:
    return SigningKey.Algorithm.HS256 if key.get("public_key") is None else SigningKey.Algorithm.EDDSA


def given(key: Mapping[str, Any], environ: Mapping[str, str]) -> str:
    """The public key, or the secret out of the environment. Raises ValidationError."""
    public_key, variable = key.get("public_key"), key.get("secret_env")
    material = environ.get(str(variable), "") if public_key is None else str(public_key)
    return check_material(algorithm_of(key), material)


def mistakes(tenant: str, keys: list[Item], environ: Mapping[str, str]) -> Iterator[tuple[Any, str]]:
    """The place of each mistake that the shape cannot show, and what it is."""
    stored = {key.kid: key for key in SigningKey.objects.filter(tenant__key=tenant)}
    valid = {kid for kid, key in stored.items() if key.revoked_at is None}
    valid -= {str(key.get("kid")) for _, key in keys if key.get("revoked") is True}
    for steps, key in keys:
        if key.get("revoked") is True:
            continue
        if fault := _fault(key, stored.get(str(key.get("kid"))), environ):
            yield steps, fault
        if str(key.get("kid")) not in stored:
            valid.add(str(key.get("kid")))
            if len(valid) > MOST_VALID:
                yield steps, f"would be one of more than {MOST_VALID} valid keys: revoke one."


def _fault(key: dict[str, Any], stored: SigningKey | None, environ: Mapping[str, str]) -> str:
    if (key.get("public_key") is None) == (key.get("secret_env") is None):
        return "has either public_key or secret_env."
    try:
        material = given(key, environ)
    except ValidationError as error:
        return error.messages[0]
    return "this key id has another key." if stored and stored.material != material else ""


def apply_key(tenant: Tenant, key: Mapping[str, Any], environ: Mapping[str, str]) -> tuple[Sign, str]:
    """A change's sign and note."""
    stored = tenant.signing_keys.filter(kid=key["kid"]).first()
    if key["revoked"]:
        if stored is None or stored.revoked_at:
            return "=", ""
        stored.revoke()
        return "~", "revoked"
    if stored is None:
        SigningKey.add(tenant, kid=key["kid"], algorithm=algorithm_of(key), material=given(key, environ))
        return "+", ""
    return "=", "was revoked and stays so; another needs a new kid" if stored.revoked_at else ""
