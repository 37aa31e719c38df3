"""From rounds to medians, ratios, aligned tables and one JSON file."""

from __future__ import annotations

import json
import os
import platform
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
from rows import TARGETS, Group, Target

Figures = dict[str, float | None]

COLUMNS = {
    "cpu_ms_per_turn": ("CPU ms/turn", "{:.2f}"),
    "turns_per_cpu_s": ("turns/CPU-s", "{:,.0f}"),
    "ratio": ("ratio", "{:.0%}"),
    "lead": ("lead", "{:.1f} ×"),
    "turns_per_s": ("turns/s", "{:,.0f}"),
    "ttft_p50": ("TTFT ms", "{:.2f}"),
    "added_ttft": ("added ms", "{:+.2f}"),
    "p50": ("p50 ms", "{:,.1f}"),
    "p99": ("p99 ms", "{:,.1f}"),
    "frames_per_turn": ("frames/turn", "{:.1f}"),
    "postgres_ms_per_turn": ("PG ms/turn", "{:.2f}"),
    "rss_mib": ("RSS MiB", "{:.0f}"),
    "kib_per_socket": ("KiB/socket", "{:.1f}"),
    "connect_cpu_ms": ("connect CPU ms", "{:.2f}"),
}


def median(values: Sequence[float | None]) -> float | None:
    """The median of what was measured, or None where nothing was."""
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


def ratio(own: Figures, other: Figures) -> float | None:
    """Turns per CPU-second beside the other's."""
    ours, theirs = own["cpu_ms_per_turn"], other["cpu_ms_per_turn"]
    return theirs / ours if ours and theirs else None


def added_ttft(own: Figures, other: Figures) -> float | None:
    """Milliseconds to the first token more than the other's."""
    ours, theirs = own["ttft_p50"], other["ttft_p50"]
    return None if ours is None or theirs is None else ours - theirs


def lead(own: Figures, other: Figures) -> float | None:
    """How many of the other's turns one of these costs."""
    inverse = ratio(own, other)
    return 1 / inverse if inverse else None


AGAINST = {"lead": lead, "ratio": ratio, "added_ttft": added_ttft}


def medians(group: Group, rounds: Mapping[str, list[Figures]]) -> dict[str, Figures]:
    """Each row's medians, with its figures against the row it stands beside."""
    table: dict[str, Figures] = {}
    for row in group.rows:
        own = rounds[row.name]
        table[row.name] = {key: median([figures[key] for figures in own]) for key in own[0]}
        if row.beside:
            # Round by round, then the median: a noisy minute falls on both sides of each pair.
            compare = AGAINST[group.figure]
            pairs = zip(own, rounds[row.beside], strict=True)
            table[row.name][group.figure] = median([compare(one, other) for one, other in pairs])
    return table


def render(title: str, table: Mapping[str, Figures]) -> str:
    """An aligned table; a column that no row fills is left out."""
    used = [key for key in COLUMNS if any(row.get(key) is not None for row in table.values())]
    lines = [["", *(COLUMNS[key][0] for key in used)]]
    for name, row in table.items():
        lines.append([name, *(cell(key, row.get(key)) for key in used)])
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return "\n".join([title, *(aligned(line, widths) for line in lines), ""])


def aligned(line: list[str], widths: list[int]) -> str:
    """The name to the left, the figures to the right."""
    figures = [part.rjust(width) for part, width in zip(line[1:], widths[1:], strict=True)]
    return "  ".join([line[0].ljust(widths[0]), *figures])


def cell(key: str, value: float | None) -> str:
    """One figure, or a dash."""
    return "–" if value is None else COLUMNS[key][1].format(value)


def judge(tables: Mapping[str, Mapping[str, Figures]]) -> list[dict[str, Any]]:
    """Every target whose figure was measured in this run."""
    found = []
    for target in TARGETS:
        value = tables.get(target.group, {}).get(target.row, {}).get(target.figure)
        if value is not None:
            found.append({"target": target, "reached": value, "met": target.met(value)})
    return found


def as_rows(judged: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same for the JSON file."""
    return [{**asdict(entry["target"]), "reached": entry["reached"], "met": entry["met"]} for entry in judged]


def verdict(target: Target, reached: float, met: bool) -> str:
    """One line: what was hoped for and what came."""
    unit = {"ratio": "", "added_ttft": " ms", "kib_per_socket": " KiB"}[target.figure]
    bound = f"{target.bound:.0%}" if target.figure == "ratio" else f"{target.bound:g}{unit}"
    shown = cell(target.figure, reached).removeprefix("+") + unit
    sign = "<" if target.below else "≥"
    return f"{'met    ' if met else 'NOT MET'}  {target.row}: {shown} {target.words} (target {sign} {bound})"


def processor() -> str:
    """The CPU's name where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def machine() -> dict[str, Any]:
    """What the figures were measured on, without a name or a path of it."""
    return {
        "processor": processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "load_average": round(os.getloadavg()[0], 2),
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def machine_line(facts: Mapping[str, Any]) -> str:
    """The same in one line."""
    servers = ", ".join(f"{name} {number}" for name, number in facts.get("servers", {}).items())
    return (
        f"{facts['cores']} × {facts['processor']}, {facts['memory_gib']} GiB, {facts['system']}, "
        f"Python {facts['python']}, {servers}; load average {facts['load_average']} before, "
        f"{round(os.getloadavg()[0], 2)} after; {facts['at']}"
    )


def save(folder: Path, name: str, result: Mapping[str, Any]) -> Path:
    """Write the run as JSON; `name`-latest.json is the one to look at."""
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}-latest.json"
    path.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")
    return path
