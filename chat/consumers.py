"""The sockets: /ws/chat/ and ibl.ai's stop socket. A door parses, authorises and streams; the turn is LLMRunner's."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter, deque
from collections.abc import AsyncIterable, Iterator
from typing import Any
from uuid import UUID

import orjson
import structlog
from channels.consumer import get_handler_name
from channels.exceptions import StopConsumer
from channels.generic.websocket import AsyncWebsocketConsumer

from . import access, limits, refusals, telemetry
from .database import in_database
from .errors import AuthenticationFailed, ChatError, InvalidPayload, RateLimited, TooManySockets
from .feeds import ClientLeft, deliver
from .following import resume_turn
from .listening import Subscriptions
from .live import process
from .models import ApiToken
from .payloads import (
    BaseConsumerPayload,
    Frame,
    LegacyStop,
    ResumeCommand,
    StopCommand,
    SubscribeCommand,
    UnsubscribeCommand,
    parse_frame,
)
from .requests import Request
from .runner import LLMRunner, stop_turn

log = structlog.get_logger(__name__)
BINARY = "Send text frames: this one is binary."


class BaseLLMRunnerConsumer:
    """What every streaming door does with a payload."""

    door: str
    request: Request
    # No channel of its own: one listener a process serves all of them (see live.Process).
    channel_layer_alias = ""
    # The last context this door saw in force, for the session's next payload.
    known_context: tuple[UUID, str] | None = None
    # The latest turns of this door's client, which it may stop without proving itself again.
    own_turns: deque[UUID]

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Channels' own loop, for a door without a channel.

        That one makes a task for each message, and hops to a thread to close database connections that were
        never opened there.
        """
        self.scope, self.base_send = scope, send
        with contextlib.suppress(StopConsumer):
            while True:
                message = await receive()
                await getattr(self, get_handler_name(message))(message)

    async def process_text_data(self, payload: BaseConsumerPayload) -> AsyncIterable[str]:
        """Accept a parsed payload and start its turn: the turn's frames. Raises ChatError; then nothing is stored."""
        credentials = await self.request.credentials(payload.token, payload.session_token)
        runner = LLMRunner(payload, credentials, self.door)
        session_id, text = self.known_context or (None, None)
        frames = await runner.arun(text if session_id == payload.session_id else None)
        if runner.has_begun:
            self.known_context = (payload.session_id, runner.context_text)
            self.own_turns.append(runner.begun.answer)
        return frames

    def error_frame(self, error: Exception) -> dict[str, Any]:
        """What to tell of a refusal; an error of our own is logged and told without its words."""
        if not isinstance(error, ChatError):
            log.error("door_failed", door=self.door, exc_info=error)
            error = ChatError("Something went wrong here.")
        telemetry.REFUSED.labels(self.door, error.code).inc()
        return error.as_frame()

    def count_refusal(self, error: Exception) -> None:
        """Count what a payload was refused for; its sender has been told by now, and is told nothing of this."""
        if not isinstance(error, ChatError):
            return
        try:
            told = refusals.of_error(error)
            if told and (sent := refusals.Sent.of(error)):
                process().tally.add(self.request.sender(sent), self.door, told, sent.session_id)
        except Exception as failure:
            log.error("refusal_not_counted", door=self.door, exc_info=failure)


