"""What was counted ahead: each tenant's past days, by its pinned keys, so that a long range need not be read.

Rollups are PostgreSQL's. They are kept by `chat.rollups`, and right by this: a session older than a day that
changes leaves a mark in the same transaction (a trigger does it, so nothing can forget to), and a day that has
a mark is read from its rows until it has been counted again.
"""

from __future__ import annotations

from django.db import models

from .tenants import Mentor, Tenant

TOTAL = -1


class RollupMark(models.Model):
    """A session of this tenant that began then has changed. No foreign key: the tenant may be going."""

    tenant_id = models.BigIntegerField()
    at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["tenant_id", "at"], name="rollup_mark_day")]

    def __str__(self) -> str:
        return f"{self.tenant_id} {self.at}"


class RollupDay(models.Model):
    """A day of the tenant's calendar that was counted, with what it was counted by."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", db_index=False)
    day = models.DateField()
    # Of the time zone and the pinned keys: when either changes, the day counts as not counted.
    fingerprint = models.CharField(max_length=32)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "day"], name="rollup_day")]

    def __str__(self) -> str:
        return f"{self.tenant_id} {self.day}"


class Rollup(models.Model):
    """Counts of one day, mentor, and value of one or two pinned keys (by their places in the tenant's list)."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", db_index=False)
    mentor = models.ForeignKey(Mentor, on_delete=models.CASCADE, related_name="+", db_index=False)
    day = models.DateField()
    key = models.SmallIntegerField(default=TOTAL)
    other_key = models.SmallIntegerField(default=TOTAL)
    # JSON's null is a value; SQL's says that the session has no such key.
    value = models.JSONField(null=True)
    other_value = models.JSONField(null=True)
    sessions = models.IntegerField()
    messages = models.IntegerField()
    failures = models.IntegerField()
    prompt_tokens = models.BigIntegerField()
    completion_tokens = models.BigIntegerField()

    class Meta:
        indexes = [
            models.Index(
                fields=["tenant", "key", "other_key", "day"],
                include=[
                    *("mentor", "value", "other_value", "sessions"),
                    *("messages", "failures", "prompt_tokens", "completion_tokens"),
                ],
                name="rollup_read",
            )
        ]

    def __str__(self) -> str:
        return f"{self.tenant_id} {self.day} {self.key} {self.other_key}"
