"""A session's context read and written beside its turns, under the same lock and by the same law.

Sync and transactional: what is written is in force for the next turn in any process, which compares the version in
its first statement; a turn that runs keeps the version that it began with.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone

from . import access, cache, client_context, limits, messages, news, refusals, signatures, strict_json
from .access import Caller, Grant
from .client_context import Decision, InForce
from .errors import (
    FlowMismatch,
    IdempotencyMismatch,
    InvalidContext,
    NotFound,
    RateLimited,
    SchemaViolation,
    TokenInvalid,
)
from .models import KeptWrite, Session, SessionContextVersion, homes, statements
from .payloads import PayloadWarning
from .policies import policy_of
from .refusals import Home, Kinds, Times
from .writes import UNGUESSABLE, Change, Conditions

KEEP: Final = timedelta(hours=24)
AT_ONCE: Final = 5_000
MINUTE: Final = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Sender:
    """Who writes, through which door, and from what kind of address."""

    caller: Caller
    door: str
    address_class: str | None = None


@dataclass(frozen=True, slots=True)
class Write:
    """What is asked for: what becomes of the context in force, and how to know it again.

    `key` is an Idempotency-Key ("": none), `digest` of all that was sent with it; `token` is a signed one.
    """

    method: str
    change: Callable[[InForce], Change]
    conditions: Conditions = field(default_factory=Conditions)
    key: str = ""
    digest: str = ""
    token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Written:
    """What came of it; `created`: it began the session."""

    version: int
    changed: bool
    warnings: list[PayloadWarning]
    created: bool = False


# --- reading


def version_of(session: Session, number: int) -> SessionContextVersion | None:
    """That version; None for number 0, before anything was set. Raises NotFound."""
    found = homes.version_of(session.pk, number) if number else None
    if found is None and number != 0:
        raise NotFound()
    return found


# --- writing


def write(session_id: UUID, asked: Write, sender: Sender) -> Written:
    """Apply one write to a session that is the caller's.

    Raises NotFound, PreconditionFailed, IdempotencyMismatch, RateLimited, and what its change is refused for.
    """

    def work() -> Written:
        return _write(_locked(session_id), asked, sender, created=False)

    return _counted(work, session_id, sender, None)


def begin(session_id: UUID, grant: Grant, asked: Write, sender: Sender) -> Written:
    """The same, where the session may not be there yet: then it is made, without a message.

    Raises FlowMismatch too.
    """
    access.check_session_token(grant.caller, session_id)
    home = Home(grant.mentor.tenant_id, grant.mentor.id)
    return _counted(lambda: _begin(session_id, grant, asked, sender), session_id, sender, home)


def _begin(session_id: UUID, grant: Grant, asked: Write, sender: Sender) -> Written:
    created = statements.create_session(_new(session_id, grant))
    session = _locked(session_id)
    if not created:
        _check_owner(session, grant, asked)
    elif session_id.version != 4:
        raise InvalidContext("The session's id must be a UUID of version 4.", pointer="/session_id")
    return _write(session, asked, sender, created=created)


def _counted(work: Callable[[], Written], session_id: UUID, sender: Sender, home: Home | None) -> Written:
    """Do it in one transaction; what is refused of it or kept out is counted when that is over."""
    try:
        with transaction.atomic():
            written = work()
    except (SchemaViolation, TokenInvalid) as error:
        _count(refusals.of_error(error), session_id, sender, home)
        raise
    if written.changed:
        _count(refusals.of_warnings(written.warnings), session_id, sender, home)
    return written


def _count(told: list[PayloadWarning], session_id: UUID, sender: Sender, home: Home | None) -> None:
    if told:
        home = home or Home(*Session.objects.values_list("tenant_id", "mentor_id").get(pk=session_id))
        now, kinds = timezone.now(), Kinds()
        for one in told:
            refusals.count(
                kinds, refusals.kind_of(one, sender.door), Times(1, now, one["message"], session_id)
            )
        refusals.record({home: kinds})


def _new(session_id: UUID, grant: Grant) -> statements.Params:
    return {
        "session": session_id,
        "tenant": grant.mentor.tenant_id,
        "mentor": grant.mentor.id,
        "user": grant.caller.user_id or "",
        "anonymous": grant.caller.kind == "anonymous",
    }


def _locked(session_id: UUID) -> Session:
    found = homes.session_at_home(session_id, locked=True)
    if found is None:
        raise NotFound()
    return found


def _check_owner(session: Session, grant: Grant, asked: Write) -> None:
    if not (_is_the_callers(session, grant.caller) or _repeats_the_beginning(session, grant.caller, asked)):
        raise NotFound()
    if session.mentor_id != grant.mentor.id:
        raise FlowMismatch(pointer="/flow")


def _is_the_callers(session: Session, caller: Caller) -> bool:
    if caller.kind == "anonymous":
        return messages.is_visitors(caller, session)
    if caller.kind == "token" and caller.user_id not in (None, session.user_id):
        return False
    return access.may_inspect(caller, session)


def _repeats_the_beginning(session: Session, caller: Caller, asked: Write) -> bool:
    """Whether a visitor, who has no token yet, sends again what made the session: its answer was lost.

    Nobody else knows both the id and the key; the first message ends this.
    """
    if caller.kind != "anonymous" or not session.anonymous or session.next_sequence != 1:
        return False
    before = _kept(session, asked) if len(asked.key) >= UNGUESSABLE else None
    return before is not None and before.digest == asked.digest and bool(before.outcome["created"])


def _write(session: Session, asked: Write, sender: Sender, *, created: bool) -> Written:
    if (before := _kept(session, asked)) is not None:
        return _told_before(before, asked)
    asked.conditions.check(session.context_version)
    if sender.caller.kind == "anonymous":
        _check_rate(session)
    decision = _decide(session, asked, sender)
    version = session.context_version + decision.changed
    if decision.changed:
        _store(session, decision, sender, version)
    written = Written(version, decision.changed, decision.warnings, created)
    _keep(session, asked, written)
    return written


def _decide(session: Session, asked: Write, sender: Sender) -> Decision:
    now = client_context.in_force(session.pk, session.context_version)
    signed = signatures.accept(asked.token, _place(session)) if asked.token else None
    caller, mentor = sender.caller, session.mentor
    return client_context.decide_change(
        now,
        asked.change(now),
        verified=caller.verified,
        policy=policy_of(mentor.context_schema, mentor.schema_mode, session.tenant.secrets),
        operator=caller.kind == "staff",
        signed=signed,
    )


def _place(session: Session) -> signatures.Place:
    mentor = session.mentor
    names = signatures.audience(mentor.unique_id, session.tenant.key, mentor.slug)
    return signatures.Place(session.pk, session.tenant_id, names, session.user_id)


def _check_rate(session: Session) -> None:
    """A page has as many values a minute as turns. Raises RateLimited."""
    most = limits.current().turns_per_minute_per_session
    number = session.context_version + 1 - most
    earlier = session.context_versions.filter(number=number, created_at__gt=Now() - MINUTE)
    if most and number > 0 and earlier.exists():
        raise RateLimited("Too many contexts: wait a moment.", retry_after=MINUTE.total_seconds())


def _store(session: Session, decision: Decision, sender: Sender, version: int) -> None:
    token = sender.caller.token
    statements.write_context(
        {
            "session": session.pk,
            "value": decision.context.text,
            "verified_keys": strict_json.dumps(list(decision.context.verified_keys)),
            "context_version": version,
            "digest": decision.context.digest,
            "author": sender.caller.label,
            "door": sender.door,
            "token": token.id if token else None,
            "user_message": None,
            "address_class": sender.address_class,
            "signed_by": decision.signed_by,
        }
    )
    news.changed(session.pk)
    fill = functools.partial(_fill_cache, session.pk, version, decision.context.text)
    transaction.on_commit(fill, robust=True)


def _fill_cache(session_id: UUID, version: int, text: str) -> None:
    """Whoever fills it looks afterwards whether another value came meanwhile: the last that is set is in force."""
    while True:
        cache.keep_context(session_id, text)
        now = statements.context_version(session_id)
        if now is None:
            cache.forget_contexts([session_id])
        if now is None or now <= version:
            return
        version, text = now, client_context.in_force(session_id, now).text


# --- the same again


def _kept(session: Session, asked: Write) -> KeptWrite | None:
    if not asked.key:
        return None
    since = timezone.now() - KEEP
    return session.kept_writes.filter(method=asked.method, key=asked.key, created_at__gt=since).first()


def _told_before(before: KeptWrite, asked: Write) -> Written:
    if before.digest != asked.digest:
        told = "This Idempotency-Key was already used here with another body, or by another caller."
        raise IdempotencyMismatch(told)
    return Written(**before.outcome)


def _keep(session: Session, asked: Write, written: Written) -> None:
    if asked.key:
        facts: dict[str, Any] = {
            "digest": asked.digest,
            "outcome": asdict(written),
            "created_at": timezone.now(),
        }
        session.kept_writes.update_or_create(method=asked.method, key=asked.key, defaults=facts)


def forget_writes() -> int:
    """Remove kept writes that are past their time, some at a time; how many."""
    gone = KeptWrite.objects.filter(created_at__lt=timezone.now() - KEEP).order_by("created_at")
    return KeptWrite.objects.filter(pk__in=list(gone.values_list("pk", flat=True)[:AT_ONCE])).delete()[0]
