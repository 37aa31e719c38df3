"""What was asked to be carried away, and what became of it: exports, schedules, and the windows they opened."""

from __future__ import annotations

import uuid
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils import timezone

from chat.errors import InvalidFilter
from chat.filters import Filter, parse
from chat.models import ApiToken, Tenant


def check_query(value: object) -> None:
    """A stored query is a list of (name, text) that the filter's grammar reads."""
    if not isinstance(value, list) or not all(_is_pair(item) for item in value):
        raise ValidationError('This must be a list of pairs such as ["context.stateCode", "CA"].')
    try:
        parse((name, text) for name, text in value)
    except InvalidFilter as error:
        at = error.details[0]["pointer"] if error.details else ""
        raise ValidationError(f"{at}: {error.message}") from None


def _is_pair(item: object) -> bool:
    return isinstance(item, list) and len(item) == 2 and all(isinstance(text, str) for text in item)


class Wanted(models.Model):
    """Which rows, in which form: what a schedule hands on to each of its exports."""

    class Grain(models.TextChoices):
        MESSAGE = "message", "a row for each message"
        SESSION = "session", "a row for each session"

    class Format(models.TextChoices):
        CSV = "csv", "CSV"
        JSONL = "jsonl", "JSON lines"
        PARQUET = "parquet", "Parquet"

    # Null: the tenant is gone, and what was exported of it goes next.
    tenant = models.ForeignKey(Tenant, on_delete=models.SET_NULL, null=True, related_name="+")
    # The mentor that the asking token is bound to. Not a foreign key: one that went null would mean every mentor.
    mentor_id = models.BigIntegerField(null=True, editable=False)
    query = models.JSONField(default=list, blank=True, validators=[check_query], verbose_name="filter")
    grain = models.CharField(max_length=10, choices=Grain.choices, default=Grain.MESSAGE)
    format = models.CharField(max_length=10, choices=Format.choices, default=Format.CSV)
    columns = models.JSONField(default=list, blank=True, help_text="Empty: the usual ones.")
    context_keys = models.JSONField(
        default=list, blank=True, help_text="Paths that get a column ctx.PATH each."
    )
    formula_safety = models.BooleanField(
        default=True, help_text="CSV: what a spreadsheet would run is quoted."
    )
    bom = models.BooleanField(default=False, help_text="CSV: begin with a byte order mark.")

    class Meta:
        abstract = True

    def filter(self) -> Filter:
        """Raises InvalidFilter, should the grammar have changed since."""
        return parse((name, text) for name, text in self.query)

    def wanted(self) -> dict[str, Any]:
        """Every value of these fields, by name."""
        return {field.attname: getattr(self, field.attname) for field in Wanted._meta.local_fields}


class Export(Wanted):
    """One file that was asked for. Who runs it holds a lease; a fence shuts an earlier holder out."""

    class State(models.TextChoices):
        REQUESTED = "requested"
        RUNNING = "running"
        READY = "ready"
        FAILED = "failed"
        CANCELLED = "cancelled"
        EXPIRED = "expired"

    class Phase(models.TextChoices):
        """What a running one is at."""

        STARTING = "starting"
        READING = "reading"
        CLOSING = "closing"
        STORING = "storing"

    class Purpose(models.TextChoices):
        """The door that asked, where a door must know its own again."""

        EXPORT = "export"
        SCHEDULE = "schedule"
        SESSION_TASK = "session_task"
        USER_TASK = "user_task"
        REPORT = "report"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    purpose = models.CharField(max_length=15, choices=Purpose.choices, default=Purpose.EXPORT)
    name = models.CharField(
        max_length=300, blank=True, help_text="A report's name, a schedule's, or the user of a task."
    )
    asked_by = models.CharField(max_length=300, blank=True)
    token = models.ForeignKey(ApiToken, on_delete=models.SET_NULL, null=True, related_name="+")
    # Messages that were final, or sessions that began, from `since` on and before `until`. Null: at any time.
    since = models.DateTimeField(null=True, blank=True)
    until = models.DateTimeField(null=True, blank=True)
    state = models.CharField(max_length=10, choices=State.choices, default=State.REQUESTED)
    phase = models.CharField(max_length=10, choices=Phase.choices, default=Phase.STARTING)
    cancel_asked = models.BooleanField(default=False)
    error = models.CharField(max_length=500, blank=True)
    # Progress. `resume` is where to go on, in the work file's own words: null, from the start.
    rows = models.BigIntegerField(default=0)
    total = models.BigIntegerField(null=True, help_text="An estimate until it is ready.")
    bytes = models.BigIntegerField(default=0)
    resume = models.JSONField(null=True)
    holder = models.CharField(max_length=100, blank=True)
    lease_until = models.DateTimeField(null=True)
    fence = models.PositiveIntegerField(default=0)
    attempts = models.PositiveIntegerField(default=0)
    manifest = models.JSONField(null=True)
    file_name = models.CharField(max_length=200, blank=True, help_text="As a download is called.")
    stored_as = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)
    remade_at = models.DateTimeField(
        null=True, help_text="A user was erased: since then the file is made without them."
    )

    class Meta:
        indexes = [
            models.Index(fields=["tenant", "-created_at"], name="export_newest"),
            # The sweep's questions: few exports are under way, and few files wait to be removed.
            models.Index(
                fields=["created_at"],
                name="export_under_way",
                condition=models.Q(state__in=["requested", "running"]),
            ),
            models.Index(fields=["expires_at"], name="export_stored", condition=~models.Q(stored_as="")),
        ]

    def __str__(self) -> str:
        return self.file_name or str(self.id)

    @property
    def is_over(self) -> bool:
        return self.state not in UNDER_WAY

    @property
    def is_incremental(self) -> bool:
        return self.until is not None


