"""Messages beside the turn: who may read and write a session's, how one is stored, and what is left of one.

Under the session's row lock, as a turn begins: the sequence has no gap, also while an answer is being written.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import JSONField, Subquery, Value
from django.db.models.functions import Coalesce, Now

from . import access, leases, limits, news, posts
from .access import Caller
from .cache import forget_events
from .errors import MessageExists, NotFound, PermissionDenied, RateLimited, TurnInProgress
from .message_metadata import Attached
from .models import ApiToken, ChatMessageHistory, ChatMessageHistoryExtra, MessageDebug, Session, homes
from .posts import Draft

Role, Status = ChatMessageHistory.Role, ChatMessageHistory.Status
MINUTE = timedelta(seconds=60)


# --- who may


def access_messages(caller: Caller, session_id: UUID) -> Session:
    """The session, for its own visitor and for its tenant's tokens and staff; else NotFound, as of a missing one."""
    access.check_session_token(caller, session_id)
    session = homes.session_at_home(session_id)
    if session is None or not (is_visitors(caller, session) or access.may_inspect(caller, session)):
        raise NotFound()
    return session


def is_visitors(caller: Caller, session: Session) -> bool:
    """The session token is this session's: that was checked."""
    return caller.kind == "anonymous" and bool(caller.session_token) and session.anonymous


def check_may_write(caller: Caller) -> None:
    """Raises PermissionDenied for a token that may only read."""
    if caller.token and caller.token.scope != ApiToken.Scope.WRITE_ALL:
        raise PermissionDenied("This needs a token with the scope write_all.")


def check_is_open(caller: Caller, session: Session) -> None:
    """A visitor writes to a mentor as long as it takes visitors, as in a turn. Raises NotFound."""
    mentor = session.mentor
    if caller.kind == "anonymous" and not (mentor.is_active and mentor.allow_anonymous):
        raise NotFound()


def draft_of(caller: Caller, body: dict[str, Any]) -> Draft:
    """The body as this caller may post it. Raises InvalidMessage, PermissionDenied, and what is too large."""
    read = posts.from_page if caller.kind == "anonymous" else posts.from_server
    return read(body, limits.current())


# --- one message


def find(session: Session, name: str) -> ChatMessageHistory:
    """A message by our id or by the one that its sender gave it, tombstones too. Raises NotFound."""
    key = _named(session.pk, name)
    if key is None:
        raise NotFound()
    return ChatMessageHistory.objects.select_related("extra", "session").get(pk=key)


def _named(session_id: UUID, name: str | None) -> UUID | None:
    """The id of the message that is called so; ours go first."""
    if not name or "\0" in name:
        return None
    here = ChatMessageHistory.objects.filter(session_id=session_id)
    own = here.filter(pk=UUID(name)) if _is_uuid(name) else here.none()
    rows = own.values_list("pk", flat=True), here.filter(client_message_id=name).values_list("pk", flat=True)
    return rows[0].first() or rows[1].first()


def _is_uuid(text: str) -> bool:
    try:
        return len(text) == 36 and bool(UUID(text))
    except ValueError:
        return False


def check_is_new(session_id: UUID, client_message_id: str | None) -> None:
    """Raises MessageExists where a message of the session is called so, by its sender or by us."""
    if _named(session_id, client_message_id) is not None:
        raise MessageExists(pointer="/id")


# --- writing


@transaction.atomic
def store_message(caller: Caller, session_id: UUID, draft: Draft) -> ChatMessageHistory:
    """The message under the context in force, in its place. Raises MessageExists, NotFound, RateLimited."""
    session = Session.objects.select_for_update().filter(pk=session_id).first()
    if session is None:
        raise NotFound()
    check_is_new(session_id, draft.client_message_id)
    if caller.kind == "anonymous":
        _check_rate(session)
    message = _insert(session, draft)
    attach(message.pk, draft.attached)
    Session.objects.filter(pk=session_id).update(next_sequence=session.next_sequence + 1, updated_at=Now())
    news.changed(session_id)
    return message


