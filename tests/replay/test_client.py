"""The client of `manage.py replay`, against a server that says what a test tells it to."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from chat.replay.client import Played, Player
from chat.replay.conversations import Conversation

from .recorded import LICENSING, TALK

START = {"event": 1, "generation_id": "g", "message_id": "m", "client_message_id": "?", "sequence": 2}
DATA = [{"event": 2, "data": "Good "}, {"event": 3, "data": "day."}]
END = {"event": 4, "eos": True, "status": "complete"}
LIMITED = {"error": "Too many turns.", "status_code": 429, "code": "rate_limited", "retry_after": 0.01}


class Scripted:
    """A server whose nth request gets the nth script; it keeps what it was sent."""

    def __init__(self, *scripts: list[dict[str, Any]]) -> None:
        self.scripts = list(scripts)
        self.payloads: list[dict[str, Any]] = []
        self.authorization: list[str | None] = []
        self.app = web.Application()
        self.app.add_routes([web.post("/api/mentor/chat/", self.sse), web.get("/ws/chat/", self.socket)])

    async def sse(self, request: web.Request) -> web.StreamResponse:
        self.authorization.append(request.headers.get("Authorization"))
        self.payloads.append(await request.json())
        frames = self.scripts.pop(0)
        if "error" in frames[0]:
            return web.json_response(frames[0], status=frames[0]["status_code"])
        lines = "".join(f"id: {n}\ndata: {json.dumps(frame)}\n\n: \n\n" for n, frame in enumerate(frames, 1))
        return web.Response(text=lines, content_type="text/event-stream")

    async def socket(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(heartbeat=0.1)
        await socket.prepare(request)
        async for message in socket:
            self.payloads.append(json.loads(message.data))
            frames = self.scripts.pop(0)
            for frame in frames:
                await socket.send_json(frame)
            if frames[-1] != END and frames[-1].get("status_code") != 429:
                break
        return socket


def nothing() -> None: ...


def played_against(server: Scripted, door: Any, talk: Conversation = TALK) -> Played:
    async def play() -> list[Played]:
        async with TestServer(server.app) as running:
            return await Player(
                str(running.make_url("/")), door, lambda tenant: f"of-{tenant}", nothing
            ).play([talk], 1)

    [played] = asyncio.run(play())
    return played


TURN = [START, *DATA, END]


@pytest.mark.parametrize("door", ["ws", "sse"])
def test_the_client_keeps_what_it_was_told(door: str) -> None:
    played = played_against(Scripted(TURN, TURN), door)
    assert played.failure == ""
    assert [(told.start, told.text, told.end) for told in played.turns] == [(START, "Good day.", END)] * 2
    assert played.turns[0].events == (1, 2, 3, 4)


@pytest.mark.parametrize("door", ["ws", "sse"])
def test_the_client_sends_metadata_only_where_the_file_has_some(door: str) -> None:
    server = Scripted(TURN, TURN)
    played = played_against(server, door)
    first, second = server.payloads
    assert first["flow"] == {"name": "coach", "tenant": "acme", "username": "ann"}
    assert first["session_id"] == second["session_id"] == str(played.session_id)
    assert (first["prompt"], first["metadata"]) == ("Hi", LICENSING)
    assert (second["prompt"], "metadata" in second) == ("And?", False)
    assert first["client_message_id"] != second["client_message_id"]


def test_the_token_goes_with_the_payload_or_in_the_header() -> None:
    by_socket, by_request = Scripted(TURN, TURN), Scripted(TURN, TURN)
    played_against(by_socket, "ws")
    played_against(by_request, "sse")
    assert [payload["token"] for payload in by_socket.payloads] == ["of-acme", "of-acme"]
    assert by_request.authorization == ["Api-Token of-acme", "Api-Token of-acme"]


@pytest.mark.parametrize("door", ["ws", "sse"])
def test_a_rate_limit_is_waited_out_and_the_same_message_sent_again(door: str) -> None:
    server = Scripted([LIMITED], [LIMITED], TURN, TURN)
    played = played_against(server, door)
    assert (played.failure, played.waits, len(played.turns)) == ("", 2, 2)
    assert len({payload["client_message_id"] for payload in server.payloads[:3]}) == 1


def test_a_socket_that_waits_still_answers_pings() -> None:
    played = played_against(Scripted([{**LIMITED, "retry_after": 0.5}], TURN, TURN), "ws")
    assert (played.failure, played.waits, len(played.turns)) == ("", 1, 2)


BROKEN = {"error": "The model's answer broke off.", "status_code": 502, "code": "model_cut"}


@pytest.mark.parametrize("door", ["ws", "sse"])
@pytest.mark.parametrize(
    ("script", "failure"),
    [
        ([START, BROKEN], "model_cut (502): The model's answer broke off."),
        (
            [{**BROKEN, "status_code": 403, "code": "permission_denied"}],
            "permission_denied (403): The model's",
        ),
        (TURN[:2], "the stream ended after 2 frames, without an end frame"),
    ],
)
def test_a_turn_without_its_end_is_a_failure(door: str, script: list[dict[str, Any]], failure: str) -> None:
    played = played_against(Scripted(TURN, script), door)
    assert len(played.turns) == 1
    assert played.failure.startswith(failure)


def test_a_server_that_is_not_there_is_a_failure() -> None:
    [played] = asyncio.run(Player("http://127.0.0.1:9/", "ws", str, nothing).play([TALK], 1))
    assert played.failure.startswith("Cannot connect to host 127.0.0.1:9")
