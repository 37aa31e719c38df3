"""Every column that an export can have: its name, its kind, and where it comes from in each database.

SQL is PostgreSQL's, over the aliases that `exports.statements` joins: m message, e extra, s session with what is
one for it; of a session's rows a answers, x what they took, f the first prompt. `read` says the same of a record
that Python holds.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from chat.errors import InvalidFilter, InvalidPayload
from chat.filters import read_path
from chat.filters.conditions import Path
from chat.transcripts import LONGEST_TITLE, READ_FOR_TITLE
from chat.wire_names import ROLES

from .records import MessageRecord, SessionRecord

Grain = Literal["message", "session"]
# text: anybody's words. word: an id or a name of ours, which nothing needs to be escaped in. json: a document.
# context: a client context, whose text is its version's. value: what stands at a path of a context.
Kind = Literal["text", "word", "json", "context", "value", "time", "integer", "real", "flag"]
# What all values of a key are, where that is one JSON type.
ValueType = Literal["string", "integer", "number", "boolean", "json"]

SCHEMA_VERSION: Final = 1
MOST_CONTEXT_KEYS: Final = 100
_UNSTORABLE: Final = re.compile("[\0\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Column:
    """One column. `sql` is an expression: of a context or a `value`, the context's jsonb."""

    name: str
    kind: Kind
    sql: str
    read: Callable[[Any], Any]
    path: Path = ()
    # Of a `value`, once it is known; only Parquet asks.
    value_type: ValueType = "json"

    def typed(self, value_type: ValueType) -> Column:
        return replace(self, value_type=value_type)


_TYPES: Final = ROLES["ibl"]
_WHENS = " ".join(f"WHEN '{ours}' THEN '{theirs}'" for ours, theirs in _TYPES.items())
_TYPE_SQL = f"CASE m.role {_WHENS} END"
SNAPSHOT: Final = "e.metadata"
OWN_WORDS: Final = "COALESCE(m.text, m.content)"
STORED_CONTENT: Final = "m.content"
_IN_FORCE: Final = "(s.metadata -> 'client_context')"
# As chat.transcripts makes a title of a first prompt; the blanks are those of Python's split().
_BLANKS = r"[\t\n\v\f\r\x1c-\x1f \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+"
_LINE = f"btrim(regexp_replace(left(f.words, {READ_FOR_TITLE}), '{_BLANKS}', ' ', 'g'))"
_CUT = f"regexp_replace(left({_LINE}, {LONGEST_TITLE}), ' [^ ]*$', '') || '…'"
_TITLE_SQL = f"CASE WHEN s.title <> '' THEN s.title WHEN length({_LINE}) <= {LONGEST_TITLE} THEN {_LINE} "
_TITLE_SQL += f"ELSE COALESCE({_CUT}, '') END"


def _message(name: str, kind: Kind, sql: str, read: Callable[[MessageRecord], Any]) -> Column:
    return Column(name, kind, sql, read)


def _session(name: str, kind: Kind, sql: str, read: Callable[[SessionRecord], Any]) -> Column:
    return Column(name, kind, sql, read)


