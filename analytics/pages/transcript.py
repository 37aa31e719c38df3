"""A session as its page shows it: runs of messages, each beside the context that they were written under."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from chat import transcripts
from chat.models import ChatMessageHistory, ChatMessageHistoryExtra, Session, SessionContextVersion
from chat.provenance import token_names
from chat.reading import Difference, Reading, Row, differences, read_text
from chat.strict_json import dumps, same
from chat.transcripts import Range

from .origins import Came, came
from .words import Time, time_of
from .words import number as measured

PAGE: Final = 100
# Characters of a message before the rest is folded.
SHOWN: Final = 4_000
# Values that a context has kept from the one before, before they are folded.
MOST_KEPT: Final = 12
NOTHING: Final = "{}"
_ROLES: Final = {"user": "User", "mentor": "Mentor", "operator": "Operator", "service": "Service"}


@dataclass(frozen=True, slots=True)
class Said:
    """A message with its own words, folded where they are very long, and what it took."""

    message: ChatMessageHistory
    extra: ChatMessageHistoryExtra | None
    role: str
    words: str
    rest: str
    at: Time
    took: list[str]


@dataclass(frozen=True, slots=True)
class Known:
    """A snapshot; `changes` are against that of the message before."""

    number: int
    reading: Reading
    changes: list[Difference]
    is_first: bool
    came: Came | None = None

    @property
    def lines(self) -> list[tuple[Row, Difference | None]]:
        """The values, and what became of each; of a long context those that it has kept are folded."""
        return [line for line in self._all if line[1] or not self._folds]

    @property
    def folded(self) -> list[Row]:
        return [row for row, change in self._all if self._folds and not change]

    @property
    def _all(self) -> list[tuple[Row, Difference | None]]:
        changed = {change.label: change for change in self.changes}
        return [(row, changed.get(row.label)) for row in self.reading.rows]

    @property
    def _folds(self) -> bool:
        kept = sum(change is None for _, change in self._all)
        return not self.is_first and bool(self.changes) and kept > MOST_KEPT

    @property
    def removed(self) -> list[Difference]:
        return [change for change in self.changes if change.word == "removed"]

    @property
    def brief(self) -> list[tuple[str, str, int]]:
        """How many values were added, removed, changed: sign, word and count."""
        marks = dict.fromkeys((change.sign, change.word) for change in self.changes)
        return [(*mark, sum(one.word == mark[1] for one in self.changes)) for mark in marks]


@dataclass(frozen=True, slots=True)
class Run:
    known: Known
    said: list[Said]


@dataclass(frozen=True, slots=True)
class Transcript:
    runs: list[Run]
    span: Range


def transcript(session: Session, zone: ZoneInfo, *, before: int, after: int) -> Transcript:
    """One page, from the beginning or next to a number. Three queries, however long the session is."""
    span = Range.of(transcripts.count_messages(session), PAGE, before=before, after=after)
    # With the message before the first: what changed at the top of a page is told too.
    wider = Range(max(1, span.first - 1), span.last, span.count)
    messages = transcripts.messages(session, wider)
    stored = _stored(session, messages, zone)
    view = session.mentor.policy.view("operator")
    runs: list[Run] = []
    earlier: str | None = None
    for _, group in groupby(messages, _snapshot):
        found = list(group)
        number = _version_of(found[0])
        text = view.text(_text(_snapshot_of(found[0]), stored.versions.get(number)))
        shown = [_said(one, zone) for one in found if one.sequence >= span.first]
        if shown:
            runs.append(Run(_known(number, text, earlier, stored), shown))
        earlier = text
    return Transcript(runs, span)


@dataclass(frozen=True, slots=True)
class _Stored:
    """What a page's contexts are read from; `numbers` are those of its messages."""

    versions: dict[int, SessionContextVersion]
    tokens: dict[int, str]
    numbers: dict[UUID, int]
    zone: ZoneInfo


def _stored(session: Session, messages: list[ChatMessageHistory], zone: ZoneInfo) -> _Stored:
    used = {_version_of(one) for one in messages}
    versions = {row.number: row for row in session.context_versions.filter(number__in=used)}
    numbers = {one.pk: one.sequence for one in messages}
    return _Stored(versions, token_names(versions.values()), numbers, zone)


def _snapshot(message: ChatMessageHistory) -> tuple[int, str]:
    """What makes a run: the version, and the value itself."""
    return _version_of(message), dumps(_snapshot_of(message))


def _extra(message: ChatMessageHistory) -> ChatMessageHistoryExtra | None:
    return getattr(message, "extra", None)


def _version_of(message: ChatMessageHistory) -> int:
    extra = _extra(message)
    return extra.context_version if extra else 0


def _snapshot_of(message: ChatMessageHistory) -> dict[str, Any]:
    extra = _extra(message)
    return extra.metadata if extra else {}


def _text(snapshot: dict[str, Any], version: SessionContextVersion | None) -> str:
    """The snapshot; as the client spelled it, where its version says the same."""
    if version is not None and same(version.value, snapshot):
        return version.text
    return dumps(snapshot)


def _known(number: int, text: str, earlier: str | None, stored: _Stored) -> Known:
    version = stored.versions.get(number)
    return Known(
        number,
        read_text(text, version.verified_keys if version else ()),
        differences(earlier or NOTHING, text),
        earlier is None,
        came(version, stored.tokens, stored.numbers, stored.zone) if version else None,
    )


def _said(message: ChatMessageHistory, zone: ZoneInfo) -> Said:
    extra, words = _extra(message), message.own_words
    return Said(
        message,
        extra,
        _ROLES[message.role],
        words[:SHOWN],
        words[SHOWN:],
        time_of(message.created_at, zone),
        _took(extra) if extra else [],
    )


def _took(extra: ChatMessageHistoryExtra) -> list[str]:
    """The model and its usage, in words."""
    found = [extra.model] if extra.model else []
    if extra.prompt_tokens is not None and extra.completion_tokens is not None:
        found.append(f"{extra.prompt_tokens:,} + {extra.completion_tokens:,} tokens")
    if extra.ttft_ms is not None:
        found.append(f"first token {measured('ttft', extra.ttft_ms)}")
    if extra.duration_ms is not None:
        found.append(f"whole answer {measured('duration', extra.duration_ms)}")
    return found
