"""What an imported conversation comes to in the rows: the same as if it had been held at a door.

The context law is chat.client_context's, the message's text chat.prompts'; only ids and times are made here,
from the conversation itself, so that a second import makes the same ones.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from chat import client_context, prompts
from chat.client_context import InForce
from chat.delivery import Plan, deliver
from chat.models import Mentor
from chat.models.messages import uuid7
from chat.policies import Policy

from .files import Conversation, Turn
from .timing import Range, Written, times

DOOR = "import"
AUTHOR = "import"
BYTES_A_TOKEN = 4
CONTENT_TYPES = {"mentor": "text/markdown"}

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Table:
    name: str
    columns: tuple[str, ...]


SESSIONS = Table(
    "chat_session",
    (
        *("id", "tenant_id", "mentor_id", "user_id", "anonymous", "title", "metadata", "context_version"),
        *("context_digest", "next_sequence", "created_at", "updated_at", "turn_fence", "turn_holder"),
        "turn_stop",
    ),
)
VERSIONS = Table(
    "chat_sessioncontextversion",
    (
        *("session_id", "number", "text", "value", "verified_keys", "author", "door", "message_id"),
        "created_at",
    ),
)
MESSAGES = Table(
    "chat_chatmessagehistory",
    (
        *("id", "session_id", "sequence", "role", "message_type", "content", "text", "content_type"),
        *("metadata", "client_message_id", "payload_digest", "status", "created_at", "finished_at"),
    ),
)
EXTRAS = Table(
    "chat_chatmessagehistoryextra",
    (
        *("message_id", "session_id", "metadata", "context_version", "delivery", "mentor_version", "model"),
        *("finish_reason", "prompt_tokens", "completion_tokens", "ttft_ms", "duration_ms", "error"),
        *("page_content_length", "page_content_sha256", "page_content"),
    ),
)


@dataclass(frozen=True, slots=True)
class Message:
    """One message but for its ids and times."""

    turn: Turn
    content: str
    context: InForce
    version: int
    changed: bool


@dataclass(slots=True)
class Rows:
    """What is stored together; in the order in which the tables refer to each other."""

    sessions: list[Row] = field(default_factory=list)
    versions: list[Row] = field(default_factory=list)
    messages: list[Row] = field(default_factory=list)
    extras: list[Row] = field(default_factory=list)

    def by_table(self) -> list[tuple[Table, list[Row]]]:
        return [
            (SESSIONS, self.sessions),
            (VERSIONS, self.versions),
            (MESSAGES, self.messages),
            (EXTRAS, self.extras),
        ]


def session_id(conversation: Conversation, repeat: int) -> UUID:
    """A UUID4 by its form; by what it is, a hash of where the conversation goes and which copy it is."""
    name = "\0".join([conversation.tenant, conversation.conversation_id, str(repeat)])
    digest = hashlib.blake2b(name.encode(), digest_size=16, person=b"import").digest()
    return UUID(bytes=digest, version=4)


def messages(turns: tuple[Turn, ...], mentor: Mentor) -> list[Message]:
    """The context law over one conversation: a user's turn may change the context, everybody is under it."""
    now, version, found = InForce(), 0, []
    # The past is not judged; but what is never stored is not stored of it either.
    policy = Plan.of(mentor).policy
    policy = Policy(
        masked_when_stored=policy.masked_when_stored, views=policy.views, secrets=mentor.tenant.secrets
    )
    for number, turn in enumerate(turns):
        sent = turn.metadata if turn.role == "user" else None
        decision = client_context.decide(now, sent, verified=False, policy=policy)
        now, version = decision.context, version + decision.changed
        content = _content(turn, mentor, now.text, first=number == 0)
        found.append(Message(turn, content, now, version, decision.changed))
    return found


def _content(turn: Turn, mentor: Mentor, context: str, *, first: bool) -> str:
    """A user's message as the composer would have stored it; any other as it was."""
    if turn.role != "user":
        return turn.text
    delivered = deliver(Plan.of(mentor), mentor.context_delivery, context)
    greeting = ""
    if first:
        greeting = prompts.greeting_instructions(
            mentor.greeting_method, mentor.greeting_text, delivered.values
        )
    return prompts.compose_user_prompt(greeting, turn.text, "", delivered.in_message)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A conversation that is ready to be written as often as is asked."""

    conversation: Conversation
    mentor: Mentor
    messages: list[Message]

    @classmethod
    def of(cls, conversation: Conversation, mentor: Mentor) -> Prepared:
        return cls(conversation, mentor, messages(conversation.turns, mentor))

    def write(self, rows: Rows, session: UUID, within: Range, *, with_usage: bool) -> None:
        """Add its rows under this session id."""
        written = times(self.conversation.turns, within, str(session))
        rows.sessions.append(self._session(session, written))
        usage = iter(self._usage(written)) if with_usage else None
        noise = session.bytes[:6]
        for sequence, (message, at) in enumerate(zip(self.messages, written, strict=True), start=1):
            key = uuid7(int(at.created.timestamp() * 1000), noise + sequence.to_bytes(4))
            if message.changed:
                rows.versions.append(_version(session, message, key, at.created))
            rows.messages.append(_message(key, session, sequence, message, at))
            used = next(usage) if usage else NO_USAGE
            rows.extras.append(self._extra(key, session, message, used))

    def _session(self, session: UUID, written: list[Written]) -> Row:
        one, last = self.conversation, self.messages[-1]
        return (
            *(session, self.mentor.tenant_id, self.mentor.pk, one.user_id, False, ""),
            *(f'{{"client_context":{last.context.text}}}', last.version),
            *(last.context.digest if last.version else "", len(self.messages) + 1),
            *(written[0].created, written[-1].finished),
            *(sum(message.turn.role == "user" for message in self.messages), "", False),
        )

    def _extra(self, key: UUID, session: UUID, message: Message, usage: Row) -> Row:
        return (
            *(key, session, message.context.text, message.version, self.mentor.context_delivery),
            *(self.mentor.version, "", "", *usage, "", None, "", ""),
        )

    def _usage(self, written: list[Written]) -> Iterator[Row]:
        """Tokens and milliseconds of each answer as they might have been: estimates, not measurements."""
        said = len(self.mentor.system_prompt.encode())
        for message, at in zip(self.messages, written, strict=True):
            size = len(message.content.encode())
            took = round((at.finished - at.created).total_seconds() * 1000, 1)
            answer = (said // BYTES_A_TOKEN + 1, size // BYTES_A_TOKEN + 1, round(at.ttft * 1000, 1), took)
            yield answer if message.turn.role == "mentor" else NO_USAGE
            said += size


NO_USAGE: Row = (None, None, None, None)


def _version(session: UUID, message: Message, key: UUID, at: datetime) -> Row:
    text = message.context.text
    return (session, message.version, text, text, "[]", AUTHOR, DOOR, key, at)


def _message(key: UUID, session: UUID, sequence: int, message: Message, at: Written) -> Row:
    turn, from_user = message.turn, message.turn.role == "user"
    return (
        *(key, session, sequence, turn.role, "chat", message.content, turn.text if from_user else None),
        *(CONTENT_TYPES.get(turn.role, "text/plain"), "{}" if from_user else turn.metadata or "{}"),
        *(None, "", "complete", at.created, at.finished),
    )
