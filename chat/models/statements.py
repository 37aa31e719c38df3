"""The statements of the hot path: what one turn reads and writes, in SQL.

PostgreSQL runs the writes of a step as one prepared statement (WITH … AS …), SQLite runs the same pieces one
by one inside the transaction. The ORM says the same in fifteen times the CPU.
"""

from __future__ import annotations

import json
import uuid
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connection, connections

Params = dict[str, Any]
Row = tuple[Any, ...]

_POSTGRES = {
    "lease": "{now} + make_interval(secs => CAST(%(lease)s AS double precision))",
    "seconds_since_turn": "EXTRACT(EPOCH FROM {now} - r.created_at)",
    "now": "clock_timestamp()",
    "for_update": "FOR UPDATE OF s",
    "value": "CAST(CAST(%(value)s AS text) AS jsonb)",
    "verified_keys": "CAST(%(verified_keys)s AS jsonb)",
    "left_out": "CAST(%(left_out)s AS jsonb)",
    "current_context": "metadata -> 'client_context'",
    "with_context": "jsonb_set(metadata, '{client_context}', CAST(CAST(%(value)s AS text) AS jsonb))",
    "empty": "'{}'::jsonb",
    "no_context": """'{"client_context": {}}'::jsonb""",
    # Pieces after the first take effect only if the first found its row.
    "held": "AND EXISTS (SELECT 1 FROM held)",
}
_SQLITE = {
    "lease": "strftime('%%Y-%%m-%%d %%H:%%M:%%f', 'now', '+' || %(lease)s || ' seconds')",
    "seconds_since_turn": "(julianday('now') - julianday(r.created_at)) * 86400.0",
    "now": "strftime('%%Y-%%m-%%d %%H:%%M:%%f', 'now')",
    "for_update": "",  # BEGIN IMMEDIATE already holds the database's one write lock
    "value": "%(value)s",
    "verified_keys": "%(verified_keys)s",
    "left_out": "%(left_out)s",
    "current_context": "json_extract(metadata, '$.client_context')",
    "with_context": "json_set(metadata, '$.client_context', json(%(value)s))",
    "empty": "'{}'",
    "no_context": """'{"client_context": {}}'""",
    "held": "",
}

