"""Tenants, their mentors with every version of their prompts, and their API tokens."""

from __future__ import annotations

import hashlib
import secrets
import uuid
import zoneinfo
from datetime import datetime
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models, transaction
from django.utils import timezone

from ..errors import InvalidFilter
from ..filters import read_path, written_path
from ..origins import check_pattern
from ..policies import Policy, policy_of
from ..policies import check as check_policy
from ..schemas import InvalidSchema

MOST_PINNED_KEYS = 8


def _check_time_zone(name: str) -> None:
    if name not in zoneinfo.available_timezones():
        raise ValidationError(f"{name!r} is not an IANA time zone.")


def _check_strings(value: object) -> None:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ValidationError("This must be a list of strings.")


def _check_pinned_keys(value: object) -> None:
    _check_strings(value)
    if isinstance(value, list) and (len(value) > MOST_PINNED_KEYS or len(set(value)) < len(value)):
        raise ValidationError(f"At most {MOST_PINNED_KEYS} keys may be pinned, each once.")
    for key in value if isinstance(value, list) else ():
        try:
            check_pinned_key(key)
        except ValueError as error:
            raise ValidationError(f"{key!r} {error}") from None


def check_pinned_key(key: str) -> str:
    """A key as filters write it, such as `order.region`, and nothing else. Raises ValueError."""
    try:
        written = written_path(read_path(key, key)[0])
    except InvalidFilter:
        raise ValueError("must be a key as filters write it, such as order.region.") from None
    if written != key:
        raise ValueError(f"must be written as {written}.")
    return key


def _check_origins(value: object) -> None:
    _check_strings(value)
    for text in value if isinstance(value, list) else ():
        try:
            check_pattern(text)
        except ValueError as error:
            raise ValidationError(f"{text!r} {error}") from None


def _check_object(value: object) -> None:
    if not isinstance(value, dict):
        raise ValidationError("This must be an object.")


def _check_labels(value: object) -> None:
    if not isinstance(value, dict) or not all(isinstance(label, str) and label for label in value.values()):
        raise ValidationError("This must be an object of texts.")


def _check_schema(text: str) -> None:
    try:
        check_policy(text)
    except InvalidSchema as error:
        raise ValidationError(
            [f"{one['pointer'] or '/'}: {one['message']}" for one in error.details]
        ) from None


