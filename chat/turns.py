"""How a turn begins: one transaction under the session's row lock, or one statement that stands for it.

begin stores the user's message with its snapshot and the answer to be, and takes the lease (leases.py has what
follows). Synchronous: run it with database.in_database.
"""

from __future__ import annotations

import dataclasses
import functools
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.db import IntegrityError, connection, transaction
from django.db.models.functions import Now

from . import access, client_context, leases, messages, signatures, transcripts
from .client_context import Decision, InForce
from .errors import (
    FlowMismatch,
    IdempotencyMismatch,
    NotFound,
    RateLimited,
    TurnInProgress,
)
from .models import ChatMessageHistory, Mentor, statements
from .openings import (
    Begun,
    Opening,
    SentBefore,
    StaleGrant,
    chosen_delivery,
    delivered_of,
    greeting_of,
    write_params,
)
from .payloads import BaseConsumerPayload


@dataclass(slots=True)
class _Locked:
    """The columns of statements.lock_session."""

    tenant_id: int
    mentor_id: int
    user_id: str
    anonymous: bool
    context_version: int
    context_digest: str
    next_sequence: int
    delivery: str
    turn_id: UUID | None
    fence: int
    busy: bool
    revision: int | None
    token_good: bool
    sent_before: UUID | None
    seconds_since_turn: float | None


def begin(opening: Opening) -> Begun | SentBefore:
    """Accept one payload: everything it brings is stored when this returns, nothing when it raises.

    Raises StaleGrant, NotFound, AuthenticationFailed, FlowMismatch, TurnInProgress, IdempotencyMismatch,
    RateLimited.
    """
    access.check_session_token(opening.grant.caller, opening.payload.session_id)
    try:
        return _begin_as_left(opening) or _begin(opening)
    except IntegrityError:
        # The same client_message_id was committed while this waited for the lock: now it can be seen.
        return _begin(opening)


# How this process last saw a session after a turn of its own began: enough to write the next in one statement,
# which checks that all of it still holds, also that the session is not another of the same id.
_as_left: dict[UUID, _Locked] = {}
MOST_REMEMBERED = 20_000
MINUTE = timedelta(seconds=60)
UNGUESSABLE = 16  # characters of a client_message_id that can speak for its sender


def _begin_as_left(opening: Opening) -> Begun | None:
    """Begin without a transaction around it: one round trip and not four. None: the long way must decide."""
    row = _as_left.get(opening.payload.session_id)
    if row is None or connection.vendor != "postgresql" or opening.attached is not None:
        return None
    if opening.payload.metadata_token is not None:
        return None
    try:
        _check_owner(opening, row, created=False)
    except (NotFound, FlowMismatch, StaleGrant):
        return None  # what is remembered may be gone: only fresh rows refuse
    text = _text_as_left(opening, row)
    if text is None:
        return None
    begun = _begun_by(opening, row, Decision(InForce(text), changed=False), fill_cache=False)
    token = opening.grant.caller.token
    conditions = {
        "mentor": opening.grant.mentor.id,
        "revision": row.revision,
        "token": token.id if token else None,
        "rate_span": 2 * opening.limits.turns_per_minute_per_session,
        "left_digest": row.context_digest,
        "left_delivery": row.delivery,
        "user": row.user_id,
    }
    history = statements.write_turn_if_as_left({**write_params(opening, begun), **conditions})
    if history is None:
        _as_left.pop(opening.payload.session_id, None)  # another thread may have been here
        return None
    begun.history = history
    _remember(begun, row)
    return begun


def _text_as_left(opening: Opening, row: _Locked) -> str | None:
    """The text of the context in force, where the payload leaves it in force and it is known without a query."""
    sent, plan = opening.payload.metadata_text, opening.grant.mentor.plan
    if plan.mark_verified or (sent is not None and plan.policy.judges):
        return None
    if sent is None and not row.context_digest:
        return client_context.EMPTY
    text = opening.cached_context if sent is None else sent
    vouched = sent is not None and opening.grant.caller.verified
    in_force = text is not None and client_context.is_in_force(text, row.context_digest, verified=vouched)
    return text if in_force else None


def _remember(begun: Begun, row: _Locked) -> None:
    if len(_as_left) >= MOST_REMEMBERED:
        _as_left.clear()
    _as_left[begun.session_id] = dataclasses.replace(
        row,
        context_version=begun.context_version,
        context_digest=begun.context.context.digest if begun.context.changed else row.context_digest,
        next_sequence=begun.sequence + 1,
        delivery=begun.session_delivery,
        fence=begun.fence,
    )