UNDER_WAY = [Export.State.REQUESTED, Export.State.RUNNING]


class Schedule(Wanted):
    """An export that is asked for again and again, in the tenant's time zone."""

    class Every(models.TextChoices):
        HOUR = "hour", "hourly"
        DAY = "day", "daily"
        WEEK = "week", "weekly"
        MONTH = "month", "monthly"

    class Window(models.TextChoices):
        HOUR = "hour", "the hour before"
        DAY = "day", "the day before"
        WEEK = "week", "the week before, from Monday on"
        MONTH = "month", "the month before"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=200)
    every = models.CharField(max_length=5, choices=Every.choices, default=Every.DAY)
    hour = models.PositiveSmallIntegerField(
        default=3, validators=[MaxValueValidator(23)], help_text="Of the tenant's day; not for hourly ones."
    )
    weekday = models.PositiveSmallIntegerField(
        default=0, validators=[MaxValueValidator(6)], help_text="0 is Monday; for weekly ones."
    )
    day = models.PositiveSmallIntegerField(
        default=1,
        validators=[MinValueValidator(1), MaxValueValidator(31)],
        help_text="Of the month, or its last day where that is earlier; for monthly ones.",
    )
    window = models.CharField(max_length=5, choices=Window.choices, default=Window.DAY)
    active = models.BooleanField(default=True)
    asked_by = models.CharField(max_length=300, blank=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    # Every time that was due up to here has its window.
    opened_to = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["name", "id"]
        constraints = [models.UniqueConstraint(fields=["tenant", "name"], name="schedule_name_in_tenant")]

    def __str__(self) -> str:
        return self.name

    def save(self, **kwargs: Any) -> None:
        """What was due while a schedule was switched off is not made up for."""
        if self.active and Schedule.objects.filter(pk=self.pk, active=False).exists():
            self.opened_to = timezone.now()
        super().save(**kwargs)

    def clean(self) -> None:
        lengths = list(self.Every.values)
        if self.window in lengths and self.every in lengths[: lengths.index(self.window)]:
            raise ValidationError({"window": "A window is not longer than the time between two exports."})


class ScheduledWindow(models.Model):
    """A stretch of time that a schedule has exported, or is about to: there is one row, so it is done once."""

    schedule = models.ForeignKey(Schedule, on_delete=models.CASCADE, related_name="windows", db_index=False)
    start = models.DateTimeField()
    end = models.DateTimeField()
    due_at = models.DateTimeField()
    export = models.ForeignKey(Export, on_delete=models.SET_NULL, null=True, related_name="windows")

    class Meta:
        ordering = ["schedule", "-start"]
        constraints = [models.UniqueConstraint(fields=["schedule", "start"], name="window_of_schedule")]

    def __str__(self) -> str:
        return f"{self.schedule} {self.start:%Y-%m-%d %H:%M}"
