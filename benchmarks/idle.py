"""What a socket costs that says nothing: resident memory of a fresh server before and after 2,000 of them."""

from __future__ import annotations

import time

from report import Figures
from rows import Row
from running import Running

SOCKETS = 2_000
SETTLE_SECONDS = 1.0
TITLE = f"Idle: {SOCKETS:,} sockets that say nothing, memory of the server's processes"
ROWS = {
    "bare, no layer": (Row("", "bare", "ws", "burst"), "bare", 0),
    "bare, Redis layer": (Row("", "bare", "ws", "burst"), "bare-layer", 0),
    "ours, on Redis": (Row("", "ours", "ws"), "ours", 0),
    "bare, Redis layer, after a turn each": (Row("", "bare", "ws", "burst"), "bare-layer", 1),
    "ours, on Redis, after a turn each": (Row("", "ours", "ws"), "ours", 1),
}


def weigh(running: Running, row: Row, name: str, turns: int) -> Figures:
    """Warm a fresh server with 20 sockets that leave, then hold 2,000."""
    server = running.start(name)
    plan = {**running.address(row, server), "door": "ws", "seconds": 0}
    with running.load({**plan, "sockets": 20, "warm_turns": 2}) as load:
        load.line()
    time.sleep(SETTLE_SECONDS)
    before, cpu = server.rss_kib(), server.cpu_ms()
    with running.load({**plan, "sockets": SOCKETS, "warm_turns": turns}) as load:
        load.line()
        cpu = server.cpu_ms() - cpu
        time.sleep(SETTLE_SECONDS)
        held = server.rss_kib() - before
    server.stop()
    if row.server == "ours":
        running.turns_of_ours += 20 * 2 + SOCKETS * turns
    return {"kib_per_socket": held / SOCKETS, "connect_cpu_ms": None if turns else cpu / SOCKETS}


def measure(running: Running) -> dict[str, Figures]:
    """Every row once: memory does not waver as time does."""
    table = {}
    for title, (row, name, turns) in ROWS.items():
        print(f"  idle: {title}", flush=True)
        table[title] = weigh(running, row, name, turns)
    return table
