"""A talker that speaks Chainlit's wire: socket.io 4 on one WebSocket, until the task ends."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import orjson
from picows import WSFrame, WSMsgType, WSTransport
from talkers import SocketTalker

PING, CONNECTED, EVENT, ACK = b"2", b"40", b"42", b"43"


class ChainlitTalker(SocketTalker):
    """Text arrives as socket.io events until `task_end`."""

    async def connect(self) -> None:
        self.greeted = asyncio.Event()
        await super().connect()
        self.transport.send(WSMsgType.TEXT, CONNECTED + orjson.dumps(self.auth()))
        await asyncio.wait_for(self.greeted.wait(), 20)
        self.emit("connection_successful", None)

    def auth(self) -> dict[str, Any]:
        """What Chainlit's own page sends when it connects."""
        return {
            "clientType": "webapp",
            "sessionId": self.session,
            "threadId": "",
            "userEnv": "{}",
            "chatProfile": "",
        }

    def emit(self, *event: Any) -> None:
        self.transport.send(WSMsgType.TEXT, EVENT + orjson.dumps(list(event)))

    def payload(self) -> bytes:
        message = {
            "id": str(uuid.uuid4()),
            "threadId": "",
            "name": "user",
            "type": "user_message",
            "output": "Which licence do I need to sell annuities?",
            "createdAt": "2026-01-01T00:00:00Z",
        }
        return EVENT + orjson.dumps(["client_message", {"message": message, "fileReferences": []}])

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type != WSMsgType.TEXT:
            return
        try:
            self.hear_packet(frame.get_payload_as_bytes())
        except Exception as error:
            self.fail(error)

    def hear_packet(self, packet: bytes) -> None:
        """Answer a ping, note the greeting, read the events."""
        if packet == PING:
            self.transport.send(WSMsgType.TEXT, b"3")
        elif packet.startswith(CONNECTED):
            self.greeted.set()
        elif packet.startswith(EVENT):
            self.hear(packet[2:])
            if self.ended:
                self.finish()

    def read(self, event: list[Any]) -> tuple[str, bool]:
        """The text of `stream_start` (which brings the first token) and `stream_token`, until `task_end`."""
        name, *rest = event
        if name == "stream_start":
            return rest[0]["output"], False
        if name == "stream_token":
            return rest[0]["token"], False
        return "", name == "task_end" and bool(self.text)
