"""Limits on how often and how many: each is a setting, each is told by its code."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from chat.consumers import Socket as ServerSocket
from chat.models import ApiToken, ChatMessageHistory, Mentor, Session, Tenant

from .clients import Frame, Socket, Stream, TalkMaker, request
from .expecting import SECONDS, refusal
from .model_server import ModelServer

RATE_LIMITED = refusal(429, "rate_limited", retry_after=SECONDS)
TOO_MANY = refusal(429, "too_many_sockets")


def last(talk: Socket | Stream, **more: Any) -> Frame:
    end: Frame = talk.say("Hello.", **more).end
    return end


# --- turns of a session


def test_a_session_has_so_many_turns_a_minute(talk: TalkMaker, settings: Any, model: ModelServer) -> None:
    settings.LIMIT_TURNS_PER_MINUTE_PER_SESSION = 2
    one = talk()
    told = [last(one), last(one), last(one, metadata={"a": 1})]
    assert [frame.get("status") for frame in told] == ["complete", "complete", None]
    assert told[2] == RATE_LIMITED
    assert (ChatMessageHistory.objects.count(), len(model.received)) == (4, 2)
    assert Session.objects.get().context_version == 0


def test_another_session_is_not_held_back(talk: TalkMaker, settings: Any) -> None:
    settings.LIMIT_TURNS_PER_MINUTE_PER_SESSION = 1
    assert [last(talk())["status"], last(talk())["status"]] == ["complete", "complete"]


def test_after_a_minute_there_is_room_again(talk: TalkMaker, settings: Any) -> None:
    settings.LIMIT_TURNS_PER_MINUTE_PER_SESSION = 1
    one = talk()
    last(one)
    assert last(one) == RATE_LIMITED
    ChatMessageHistory.objects.update(created_at=timezone.now() - timedelta(seconds=61))
    assert last(one)["status"] == "complete"


def test_retry_after_says_when(talk: TalkMaker, settings: Any) -> None:
    settings.LIMIT_TURNS_PER_MINUTE_PER_SESSION = 1
    one = talk()
    last(one)
    ChatMessageHistory.objects.update(created_at=timezone.now() - timedelta(seconds=50))
    assert 5 < last(one)["retry_after"] <= 10


def test_the_same_message_again_is_no_turn(talk: TalkMaker, settings: Any) -> None:
    settings.LIMIT_TURNS_PER_MINUTE_PER_SESSION = 1
    one = talk()
    assert [last(one, client_message_id="a")["status"] for _ in range(3)] == ["complete"] * 3


@pytest.mark.parametrize("which", ["SESSION", "TOKEN"])
def test_zero_switches_a_rate_off(talk: TalkMaker, settings: Any, token: str, which: str) -> None:
    setattr(settings, f"LIMIT_TURNS_PER_MINUTE_PER_{which}", 0)
    one = talk(token=token)
    assert [last(one)["status"] for _ in range(3)] == ["complete"] * 3


# --- turns of a token


def test_a_token_has_so_many_turns_a_minute(talk: TalkMaker, settings: Any, token: str, demo: Tenant) -> None:
    settings.LIMIT_TURNS_PER_MINUTE_PER_TOKEN = 2
    told = [last(talk(token=token)) for _ in range(3)]
    assert [frame.get("status") for frame in told] == ["complete", "complete", None]
    assert told[2] == RATE_LIMITED
    _, another = ApiToken.issue(demo, scope="write_all", name="another")
    assert last(talk(token=another))["status"] == "complete"
    assert last(talk())["status"] == "complete"


def test_over_http_there_is_a_retry_after_header(
    live: str, coach: Mentor, model: ModelServer, settings: Any
) -> None:
    settings.LIMIT_TURNS_PER_MINUTE_PER_SESSION = 1
    one = Stream(live, "demo", "coach")
    last(one)
    body = json.dumps(one.payload("Hello.")).encode()
    with request(live, "POST", "/api/mentor/chat/", body) as response:
        told = json.loads(response.read())
        assert (response.status, told) == (429, RATE_LIMITED)
        assert int(response.headers["retry-after"]) >= told["retry_after"]


# --- sockets of a token


@pytest.fixture
def sockets(live: str, coach: Mentor, model: ModelServer) -> Iterator[Callable[..., Socket]]:
    opened: list[Socket] = []

    def make(**more: Any) -> Socket:
        opened.append(Socket(live, "demo", "coach", **more))
        return opened[-1]

    yield make
    for one in opened:
        one.close()
    free()


def free() -> None:
    """Wait until the server has noticed that its sockets are closed."""
    deadline = time.monotonic() + 5
    while any(ServerSocket.open_by_token.values()):
        assert time.monotonic() < deadline, ServerSocket.open_by_token
        time.sleep(0.01)


def test_a_token_has_so_many_sockets(
    sockets: Callable[..., Socket], settings: Any, token: str, demo: Tenant, model: ModelServer
) -> None:
    settings.LIMIT_SOCKETS_PER_TOKEN = 2
    first, second, third = (sockets(token=token) for _ in range(3))
    told = [last(one) for one in (first, second, third, first)]
    assert [frame.get("status") for frame in told] == ["complete", "complete", None, "complete"]
    assert (told[2], len(model.received)) == (TOO_MANY, 3)
    _, another = ApiToken.issue(demo, scope="write_all", name="another")
    assert last(sockets(token=another))["status"] == "complete"
    assert last(sockets())["status"] == "complete"


def test_a_closed_socket_makes_room(sockets: Callable[..., Socket], settings: Any, token: str) -> None:
    settings.LIMIT_SOCKETS_PER_TOKEN = 1
    first, second = sockets(token=token), sockets(token=token)
    last(first)
    assert last(second) == TOO_MANY
    first.close()
    free()
    assert last(second)["status"] == "complete"


def test_a_socket_that_is_torn_off_makes_room(
    sockets: Callable[..., Socket], settings: Any, token: str
) -> None:
    settings.LIMIT_SOCKETS_PER_TOKEN = 1
    first, second = sockets(token=token), sockets(token=token)
    first.put(first.payload("Hello."))
    first.get()
    first.put(first.payload("Hello."))
    first.socket.socket.close()
    free()
    assert last(second)["status"] == "complete"


def test_a_token_in_the_header_counts_too(sockets: Callable[..., Socket], settings: Any, token: str) -> None:
    settings.LIMIT_SOCKETS_PER_TOKEN = 1
    headers = {"Authorization": f"Api-Token {token}"}
    assert [last(sockets(headers=headers)).get("status"), last(sockets(token=token))] == [
        "complete",
        TOO_MANY,
    ]


def test_the_stop_sockets_count_too(sockets: Callable[..., Socket], settings: Any, token: str) -> None:
    settings.LIMIT_SOCKETS_PER_TOKEN = 1
    one = sockets(token=token)
    generation = one.say("Hello.").generation_id
    ask = {"generation_id": generation, "name": "coach", "tenant": "demo", "token": token}
    with one.open("/ws/langflow-stop-generation/") as stop:
        stop.send(json.dumps(ask))
        assert json.loads(stop.recv(10)) == TOO_MANY


def test_what_is_no_token_takes_no_room(sockets: Callable[..., Socket]) -> None:
    """Anyone can send any string: only what was proved is counted, and kept."""
    one = sockets()
    for number in range(20):
        assert last(one, token=f"mk_guess{number}")["code"] == "authentication_failed"
    assert not ServerSocket.open_by_token


def test_a_revoked_token_frees_its_room(sockets: Callable[..., Socket], token: str) -> None:
    one = sockets(token=token)
    last(one)
    ApiToken.objects.get().revoke()
    assert last(one)["code"] == "authentication_failed"
    one.close()
    free()
    assert not ServerSocket.open_by_token