class Tenant(models.Model):
    """An organisation; it owns mentors, tokens and sessions."""

    class Secrets(models.TextChoices):
        KEEP = "keep", "stored as they are"
        MASK = "mask", "stored as •••1234"
        REFUSE = "refuse", "left out of the context"

    key = models.SlugField(
        max_length=100, unique=True, help_text="The name that clients send as flow.tenant."
    )
    name = models.CharField(max_length=200)
    time_zone = models.CharField(max_length=64, default="UTC", validators=[_check_time_zone])
    pinned_keys = models.JSONField(
        default=list,
        blank=True,
        validators=[_check_pinned_keys],
        help_text='Up to eight keys of the client context that are counted ahead, such as "order.region".',
    )
    retention_days = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MaxValueValidator(36_500)],
        help_text="Sessions are removed so many days after the last that happened in them. Empty takes "
        "RETENTION_DAYS of the environment; 0 keeps them.",
    )
    secrets = models.CharField(
        max_length=10,
        choices=Secrets.choices,
        default=Secrets.KEEP,
        db_default=Secrets.KEEP,
        help_text="What becomes of passwords, keys and card numbers in a client context.",
    )
    members = models.ManyToManyField(
        settings.AUTH_USER_MODEL,
        blank=True,
        related_name="tenants",
        help_text="Staff who may see this tenant; superusers see all.",
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["key"]

    def __str__(self) -> str:
        return self.key

    @transaction.atomic
    def save(self, **kwargs: Any) -> None:
        """Store the tenant; what its mentors' turns must know of it counts from their next one."""
        before = Tenant.objects.filter(pk=self.pk).values_list("secrets", flat=True).first()
        super().save(**kwargs)
        if before not in (None, self.secrets):
            self.mentors.update(revision=models.F("revision") + 1)

    @property
    def kept_days(self) -> int:
        """How long a session is kept after the last that happened in it; 0: for ever."""
        return settings.RETENTION_DAYS if self.retention_days is None else self.retention_days


class Prompting(models.Model):
    """What decides a prompt: copied whole into each MentorVersion, so that old prompts can be rebuilt."""

    class GreetingMethod(models.TextChoices):
        PROACTIVE_PROMPT = "proactive_prompt", "the model greets by these instructions"
        PROACTIVE_RESPONSE = "proactive_response", "the user is greeted with this text"

    class Delivery(models.TextChoices):
        USER_BLOCK = "user_block", "a block at the end of the user's message"
        SYSTEM_PROMPT = "system_prompt", "a block at the end of the system prompt"
        OFF = "off", "not shown to the model"

    class SchemaMode(models.TextChoices):
        ENFORCE = "enforce", "what it does not allow is refused"
        WARN = "warn", "what it does not allow is taken, with a warning"
        STRIP = "strip", "what it does not know is left out, the rest refused"

    system_prompt = models.TextField(blank=True)
    greeting_method = models.CharField(
        max_length=20, choices=GreetingMethod.choices, default=GreetingMethod.PROACTIVE_RESPONSE
    )
    greeting_text = models.TextField(blank=True)
    model = models.CharField(
        max_length=200, blank=True, help_text="Empty takes LLM_MODEL of the environment."
    )
    model_parameters = models.JSONField(default=dict, blank=True, validators=[_check_object])
    history_window = models.PositiveIntegerField(
        default=20,
        validators=[MinValueValidator(0), MaxValueValidator(500)],
        help_text="How many earlier messages the model is shown.",
    )
    context_delivery = models.CharField(max_length=20, choices=Delivery.choices, default=Delivery.USER_BLOCK)
    context_keys = models.JSONField(
        default=list,
        blank=True,
        validators=[_check_strings],
        help_text='The keys that the model is shown, the most important first; "*" stands for all others. '
        "Empty: all of them, as they were sent.",
    )
    context_labels = models.JSONField(
        default=dict,
        blank=True,
        validators=[_check_labels],
        help_text='What the model reads for a key, such as {"stateCode": "US state"}.',
    )
    context_budget = models.PositiveIntegerField(
        null=True,
        blank=True,
        help_text="Tokens (of four bytes) that the context may take; what does not fit is left out.",
    )
    mark_verified = models.BooleanField(
        default=False, help_text="The model is told which values the tenant's own server stands for."
    )
    context_schema = models.TextField(
        blank=True,
        validators=[_check_schema],
        help_text="JSON Schema (2020-12) of the context, with the policy of its keys. Empty: any object.",
    )
    schema_mode = models.CharField(
        max_length=10, choices=SchemaMode.choices, default=SchemaMode.ENFORCE, verbose_name="what it does"
    )

    class Meta:
        abstract = True

    @property
    def policy(self) -> Policy:
        """Of its keys. Who reads what is stored is subject to the mentor's present one."""
        return policy_of(self.context_schema, self.schema_mode)

    def prompting(self) -> dict[str, Any]:
        """Every value that decides a prompt, by field name."""
        return {field.name: getattr(self, field.name) for field in Prompting._meta.local_fields}


class Mentor(Prompting):
    """A configured assistant of one tenant."""

    class Continuation(models.TextChoices):
        SESSION_TOKEN = "session_token", "with the session's token"
        SESSION_ID = "session_id", "with the bare session id (public ibl.ai clients)"

    unique_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="mentors")
    slug = models.SlugField(max_length=100)
    name = models.CharField(max_length=200)
    description = models.TextField(blank=True)
    starter_prompts = models.JSONField(default=list, blank=True, validators=[_check_strings])
    keep_page_content = models.BooleanField(
        default=False, help_text="Off: of page content only its length and SHA-256 are stored."
    )
    allow_metadata_in_prompt = models.BooleanField(
        default=False,
        help_text="Visitors may have their context put into the system prompt, by include_metadata_in_prompt.",
    )
    show_context = models.BooleanField(
        default=False, help_text="Users of the embedded frame are shown what the mentor knows of them."
    )
    allow_anonymous = models.BooleanField(default=False)
    anonymous_continuation = models.CharField(
        max_length=20, choices=Continuation.choices, default=Continuation.SESSION_TOKEN
    )
    allowed_origins = models.JSONField(
        default=list,
        blank=True,
        validators=[_check_origins],
        help_text="Origins of pages that may frame this mentor and talk to it, such as https://example.org, "
        "https://*.example.org or http://localhost:*; * is any.",
    )
    is_active = models.BooleanField(default=True)
    version = models.PositiveIntegerField(default=0, editable=False)
    # Counts every save: running processes compare it in each turn, so a cached mentor is never stale.
    revision = models.PositiveIntegerField(default=0, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["tenant", "slug"]
        constraints = [models.UniqueConstraint(fields=["tenant", "slug"], name="mentor_slug_in_tenant")]

    def __str__(self) -> str:
        return f"{self.tenant}/{self.slug}"

    @transaction.atomic
    def save(self, **kwargs: Any) -> None:
        """Store the mentor, and a new MentorVersion where anything that decides a prompt has changed."""
        kwargs.pop("update_fields", None)
        row = Mentor.objects.select_for_update().filter(pk=self.pk)
        stored = row.values_list("revision", flat=True).first()
        latest = self.versions.first() if self.pk else None
        changed = latest is None or latest.prompting() != self.prompting()
        self.version = (latest.number if latest else 0) + changed
        # Of two who loaded the same row, the second's must be another.
        self.revision = max(stored or 0, self.revision) + 1
        super().save(**kwargs)
        if changed:
            MentorVersion.objects.create(mentor=self, number=self.version, **self.prompting())


class MentorVersion(Prompting):
    """A mentor's prompting as it once was. Append only."""

    mentor = models.ForeignKey(Mentor, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["-number"]
        constraints = [models.UniqueConstraint(fields=["mentor", "number"], name="mentor_version_number")]

    def __str__(self) -> str:
        return f"{self.mentor} v{self.number}"


class ApiToken(models.Model):
    """A secret of one tenant (or of one mentor of it), stored as its SHA-256."""

    class Scope(models.TextChoices):
        READ_ALL = "read_all", "read"
        WRITE_ALL = "write_all", "read and write"
        ERASE_ALL = "erase_all", "erase users, and nothing else"

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="tokens")
    mentor = models.ForeignKey(
        Mentor,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        help_text="Empty: every mentor of the tenant.",
    )
    name = models.CharField(max_length=200)
    prefix = models.CharField(max_length=12, editable=False)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    scope = models.CharField(max_length=20, choices=Scope.choices, default=Scope.READ_ALL)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at"]
        verbose_name = "API token"

    def __str__(self) -> str:
        return f"{self.prefix}… ({self.name})"

    @staticmethod
    def digest_of(secret: str) -> str:
        # 256 random bits need no salt and no slow hash; a plain SHA-256 keeps the lookup indexed and cheap.
        return hashlib.sha256(secret.encode()).hexdigest()

    @classmethod
    def issue(
        cls,
        tenant: Tenant,
        *,
        scope: str,
        name: str,
        mentor: Mentor | None = None,
        expires_at: datetime | None = None,
        secret: str | None = None,
    ) -> tuple[ApiToken, str]:
        """A stored token and its secret, which nobody can show again."""
        secret = secret or f"mk_{secrets.token_urlsafe(32)}"
        token = cls.objects.create(
            tenant=tenant,
            mentor=mentor,
            scope=scope,
            name=name,
            expires_at=expires_at,
            prefix=secret[:8],
            digest=cls.digest_of(secret),
        )
        return token, secret

    def revoke(self) -> None:
        self.revoked_at = timezone.now()
        self.save(update_fields=["revoked_at"])
