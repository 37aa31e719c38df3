"""The guide's tables of the context law, row by row."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from chat.models import ChatMessageHistory, SessionContextVersion
from tests.clients import Frame, Reply, Socket, Stream, is_last
from tests.model_server import ModelServer

from .follower import both_doors
from .pages import table


@pytest.fixture
def talk(live: str, names: dict[str, str], model: ModelServer, door: type[Socket | Stream]) -> Iterator[Any]:
    one = door(live, "demo", "licensing-coach")
    yield one
    one.close()


def send(talk: Socket | Stream, metadata: str) -> Frame:
    """The first frame of a turn with this metadata, spelled as it is."""
    payload = json.dumps(talk.payload("Hello."))
    talk.put(payload if metadata == "not sent" else f'{payload[:-1]}, "metadata": {metadata}}}')
    frames = [talk.get()]
    while not is_last(frames[-1]):
        frames.append(talk.get())
    talk.keep(Reply(frames))
    return frames[0]


def in_force(talk: Socket | Stream) -> tuple[Any, list[str]]:
    """The context of a session, and its verified keys."""
    latest = SessionContextVersion.objects.filter(session_id=talk.session_id).last()
    answer = ChatMessageHistory.objects.filter(session_id=talk.session_id, role="mentor").last()
    assert latest is not None
    assert answer is not None
    assert answer.extra.metadata == latest.session.client_context == latest.value
    return latest.value, latest.verified_keys


@both_doors
def test_the_law_row_by_row(talk: Socket | Stream) -> None:
    for number, sent, context, version, changed in table("docs/integrators/context.md", "| # |"):
        told = send(talk, sent)["context"]
        assert in_force(talk)[0] == json.loads(context), number
        assert told == {"version": int(version), "changed": json.loads(changed), "warnings": []}, number


@both_doors
def test_verified_keys_row_by_row(talk: Socket | Stream, names: dict[str, str]) -> None:
    for who, sent, context, keys, version, pointers in table("docs/integrators/context.md", "| who |"):
        talk.token = names["mk_YOUR_TOKEN"] if who == "server" else None
        told = send(talk, sent)["context"]
        assert in_force(talk) == (json.loads(context), json.loads(keys)), (who, sent)
        assert (told["version"], told["changed"]) == (int(version), True)
        assert [warning["pointer"] for warning in told["warnings"]] == json.loads(pointers)