_LOCK = """
SELECT s.tenant_id, s.mentor_id, s.user_id, s.anonymous, s.context_version, s.context_digest, s.next_sequence,
  s.delivery, s.turn_id, s.turn_fence, (s.turn_id IS NOT NULL AND s.turn_lease_until > {now}),
  (SELECT m.revision FROM chat_mentor m WHERE m.id = %(mentor)s),
  (CAST(%(token)s AS bigint) IS NULL OR EXISTS (
    SELECT 1 FROM chat_apitoken t WHERE t.id = %(token)s AND t.revoked_at IS NULL
    AND (t.expires_at IS NULL OR t.expires_at > {now})
    AND t.scope = 'write_all' AND (t.mentor_id IS NULL OR t.mentor_id = %(mentor)s))),
  (SELECT c.id FROM chat_chatmessagehistory c
    WHERE c.session_id = s.id AND c.client_message_id = %(client_message_id)s),
  (SELECT {seconds_since_turn} FROM chat_chatmessagehistory r
    WHERE r.session_id = s.id AND r.sequence = s.next_sequence - %(rate_span)s)
FROM chat_session s WHERE s.id = %(session)s {for_update}
"""
_BY_DIGEST = """
SELECT t.id, t.name, t.tenant_id, t.mentor_id, t.scope FROM chat_apitoken t
WHERE t.digest = %(digest)s AND t.revoked_at IS NULL AND (t.expires_at IS NULL OR t.expires_at > {now})
"""
_VERSION_NOW = "SELECT s.context_version FROM chat_session s WHERE s.id = %(session)s"
_TEXT_AND_KEYS = """
SELECT v.text, v.verified_keys FROM chat_sessioncontextversion v
WHERE v.session_id = %(session)s AND v.number = %(number)s
"""
_CREATE = """
INSERT INTO chat_session (id, tenant_id, mentor_id, user_id, anonymous, title, metadata, context_version,
  context_digest, delivery, next_sequence, created_at, updated_at, turn_fence, turn_holder, turn_stop)
VALUES (%(session)s, %(tenant)s, %(mentor)s, %(user)s, %(anonymous)s, '', {no_context}, 0, '', '', 1, {now}, {now},
  0, '', false)
ON CONFLICT (id) DO NOTHING
"""
# The session as it was left by the turn before, free, and locked: what allows a turn to be written at once.
_AS_LEFT = """
SELECT 1 FROM chat_session s
WHERE s.id = %(session)s AND s.turn_id IS NULL AND s.turn_fence = %(fence)s - 1
  AND s.next_sequence = %(sequence)s AND s.context_version = %(context_version)s
  AND s.context_digest = %(left_digest)s AND s.delivery = %(left_delivery)s
  AND s.user_id = %(user)s AND s.mentor_id = %(mentor)s
  AND (SELECT m.revision FROM chat_mentor m WHERE m.id = %(mentor)s) = %(revision)s
  AND (CAST(%(token)s AS bigint) IS NULL OR EXISTS (
    SELECT 1 FROM chat_apitoken t WHERE t.id = %(token)s AND t.revoked_at IS NULL
    AND (t.expires_at IS NULL OR t.expires_at > {now})
    AND t.scope = 'write_all' AND (t.mentor_id IS NULL OR t.mentor_id = %(mentor)s)))
  AND NOT EXISTS (SELECT 1 FROM chat_chatmessagehistory c
    WHERE c.session_id = s.id AND c.client_message_id = %(client_message_id)s)
  AND NOT EXISTS (SELECT 1 FROM chat_chatmessagehistory r
    WHERE r.session_id = s.id AND r.sequence = %(sequence)s - %(rate_span)s
    AND r.created_at > {now} - interval '60 seconds')
FOR UPDATE OF s SKIP LOCKED
"""
_MESSAGES = """
INSERT INTO chat_chatmessagehistory (id, session_id, sequence, role, message_type, content, text, content_type,
  metadata, client_message_id, payload_digest, status, created_at, finished_at)
SELECT %(user_message)s, %(session)s, CAST(%(sequence)s AS integer), 'user', 'chat', %(content)s, %(text)s,
  'text/plain', {empty}, %(client_message_id)s, %(payload_digest)s, 'complete', {now}, {now} WHERE true {held}
UNION ALL
SELECT %(answer)s, %(session)s, CAST(%(sequence)s AS integer) + 1, 'mentor', 'chat', '', NULL,
  'text/markdown', {empty}, NULL, '', 'streaming', {now}, NULL WHERE true {held}
"""
_SNAPSHOT = "COALESCE({value}, (SELECT {current_context} FROM chat_session WHERE id = %(session)s), {empty})"
_EXTRAS = """
INSERT INTO chat_chatmessagehistoryextra (message_id, session_id, metadata, context_version, delivery, left_out,
  mentor_version, model, finish_reason, error, page_content_length, page_content_sha256, page_content)
SELECT %(user_message)s, %(session)s, {snapshot}, CAST(%(context_version)s AS integer), %(delivery)s,
  {left_out}, CAST(%(mentor_version)s AS integer), '', '', '', CAST(%(page_content_length)s AS integer),
  %(page_content_sha256)s, %(page_content)s WHERE true {held}
UNION ALL
SELECT %(answer)s, %(session)s, {snapshot}, CAST(%(context_version)s AS integer), %(delivery)s,
  {left_out}, CAST(%(mentor_version)s AS integer), %(model)s, '', '', NULL, '', '' WHERE true {held}
"""
_VERSION = """
INSERT INTO chat_sessioncontextversion (session_id, number, text, value, verified_keys, author, door, token_id,
  message_id, address_class, signed_by, created_at)
VALUES (%(session)s, %(context_version)s, CAST(%(value)s AS text), {value}, {verified_keys}, %(author)s, %(door)s,
  %(token)s, %(user_message)s, %(address_class)s, %(signed_by)s, {now})
"""
_TAKE = """
UPDATE chat_session SET next_sequence = %(sequence)s + 2, turn_id = %(answer)s, turn_fence = %(fence)s,
  turn_holder = %(holder)s, turn_lease_until = {lease}, turn_stop = false, delivery = %(session_delivery)s,
  updated_at = {now}{context}
WHERE id = %(session)s {held}
"""
_NEW_CONTEXT = (
    ", metadata = {with_context}, context_version = %(context_version)s, context_digest = %(digest)s"
)
_SET_CONTEXT = "UPDATE chat_session SET updated_at = {now}{context} WHERE id = %(session)s"
_HISTORY = """
SELECT role, COALESCE(text, content) AS words, sequence FROM chat_chatmessagehistory
WHERE session_id = %(session)s AND sequence < %(sequence)s AND message_type IN ('chat', 'notice')
  AND status NOT IN ('failed', 'streaming') AND COALESCE(text, content) <> ''
ORDER BY sequence DESC LIMIT %(history_window)s
"""
# The same as it was when the question at `sequence` was asked: of what was taken out since, NULL is left.
_HISTORY_THEN = """
SELECT role, CASE WHEN deleted_at IS NULL THEN COALESCE(text, content) END AS words, sequence
FROM chat_chatmessagehistory
WHERE session_id = %(session)s AND sequence < %(sequence)s AND message_type IN ('chat', 'notice')
  AND status NOT IN ('failed', 'streaming') AND CASE WHEN deleted_at IS NULL THEN COALESCE(text, content) <> ''
    ELSE text IS NOT NULL AND deleted_at >= (SELECT q.created_at FROM chat_chatmessagehistory q
      WHERE q.session_id = %(session)s AND q.sequence = %(sequence)s) END
ORDER BY sequence DESC LIMIT %(history_window)s
"""
_BEAT = """
UPDATE chat_session SET turn_lease_until = {lease}
WHERE id = %(session)s AND turn_id = %(answer)s AND turn_fence = %(fence)s
"""
_SO_FAR = "UPDATE chat_chatmessagehistory SET content = %(content)s WHERE id = %(answer)s {held}"
_RELEASE = """
UPDATE chat_session SET turn_id = NULL, turn_lease_until = NULL, turn_holder = '', turn_stop = false,
  updated_at = {now}
WHERE id = %(session)s AND turn_id = %(answer)s AND turn_fence = %(fence)s
"""
_ANSWER = """
UPDATE chat_chatmessagehistory SET content = %(content)s, status = %(status)s, finished_at = {now}
WHERE id = %(answer)s {held}
"""
_OUTCOME = """
UPDATE chat_chatmessagehistoryextra SET finish_reason = %(finish_reason)s, prompt_tokens = %(prompt_tokens)s,
  completion_tokens = %(completion_tokens)s, ttft_ms = %(ttft_ms)s, duration_ms = %(duration_ms)s, error = %(error)s
WHERE message_id = %(answer)s {held}
"""


