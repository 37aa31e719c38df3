"""Reading at scale: lists, breakdowns, facets, search and exports over millions of messages, beside their aims.

`python benchmarks/bench_read.py [--sessions 500000] [--rounds 7] [--only WORD] [--stay] [--database-url URL]`
starts a PostgreSQL and a Redis of its own, fills them, serves them with one web process, asks as a client, prints
a table, and writes results/read-latest.json and the plan of every statement to results/read-plans.txt.
"""

from __future__ import annotations

import argparse
import math
import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from reading import carrying, filling  # noqa: E402
from reading.asking import Asker, Plans  # noqa: E402
from reading.ground import TENANT, TUNING, Ground  # noqa: E402
from reading.questions import Question, questions  # noqa: E402
from report import machine, save  # noqa: E402

RESULTS = HERE / "results"
KINDS = ("csv", "jsonl", "parquet")


def main() -> None:
    options = _options()
    # Whoever ends this run ends its servers too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        ground = Ground(folder, stack, options.database_url, print)
        import django

        django.setup()
        result: dict[str, Any] = {"machine": machine(), "tuning": TUNING, "sessions": options.sessions}
        result |= ground.fill(options.sessions) if ground.made_here else {"rollups": ground.roll_up()}
        result |= {"size": filling.sizes(ground.url)}
        if options.stay:
            print(f"DATABASE_URL={ground.url}", flush=True)
        result |= _measured(ground, options)
        result["load_average_after"] = round(os.getloadavg()[0], 2)
        print(f"\n{save(RESULTS, 'read', result).relative_to(HERE.parent)}")
        if options.stay:
            input("Enter ends the servers: ")
        from django.db import connection

        connection.close()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sessions", type=int, default=500_000, help="of ten messages each on average")
    parser.add_argument("--rounds", type=int, default=7, help="of which the median is taken")
    parser.add_argument("--only", default="", help="what has this word in its name or group")
    parser.add_argument("--database-url", default="", help="a database that a run with --stay has filled")
    parser.add_argument(
        "--stay", action="store_true", help="keep the servers until Enter, and print the address"
    )
    return parser.parse_args()


def _measured(ground: Ground, options: argparse.Namespace) -> dict[str, Any]:
    server, token = ground.serve(), ground.token()
    chosen = [one for one in questions() if options.only.lower() in f"{one.group} {one.name}".lower()]
    answers = list(_asked(chosen, Asker(server.port, token, options.rounds), Plans(token)))
    exports = list(_carried(ground, server, token)) if options.only.lower() in "exports" else []
    return {"questions": answers, "exports": exports}


def _asked(chosen: list[Question], asker: Asker, plans: Plans) -> Iterator[dict[str, Any]]:
    RESULTS.mkdir(exist_ok=True)
    group = ""
    with (RESULTS / "read-plans.txt").open("w") as file:
        for one in chosen:
            if one.group != group:
                group = one.group
                print(f"\n{group:<52}{'p50 ms':>9}{'max':>9}{'aim':>7}{'rows':>7}")
            figures = asker.figures(one)
            print(_line(one, figures), flush=True)
            if "error" not in figures and one.aim_ms < math.inf:
                file.write(
                    f"==== {one.group}: {one.name}\n{figures['path']}\n\n{plans.of(figures['path'])}\n\n\n"
                )
            yield {
                "group": one.group,
                "name": one.name,
                "aim_ms": one.aim_ms if one.aim_ms < math.inf else None,
                **figures,
            }


def _line(one: Question, figures: dict[str, Any]) -> str:
    if "error" in figures:
        return f"  {one.name:<50}  {figures['error']}"
    missed = "  NOT MET" if figures["p50_ms"] > one.aim_ms else ""
    page = f"  (page {figures['page']:,})" if one.page > 1 else ""
    rows = "" if figures["rows"] is None else figures["rows"]
    aim = f"{one.aim_ms:.0f}" if one.aim_ms < math.inf else ""
    numbers = f"{figures['p50_ms']:9.1f}{figures['max_ms']:9.1f}{aim:>7}{rows:>7}"
    return f"  {one.name:<50}{numbers}{missed}{page}"


def _carried(ground: Ground, server: Any, token: str) -> Iterator[dict[str, Any]]:
    """psql before and after the exports, so that a change of the machine's mood shows."""
    heads = f"{'rows':>12}{'s':>8}{'rows/s':>10}{'ratio':>8}{'MB':>9}{'RSS MiB':>9}"
    print(f"\n{f'exports of all messages of {TENANT}':<36}{heads}")
    file = ground.folder / "copied.csv"
    before = carrying.copied(ground, file)
    rows = [("psql \\copy, before", before)]
    _print_export(*rows[-1], before)
    for kind in KINDS:
        rows.append((f"job, {kind}", carrying.exported(ground, server.port, token, kind)))
        _print_export(*rows[-1], before)
    rows.append(("stream.csv over HTTP", carrying.streamed(server, token)))
    _print_export(*rows[-1], before)
    for name, order in (("psql \\copy, after", ""), ("psql \\copy, sorted as an export is", carrying.ORDER)):
        rows.append((name, carrying.copied(ground, file, order)))
        _print_export(*rows[-1], before)
    for name, figures in rows:
        yield {"name": name, "aim_ratio": carrying.AIM_RATIO, "aim_rss_mib": carrying.AIM_RSS_MIB, **figures}


def _print_export(name: str, figures: dict[str, Any], beside: dict[str, Any]) -> None:
    if "error" in figures or "error" in beside:
        print(f"  {name:<34}  {figures.get('error', figures)}", flush=True)
        return
    figures["ratio"] = figures["rows_per_s"] / beside["rows_per_s"]
    rss = "" if figures["rss_mib"] is None else f"{figures['rss_mib']:9.0f}"
    numbers = (
        f"{figures['rows']:12,}{figures['seconds']:8.1f}{figures['rows_per_s']:10,.0f}{figures['ratio']:8.0%}"
    )
    print(f"  {name:<34}{numbers}{figures['mb']:9,.0f}{rss}", flush=True)


if __name__ == "__main__":
    main()
