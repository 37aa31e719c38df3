"""A session with its mentor and its tenant, and a version of its context, each by one prepared statement.

The ORM says the same in ten times the CPU, and every read and write of a context begins with it. What is not
selected is deferred: whoever asks for it after all gets it by a query.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Final

from django.db import DEFAULT_DB_ALIAS, models

from . import statements
from .sessions import Session, SessionContextVersion
from .tenants import Mentor, Tenant

_SESSION: Final = (
    *("id", "tenant_id", "mentor_id", "user_id", "anonymous", "context_version", "context_digest"),
    *("delivery", "next_sequence", "created_at", "updated_at"),
)
_MENTOR: Final = (
    *("id", "unique_id", "tenant_id", "slug", "allow_anonymous", "anonymous_continuation", "allowed_origins"),
    *("is_active", "context_schema", "schema_mode"),
)
_TENANT: Final = ("id", "key", "secrets")
_VERSION: Final = (
    *("id", "session_id", "number", "text", "verified_keys", "author", "door", "token_id", "message_id"),
    *("address_class", "signed_by", "created_at"),
)


def _named(alias: str, columns: tuple[str, ...]) -> str:
    return ", ".join(f"{alias}.{column}" for column in columns)


_HOME: Final = f"""
SELECT {_named("s", _SESSION)}, {_named("m", _MENTOR)}, {_named("t", _TENANT)}
FROM chat_session s JOIN chat_mentor m ON m.id = s.mentor_id JOIN chat_tenant t ON t.id = s.tenant_id
WHERE s.id = %(session)s
"""  # noqa: S608
_LOCKED_HOME: Final = _HOME + " {for_update}"
_ONE_VERSION: Final = f"""
SELECT {_named("v", _VERSION)} FROM chat_sessioncontextversion v
WHERE v.session_id = %(session)s AND v.number = %(number)s
"""  # noqa: S608


def session_at_home(session_id: uuid.UUID, *, locked: bool = False) -> Session | None:
    """The session with its mentor and tenant; `locked`: with its row's lock, which the transaction keeps."""
    name, sql = ("home-locked", _LOCKED_HOME) if locked else ("home", _HOME)
    rows = statements.fetch(name, sql, {"session": session_id})
    if not rows:
        return None
    values = iter(rows[0])
    session: Session = _instance(Session, _SESSION, values)
    session.mentor = _instance(Mentor, _MENTOR, values)
    session.tenant = session.mentor.tenant = _instance(Tenant, _TENANT, values)
    return session


def version_of(session_id: uuid.UUID, number: int) -> SessionContextVersion | None:
    rows = statements.fetch("one-version", _ONE_VERSION, {"session": session_id, "number": number})
    return _instance(SessionContextVersion, _VERSION, iter(rows[0])) if rows else None


def _instance(model: type[Any], columns: tuple[str, ...], values: Iterator[Any]) -> Any:
    found = dict(zip(columns, islice(values, len(columns)), strict=True))
    # In the model's own order, as from_db takes them.
    fields = [field for field in model._meta.concrete_fields if field.attname in found]
    own = [_python(type(field), found[field.attname]) for field in fields]
    return model.from_db(DEFAULT_DB_ALIAS, columns, own)


def _python(kind: type[Any], value: Any) -> Any:
    """What the database gave, as the ORM would have made it: jsonb is text, and on SQLite so is nearly everything."""
    if value is None:
        return None
    if kind is models.JSONField:
        return json.loads(value)
    if issubclass(kind, models.UUIDField) and isinstance(value, str):
        return uuid.UUID(value)
    if kind is models.BooleanField:
        return bool(value)
    if kind is models.DateTimeField:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else value
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return value