@transaction.atomic
def _begin(opening: Opening) -> Begun | SentBefore:
    row, created = _locked_session(opening)
    if _uuid(row.turn_id) == opening.answer:
        return _begun_before(opening, row)  # before the owner is asked for: a new session was made by it
    _check_owner(opening, row, created)
    sent_before = row.sent_before
    if row.busy and sent_before is None:
        # To one who waited for the lock, PostgreSQL shows the other tables as they were before: look again.
        sent_before = _same_message(opening.payload)
    if sent_before is not None:
        return _sent_before(sent_before, opening.payload.payload_digest)
    if row.busy:
        raise TurnInProgress()
    _check_rate(row, opening)
    if (lost := _uuid(row.turn_id)) is not None:
        leases.interrupt(lost)
    return _write(opening, row, created)


def _locked_session(opening: Opening) -> tuple[_Locked, bool]:
    found = _lock(opening)
    if found is not None:
        return found, False
    grant, payload = opening.grant, opening.payload
    new = {
        "session": payload.session_id,
        "tenant": grant.mentor.tenant_id,
        "mentor": grant.mentor.id,
        "user": grant.caller.user_id or "",
        "anonymous": grant.caller.kind == "anonymous",
    }
    # Two first messages at once: one creates the session, the other finds it.
    created = statements.create_session(new)
    found = _lock(opening)
    assert found is not None
    return found, created


def _lock(opening: Opening) -> _Locked | None:
    token = opening.grant.caller.token
    params = {
        "session": opening.payload.session_id,
        "mentor": opening.grant.mentor.id,
        "token": token.id if token else None,
        "client_message_id": opening.payload.client_message_id,
        "rate_span": 2 * opening.limits.turns_per_minute_per_session,
    }
    row = statements.lock_session(params)
    return _Locked(*row) if row else None


def _check_owner(opening: Opening, row: _Locked, created: bool) -> None:
    caller, mentor = opening.grant.caller, opening.grant.mentor
    if row.revision != mentor.revision or not row.token_good:
        raise StaleGrant
    at_home = row.mentor_id == mentor.id
    mine = (
        created
        or _repeats_the_first_message(opening, row)
        or access.may_continue(
            caller,
            opening.payload.session_id,
            row.tenant_id,
            row.user_id,
            bool(row.anonymous),
            # What another mentor takes for proof opens no session of this one's.
            mentor.anonymous_continuation if at_home else Mentor.Continuation.SESSION_TOKEN,
        )
    )
    bound_elsewhere = caller.token is not None and caller.token.mentor_id is not None and not at_home
    if not mine or bound_elsewhere or row.tenant_id != mentor.tenant_id:
        raise NotFound("There is no such session here.", pointer="/session_id")
    if not at_home:
        raise FlowMismatch(pointer="/flow")


def _repeats_the_first_message(opening: Opening, row: _Locked) -> bool:
    """Whether a visitor, who has no token yet, sends again what made the session: its answer was lost.

    Nobody else knows both random ids and the very message; a second message of the session ends this.
    """
    client_id = opening.payload.client_message_id or ""
    if opening.grant.caller.kind != "anonymous" or not row.anonymous or len(client_id) < UNGUESSABLE:
        return False
    if row.next_sequence != 3 or row.mentor_id != opening.grant.mentor.id:
        return False
    return ChatMessageHistory.objects.filter(
        session_id=opening.payload.session_id,
        sequence=1,
        client_message_id=client_id,
        payload_digest=opening.payload.payload_digest,
    ).exists()


def _check_rate(row: _Locked, opening: Opening) -> None:
    since, most = row.seconds_since_turn, opening.limits.turns_per_minute_per_session
    if not most or since is None or since >= 60:
        return
    # So many messages ago would be as many turns, had nobody posted any between them: only now they are counted.
    if _turns_of_the_last_minute(opening.payload.session_id) >= most:
        raise RateLimited(retry_after=round(60 - float(since), 1))


def _turns_of_the_last_minute(session_id: UUID) -> int:
    recent = ChatMessageHistory.objects.filter(session_id=session_id, created_at__gt=Now() - MINUTE)
    return recent.filter(role=ChatMessageHistory.Role.MENTOR, extra__mentor_version__gt=0).count()


def _uuid(value: UUID | str | None) -> UUID | None:
    """SQLite gives 32 hex digits."""
    return UUID(value) if isinstance(value, str) else value


def _same_message(payload: BaseConsumerPayload) -> UUID | None:
    if payload.client_message_id is None:
        return None
    same = {"session_id": payload.session_id, "client_message_id": payload.client_message_id}
    return ChatMessageHistory.objects.filter(**same).values_list("id", flat=True).first()


