"""Listening to a session, as both doors do it: who asks is proved, told from their place on, and proved again."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson

from . import access, happened, limits
from .database import in_database
from .errors import InvalidPayload, NotFound, TooManySubscriptions
from .happened import Happening
from .payloads import SubscribeCommand
from .requests import Request
from .told import Told
from .watching import Listener, Proof, watch

BEGINNING = "0"
Send = Callable[[str], Coroutine[Any, Any, None]]


@dataclass(frozen=True, slots=True)
class Place:
    """What a client asks for: a session, after an event that it has (none: from now on), and its proofs."""

    session_id: UUID
    told: Told | None
    token: str | None = None
    session_token: str | None = None


@dataclass(frozen=True, slots=True)
class Listening:
    """A listener; `hidden`: what is not an end user's to read is kept from it. `first`: for one without a place."""

    listener: Listener
    hidden: bool
    first: Happening | None


def told_of(after: str | None, name: str, pointer: str) -> Told | None:
    """The place that a client names; None: it names none. The beginning is called 0."""
    if not after:
        return None
    if after == BEGINNING:
        return Told(0)
    try:
        return Told.parse(after)
    except ValueError:
        raise InvalidPayload(f"{name} must be the id of an event.", pointer=pointer) from None


async def listen(request: Request, place: Place) -> Listening:
    """Raises ChatError; NotFound for a stranger's session and a missing one alike."""

    credentials = await request.credentials(place.token, place.session_token)
    caller = await in_database(access.access_events, credentials, place.session_id)
    first = None if place.told else await in_database(happened.as_it_is, place.session_id)
    told = place.told or (first.told if first else None)
    if told is None:
        raise NotFound()

    async def again() -> None:
        """Who is signed in is asked anew: they may have signed out, in this browser or altogether."""
        now = await request.credentials(place.token, place.session_token)
        await in_database(access.access_events, now, place.session_id)

    whose = (place.session_id, credentials, request if credentials.staff else None)
    listener = watch().listen(place.session_id, told, Proof(whose, again))
    return Listening(listener, caller.kind == "anonymous", first)


class Subscriptions:
    """What one socket listens to."""

    def __init__(self, request: Request, send: Send) -> None:
        self._request = request
        self._send = send
        self._tasks: dict[UUID, asyncio.Task[None]] = {}

    async def begin(self, command: SubscribeCommand) -> None:
        """Listen to a session; one that is listened to already, from this place on."""
        if len(self._tasks.keys() | {command.session_id}) > limits.current().subscriptions_per_socket:
            raise TooManySubscriptions()
        told = told_of(command.after, "after", "/after")
        place = Place(command.session_id, told, command.token, command.session_token)
        listening = await listen(self._request, place)
        self._stop(command.session_id)
        task = asyncio.get_running_loop().create_task(self._tell(command.session_id, listening))
        self._tasks[command.session_id] = task
        task.add_done_callback(lambda _: listening.listener.leave())

    async def end(self, session_id: UUID) -> None:
        self._stop(session_id)
        await self._send(_dumps({"unsubscribed": session_id}))

    def end_all(self) -> None:
        for session_id in list(self._tasks):
            self._stop(session_id)

    def _stop(self, session_id: UUID) -> None:
        if task := self._tasks.pop(session_id, None):
            task.cancel()

    async def _tell(self, session_id: UUID, listening: Listening) -> None:
        """A client that left is told nothing; its socket's end ends this."""
        with contextlib.suppress(Exception):
            await self._send(_dumps({"subscribed": session_id, "after": str(listening.listener.told)}))
            async for event in listening.listener.events():
                if event is not None:
                    await self._send(_frame(session_id, event, hidden=listening.hidden))
            self._tasks.pop(session_id, None)
            await self._send(_dumps({"unsubscribed": session_id}))


def _frame(session_id: UUID, event: Happening, *, hidden: bool) -> str:
    """Around the text that all listeners share."""
    head = f'{{"type":"{event.name}","id":"{event.told}","session_id":"{session_id}",'
    return head + event.text(hidden=hidden)[1:]


def _dumps(frame: dict[str, Any]) -> str:
    return orjson.dumps(frame).decode()
