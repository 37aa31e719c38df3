"""Values of keys that a mentor's schema keeps for a time only (`x-retention`), taken out when it has passed.

A value is as old as the context version that it stands in: whoever sends it again sets it anew. Of the versions
that are left a mark stands in its place, so that a prompt is rebuilt with `[removed]`; the context in force goes on
without the key, as a version of its own; snapshots lose it.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import JSONField, Q, QuerySet, TextField, Value
from django.db.models.functions import Cast
from django.utils import timezone

from . import news, prompts, retention, transcripts
from .cache import forget_contexts
from .client_context import InForce
from .delivery import Plan, deliver
from .models import (
    ChatMessageHistory,
    ChatMessageHistoryExtra,
    Erasure,
    Mentor,
    MentorVersion,
    MessageDebug,
    Session,
    SessionContextVersion,
    statements,
)
from .policies import policy_of
from .prompts import REMOVED
from .strict_json import dumps, spell, spelled

AT_ONCE = 100
BUDGET_SECONDS = 20.0
WHO = "retention"


def lapse(budget: float = BUDGET_SECONDS) -> Counter[str]:
    """Take out what is past its time, of every mentor; how many values stood where."""
    until, gone = time.monotonic() + budget, Counter[str]()
    for mentor in Mentor.objects.exclude(context_schema="").select_related("tenant"):
        spans = policy_of(mentor.context_schema, mentor.schema_mode).retention
        for key, span in spans.items():
            counts = _lapse_key(mentor, key, timezone.now() - span, until)
            if counts:
                retention.report(mentor.tenant, Erasure.Kind.KEYS, counts, "retention of keys")
            gone += counts
    return gone


def _lapse_key(mentor: Mentor, key: str, before: datetime, until: float) -> Counter[str]:
    gone = Counter[str]()
    for session_id in _holding(mentor, key, before):
        if time.monotonic() > until:
            break
        gone += _lapse_in(session_id, key, before)
    return gone


def _holding(mentor: Mentor, key: str, before: datetime) -> Iterator[UUID]:
    """Sessions with a version of that age which has the key, one after the other."""
    # Our own versions are as old as what they go on with.
    old = SessionContextVersion.objects.filter(Q(created_at__lt=before) | Q(door=WHO), value__has_key=key)
    # Once more of the session: its own index then leads to those that are old enough.
    old = old.filter(session__mentor=mentor, session__created_at__lt=before)
    if connection.features.supports_json_field_contains:
        old = old.exclude(value__contains={key: REMOVED})
    here = old.order_by("session_id").values_list("session_id", flat=True)
    after: UUID | None = None
    while True:
        rest = here.filter(session_id__gt=after) if after else here
        found = list(dict.fromkeys(rest[:AT_ONCE]))
        yield from found
        if not found:
            return
        after = found[-1]


@transaction.atomic
def _lapse_in(session_id: UUID, key: str, before: datetime) -> Counter[str]:
    session = Session.objects.select_for_update().filter(pk=session_id).first()
    if session is None:
        return Counter()
    gone, set_at = Counter[str](), before
    for version in session.context_versions.order_by("number"):
        set_at = set_at if version.door == WHO else version.created_at
        members = spelled(version.text)
        if set_at >= before or members.get(key, REMOVED) == REMOVED:
            continue
        if version.number == session.context_version:
            _go_on_without(session, version, key)
        members[key] = REMOVED
        gone += _marked(version, members)
    gone += _without_debug(session, key, before) if gone else Counter()
    if gone:
        news.changed(session_id)
        transaction.on_commit(lambda: forget_contexts([session_id]))
    return gone


def _go_on_without(session: Session, version: SessionContextVersion, key: str) -> None:
    members = spelled(version.text)
    del members[key]
    left = InForce(spell(members), tuple(one for one in version.verified_keys if one != key))
    statements.write_context(
        {
            "session": session.pk,
            "value": left.text,
            "verified_keys": dumps(list(left.verified_keys)),
            "context_version": version.number + 1,
            "digest": left.digest,
            "author": WHO,
            "door": WHO,
            "token": None,
            "user_message": None,
            "address_class": None,
            "signed_by": version.signed_by,
        }
    )
    # Nothing has happened in it: the time for which the whole session is kept does not begin anew.
    Session.objects.filter(pk=session.pk).update(updated_at=session.updated_at)


def _marked(version: SessionContextVersion, members: dict[str, Any]) -> Counter[str]:
    """The version with its marks, and all that was made of it."""
    text = spell(members)
    SessionContextVersion.objects.filter(pk=version.pk).update(text=text, value=_json(text))
    left = spell({key: value for key, value in members.items() if value != REMOVED})
    here = ChatMessageHistoryExtra.objects.filter(
        session_id=version.session_id, context_version=version.number
    )
    version.text = text
    return +Counter(
        context_versions=1,
        snapshots=here.update(metadata=_json(left)),
        messages=sum(_composed_anew(message, version) for message in _composed(version)),
    )


def _json(text: str) -> Cast:
    """As the text has it: Python would not keep every number."""
    return Cast(Value(text, TextField()), JSONField())


def _composed(version: SessionContextVersion) -> QuerySet[ChatMessageHistory]:
    """Users' messages whose stored content was composed under this version."""
    asked = ChatMessageHistory.objects.filter(session_id=version.session_id, role="user", deleted_at=None)
    asked = asked.filter(extra__context_version=version.number, extra__mentor_version__gt=0)
    return asked.exclude(text=None).select_related("extra", "session")


def _composed_anew(message: ChatMessageHistory, version: SessionContextVersion) -> bool:
    """Store what would have been stored, had the mark been the value; whether that is anything else."""
    mentor = MentorVersion.objects.get(
        mentor_id=message.session.mentor_id, number=message.extra.mentor_version
    )
    delivered = deliver(Plan.of(mentor), message.extra.delivery, version.text, version.verified_keys)
    first = not transcripts.has_answered(message.session_id, before=message.sequence)
    greeting = prompts.greeting_instructions(mentor.greeting_method, mentor.greeting_text, delivered.values)
    content = prompts.compose_user_prompt(
        greeting if first else "", message.own_words, "", delivered.in_message
    )
    if content == message.content:
        return False
    ChatMessageHistory.objects.filter(pk=message.pk).update(content=content)
    return True


def _without_debug(session: Session, key: str, before: datetime) -> Counter[str]:
    """Debug data repeat a context in many a form: the key goes wherever it stands in them."""
    changed = 0
    for debug in MessageDebug.objects.filter(message__session=session, message__created_at__lt=before):
        data = _without(debug.data, key)
        if data != debug.data:
            changed += MessageDebug.objects.filter(pk=debug.pk).update(data=data)
    return +Counter(debug_data=changed)


def _without(value: Any, key: str) -> Any:
    if isinstance(value, dict):
        return {name: _without(item, key) for name, item in value.items() if name != key}
    return [_without(item, key) for item in value] if isinstance(value, list) else value
