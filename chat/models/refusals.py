"""What was refused of a mentor's payloads, or cut or kept out of them: counted, and never kept."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import connection, models

from .tenants import Mentor, Tenant

LONGEST_POINTER = 255
LONGEST_MESSAGE = 500


class Refusal(models.Model):
    """How often something was refused, cut or kept out at a place of a mentor's payloads, on one day at one door.

    It has no value and no text that somebody sent, but for the keys of the pointer.
    """

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", db_index=False)
    mentor = models.ForeignKey(Mentor, on_delete=models.CASCADE, related_name="+", db_index=False)
    day = models.DateField(help_text="Of UTC's calendar.")
    code = models.CharField(max_length=50)
    pointer = models.CharField(max_length=LONGEST_POINTER)
    door = models.CharField(max_length=20)
    count = models.PositiveIntegerField()
    last_at = models.DateTimeField()
    last_message = models.CharField(max_length=LONGEST_MESSAGE, help_text="What the client was told.")
    # As it was sent: what was refused made no session.
    last_session = models.UUIDField(null=True)

    class Meta:
        constraints = [
            # Also what coverage reads by: a mentor's days.
            models.UniqueConstraint(
                fields=["mentor", "day", "code", "pointer", "door"], name="refusal_once_a_day"
            )
        ]
        indexes = [
            # The newest of a tenant, for staff; and its rows, for when it goes.
            models.Index(fields=["tenant", "-day"], name="refusal_tenant_newest"),
            # What is past its time.
            models.Index(fields=["day"], name="refusal_day"),
            # What names a session that is removed.
            models.Index(
                fields=["last_session"],
                name="refusal_session",
                condition=models.Q(last_session__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.code} {self.pointer} at {self.door}"


_COLUMNS = [field for field in Refusal._meta.concrete_fields if not field.primary_key]
_UPSERT = f"""
INSERT INTO chat_refusal ({", ".join(str(field.column) for field in _COLUMNS)})
VALUES ({", ".join(["%s"] * len(_COLUMNS))})
ON CONFLICT (mentor_id, day, code, pointer, door) DO UPDATE SET count = chat_refusal.count + excluded.count,
  last_at = excluded.last_at, last_message = excluded.last_message,
  last_session = COALESCE(excluded.last_session, chat_refusal.last_session)
"""  # noqa: S608 -- the columns are ours


def add(rows: Sequence[Refusal]) -> None:
    """Add these counts to those of the day; for a transaction of the caller's."""
    # One order for all processes: they wait for each other's rows, and not in a circle.
    rows = sorted(rows, key=lambda one: (one.mentor_id, one.day, one.code, one.pointer, one.door))
    with connection.cursor() as cursor:
        cursor.executemany(
            _UPSERT,
            [[f.get_db_prep_save(getattr(one, f.attname), connection) for f in _COLUMNS] for one in rows],
        )
