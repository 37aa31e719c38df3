"""The keys that a tenant's back end signs contexts with, and the signed tokens that were used."""

from __future__ import annotations

import re
import secrets

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models, transaction
from django.utils import timezone

from .tenants import Tenant

MOST_VALID = 2  # of a tenant: the one in use and the next
MIN_SECRET_BYTES = 32  # as long as the hash of HS256 (RFC 7518, 3.2)
KID = re.compile(r"^[A-Za-z0-9._-]{1,64}\Z")


class SigningKey(models.Model):
    """A key of one tenant. It fixes the algorithm: what a token says of that can only agree."""

    class Algorithm(models.TextChoices):
        EDDSA = "EdDSA", "EdDSA (your Ed25519 public key)"
        HS256 = "HS256", "HS256 (a secret that we share)"

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="signing_keys")
    kid = models.CharField(
        "key id",
        max_length=64,
        validators=[RegexValidator(KID, "Letters, digits, dots, hyphens and underscores.")],
        help_text="What a token's header names as kid. Never used again, also when the key is revoked.",
    )
    algorithm = models.CharField(max_length=10, choices=Algorithm.choices)
    # The public key as PEM, or the secret itself: HMAC cannot be checked by a digest of it.
    material = models.TextField()
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        ordering = ["-created_at", "-pk"]
        constraints = [models.UniqueConstraint(fields=["tenant", "kid"], name="signing_key_of_tenant")]

    def __str__(self) -> str:
        return f"{self.kid} ({self.algorithm})"

    @classmethod
    def valid(cls, tenant_id: int) -> models.QuerySet[SigningKey]:
        return cls.objects.filter(tenant_id=tenant_id, revoked_at=None)

    @classmethod
    @transaction.atomic
    def add(cls, tenant: Tenant, *, kid: str, algorithm: str, material: str) -> SigningKey:
        """Store a key. Raises ValidationError, by field, for one that could not sign or is one too many."""
        checked = check_material(algorithm, material)
        Tenant.objects.select_for_update().get(pk=tenant.pk)
        cls.check_new(tenant, kid)
        return cls.objects.create(tenant=tenant, kid=kid, algorithm=algorithm, material=checked)

    @classmethod
    def check_new(cls, tenant: Tenant, kid: str) -> None:
        """Whether a key of this id may be added now. Raises ValidationError, by field."""
        if not KID.match(kid):
            raise ValidationError({"kid": "A key id is 1 to 64 letters, digits, dots, hyphens, underscores."})
        if cls.objects.filter(tenant=tenant, kid=kid).exists():
            raise ValidationError({"kid": "This tenant has, or had, a key of this id."})
        if cls.valid(tenant.pk).count() >= MOST_VALID:
            raise ValidationError({"tenant": f"{MOST_VALID} keys are valid already: revoke one first."})

    @classmethod
    def issue(cls, tenant: Tenant, *, kid: str) -> tuple[SigningKey, str]:
        """A new HS256 key and its secret, for the tenant's back end to keep. Raises ValidationError."""
        secret = new_secret()
        return cls.add(tenant, kid=kid, algorithm=cls.Algorithm.HS256, material=secret), secret

    def revoke(self) -> None:
        self.revoked_at = timezone.now()
        self.save(update_fields=["revoked_at"])


def new_secret() -> str:
    return f"msk_{secrets.token_urlsafe(48)}"


def check_material(algorithm: str, material: str) -> str:
    """The secret, or the public key in its usual PEM. Raises ValidationError for `material`."""
    if algorithm == SigningKey.Algorithm.EDDSA:
        return _public_key(material)
    if algorithm == SigningKey.Algorithm.HS256:
        return _secret(material)
    raise ValidationError({"algorithm": "An algorithm is EdDSA or HS256."})


def _secret(text: str) -> str:
    if len(text.encode()) < MIN_SECRET_BYTES:
        raise ValidationError({"material": f"A secret has {MIN_SECRET_BYTES} bytes or more."})
    try:
        jwt.get_algorithm_by_name("HS256").prepare_key(text)
    except jwt.InvalidKeyError:
        raise ValidationError({"material": "This is a key of another kind, and no secret."}) from None
    return text


def _public_key(pem: str) -> str:
    if "PRIVATE" in pem:
        raise ValidationError({"material": "This is a private key: keep it, and paste its public key."})
    try:
        key = serialization.load_pem_public_key(pem.strip().encode())
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise ValidationError({"material": "This is not the PEM of an Ed25519 public key."})
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_bytes(serialization.Encoding.PEM, form).decode()


class UsedToken(models.Model):
    """That a session has used the token of this `jti`: no other session may, until it has expired.

    The session is no foreign key: removing the session must not set its token free.
    """

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", db_index=False)
    jti = models.CharField(max_length=255)
    session_id = models.UUIDField()
    expires_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "jti"], name="used_token_once")]
        # What is past its time stands first.
        indexes = [models.Index(fields=["expires_at"], name="used_token_oldest")]

    def __str__(self) -> str:
        return f"used in {self.session_id}"