def token(digest: str) -> Row | None:
    """A token that is good now: id, name, tenant, mentor, scope."""
    rows = fetch("token", _BY_DIGEST, {"digest": digest})
    return rows[0] if rows else None


def context_version(session: uuid.UUID) -> int | None:
    """The number of the version in force; None without such a session."""
    rows = fetch("version", _VERSION_NOW, {"session": session})
    return rows[0][0] if rows else None


def context_text(session: uuid.UUID, number: int) -> tuple[str, list[str]] | None:
    """A version's text and its verified keys."""
    rows = fetch("text", _TEXT_AND_KEYS, {"session": session, "number": number})
    return (rows[0][0], json.loads(rows[0][1])) if rows else None


def lock_session(params: Params) -> Row | None:
    """The session's row under its lock, with what a turn must know before it may write.

    Params: session, mentor, token, client_message_id, rate_span. Columns: tenant, mentor, user, anonymous,
    context version, context digest, next sequence, delivery, running turn, fence, busy, the mentor's revision,
    token good, id of a message with that client_message_id, seconds since the turn that many sequences ago.
    """
    rows = fetch("lock", _LOCK, params)
    return rows[0] if rows else None


def create_session(params: Params) -> bool:
    """Make the session unless there is one: was it made here? Params: session, tenant, mentor, user, anonymous."""
    with connection.cursor() as cursor:
        cursor.execute(_pieces("create", [_CREATE])[0], _plain(params))
        return bool(cursor.rowcount == 1)


def history(params: Params) -> list[tuple[str, str]]:
    """(role, own words) of the messages before `sequence` that a model is shown, oldest first."""
    return [(role, words) for role, words, _ in fetch("history", _HISTORY, params)][::-1]


def history_then(params: Params) -> list[tuple[str, str | None]]:
    """The same as it was when the question at `sequence` was asked; None for words that were removed since."""
    return [(role, words) for role, words, _ in fetch("history-then", _HISTORY_THEN, params)][::-1]


def write_turn(params: Params, *, new_context: bool) -> list[tuple[str, str]]:
    """Store the user's message and the answer to be, take the lease; the history before them, oldest first.

    For the holder of the session's lock.
    """
    version = [_VERSION] if new_context else []
    take = _TAKE.replace("{context}", _NEW_CONTEXT if new_context else "")
    pieces = ["SELECT 1", _MESSAGES, _EXTRAS, *version, take, _HISTORY]
    return _write_and_read(f"write{new_context}", pieces, params) or []