def _check_rate(session: Session) -> None:
    """A page has as many messages a minute as turns. Raises RateLimited."""
    most = limits.current().turns_per_minute_per_session
    earlier = session.messages.filter(sequence=session.next_sequence - most, created_at__gt=Now() - MINUTE)
    if most and earlier.exists():
        raise RateLimited("Too many messages: wait a moment.", retry_after=MINUTE.total_seconds())


def _insert(session: Session, draft: Draft) -> ChatMessageHistory:
    message = ChatMessageHistory.objects.create(
        session=session,
        sequence=session.next_sequence,
        role=draft.role,
        message_type=draft.message_type,
        content=draft.content,
        client_message_id=draft.client_message_id,
        created_at=Now(),
        finished_at=Now(),
    )
    # Copied where it is: jsonb keeps numbers that Python would not.
    in_force = Session.objects.filter(pk=session.pk).values("metadata__client_context")
    ChatMessageHistoryExtra.objects.create(
        message=message,
        metadata=Coalesce(Subquery(in_force), Value({}, JSONField())),
        context_version=session.context_version,
    )
    return message


def attach(message_id: UUID, attached: Attached) -> None:
    """What a sender sent beside the words of a message that was stored in this transaction."""
    ChatMessageHistory.objects.filter(pk=message_id).update(
        metadata=attached.metadata,
        rejected_metadata=attached.rejected,
        filenames=attached.filenames,
        sender_id=attached.sender_id,
        content_type=attached.content_type,
    )
    if attached.debug is not None:
        MessageDebug.objects.create(message_id=message_id, data=attached.debug)


# --- removing


def delete_message(caller: Caller, session_id: UUID, name: str) -> None:
    """Leave the message's place, ids and snapshot, and nothing that anybody said.

    Raises NotFound, also where that was done before, PermissionDenied, TurnInProgress for an answer that is
    being written.
    """
    leases.reap(session_id)
    message = _bury(caller, session_id, name)
    if message.role == Role.MENTOR:
        forget_events(message.pk)


@transaction.atomic
def _bury(caller: Caller, session_id: UUID, name: str) -> ChatMessageHistory:
    session = Session.objects.select_for_update().filter(pk=session_id).first()
    if session is None:
        raise NotFound()
    message = find(session, name)
    if message.deleted_at is not None:
        raise NotFound()
    _check_may_delete(caller, message)
    bury(session_id, [message])
    return message


def bury(session_id: UUID, gone: list[ChatMessageHistory], **more: Any) -> None:
    """Leave tombstones of these messages; `more` are columns that are to go too. For a transaction of the caller's."""
    session = Session.objects.select_for_update().get(pk=session_id)
    for message in gone:
        _empty(message, **more)
    # A turn that begins in one statement may have read the words before this is committed: with another fence it
    # finds the session not as it was left, and reads again. A running one goes on under its own, and where there
    # has been none there is nothing that could be remembered.
    fence = session.turn_fence + (session.turn_id is None and session.turn_fence > 0)
    Session.objects.filter(pk=session_id).update(turn_fence=fence, updated_at=Now())
    news.changed(session_id)


def _check_may_delete(caller: Caller, message: ChatMessageHistory) -> None:
    if caller.kind == "anonymous" and (message.role != Role.USER or message.sender_id):
        raise PermissionDenied("A page may remove its own user's messages only.")
    if message.status == Status.STREAMING:
        raise TurnInProgress()


def _empty(message: ChatMessageHistory, **more: Any) -> None:
    # The empty text tells a prompt that is rebuilt that here were words; where none were, no model was sent any.
    text = "" if message.own_words else None
    gone: dict[str, Any] = {
        "content": "",
        "text": text,
        "metadata": {},
        "rejected_metadata": None,
        "filenames": None,
    }
    ChatMessageHistory.objects.filter(pk=message.pk).update(**gone, **more, deleted_at=Now())
    ChatMessageHistoryExtra.objects.filter(pk=message.pk).update(page_content="")
    MessageDebug.objects.filter(pk=message.pk).delete()
