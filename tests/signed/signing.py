"""A tenant's back end as it would be written: it signs what it knows of a user."""

from __future__ import annotations

import time
import uuid
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from chat.models import Mentor, SessionContextVersion, SigningKey, Tenant

FREE = {"plan": "free"}
MISSING = object()  # a claim that is left out


def pem_of(key: Ed25519PrivateKey) -> str:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(serialization.Encoding.PEM, form).decode()


class BackEnd:
    """Signs for one mentor, with a key of its tenant."""

    def __init__(self, tenant: Tenant, mentor: Mentor, algorithm: str, kid: str = "k1") -> None:
        self.mentor, self.algorithm, self.kid = mentor, algorithm, kid
        self.key: Any
        if algorithm == "EdDSA":
            self.key = Ed25519PrivateKey.generate()
            self.row = SigningKey.add(tenant, kid=kid, algorithm=algorithm, material=pem_of(self.key))
        else:
            self.row, self.key = SigningKey.issue(tenant, kid=kid)

    def claims(self, metadata: Any = FREE, **more: Any) -> dict[str, Any]:
        now = int(time.time())
        claims = {
            "iat": now,
            "exp": now + 300,
            "aud": str(self.mentor.unique_id),
            "jti": str(uuid.uuid4()),
            "metadata": metadata,
            **more,
        }
        return {name: value for name, value in claims.items() if value is not MISSING}

    def sign(self, metadata: Any = FREE, *, kid: Any = None, **more: Any) -> str:
        headers = {"kid": self.kid if kid is None else kid}
        return jwt.encode(self.claims(metadata, **more), self.key, self.algorithm, headers=headers)


def stored() -> list[tuple[int, Any, list[str]]]:
    """Every version that there is: its number, value and verified keys."""
    rows = SessionContextVersion.objects.order_by("number")
    return [(row.number, row.value, sorted(row.verified_keys)) for row in rows]