_OF_MESSAGES: Final = (
    _message("message_id", "word", "m.id", lambda r: r.message.id),
    _message("session_id", "word", "m.session_id", lambda r: r.message.session_id),
    _message("sequence", "integer", "m.sequence", lambda r: r.message.sequence),
    _message("type", "word", _TYPE_SQL, lambda r: _TYPES[r.message.role]),
    _message("role", "word", "m.role", lambda r: r.message.role),
    _message("status", "word", "m.status", lambda r: r.message.status),
    _message("content", "text", OWN_WORDS, lambda r: r.message.own_words),
    _message("stored_content", "text", STORED_CONTENT, lambda r: r.stored_content),
    _message("content_type", "text", "m.content_type", lambda r: r.message.content_type),
    _message("timestamp", "time", "m.created_at", lambda r: r.message.created_at),
    _message("finished_at", "time", "m.finished_at", lambda r: r.message.finished_at),
    _message("client_context", "context", SNAPSHOT, lambda r: r.shown_text),
    _message("context_version", "integer", "e.context_version", lambda r: r.extra.context_version),
    _message("tenant", "text", "s.tenant_key", lambda r: r.message.session.tenant.key),
    _message("mentor", "text", "s.mentor_slug", lambda r: r.message.session.mentor.slug),
    _message("mentor_unique_id", "word", "s.mentor_unique_id", lambda r: r.message.session.mentor.unique_id),
    _message("mentor_version", "integer", "e.mentor_version", lambda r: r.extra.mentor_version),
    _message("user", "text", "s.user_id", lambda r: r.message.session.user_id),
    _message("anonymous", "flag", "s.anonymous", lambda r: r.message.session.anonymous),
    _message("model", "text", "e.model", lambda r: r.extra.model),
    _message("finish_reason", "text", "e.finish_reason", lambda r: r.extra.finish_reason),
    _message("prompt_tokens", "integer", "e.prompt_tokens", lambda r: r.extra.prompt_tokens),
    _message("completion_tokens", "integer", "e.completion_tokens", lambda r: r.extra.completion_tokens),
    _message("ttft_ms", "real", "e.ttft_ms", lambda r: r.extra.ttft_ms),
    _message("duration_ms", "real", "e.duration_ms", lambda r: r.extra.duration_ms),
    _message("error", "text", "e.error", lambda r: r.extra.error),
    _message("message_metadata", "json", "m.metadata", lambda r: r.metadata_text),
    _message("client_message_id", "text", "m.client_message_id", lambda r: r.message.client_message_id),
    _message("delivery", "word", "e.delivery", lambda r: r.extra.delivery),
    _message(
        "page_content_length", "integer", "e.page_content_length", lambda r: r.extra.page_content_length
    ),
    _message("page_content_sha256", "word", "e.page_content_sha256", lambda r: r.extra.page_content_sha256),
    _message("page_content", "text", "e.page_content", lambda r: r.extra.page_content),
)
_OF_SESSIONS: Final = (
    _session("session_id", "word", "s.id", lambda r: r.session.id),
    _session("tenant", "text", "s.tenant_key", lambda r: r.session.tenant.key),
    _session("mentor", "text", "s.mentor_slug", lambda r: r.session.mentor.slug),
    _session("mentor_unique_id", "word", "s.mentor_unique_id", lambda r: r.session.mentor.unique_id),
    _session("user", "text", "s.user_id", lambda r: r.session.user_id),
    _session("anonymous", "flag", "s.anonymous", lambda r: r.session.anonymous),
    _session("title", "text", _TITLE_SQL, lambda r: r.title),
    _session("first_prompt", "text", "f.words", lambda r: r.first_prompt),
    _session("created_at", "time", "s.created_at", lambda r: r.session.created_at),
    _session("updated_at", "time", "s.updated_at", lambda r: r.session.updated_at),
    _session("client_context", "context", _IN_FORCE, lambda r: r.shown_text),
    _session("context_version", "integer", "s.context_version", lambda r: r.session.context_version),
    _session("messages", "integer", "s.next_sequence - 1", lambda r: r.session.next_sequence - 1),
    _session("prompts", "integer", "COALESCE(a.prompts, 0)", lambda r: r.count(role="user")),
    _session("answers", "integer", "COALESCE(a.answers, 0)", lambda r: r.count(role="mentor")),
    _session("failures", "integer", "COALESCE(a.failures, 0)", lambda r: r.failures),
    _session("last_message_at", "time", "a.last_at", lambda r: r.last_at),
    _session("prompt_tokens", "integer", "COALESCE(x.prompt_tokens, 0)", lambda r: r.total("prompt_tokens")),
    _session(
        "completion_tokens",
        "integer",
        "COALESCE(x.completion_tokens, 0)",
        lambda r: r.total("completion_tokens"),
    ),
)
COLUMNS: Final[dict[Grain, dict[str, Column]]] = {
    "message": {column.name: column for column in _OF_MESSAGES},
    "session": {column.name: column for column in _OF_SESSIONS},
}
DEFAULT: Final[dict[Grain, tuple[str, ...]]] = {
    "message": (
        *("session_id", "sequence", "message_id", "type", "status", "content", "timestamp", "client_context"),
        *("context_version", "mentor", "user", "model", "prompt_tokens", "completion_tokens", "ttft_ms"),
        *("duration_ms", "message_metadata", "page_content_length"),
    ),
    "session": (
        *("session_id", "mentor", "user", "title", "first_prompt", "created_at", "updated_at"),
        *("client_context", "context_version", "messages", "prompts", "answers", "failures"),
        *("prompt_tokens", "completion_tokens"),
    ),
}
# Exactly what ibl.ai's export of a chat has.
CHAT_HISTORY: Final = ("type", "content", "timestamp", "client_context")
_CONTEXT: Final[dict[Grain, str]] = {"message": SNAPSHOT, "session": _IN_FORCE}


def choose(grain: Grain, names: list[str] | None, context_keys: list[str]) -> list[Column]:
    """The columns of these names, in their order (none: the usual ones), and after them one for each key.

    A key is a path as the filter grammar writes it: `order.items.0."a key"`; its column is `ctx.` and that.
    Raises InvalidPayload with a pointer such as `/columns/2` or `/context_keys/0`.
    """
    chosen = [_named(grain, name, at) for at, name in enumerate(names or DEFAULT[grain])]
    if len(context_keys) > MOST_CONTEXT_KEYS:
        raise InvalidPayload(f"At most {MOST_CONTEXT_KEYS} keys get a column.", pointer="/context_keys")
    chosen += [_of_key(grain, key, at) for at, key in enumerate(context_keys)]
    _check_once([column.name for column in chosen], len(chosen) - len(context_keys))
    return chosen


def _named(grain: Grain, name: str, at: int) -> Column:
    try:
        return COLUMNS[grain][name]
    except KeyError:
        known = ", ".join(COLUMNS[grain])
        raise InvalidPayload(
            f"There is no such column: there are {known}.", pointer=f"/columns/{at}"
        ) from None


def _of_key(grain: Grain, key: str, at: int) -> Column:
    pointer = f"/context_keys/{at}"
    if not key or _UNSTORABLE.search(key):
        raise InvalidPayload("A key is text without NUL and half surrogates.", pointer=pointer)
    try:
        path, operator = read_path(key, "context")
    except InvalidFilter as error:
        raise InvalidPayload(error.message, pointer=pointer) from None
    if operator != "eq" or key.endswith("__eq"):
        raise InvalidPayload("A column is of a key, without an operator.", pointer=pointer)
    return Column(f"ctx.{key}", "value", _CONTEXT[grain], lambda record: record.at(path), path)


def _check_once(names: list[str], plain: int) -> None:
    for at, name in enumerate(names):
        if name in names[:at]:
            pointer = f"/columns/{at}" if at < plain else f"/context_keys/{at - plain}"
            raise InvalidPayload("This column is asked for twice.", pointer=pointer)
