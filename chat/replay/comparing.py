"""What a replayed conversation left behind, held against what its file implies.

Reads the records directly: what the program's own readers say is not evidence about its writers.
"""

from __future__ import annotations

import json
import uuid
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from chat.models import ChatMessageHistory, ChatMessageHistoryExtra, Session, SessionContextVersion
from chat.replay.client import Played, Told
from chat.replay.law import Implied, ends_as_it_should, implied, same, same_spelling, stored_ending

_BATCH = 100


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not as the file implies; `turn` 0 is the conversation as a whole."""

    conversation_id: str
    turn: int
    what: str
    expected: Any
    found: Any


@dataclass(frozen=True, slots=True)
class Note:
    """Notes a difference where two JSON values are not equal."""

    conversation_id: str
    turn: int = 0

    def __call__(self, what: str, expected: Any, found: Any) -> Iterator[Difference]:
        if not same(expected, found):
            yield self.of(what, expected, found)

    def of(self, what: str, expected: Any, found: Any) -> Difference:
        return Difference(self.conversation_id, self.turn, what, expected, found)


@dataclass(slots=True)
class Kept:
    """All that is stored of one session."""

    session: Session | None = None
    versions: list[SessionContextVersion] = field(default_factory=list)
    messages: list[ChatMessageHistory] = field(default_factory=list)


@dataclass(slots=True)
class Findings:
    differences: list[Difference] = field(default_factory=list)
    turns: int = 0
    versions: int = 0


def compare(runs: Sequence[Played]) -> Findings:
    """Every difference of every conversation; one that broke off is compared as far as it went."""
    findings = Findings()
    for start in range(0, len(runs), _BATCH):
        batch = runs[start : start + _BATCH]
        kept = _read([played.session_id for played in batch])
        for played in batch:
            findings.differences += differences(played, kept[played.session_id])
            findings.turns += len(played.turns)
            findings.versions += len(kept[played.session_id].versions)
    return findings


def _read(ids: list[uuid.UUID]) -> dict[uuid.UUID, Kept]:
    kept: dict[uuid.UUID, Kept] = defaultdict(Kept)
    for session in Session.objects.filter(id__in=ids).select_related("tenant", "mentor"):
        kept[session.id].session = session
    for version in SessionContextVersion.objects.filter(session_id__in=ids).order_by("number"):
        kept[version.session_id].versions.append(version)
    messages = ChatMessageHistory.objects.filter(session_id__in=ids).select_related("extra")
    for message in messages.order_by("sequence"):
        kept[message.session_id].messages.append(message)
    return kept


def differences(played: Played, kept: Kept) -> list[Difference]:
    """What one conversation was told, and what is kept of it, beside what its file implies."""
    turns = list(implied(played.conversation.turns))
    found = list(_in_whole(played, kept, turns)) if not played.failure else [_broken_off(played)]
    for turn, told in zip(turns, played.turns, strict=False):
        found += _in_turn(played, turn, told, kept)
    return found


def _broken_off(played: Played) -> Difference:
    note = Note(played.conversation.conversation_id, len(played.turns) + 1)
    return note.of("the turn", "an end frame", played.failure)


def _in_whole(played: Played, kept: Kept, turns: list[Implied]) -> Iterator[Difference]:
    conversation, session, last = played.conversation, kept.session, turns[-1]
    note = Note(conversation.conversation_id)
    if session is None:
        yield from note("the session", str(played.session_id), None)
        return
    yield from note("the tenant", conversation.tenant, session.tenant.key)
    yield from note("the mentor", conversation.mentor, session.mentor.slug)
    yield from note("the user", conversation.user_id, session.user_id)
    yield from note("the session's client context", last.value, session.metadata.get("client_context"))
    yield from note("the session's context version", last.version, session.context_version)
    sequences = [message.sequence for message in kept.messages]
    yield from note("the sequences", list(range(1, 2 * len(turns) + 1)), sequences)
    yield from _in_versions(note, [turn for turn in turns if turn.changed], kept.versions)


def _in_versions(
    note: Note, expected: list[Implied], found: list[SessionContextVersion]
) -> Iterator[Difference]:
    yield from note("the version numbers", [turn.version for turn in expected], [row.number for row in found])
    for turn, row in zip(expected, found, strict=False):
        yield from note(f"the value of version {row.number}", turn.value, row.value)
        sent = json.dumps(turn.value, ensure_ascii=False)
        if not same_spelling(sent, row.text):
            yield note.of(f"the text of version {row.number}", sent, row.text)


def _in_turn(played: Played, turn: Implied, told: Told, kept: Kept) -> Iterator[Difference]:
    note = Note(played.conversation.conversation_id, turn.number)
    yield from _in_frames(note, turn, told)
    rows = {message.sequence: message for message in kept.messages}
    question, answer = rows.get(turn.sequence), rows.get(turn.sequence + 1)
    if kept.session is None or question is None or answer is None:
        yield from note("the two messages", ["stored", "stored"], [_presence(question), _presence(answer)])
        return
    delivery = kept.session.mentor.context_delivery
    yield from _in_message(note, "user", turn, delivery, question)
    yield from _in_message(note, "mentor", turn, delivery, answer)
    yield from _in_question(note, turn, told, question, turn.value if delivery == "user_block" else {})
    yield from _in_answer(note, told, answer)


def _presence(row: ChatMessageHistory | None) -> str:
    return "missing" if row is None else "stored"


def _in_frames(note: Note, turn: Implied, told: Told) -> Iterator[Difference]:
    context = told.start.get("context") or {}
    own_id = told.start.get("client_message_id")
    yield from note("the first frame's context version", turn.version, context.get("version"))
    yield from note("the first frame's context change", turn.changed, context.get("changed"))
    yield from note("the first frame's client_message_id", told.client_message_id, own_id)
    yield from note("the first frame's sequence", turn.sequence + 1, told.start.get("sequence"))
    yield from note("the end frame's sequence", turn.sequence + 1, told.end.get("sequence"))
    yield from note("the end frame's status", "complete", told.end.get("status"))
    yield from note("the event numbers", list(range(1, len(told.events) + 1)), list(told.events))


def _in_message(
    note: Note, role: str, turn: Implied, delivery: str, row: ChatMessageHistory
) -> Iterator[Difference]:
    extra = getattr(row, "extra", _NO_EXTRA)
    yield from note(f"the {role} message's role", role, row.role)
    yield from note(f"the {role} message's status", "complete", row.status)
    yield from note(f"the {role} message's snapshot", turn.value, extra.metadata)
    yield from note(f"the {role} message's context version", turn.version, extra.context_version)
    yield from note(f"the {role} message's delivery", delivery, extra.delivery)


# A message that lost its extra differs from every turn.
_NO_EXTRA = ChatMessageHistoryExtra(metadata=None, context_version=-1)


def _in_question(
    note: Note, turn: Implied, told: Told, row: ChatMessageHistory, shown: dict[str, Any]
) -> Iterator[Difference]:
    yield from note("the user message's id", told.start.get("user_message_id"), str(row.id))
    yield from note("the user message's client_message_id", told.client_message_id, row.client_message_id)
    yield from note("the user's own words", turn.text, row.content if row.text is None else row.text)
    if not ends_as_it_should(row.content, turn.text, shown):
        yield note.of("the end of the stored content", stored_ending(turn.text, shown), row.content)


def _in_answer(note: Note, told: Told, row: ChatMessageHistory) -> Iterator[Difference]:
    yield from note("the answer's id", told.start.get("message_id"), str(row.id))
    yield from note("the answer's id at its end", told.end.get("message_id"), str(row.id))
    yield from note("the answer's text", told.text, row.content)
