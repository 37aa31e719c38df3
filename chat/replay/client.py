"""A network client of both doors: plays a conversation turn by turn and keeps what it was told.

Knows only the wire; the server it talks to may be anywhere.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import aiohttp

from chat.replay.conversations import Conversation, UserTurn

DoorName = Literal["ws", "sse"]
Frame = dict[str, Any]

TURN_SECONDS = 120.0
RESENDS = 20


class TurnFailed(Exception):
    """The turn did not come to its end frame."""


@dataclass(frozen=True, slots=True)
class Told:
    """What the server said about one turn: its first frame, the text it streamed, its end frame."""

    client_message_id: str
    start: Frame
    events: tuple[int, ...]
    text: str
    end: Frame


@dataclass(slots=True)
class Played:
    """One conversation as it went: the session that was made for it, and why it stopped early, if it did."""

    conversation: Conversation
    session_id: uuid.UUID = field(default_factory=uuid.uuid4)
    turns: list[Told] = field(default_factory=list)
    waits: int = 0
    failure: str = ""


@dataclass(frozen=True, slots=True)
class Player:
    """Where to play and how; `token_of` gives a tenant's token, `on_turn` is called after each turn."""

    url: str
    door: DoorName
    token_of: Callable[[str], str]
    on_turn: Callable[[], None]

    async def play(self, conversations: Iterable[Conversation], concurrency: int) -> list[Played]:
        """All conversations, `concurrency` at a time, the turns of each one after another."""
        waiting = iter(conversations)
        async with _http(self.url) as http:
            workers = [self._work(http, waiting) for _ in range(concurrency)]
            return [played for done in await asyncio.gather(*workers) for played in done]

    async def _work(self, http: aiohttp.ClientSession, waiting: Iterator[Conversation]) -> list[Played]:
        return [await self._play_one(http, conversation) for conversation in waiting]

    async def _play_one(self, http: aiohttp.ClientSession, conversation: Conversation) -> Played:
        played = Played(conversation)
        token = self.token_of(conversation.tenant)
        try:
            async with _opened(self.door, http, token) as door:
                for turn in conversation.turns:
                    played.turns.append(await _play_turn(door, played, turn))
                    self.on_turn()
        except (TurnFailed, aiohttp.ClientError, OSError, ValueError) as error:
            played.failure = f"{error}" or type(error).__name__
        return played


def _http(url: str) -> aiohttp.ClientSession:
    # An answer's frames are lines of an event stream, and one may be long: aiohttp's own bound is 128 KiB.
    connector = aiohttp.TCPConnector(limit=0)
    return aiohttp.ClientSession(
        url, connector=connector, cookie_jar=aiohttp.DummyCookieJar(), read_bufsize=2**20
    )


async def _play_turn(door: Door, played: Played, turn: UserTurn) -> Told:
    """One turn to its end; a rate limit is waited out and the same message sent again."""
    payload = _payload(played, turn)
    for _ in range(RESENDS):
        told = await _hear(door, payload)
        if isinstance(told, Told):
            return told
        played.waits += 1
        await door.rest(told)
    raise TurnFailed(f"still rate limited after {RESENDS} tries")


def _payload(played: Played, turn: UserTurn) -> Frame:
    conversation = played.conversation
    payload: Frame = {
        "session_id": str(played.session_id),
        "flow": {
            "name": conversation.mentor,
            "tenant": conversation.tenant,
            "username": conversation.user_id,
        },
        "prompt": turn.text,
        "client_message_id": str(uuid.uuid4()),
    }
    return payload if turn.metadata is None else payload | {"metadata": turn.metadata}


async def _hear(door: Door, payload: Frame) -> Told | float:
    """The turn as told, or the seconds to wait before sending it again."""
    try:
        async with asyncio.timeout(TURN_SECONDS):
            frames = [frame async for frame in door.send(payload)]
    except TimeoutError:
        raise TurnFailed(f"no end frame within {TURN_SECONDS:g} s") from None
    last = frames[-1] if frames else {}
    if "error" in last:
        return _wait_or_fail(last)
    if "eos" not in last:
        raise TurnFailed(f"the stream ended after {len(frames)} frames, without an end frame")
    return _told(payload, frames)


def _wait_or_fail(frame: Frame) -> float:
    if frame.get("status_code") == 429:
        return float(frame.get("retry_after") or 1)
    raise TurnFailed(f"{frame.get('code')} ({frame.get('status_code')}): {frame['error']}")


def _told(payload: Frame, frames: list[Frame]) -> Told:
    return Told(
        client_message_id=payload["client_message_id"],
        start=frames[0],
        events=tuple(frame.get("event", 0) for frame in frames),
        text="".join(frame.get("data", "") for frame in frames),
        end=frames[-1],
    )


def _dump(payload: Frame) -> str:
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":"))


class Door(Protocol):
    """A way into the server, opened for one conversation."""

    def send(self, payload: Frame) -> AsyncIterator[Frame]:
        """The frames of the payload's turn, up to its end or its error."""

    async def rest(self, seconds: float) -> None:
        """Send nothing for a while, without being taken for gone."""


@asynccontextmanager
async def _opened(name: DoorName, http: aiohttp.ClientSession, token: str) -> AsyncIterator[Door]:
    if name == "sse":
        yield _Requests(http, {"Authorization": f"Api-Token {token}", "Content-Type": "application/json"})
        return
    async with http.ws_connect("/ws/chat/") as socket:
        yield _Socket(socket, token)


@dataclass(frozen=True, slots=True)
class _Socket:
    """The token travels in each payload, as the vendor's clients send it."""

    socket: aiohttp.ClientWebSocketResponse
    token: str

    async def send(self, payload: Frame) -> AsyncIterator[Frame]:
        await self.socket.send_str(_dump({**payload, "token": self.token}))
        async for message in self.socket:
            if message.type is not aiohttp.WSMsgType.TEXT:
                raise TurnFailed(f"a {message.type.name} frame came: {message.data!r}")
            frame = json.loads(message.data)
            yield frame
            if "eos" in frame or "error" in frame:
                return

    async def rest(self, seconds: float) -> None:
        # Reading is what answers pings: a server hangs up on a client that sleeps.
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                message = await self.socket.receive()
            raise TurnFailed(f"a {message.type.name} frame came while nothing was asked: {message.data!r}")


@dataclass(frozen=True, slots=True)
class _Requests:
    """One request per turn on a kept connection, the token in its header."""

    http: aiohttp.ClientSession
    headers: dict[str, str]

    async def send(self, payload: Frame) -> AsyncIterator[Frame]:
        body = _dump(payload).encode()
        async with self.http.post("/api/mentor/chat/", data=body, headers=self.headers) as response:
            if response.status != 200:
                yield await _refusal(response)
                return
            async for line in response.content:
                if line.startswith(b"data:"):
                    yield json.loads(line[5:])

    async def rest(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


async def _refusal(response: aiohttp.ClientResponse) -> Frame:
    """The error object of a request that was refused before its stream began."""
    body = await response.text()
    try:
        frame: Frame = json.loads(body)
    except ValueError:
        frame = {"error": body[:200]}
    stated = response.headers.get("Retry-After", "")
    defaults: Frame = {"error": response.reason, "status_code": response.status, "code": "http"}
    return defaults | ({"retry_after": float(stated)} if stated.isdigit() else {}) | frame
