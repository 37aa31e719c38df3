"""Any OpenAI-compatible server, streamed over one shared connection pool per event loop.

The hot path: what one read brings is told at once, one timer guards a whole answer, and nothing is
parsed into objects but what is kept. Errors say nothing of the address, the key or the server's own
words; those go to the log, without the prompt.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from functools import cached_property

from ..errors import ModelCut, ModelError, ModelGarbage, ModelTimeout, ModelUnreachable
from .answer import ANSWER_LIMIT, EVENT_BYTES, SHORT_PAUSE, Answer, Fault, refused, retry_after
from .http import (
    Address,
    ConnectTimeout,
    Cut,
    Dropped,
    Garbled,
    HttpError,
    NotConnected,
    Response,
    pool,
    request_head,
)
from .request import Ending, Hear, ModelRequest, request_body

LOGGED_CHARACTERS = 200
# A run of this many characters that the prompt has too is left out of the log.
TELLING_CHARACTERS = 8
REFUSAL_SECONDS = 1.0
# How long the end of the body may take after the end of the answer before the connection is given up.
LINGER_SECONDS = 1.0

logger = logging.getLogger("chat.llm")


class OpenAIModel:
    """A model behind `{base_url}/chat/completions`. Times are seconds, the limit bytes of UTF-8.

    A failure before the first token is tried once more where that can help (not reached, 5xx, an error
    event, 429 with a Retry-After of at most 2 s); both tries share the first token's time.
    """

    def __init__(
        self,
        base_url: str,
        api_key: str = "",
        *,
        connect_timeout: float = 5.0,
        first_token_timeout: float = 30.0,
        idle_timeout: float = 20.0,
        total_timeout: float = 600.0,
        answer_bytes: int = 1024 * 1024,
    ) -> None:
        self._url = f"{base_url.strip().rstrip('/')}/chat/completions"
        self._key = api_key.strip()  # secrets mounted as files end in a newline
        self._headers = _headers(self._key)
        self._connect = connect_timeout
        self._first_token = min(first_token_timeout, total_timeout)
        self._idle = idle_timeout
        self._total = total_timeout
        self._limit = answer_bytes

    async def answer(self, request: ModelRequest, hear: Hear) -> Ending:
        """Tell the text to `hear` as it arrives; raises one of the ModelError family. Cancelling hangs up."""
        until = asyncio.get_running_loop().time() + self._total
        reply = await self._start(request)
        try:
            await reply.hand_on(hear, self._idle, until)
        except Fault as fault:
            self._log(fault, request)
            raise fault.error from None
        finally:
            reply.close()
        assert reply.answer.finish_reason is not None
        return Ending(reply.answer.finish_reason, reply.answer.usage)

    async def _start(self, request: ModelRequest) -> _Reply:
        """The reply at its first token: all that may be tried again, as nobody has seen any of it."""
        try:
            async with asyncio.timeout(self._first_token):
                return await self._try(request_body(request), request, tries=2)
        except Fault as fault:
            raise fault.error from None
        except TimeoutError:
            self._log(Fault(ModelTimeout(), None, f"no token in {self._first_token:g} s"), request)
            raise ModelTimeout from None

    async def _try(self, body: bytes, request: ModelRequest, *, tries: int) -> _Reply:
        try:
            return await self._attempt(body)
        except Fault as fault:
            self._log(fault, request)
            if tries == 1 or fault.pause is None:
                raise
            pause = fault.pause
        await asyncio.sleep(pause)
        return await self._try(body, request, tries=tries - 1)

    async def _attempt(self, body: bytes) -> _Reply:
        response = await self._post(body)
        try:
            if response.status != 200:
                wait = retry_after(response.headers.get("retry-after"))
                raise refused(response.status, wait, await _opening(response))
            reply = _Reply(response, Answer(self._limit))
            await reply.begin()
        except BaseException:
            response.release(0)
            raise
        return reply

    async def _post(self, body: bytes) -> Response:
        try:
            head = request_head(self._address, self._headers, len(body))
            return await pool().post(self._address, head, body, connect_timeout=self._connect)
        except (HttpError, ValueError) as error:
            raise _not_answered(error) from None

    @cached_property
    def _address(self) -> Address:
        return Address.of(self._url)

    def _log(self, fault: Fault, request: ModelRequest) -> None:
        said = fault.said.replace(self._key, "…") if self._key else fault.said
        said = _without_prompt(said[:LOGGED_CHARACTERS], request)
        logger.warning("the model failed", extra={"code": fault.error.code, "said": said})


class _Reply:
    """One answer under way: its response, and what it has said so far."""

    __slots__ = ("_hear", "_over", "_watch", "answer", "response", "text")

    def __init__(self, response: Response, answer: Answer) -> None:
        self.response = response
        self.answer = answer
        self.text = ""
        self._watch: _Watch | None = None

    async def begin(self) -> None:
        """Read up to the first token, or to a sign that the model is at work on it."""
        answer, kind = self.answer, self.response.content_type
        if kind == "text/html":
            raise Fault(ModelGarbage(), None, await _opening(self.response))
        if kind == "application/json":
            self.text = answer.whole(await _body(self.response))
        while not (answer.started or answer.ended):
            if answer.fault is not None:
                raise answer.fault
            self.text += self._text(*await self.response.read())
        answer.check_not_empty()

    async def hand_on(self, hear: Hear, idle: float, until: float) -> None:
        """Tell all that is said from the first token to the end; a fault waits until the text before it is told.

        What arrives is told from the transport's own callback: no task is woken for a token.
        """
        if self.text:
            hear(self.text)
        if not self._is_over():
            self._hear = hear
            self._over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._watch = _Watch(self.response, idle, until)
            self.response.deliver(self._arrived)
            await self._over
        if self.answer.fault is not None:
            raise self.answer.fault
        self.answer.check_not_empty()

    def _arrived(self, data: bytes, error: Exception | None) -> None:
        if self._over.done():
            return
        assert self._watch is not None
        self._watch.heard()
        try:
            if text := self._text(data, error):
                self._hear(text)
        except Exception as fault:
            self._over.set_exception(fault)
            return
        if self._is_over():
            self._over.set_result(None)

    def _is_over(self) -> bool:
        return self.answer.ended or self.answer.fault is not None

    def _text(self, data: bytes, error: Exception | None) -> str:
        """The text in what arrived: bytes, or the end (an error says that it is a bad one)."""
        if data:
            return self.answer.feed(data)
        return self.answer.finish(_ENDS[type(error)]() if error is not None else None)

    def close(self) -> None:
        """Hang up, unless the answer is whole and its body about to end: that connection serves again."""
        if self._watch is not None:
            self._watch.stop()
        whole = self.answer.ended and self.answer.finish_reason != ANSWER_LIMIT
        self.response.release(LINGER_SECONDS if whole else 0)


_ENDS: dict[type[Exception], type[ModelError]] = {
    TimeoutError: ModelTimeout,
    Garbled: ModelGarbage,
    Cut: ModelCut,
}


class _Watch:
    """Ends an answer that pauses too long, by one timer for all of it: a timeout around each read costs as much
    as the read."""

    __slots__ = ("_heard_at", "_idle", "_loop", "_response", "_timer", "_until")

    def __init__(self, response: Response, idle: float, until: float) -> None:
        self._response = response
        self._idle = idle
        self._until = until
        self._loop = asyncio.get_running_loop()
        self.heard()
        self._timer = self._loop.call_at(self._due(), self._look)

    def heard(self) -> None:
        self._heard_at = self._loop.time()

    def stop(self) -> None:
        self._timer.cancel()

    def _due(self) -> float:
        return min(self._heard_at + self._idle, self._until)

    def _look(self) -> None:
        due = self._due()
        if self._loop.time() >= due:
            self._response.give_up(TimeoutError())
        else:
            self._timer = self._loop.call_at(due, self._look)


def _headers(api_key: str) -> dict[str, str]:
    """A compressing proxy holds tokens back to fill its window, so none is asked for."""
    headers = {
        "Accept": "text/event-stream",
        "Accept-Encoding": "identity",
        "Content-Type": "application/json",
        "User-Agent": "mentor-context",
    }
    return headers | {"Authorization": f"Bearer {api_key}"} if api_key else headers


def _not_answered(error: Exception) -> Fault:
    """What it means that no status came. The exception's words name the address: only its kind is kept."""
    said = type(error).__name__
    if isinstance(error, ConnectTimeout):
        return Fault(ModelTimeout(), 0.0, said)
    if isinstance(error, NotConnected):
        return Fault(ModelUnreachable(), SHORT_PAUSE, said)
    if isinstance(error, Dropped):
        # Most often a kept connection that the server closed just as it was used again.
        return Fault(ModelUnreachable(), 0.0, said)
    if isinstance(error, Garbled):
        return Fault(ModelGarbage(), None, said)
    return Fault(ModelUnreachable(), None, said)


async def _opening(response: Response) -> str:
    """How a body begins that is no answer."""
    data = b""
    with suppress(TimeoutError):
        async with asyncio.timeout(REFUSAL_SECONDS):
            data = (await response.read())[0][: 4 * LOGGED_CHARACTERS]
    return f"status {response.status}, {' '.join(data.decode(errors='replace').split())}"


async def _body(response: Response) -> bytes:
    body = bytearray()
    data, error = await response.read()
    while data:
        body += data
        if len(body) > EVENT_BYTES:
            raise Fault(ModelGarbage())
        data, error = await response.read()
    if error is not None:
        raise Fault(ModelCut())
    return bytes(body)


def _without_prompt(said: str, request: ModelRequest) -> str:
    """A server's words for the log, less every run of characters that the prompt has too."""
    prompt = " ".join(" ".join(message["content"] for message in request.messages).split())
    hidden = bytearray(len(said))
    for start in range(len(said) - TELLING_CHARACTERS + 1):
        if said[start : start + TELLING_CHARACTERS] in prompt:
            hidden[start : start + TELLING_CHARACTERS] = b"\1" * TELLING_CHARACTERS
    return "".join("…" if hide else character for character, hide in zip(said, hidden, strict=True))
