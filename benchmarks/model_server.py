"""A scripted OpenAI-compatible model: 50 tokens for any prompt, for as little CPU as Python allows.

The model's name sets the pace: `back-to-back` writes one token per turn of its event loop, so that each
leaves in a write of its own as a real model's do; `paced-20ms` (any number) leaves that long between
tokens. The first token leaves at once. Every byte is encoded before the first request.

    python model_server.py PORT
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator

import orjson
import uvloop

TOKENS = [f" word-{number:02d}" for number in range(50)]
ANSWER = "".join(TOKENS)
USAGE = {"prompt_tokens": 100, "completion_tokens": 50, "total_tokens": 150}

STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n"
    b"Cache-Control: no-cache\r\nTransfer-Encoding: chunked\r\n\r\n"
)


def completion(delta: dict[str, str], finish_reason: str | None = None) -> dict[str, object]:
    """One chat.completion.chunk as OpenAI spells it."""
    return {
        "id": "chatcmpl-scripted",
        "object": "chat.completion.chunk",
        "created": 1700000000,
        "model": "scripted",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}],
    }


def event(payload: bytes) -> bytes:
    """A server-sent event inside an HTTP chunk."""
    data = b"data: " + payload + b"\n\n"
    return b"%x\r\n%s\r\n" % (len(data), data)


def writes(with_usage: bool) -> list[bytes]:
    """The body of one answer, one entry per write; the first also opens it and the last closes it."""
    tokens = [event(orjson.dumps(completion({"content": token}))) for token in TOKENS]
    opening = event(orjson.dumps(completion({"role": "assistant", "content": ""})))
    closing = event(orjson.dumps(completion({}, "stop")))
    if with_usage:
        closing += event(orjson.dumps({**completion({}), "choices": [], "usage": USAGE}))
    closing += event(b"[DONE]") + b"0\r\n\r\n"
    return [STREAM_HEAD + opening + tokens[0], *tokens[1:], closing]


PLAIN = writes(with_usage=False)
WITH_USAGE = writes(with_usage=True)
MODELS = orjson.dumps({"object": "list", "data": [{"id": "back-to-back", "object": "model"}]})


def whole_reply(body: bytes) -> bytes:
    """A reply that is not a stream."""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
    return head + body


def model_name(body: bytes) -> bytes:
    """The request's model; inside a prompt the same key would be escaped, so a search is exact."""
    at = body.find(b'"', body.find(b":", body.find(b'"model"'))) + 1
    return body[at : body.find(b'"', at)]


def seconds_between_tokens(name: bytes) -> float:
    """0 for back-to-back; a prefix such as `openai/` is a proxy's own and ignored."""
    _, paced, pace = name.rpartition(b"paced-")
    return int(pace.removesuffix(b"ms")) / 1000 if paced else 0.0


class ModelServer(asyncio.Protocol):
    """One keep-alive connection; a request at a time, as HTTP/1.1 clients send them."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.received += data
        head_ends = self.received.find(b"\r\n\r\n")
        if head_ends < 0:
            return
        head = self.received[:head_ends].lower()
        at = head.find(b"content-length:")
        length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        if len(self.received) >= head_ends + 4 + length:
            body = self.received[head_ends + 4 : head_ends + 4 + length]
            self.received = b""
            self.answer(head, body)

    def answer(self, head: bytes, body: bytes) -> None:
        """Start the stream, or list the models to a proxy that asks."""
        if not head.startswith(b"post"):
            self.transport.write(whole_reply(MODELS))
            return
        script = iter(WITH_USAGE if b"include_usage" in body else PLAIN)
        self.speak(script, self.loop.time(), seconds_between_tokens(model_name(body)))

    def speak(self, script: Iterator[bytes], due: float, pause: float) -> None:
        """Write what is next and come back for the rest, unless the client has left."""
        piece = next(script, None)
        if piece is None or self.transport.is_closing():
            return
        self.transport.write(piece)
        if pause:
            self.loop.call_at(due + pause, self.speak, script, due + pause, pause)
        else:
            self.loop.call_soon(self.speak, script, due, pause)


async def serve(port: int) -> None:
    """Listen on loopback until killed."""
    server = await asyncio.get_running_loop().create_server(ModelServer, "127.0.0.1", port, backlog=2048)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
