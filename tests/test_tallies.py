"""What a process gathers of refusals before it writes them: for a moment, of so many senders, and never in vain."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from chat import refusals, tallies
from chat.access import Credentials
from chat.live import Process
from chat.payloads import PayloadWarning
from chat.refusals import Home, Kind, Sender, Sent
from chat.requests import Request

from .test_refusals import lost, once

TOLD: list[PayloadWarning] = [{"code": "page_content_cut", "pointer": "/page_content", "message": "Cut."}]


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What is given to the database, in place of the database."""
    given: list[Any] = []
    monkeypatch.setattr(refusals, "record", given.append)
    monkeypatch.setattr(tallies, "WRITE_SECONDS", 0.05)
    return given


def test_it_is_gathered_for_a_moment_and_written_at_once(recorded: list[Any]) -> None:
    async def go() -> None:
        tally = tallies.Tally()
        for wait in (0.0, 0.0, 0.2):
            tally.add(Home(1, 1), "sse", TOLD, None)
            await asyncio.sleep(wait)
        tally.add(Home(1, 1), "sse", TOLD, None)
        await asyncio.sleep(0.2)

    asyncio.run(go())
    counts = [times.count for given in recorded for times in given[Home(1, 1)].values()]
    assert (sum(counts), len(counts) < 4) == (4, True)


def test_a_process_that_goes_down_writes_it_first(recorded: list[Any]) -> None:
    async def go() -> None:
        process = Process()
        process.tally.add(Home(1, 1), "sse", TOLD, None)
        await process.drain(0)
        assert len(recorded) == 1

    asyncio.run(go())


def stranger(n: int, token: str = "") -> Sender:
    return Sender(Credentials(token=token), None, "demo", f"mentor-{n}")


def test_too_many_senders_at_once_are_dropped_and_counted() -> None:
    tally, before = tallies.Tally(), lost()
    for n in range(tallies.MOST_SENDERS + 5):
        tally._add(stranger(n), Kind("invalid_payload", "/metadata", "sse"), once())
    assert (len(tally._counted), lost()) == (tallies.MOST_SENDERS, before + 5)


def test_strangers_do_not_crowd_out_who_is_let_in() -> None:
    tally, before = tallies.Tally(), lost()
    for n in range(tallies.MOST_SENDERS):
        tally._add(stranger(n), Kind("invalid_payload", "/metadata", "sse"), once())
    tally._add(Home(1, 1), Kind("page_content_cut", "/page_content", "sse"), once())
    assert (Home(1, 1) in tally._counted, lost()) == (True, before)


def test_of_a_token_that_can_be_none_little_is_kept() -> None:
    scope = {"type": "websocket", "path": "/ws/chat/", "headers": []}
    flow = {"name": "coach", "tenant": "demo"}
    sent = Sent.model_validate({"flow": flow, "token": "x" * 400_000})
    assert len(Request(scope).sender(sent).credentials.token or "") == 255


def test_what_there_is_no_time_to_write_is_counted_as_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def never(*_: object) -> None:
        await asyncio.sleep(60)

    monkeypatch.setattr(tallies, "in_database", never)
    tally, before = tallies.Tally(), lost()
    tally._add(Home(1, 1), Kind("page_content_cut", "/page_content", "sse"), once())
    asyncio.run(tally.write_within(0.05))
    assert lost() == before + 1