def _sent_before(message: UUID | str, payload_digest: str) -> SentBefore:
    user_message = ChatMessageHistory.objects.get(id=message)
    if user_message.payload_digest != payload_digest:
        raise IdempotencyMismatch(pointer="/client_message_id")
    answer = ChatMessageHistory.objects.get(
        session_id=user_message.session_id, sequence=user_message.sequence + 1
    )
    return SentBefore(answer.id)


def _decide(opening: Opening, row: _Locked) -> tuple[Decision, bool]:
    """What the payload's metadata comes to, and whether the cache should be filled with the result."""
    sent, session_id = opening.payload.metadata_text, opening.payload.session_id
    caller, plan = opening.grant.caller, opening.grant.mentor.plan

    def stored() -> InForce:
        return client_context.in_force(session_id, row.context_version)

    if opening.payload.metadata_token is not None:
        decision = _decide_signed(opening, row, opening.payload.metadata_token, stored())
        return decision, decision.changed
    if sent is None and not plan.mark_verified:
        text, fill = client_context.text_in_force(opening.cached_context, row.context_digest, stored)
        return Decision(InForce(text), changed=False), fill
    judged = plan.mark_verified or plan.policy.judges
    if sent and not judged and client_context.is_in_force(sent, row.context_digest, verified=caller.verified):
        return Decision(InForce(sent), changed=False), False
    decision = client_context.decide(
        stored(), sent, verified=caller.verified, policy=plan.policy, operator=caller.kind == "staff"
    )
    return decision, decision.changed


def _decide_signed(opening: Opening, row: _Locked, token: str, now: InForce) -> Decision:
    mentor, caller, payload = opening.grant.mentor, opening.grant.caller, opening.payload
    names = signatures.audience(mentor.unique_id, mentor.tenant_key, mentor.slug)
    place = signatures.Place(payload.session_id, row.tenant_id, names, row.user_id)
    return client_context.decide_signed(
        now,
        signatures.accept(token, place),
        payload.metadata_text,
        verified=caller.verified,
        policy=mentor.plan.policy,
        operator=caller.kind == "staff",
    )


def _write(opening: Opening, row: _Locked, created: bool) -> Begun:
    decision, fill_cache = _decide(opening, row)
    begun = _begun_by(opening, row, decision, fill_cache=fill_cache)
    begun.created = created
    begun.history = statements.write_turn(write_params(opening, begun), new_context=decision.changed)
    if opening.attached is not None:
        messages.attach(opening.user_message, opening.attached)
    transaction.on_commit(functools.partial(_remember, begun, row))
    return begun


def _begun_by(opening: Opening, row: _Locked, decision: Decision, *, fill_cache: bool) -> Begun:
    mentor, session_delivery = opening.grant.mentor, chosen_delivery(opening, row.delivery)
    delivered = delivered_of(mentor, session_delivery, decision)
    return Begun(
        session_id=opening.payload.session_id,
        user_message=opening.user_message,
        answer=opening.answer,
        sequence=row.next_sequence + 1,
        fence=row.fence + 1,
        context=decision,
        context_version=row.context_version + decision.changed,
        fill_cache=fill_cache,
        delivered=delivered,
        session_delivery=session_delivery,
        greeting=greeting_of(mentor, delivered, first=_is_first(opening.payload.session_id, row)),
        history=[],
        created=False,
    )


def _is_first(session_id: UUID, row: _Locked) -> bool:
    """Whether the mentor has said nothing yet: messages may have been posted before the first turn."""
    if row.next_sequence == 1 or row.fence:
        return row.next_sequence == 1
    return not transcripts.has_answered(session_id, before=row.next_sequence)


def _begun_before(opening: Opening, row: _Locked) -> Begun:
    """The commit of this very opening succeeded, but its confirmation was lost: what it stored, read back."""
    answer = ChatMessageHistory.objects.get(id=opening.answer)
    mentor, session_id = opening.grant.mentor, opening.payload.session_id
    in_force = client_context.in_force(session_id, row.context_version)
    sent = opening.payload.metadata_text or opening.payload.metadata_token
    decision = Decision(in_force, changed=sent is not None)
    delivered = delivered_of(mentor, row.delivery, decision)
    is_first = not transcripts.has_answered(session_id, before=answer.sequence)
    params = {
        "session": session_id,
        "sequence": answer.sequence - 1,
        "history_window": mentor.history_window,
    }
    return Begun(
        session_id=session_id,
        user_message=opening.user_message,
        answer=answer.id,
        sequence=answer.sequence,
        fence=row.fence,
        context=decision,
        context_version=row.context_version,
        fill_cache=True,
        delivered=delivered,
        session_delivery=row.delivery,
        greeting=greeting_of(mentor, delivered, first=is_first),
        history=statements.history(params),
        created=answer.sequence == 2,
    )