def write_turn_if_as_left(params: Params) -> list[tuple[str, str]] | None:
    """The same without the lock, in one statement, if the session is as params say it was left; else None.

    PostgreSQL's only. Beside write_turn's params: mentor, revision, token, rate_span, left_digest, left_delivery, user.
    """
    take = _TAKE.replace("{context}", "")
    return _write_and_read("write-as-left", [_AS_LEFT, _MESSAGES, _EXTRAS, take, _HISTORY], params)


def write_context(params: Params) -> None:
    """A new version of the context without a message, for the holder of the session's lock.

    Params: session, value, verified_keys, context_version, digest, author, door, token, user_message,
    address_class, signed_by.
    """
    _write_held("context", [_SET_CONTEXT.replace("{context}", _NEW_CONTEXT), _VERSION], params)


def beat(params: Params) -> bool | None:
    """Renew the lease and store the text so far: was a stop asked for? None where the lease is another's."""
    return _write_held("beat", [_BEAT, _SO_FAR], params)


def finish_turn(params: Params) -> bool:
    """Store the finished answer and free the session; False where the lease is another's."""
    return _write_held("finish", [_RELEASE, _ANSWER, _OUTCOME], params) is not None


_rendered: dict[tuple[str, str], list[str]] = {}


def _pieces(name: str, pieces: list[str]) -> list[str]:
    """The pieces in the words of the connected database, rendered once."""
    key = (connection.vendor, name)
    if key not in _rendered:
        words = {"snapshot": _SNAPSHOT, **(_POSTGRES if connection.vendor == "postgresql" else _SQLITE)}
        for word, sql in words.items():
            pieces = [piece.replace("{" + word + "}", sql) for piece in pieces]
        _rendered[key] = pieces
    return _rendered[key]


def _write_and_read(name: str, pieces: list[str], params: Params) -> list[tuple[str, str]] | None:
    """Run the writes if the first piece finds a row; the read's rows, last first, or None."""
    first, *writes, read = _pieces(name, pieces)
    if connection.vendor == "postgresql":
        steps = "".join(f", w{i} AS ({piece})" for i, piece in enumerate(writes))
        # A row even where there is no history: no row at all means that nothing was held.
        last = f"SELECT h.* FROM held LEFT JOIN LATERAL ({read}) h ON true ORDER BY h.sequence"  # noqa: S608
        rows = _prepared(f"WITH held AS ({first}){steps} {last}", params)
        return [(role, words) for role, words, _ in rows if role is not None] if rows else None
    with connection.cursor() as cursor:
        for piece in writes:
            cursor.execute(piece, _plain(params))
        cursor.execute(read, _plain(params))
        return [(role, words) for role, words, _ in cursor.fetchall()][::-1]


def fetch(name: str, read: str, params: Params) -> list[Any]:
    """The rows of a statement, prepared under its name on PostgreSQL."""
    (sql,) = _pieces(name, [read])
    if connection.vendor == "postgresql":
        return _prepared(sql, params)
    with connection.cursor() as cursor:
        cursor.execute(sql, _plain(params))
        rows: list[Any] = cursor.fetchall()
        return rows


def _write_held(name: str, pieces: list[str], params: Params) -> bool | None:
    first, *rest = _pieces(name, pieces)
    if connection.vendor == "postgresql":
        steps = ", ".join(f"w{i} AS ({piece})" for i, piece in enumerate(rest))
        last = "SELECT turn_stop FROM held"
        rows = _prepared(f"WITH held AS ({first} RETURNING turn_stop), {steps} {last}", params)
        return rows[0][0] if rows else None
    with connection.cursor() as cursor:
        cursor.execute(first, _plain(params))
        if cursor.rowcount != 1:
            return None
        for piece in rest:
            cursor.execute(piece, _plain(params))
        cursor.execute("SELECT turn_stop FROM chat_session WHERE id = %(session)s", _plain(params))
        return bool(cursor.fetchone()[0])


def _prepared(sql: str, params: Params) -> list[Any]:
    from psycopg import Cursor

    here = connections[DEFAULT_DB_ALIAS]  # the proxy looks for the thread's own each time it is asked
    here.ensure_connection()
    with here.wrap_database_errors, Cursor(here.connection) as cursor:
        cursor.execute(sql, params, prepare=True)
        return cursor.fetchall()


def _plain(params: Params) -> Params:
    """SQLite's spelling: a UUID is its 32 hex digits."""
    if connection.vendor == "postgresql":
        return params
    return {name: value.hex if isinstance(value, uuid.UUID) else value for name, value in params.items()}
