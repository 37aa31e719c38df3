"""What was erased, for whom and when: counts, and nothing that the erased rows said."""

from __future__ import annotations

import uuid

from django.db import models
from django.utils import timezone
from django.utils.crypto import salted_hmac

from .tenants import Tenant


class Erasure(models.Model):
    """One user who was erased, or what a tenant's retention removed on one day.

    While it is under way it knows whom it is about; when it is done a keyed hash is left of that.
    """

    class Kind(models.TextChoices):
        USER = "user", "a user"
        RETENTION = "retention", "sessions past their time"
        KEYS = "keys", "values of keys past their time"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", db_index=False)
    kind = models.CharField(max_length=10, choices=Kind.choices, default=Kind.USER)
    user_id = models.CharField(max_length=255, blank=True, help_text="Empty as soon as it is done.")
    user_digest = models.CharField(max_length=64, blank=True)
    day = models.DateField(null=True, help_text="Of UTC's calendar; of what retention removes.")
    asked_by = models.CharField(max_length=300)
    created_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True)
    # Who works on it says so with each step: nobody else is sent meanwhile.
    touched_at = models.DateTimeField(default=timezone.now)
    # Ids of rows that are gone, and traces of which are perhaps still in the cache and among the days counted ahead.
    pending = models.JSONField(null=True)
    counts = models.JSONField(default=dict, help_text="How many rows and files, by what they were.")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "kind", "day"],
                name="erasure_once_a_day",
                condition=models.Q(day__isnull=False),
            )
        ]
        indexes = [
            models.Index(fields=["tenant", "-created_at"], name="erasure_tenant_newest"),
            # Few are under way.
            models.Index(
                fields=["touched_at"], name="erasure_under_way", condition=models.Q(finished_at__isnull=True)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.created_at:%Y-%m-%d %H:%M}"

    @staticmethod
    def digest_of(tenant_id: int, user_id: str) -> str:
        """Tells whoever has SECRET_KEY and the id that this user was erased, and nobody anything else."""
        return salted_hmac("chat.erasure", f"{tenant_id}:{user_id}", algorithm="sha256").hexdigest()
