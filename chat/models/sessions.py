"""Sessions, every value their client context ever had, and the writes of it that may be asked for again."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.utils import timezone

from .tenants import Mentor, Tenant


def no_context() -> dict[str, Any]:
    return {"client_context": {}}


class Session(models.Model):
    """One conversation of one user with one mentor. Its tenant, mentor and user never change."""

    id = models.UUIDField(primary_key=True, help_text="A UUID4, often chosen by the client.")
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="sessions", db_index=False)
    mentor = models.ForeignKey(Mentor, on_delete=models.CASCADE, related_name="sessions", db_index=False)
    user_id = models.CharField(max_length=255, blank=True, help_text="Opaque, the tenant's own.")
    anonymous = models.BooleanField(default=False)
    title = models.CharField(max_length=300, blank=True)
    metadata = models.JSONField(default=no_context)
    context_version = models.PositiveIntegerField(default=0)
    # Of the text of the context in force: tells an equal or a stale value without reading it.
    context_digest = models.CharField(max_length=32, blank=True, editable=False)
    # What include_metadata_in_prompt made of the mentor's way to deliver it; empty: nothing.
    delivery = models.CharField(max_length=20, blank=True, db_default="", editable=False)
    # The `iat` of the newest signed token that was used here: an older one comes too late.
    signed_at = models.FloatField(null=True, editable=False)
    next_sequence = models.PositiveIntegerField(default=1, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(default=timezone.now, editable=False)
    # The running turn: its answer, who holds it, until when, and the number that fences off an earlier holder.
    turn_id = models.UUIDField(null=True, editable=False)
    turn_fence = models.PositiveBigIntegerField(default=0, editable=False)
    turn_holder = models.CharField(max_length=100, blank=True, editable=False)
    turn_lease_until = models.DateTimeField(null=True, editable=False)
    turn_stop = models.BooleanField(default=False, editable=False)

    class Meta:
        indexes = [
            # Newest first of a tenant, of a mentor, of a user: the lists that staff and APIs read.
            models.Index(fields=["tenant", "-created_at"], name="session_tenant_newest"),
            models.Index(fields=["mentor", "-created_at"], name="session_mentor_newest"),
            models.Index(fields=["tenant", "user_id", "-created_at"], name="session_user_newest"),
            # The reaper's question; the index holds running turns only.
            models.Index(
                fields=["turn_lease_until"],
                name="session_running_turn",
                condition=models.Q(turn_id__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return str(self.id)

    @property
    def client_context(self) -> dict[str, Any]:
        context: dict[str, Any] = self.metadata.get("client_context") or {}
        return context


class SessionContextVersion(models.Model):
    """One immutable value of a session's client context."""

    session = models.ForeignKey(
        Session, on_delete=models.CASCADE, related_name="context_versions", db_index=False
    )
    number = models.PositiveIntegerField()
    # The text keeps what jsonb loses, the client's key order and number spelling; the value serves queries.
    text = models.TextField()
    value = models.JSONField()
    verified_keys = models.JSONField(default=list)
    author = models.CharField(max_length=300)
    door = models.CharField(max_length=20)
    # Where it came from, as far as that is known: the token, the message that carried it, and of what kind the
    # client's address was, never the address. No foreign keys: a turn would pay for the checks.
    token_id = models.BigIntegerField(null=True)
    message_id = models.UUIDField(null=True)
    address_class = models.CharField(max_length=20, null=True)
    # Of a signed token: the id of the key that vouches for the verified keys.
    signed_by = models.CharField(max_length=64, null=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["session", "number"]
        constraints = [models.UniqueConstraint(fields=["session", "number"], name="context_version_number")]

    def __str__(self) -> str:
        return f"{self.session_id} context v{self.number}"


class KeptWrite(models.Model):
    """What came of a write of a context that brought an Idempotency-Key, for whoever did not hear the answer."""

    session = models.ForeignKey(Session, on_delete=models.CASCADE, related_name="kept_writes", db_index=False)
    method = models.CharField(max_length=10)
    key = models.CharField(max_length=128)
    digest = models.CharField(max_length=64, help_text="Of what was sent, and by whom.")
    outcome = models.JSONField()
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["session", "method", "key"], name="kept_write_key_in_session")
        ]
        # What is past its time stands first.
        indexes = [models.Index(fields=["created_at"], name="kept_write_oldest")]

    def __str__(self) -> str:
        return f"{self.method} of {self.session_id}"
