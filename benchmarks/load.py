"""The load client: one JSON plan on the command line (see `Plan`), one JSON tally on stdout.

It connects, plays the unmeasured turns, prints `ready`, waits for a line on stdin, plays for the planned
seconds (a turn that has begun is finished and counted), and prints its tally. A turn that is not whole
ends the run with a sentence and exit code 1. With no seconds it only holds its sockets until the line.

    python load.py '{"door": "ws", "url": "ws://127.0.0.1:8000/ws/chat/", "sockets": 50, "seconds": 3, …}'
"""

from __future__ import annotations

import asyncio
import gc
import sys
from time import perf_counter
from typing import Any

import orjson
import uvloop
from chainlit_talker import ChainlitTalker
from talkers import Failed, Plan, SocketTalker, StreamTalker, Tally

CONNECT_AT_ONCE = 50
WARM_AT_ONCE = 200


def talker_class(plan: Plan) -> type[SocketTalker] | type[StreamTalker]:
    """Who speaks this plan's wire."""
    if plan.dialect == "chainlit":
        return ChainlitTalker
    return SocketTalker if plan.door == "ws" else StreamTalker


def groups(talkers: list[Any], size: int) -> list[list[Any]]:
    """The talkers, so many at a time."""
    return [talkers[at : at + size] for at in range(0, len(talkers), size)]


async def connect_all(talkers: list[Any]) -> None:
    """Connect so many at a time that no backlog overflows."""
    for some in groups(talkers, CONNECT_AT_ONCE):
        await asyncio.gather(*(talker.connect() for talker in some))


async def line_from_stdin() -> None:
    """The start line, or the end of input."""
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)


async def measure(plan: Plan, talkers: list[Any], tally: Tally) -> bytes:
    """Play the planned seconds on every socket at once."""
    began = perf_counter()
    delays = [plan.stagger * number / len(talkers) for number in range(len(talkers))]
    tally.unmeasured = tally.turns
    tally.clear()
    await asyncio.gather(
        *(talker.play(1, began + plan.seconds, delay) for talker, delay in zip(talkers, delays, strict=True))
    )
    return tally.as_json(perf_counter() - began)


async def run(plan: Plan) -> None:
    """Connect, warm, wait for the start line, measure, print; with no seconds, only hold the sockets."""
    tally = Tally()
    talker_of = talker_class(plan)
    talkers = [talker_of(plan, number, tally) for number in range(plan.sockets)]
    await connect_all(talkers)
    if plan.warm_turns:
        for some in groups(talkers, WARM_AT_ONCE):
            await asyncio.gather(*(talker.play(plan.warm_turns, 0.0) for talker in some))
    gc.collect()
    gc.disable()
    print("ready", flush=True)
    await line_from_stdin()
    if plan.seconds:
        print((await measure(plan, talkers, tally)).decode(), flush=True)


def main() -> None:
    """Run the plan on the command line."""
    try:
        uvloop.run(run(Plan(**orjson.loads(sys.argv[1]))))
    except (Failed, OSError, TimeoutError) as error:
        sys.exit(f"The load failed: {error or type(error).__name__}")


if __name__ == "__main__":
    main()
