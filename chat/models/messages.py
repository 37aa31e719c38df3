"""Messages, and beside each what was known and measured when it was written."""

from __future__ import annotations

import os
import time
import uuid
from typing import Any

from django.db import models
from django.utils import timezone

from .sessions import Session
from .tenants import Prompting

# Of an extra: that there is something measured in it, as the index of those says it.
MEASURED = (
    "(ttft_ms IS NOT NULL OR duration_ms IS NOT NULL "
    "OR prompt_tokens IS NOT NULL OR completion_tokens IS NOT NULL)"
)


def message_id() -> uuid.UUID:
    """A UUID version 7 (RFC 9562): in time order, so that the index of a large table grows at one end."""
    return uuid7(time.time_ns() // 1_000_000, os.urandom(10))


def uuid7(milliseconds: int, noise: bytes) -> uuid.UUID:
    """The one of this moment; `noise` are ten bytes."""
    value = (milliseconds << 80) | int.from_bytes(noise, "big")
    value = (value & ~(0xF << 76)) | (0x7 << 76)
    value = (value & ~(0x3 << 62)) | (0x2 << 62)
    return uuid.UUID(int=value)


class ChatMessageHistory(models.Model):
    """One message of a session. The sequence counts 1, 2, 3 … without gaps."""

    class Role(models.TextChoices):
        USER = "user"
        MENTOR = "mentor"
        OPERATOR = "operator"
        SERVICE = "service"

    class Status(models.TextChoices):
        COMPLETE = "complete"
        STREAMING = "streaming"
        STOPPED = "stopped"
        INTERRUPTED = "interrupted"
        FAILED = "failed"

    id = models.UUIDField(primary_key=True, default=message_id, editable=False)
    session = models.ForeignKey(Session, on_delete=models.CASCADE, related_name="messages", db_index=False)
    sequence = models.PositiveIntegerField()
    role = models.CharField(max_length=10, choices=Role.choices)
    message_type = models.CharField(max_length=20, default="chat")
    content = models.TextField(
        blank=True, help_text="With the context block's markers, without page content."
    )
    text = models.TextField(null=True, blank=True, help_text="The sender's own words; empty: the content is.")
    content_type = models.CharField(max_length=100, default="text/plain")
    metadata = models.JSONField(default=dict, help_text="What the sender attached to this message.")
    # The hot path's statements name none of these: the database fills them in.
    rejected_metadata = models.JSONField(
        null=True, help_text="Keys of it that the sender may not set: kept, and shown as nobody's word."
    )
    filenames = models.JSONField(null=True)
    sender_id = models.CharField(
        max_length=255, blank=True, db_default="", help_text="Empty: the session's user, or its mentor."
    )
    deleted_at = models.DateTimeField(
        null=True, help_text="Since then only its place and its snapshot are left."
    )
    client_message_id = models.CharField(max_length=128, null=True, blank=True)
    payload_digest = models.CharField(max_length=64, blank=True, editable=False)
    status = models.CharField(max_length=12, choices=Status.choices, default=Status.COMPLETE)
    created_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["session", "sequence"]
        constraints = [
            # In order within its session: the read of every history, and the guard of the count.
            models.UniqueConstraint(fields=["session", "sequence"], name="message_sequence_in_session"),
            models.UniqueConstraint(
                fields=["session", "client_message_id"],
                name="message_client_id_in_session",
                condition=models.Q(client_message_id__isnull=False),
            ),
        ]
        indexes = [
            models.Index(fields=["-created_at"], name="message_newest"),
            # The admin's search by what a client's log shows, also by how it begins.
            models.Index(
                fields=["client_message_id"],
                name="message_client_id",
                opclasses=["varchar_pattern_ops"],
                condition=models.Q(client_message_id__isnull=False),
            ),
            # What went wrong lately is a thin slice of a large table.
            models.Index(
                fields=["-created_at"], name="message_unfinished", condition=~models.Q(status="complete")
            ),
            # How many answers of a session came to nothing.
            models.Index(
                fields=["session"],
                name="message_failed",
                condition=models.Q(status__in=("failed", "interrupted")),
            ),
            # What a user who is erased said in sessions of others; few messages name their sender.
            models.Index(fields=["sender_id"], name="message_sender", condition=~models.Q(sender_id="")),
            # What was taken out of a session since a reader last looked.
            models.Index(
                fields=["session", "deleted_at"],
                name="message_deleted",
                condition=models.Q(deleted_at__isnull=False),
            ),
        ]
        verbose_name = "message"

    def __str__(self) -> str:
        return f"{self.session_id} #{self.sequence}"

    @property
    def own_words(self) -> str:
        return self.content if self.text is None else self.text


class ChatMessageHistoryExtra(models.Model):
    """The snapshot of a message, and of an answer how it came about."""

    message = models.OneToOneField(
        ChatMessageHistory, on_delete=models.CASCADE, primary_key=True, related_name="extra"
    )
    # The message's own, once more: what answers took and cost is read by session from one index alone. It goes
    # with its message, and nothing else need be checked of it.
    session = models.ForeignKey(
        Session,
        on_delete=models.DO_NOTHING,
        related_name="extras",
        db_index=False,
        db_constraint=False,
        editable=False,
    )
    metadata = models.JSONField(
        default=dict, help_text="The client context that the message was written under."
    )
    context_version = models.PositiveIntegerField(default=0)
    delivery = models.CharField(max_length=20, choices=Prompting.Delivery.choices, blank=True)
    left_out = models.JSONField(
        null=True, help_text="Keys of the context that the model was not given, and why; null: none."
    )
    mentor_version = models.PositiveIntegerField(default=0)
    model = models.CharField(max_length=200, blank=True)
    finish_reason = models.CharField(max_length=50, blank=True)
    prompt_tokens = models.PositiveIntegerField(null=True)
    completion_tokens = models.PositiveIntegerField(null=True)
    ttft_ms = models.FloatField(null=True, help_text="Milliseconds to the first token.")
    duration_ms = models.FloatField(null=True)
    error = models.CharField(max_length=300, blank=True)
    page_content_length = models.PositiveIntegerField(null=True, help_text="Bytes, as shown to the model.")
    page_content_sha256 = models.CharField(max_length=64, blank=True)
    page_content = models.TextField(blank=True)

    def __str__(self) -> str:
        return f"extra of {self.message_id}"

    def save(self, **kwargs: Any) -> None:
        self.session_id = self.message.session_id
        super().save(**kwargs)


class MessageDebug(models.Model):
    """What a sender attached for those who look for faults: apart, so that no list of messages reads it."""

    message = models.OneToOneField(
        ChatMessageHistory, on_delete=models.CASCADE, primary_key=True, related_name="debug"
    )
    data = models.JSONField()

    def __str__(self) -> str:
        return f"debug of {self.message_id}"
