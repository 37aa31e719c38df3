"""The figures of this project, as ratios from one run: `make bench`, or this file with its options.

Every row is measured in every round, one after the other, so that a noisy minute falls on all of them.
The robust figure is the CPU time of the server's process tree per turn; wall clock stands beside it.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import idle
import profiling
import report
from processes import OTHER_CORES, Server, pin, raise_file_limit
from report import Figures
from rows import GROUPS, Group, Row
from running import HERE, PROJECT, Running

SETTLE_SECONDS = 0.05
RESULTS = HERE / "results"


def measure(running: Running, row: Row, plan: dict[str, Any]) -> Figures:
    """Play one plan and weigh the server, and PostgreSQL, from the start line to the last turn's end."""
    server = running.server(row.server)
    with running.load(plan) as load:
        load.line()
        cpu, postgres = server.cpu_ms(), running.database.cpu_ms()
        load.go()
        seen = json.loads(load.line())
        time.sleep(SETTLE_SECONDS)
        cpu = server.cpu_ms() - cpu
        postgres = running.database.cpu_ms() - postgres
    if keeps(row):
        running.turns_of_ours += seen["turns"] + seen["unmeasured"]
    return figures(seen, cpu, postgres if keeps(row) and running.database.local else None, server)


def keeps(row: Row) -> bool:
    """Whether this row's turns are stored."""
    return row.server in ("ours", "limited")


def figures(seen: dict[str, Any], cpu: float, postgres: float | None, server: Server) -> Figures:
    """What one round of one row gave, in the report's words."""
    turns = seen["turns"]
    return {
        "turns": turns,
        "cpu_ms_per_turn": cpu / turns,
        "turns_per_cpu_s": 1000 * turns / cpu if cpu else None,
        "turns_per_s": turns / seen["elapsed"],
        "postgres_ms_per_turn": None if postgres is None else postgres / turns,
        "rss_mib": server.rss_kib() / 1024,
        **{key: seen[key] for key in ("ttft_p50", "p50", "p99", "frames_per_turn")},
    }


def play_rounds(running: Running, group: Group, options: argparse.Namespace) -> dict[str, list[Figures]]:
    """Every row of a group, so many rounds long, backwards in every other one."""
    rounds: dict[str, list[Figures]] = defaultdict(list)
    for number in range(options.rounds):
        print(f"  {group.key}: round {number + 1} of {options.rounds}", flush=True)
        for row in group.rows[:: -1 if number % 2 else 1]:
            plan = running.plan(group, row, options.seconds)
            rounds[row.name].append(measure(running, row, plan))
    return rounds


def run(running: Running, options: argparse.Namespace) -> dict[str, Any]:
    """Measure what was asked for, print each table as it comes, and return it all."""
    tables: dict[str, dict[str, Figures]] = {}
    rounds: dict[str, dict[str, list[Figures]]] = {}
    for group in GROUPS:
        if group.key in options.only:
            rounds[group.key] = play_rounds(running, group, options)
            tables[group.key] = report.medians(group, rounds[group.key])
            print("\n" + report.render(group.title, tables[group.key]), flush=True)
    if "idle" in options.only:
        tables["idle"] = idle.measure(running)
        print("\n" + report.render(idle.TITLE, tables["idle"]), flush=True)
    return {"medians": tables, "rounds": rounds}


def bench(running: Running, options: argparse.Namespace) -> None:
    """One whole run, printed and saved."""
    facts = report.machine()
    running.prepare()
    facts["servers"] = running.versions()
    if options.profile:
        for name in options.profile:
            print(profiling.profile(running, name, RESULTS, options.profile_seconds))
        return
    result = run(running, options)
    judged = report.judge(result["medians"])
    for entry in judged:
        print(report.verdict(**entry))
    print(running.check_kept())
    print(report.machine_line(facts))
    settings = {"rounds": options.rounds, "seconds": options.seconds, "only": options.only}
    whole = {"machine": facts, "settings": settings, **result, "targets": report.as_rows(judged)}
    report.save(RESULTS, "bench", whole)


def parse(arguments: list[str]) -> argparse.Namespace:
    """The options; the defaults are what `make bench` measures."""
    keys = [*(group.key for group in GROUPS), "idle"]
    parser = argparse.ArgumentParser(description="Measure the server beside a bare Channels consumer.")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2.0, help="of each back-to-back row")
    parser.add_argument("--only", nargs="+", choices=keys, default=keys)
    parser.add_argument("--profile", nargs="*", choices=sorted(profiling.TARGETS), help="only sample these")
    parser.add_argument("--profile-seconds", type=float, default=6.0)
    add_project_options(parser)
    options = parser.parse_args(arguments)
    if options.profile == []:
        options.profile = list(profiling.DEFAULT)
    return options


def add_project_options(parser: argparse.ArgumentParser) -> None:
    """Which checkout is measured, with which Python."""
    parser.add_argument("--project", type=Path, default=PROJECT, help="another checkout to measure")
    parser.add_argument("--python", type=Path, help="the servers' Python (the project's .venv)")


def with_stage(options: argparse.Namespace, bench: Callable[[Running, argparse.Namespace], None]) -> None:
    """Set the stage, run, clear the stage, whatever happens."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("Stopped."))
    raise_file_limit()
    pin(os.getpid(), OTHER_CORES)
    python = options.python or options.project / ".venv" / "bin" / "python"
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        bench(Running(options.project.resolve(), python.absolute(), Path(folder), stack), options)


def main() -> None:
    """Run with the options on the command line."""
    with_stage(parse(sys.argv[1:]), bench)


if __name__ == "__main__":
    main()