class Socket(BaseLLMRunnerConsumer, AsyncWebsocketConsumer):
    """What both sockets share."""

    open_by_token: Counter[str] = Counter()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Also counts the socket, as long as it is open."""
        self.request = Request(scope)
        self.tokens: set[str] = set()
        self.tasks: set[asyncio.Task[None]] = set()
        self.subscriptions = Subscriptions(self.request, self._send)
        telemetry.SOCKETS.inc()
        try:
            await super().__call__(scope, receive, send)
        finally:
            # Not in disconnect(), which a client that leaves in mid-frame can keep from being called.
            telemetry.SOCKETS.dec()
            self.subscriptions.end_all()
            for token in list(self.tokens):
                self._forget(token)

    @contextlib.contextmanager
    def counted(self, sent: str | None) -> Iterator[None]:
        """Count this socket among its token's from the first command that was obeyed. Raises TooManySockets.

        What is not proved to be a token is kept nowhere: anybody may send any string.
        """
        token = sent or self.request.token
        new = token not in self.tokens
        if token and new:
            self._count(token)
        try:
            yield
        except Exception as error:
            if new or isinstance(error, AuthenticationFailed):
                self._forget(token)
            raise

    def _count(self, token: str) -> None:
        most = limits.current().sockets_per_token
        if most and self.open_by_token[token] >= most:
            raise TooManySockets()
        self.tokens.add(token)
        self.open_by_token[token] += 1

    def _forget(self, token: str) -> None:
        if token in self.tokens:
            self.tokens.remove(token)
            self.open_by_token[token] -= 1
            if not self.open_by_token[token]:
                del self.open_by_token[token]

    async def tell(self, frame: dict[str, Any]) -> None:
        await self.base_send({"type": "websocket.send", "text": orjson.dumps(frame).decode()})

    async def prove_and_stop(self, command: StopCommand | LegacyStop) -> None:
        credentials = await self.request.credentials(command.token, command.session_token)
        scope = ApiToken.Scope.WRITE_ALL
        await in_database(access.access_answer, credentials, command.generation_id, scope)
        await self.stop(command.generation_id)

    async def stop(self, answer: UUID) -> None:
        await stop_turn(answer)
        await self.tell({"detail": "Stopped"})

    def pump(self, frames: AsyncIterable[str]) -> None:
        """Send frames beside the receiving of the next ones, so that a stop is heard."""
        task = asyncio.get_running_loop().create_task(self._pump(frames))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _pump(self, frames: AsyncIterable[str]) -> None:
        try:
            await deliver(frames, self._send)
        except ClientLeft:
            log.debug("client_left", door=self.door)  # its turn goes on without it
        except Exception as error:
            with contextlib.suppress(Exception):
                await self.tell(self.error_frame(error))

    async def _send(self, frame: str) -> None:
        try:
            await self.base_send({"type": "websocket.send", "text": frame})
        except Exception as error:
            raise ClientLeft from error


class ChatConsumer(Socket):
    """/ws/chat/: payloads in, the frames of their turns out."""

    door = "websocket"

    async def connect(self) -> None:
        self.own_turns = deque(maxlen=8)
        await super().connect()

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        command: Frame | None = None
        try:
            if text_data is None:
                raise InvalidPayload(BINARY, pointer="")
            command = parse_frame(text_data, limits.current())
            with self.counted(command.token):
                await self._obey(command)
        except Exception as error:
            # A client that waits for a message's outcome must not take this for it.
            about = {"subscribe": str(command.session_id)} if isinstance(command, SubscribeCommand) else {}
            await self.tell({**self.error_frame(error), **about})
            self.count_refusal(error)

    async def _obey(self, command: Frame) -> None:
        match command:
            case BaseConsumerPayload():
                self._check_answers()
                self.pump(await self.process_text_data(command))
            case StopCommand():
                proved = command.generation_id in self.own_turns
                await (self.stop(command.generation_id) if proved else self.prove_and_stop(command))
            case ResumeCommand():
                self._check_answers()
                await self._resume(command)
            case SubscribeCommand():
                await self.subscriptions.begin(command)
            case UnsubscribeCommand():
                await self.subscriptions.end(command.session_id)

    def _check_answers(self) -> None:
        """Each is kept until it is read: one who reads nothing must not ask for ever more of them."""
        if len(self.tasks) >= limits.current().answers_per_socket:
            raise RateLimited("Too many answers are still on their way on this socket.", retry_after=1)

    async def _resume(self, command: ResumeCommand) -> None:
        credentials = await self.request.credentials(command.token, command.session_token)
        answer = await in_database(access.access_answer, credentials, command.generation_id)
        self.pump(resume_turn(answer.id, command.after))


class StopGenerationConsumer(Socket):
    """/ws/langflow-stop-generation/: ibl.ai's second socket, whose every frame stops one generation."""

    door = "stop"

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        try:
            if text_data is None:
                raise InvalidPayload(BINARY, pointer="")
            command = LegacyStop.parse(text_data, limits.current())
            with self.counted(command.token):
                await self.prove_and_stop(command)
        except Exception as error:
            await self.tell(self.error_frame(error))
