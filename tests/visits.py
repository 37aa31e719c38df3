"""One caller in one session, by the rules alone; and a session's rows, without what differs from run to run."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from django.utils import timezone

from chat import access, leases, turns
from chat.errors import ChatError
from chat.leases import Held, Outcome
from chat.limits import Limits
from chat.models import ChatMessageHistory, Mentor, Session
from chat.openings import Begun, Opening, SentBefore
from chat.payloads import BaseConsumerPayload

CA, NY = '{"stateCode":"CA"}', '{"stateCode":"NY"}'


class Visit:
    """One caller in one session."""

    def __init__(self, mentor: Mentor, secret: str = "", **limits: int) -> None:
        self.credentials = access.Credentials(token=secret)
        self.mentor = mentor
        self.session = uuid.uuid4()
        self.limits = Limits(**{"turns_per_minute_per_session": 0, **limits})
        self.grant = self.fresh_grant()

    def fresh_grant(self) -> access.Grant:
        return access.access_mentor(self.credentials, "demo", self.mentor.slug, "")

    def opening(
        self,
        metadata: str | None = None,
        *,
        cached: str | None = None,
        client_id: str | None = None,
        text: str = "Hi",
    ) -> Opening:
        raw = {"session_id": str(self.session), "flow": {"name": "coach", "tenant": "demo"}, "prompt": text}
        if client_id:
            raw["client_message_id"] = client_id
        sent = json.dumps(raw)[:-1] + f', "metadata": {metadata or "null"}}}'
        payload = BaseConsumerPayload.parse(sent, self.limits)
        return Opening(self.grant, payload, "websocket", "here", self.limits, cached)

    def begin(self, metadata: str | None = None, **more: Any) -> Begun | SentBefore:
        return turns.begin(self.opening(metadata, **more))

    def turn(self, metadata: str | None = None, answer: str = "Hello.", **more: Any) -> Begun:
        begun = self.begin(metadata, **more)
        assert isinstance(begun, Begun)
        leases.finish(held(begun), Outcome("complete", answer))
        return begun


def held(begun: Begun) -> Held:
    return Held(begun.session_id, begun.answer, begun.fence)


@contextmanager
def elsewhere() -> Iterator[None]:
    """What another process does: this one remembers nothing of it."""
    kept = dict(turns._as_left)
    turns._as_left.clear()
    yield
    turns._as_left.clear()
    turns._as_left.update(kept)


def end(held: Held, how: str) -> None:
    if how in ("lost", "reaped"):
        past = timezone.now() - timedelta(seconds=1)
        Session.objects.filter(id=held.session_id).update(turn_lease_until=past)
        if how == "reaped":
            leases.reap(held.session_id)
    elif how != "runs on":
        leases.finish(
            held, Outcome(how, f"It {how}.", how, 3, 5, 1.5, 2.5, "" if how == "complete" else "why")
        )


def tell(work: Callable[[], Begun | SentBefore]) -> dict[str, Any]:
    """What came of a begin, without what differs from run to run."""
    try:
        begun = work()
    except ChatError as error:
        return {"refused": type(error).__name__}
    if isinstance(begun, SentBefore):
        return {"sent_before": ChatMessageHistory.objects.get(id=begun.answer).sequence}
    told = {f: getattr(begun, f) for f in Begun.__slots__}
    return told | dict.fromkeys(("session_id", "user_message", "answer"))


def stored(session: uuid.UUID) -> dict[str, Any]:
    """All rows of a session, without ids and times."""
    messages = ChatMessageHistory.objects.filter(session=session).order_by("sequence").select_related("extra")
    return {
        "session": _row(Session.objects.get(id=session)),
        "messages": [_row(message) for message in messages],
        "extras": [_row(message.extra) for message in messages],
        "versions": [_row(version) for version in Session.objects.get(id=session).context_versions.all()],
    }


DIFFERS = {"id", "session_id", "message_id", "created_at", "updated_at"}


def _row(record: Any) -> dict[str, Any]:
    row = {name: value for name, value in vars(record).items() if name[0] != "_" and name not in DIFFERS}
    return row | {
        name: row[name] is not None for name in ("finished_at", "turn_lease_until", "turn_id") if name in row
    }
