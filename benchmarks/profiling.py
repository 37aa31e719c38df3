"""Where a turn's CPU goes: py-spy samples the server under load, and the samples are told by part.

Only the thread that holds the interpreter's lock is sampled, as a waiting thread is easily taken for a busy
one. The CPU that was measured is shared out by these samples, so system calls that release the lock (polling
and reading sockets) and hand-overs of the lock are spread over all of them; the head line tells the part of
the CPU that the system used.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

from processes import OTHER_CORES, pin
from rows import BACK_TO_BACK, PACED, Group, Row
from running import Running

RATE = 400
TOP = 30
OURS = ("chat/", "mentor_project/", "benchmarks/")
FRAME = re.compile(r"^(?P<function>.*) \((?P<file>.*?)(:(?P<line>\d+))?\)$")


def found(group: Group, name: str) -> tuple[Group, Row]:
    """A row of a group by its name."""
    return group, next(row for row in group.rows if row.name == name)


TARGETS = {
    "ws": found(BACK_TO_BACK, "ours WebSocket"),
    "sse": found(BACK_TO_BACK, "ours SSE"),
    "limited": found(BACK_TO_BACK, "ours WebSocket, rate limits on"),
    "bare-ws": found(BACK_TO_BACK, "bare WebSocket, yields"),
    "bare-sse": found(BACK_TO_BACK, "bare SSE, yields"),
    "paced-ws": found(PACED, "ours WebSocket"),
    "paced-sse": found(PACED, "ours SSE"),
    "bare-paced-ws": found(PACED, "bare WebSocket"),
}
DEFAULT = ("ws", "bare-ws")


def part_of(file: str, project: Path) -> str:
    """Whose code a file is: our own module, a package, or the standard library."""
    _, packaged, inside = file.rpartition("site-packages/")
    if packaged:
        return inside.split("/", 1)[0].removesuffix(".py")
    if file.startswith(f"{project}/"):
        return file.removeprefix(f"{project}/")
    match = re.search(r"/python3\.\d+/(.*)$", file)
    return f"python: {match[1].split('/', 1)[0].removesuffix('.py')}" if match else Path(file).name


def parse(frame: str, project: Path) -> tuple[str, str]:
    """The part and the function of one frame of a collapsed stack."""
    match = FRAME.match(frame)
    if not match:
        return "?", frame
    part = part_of(match["file"], project)
    return part, f"{match['function']}  {part}"


def count(stacks: str, project: Path) -> tuple[Counter[str], Counter[str], Counter[str]]:
    """Samples by part and by function of the innermost frame, and by own function anywhere in the stack."""
    parts: Counter[str] = Counter()
    functions: Counter[str] = Counter()
    ours: Counter[str] = Counter()
    for line in stacks.splitlines():
        stack, _, samples = line.rpartition(" ")
        frames = [parse(frame, project) for frame in stack.split(";")]
        part, function = frames[-1]
        parts[part] += int(samples)
        functions[function] += int(samples)
        for name in {name for part, name in frames if part.startswith(OURS)}:
            ours[name] += int(samples)
    return parts, functions, ours


def table(title: str, counter: Counter[str], total: int, cpu_ms: float) -> list[str]:
    """The largest entries, as milliseconds of a turn and as a share of its CPU."""
    lines = [f"{title:<70} ms/turn  share"]
    for name, samples in counter.most_common(TOP):
        share = samples / total
        lines.append(f"  {name:<68} {share * cpu_ms:>7.3f}  {share:>5.1%}")
    return lines


def record(pid: int, seconds: float, raw: Path) -> subprocess.Popen[bytes]:
    """Start py-spy on a server; it ends by itself."""
    spy = shutil.which("py-spy", path=str(Path(sys.executable).parent)) or shutil.which("py-spy")
    if not spy:
        raise SystemExit("py-spy is not installed: pip install -r benchmarks/requirements.txt")
    options = [
        "--format",
        "raw",
        "--gil",
        "--full-filenames",
        "--rate",
        str(RATE),
        "--duration",
        str(int(seconds)),
    ]
    command = [spy, "record", "--pid", str(pid), "--subprocesses", *options, "--output", str(raw)]
    sampler = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    pin(sampler.pid, OTHER_CORES)
    return sampler


def profile(running: Running, name: str, results: Path, seconds: float) -> str:
    """Load one row for that long under the sampler; the text of what was found, also saved."""
    group, row = TARGETS[name]
    server = running.server(row.server)
    plan = running.plan(group, row, seconds) | {"seconds": seconds + 1}
    raw = running.folder / f"{name}.stacks"
    with running.load(plan) as load:
        load.line()
        user, system = server.user_and_system_ms()
        load.go()
        sampler = record(server.process.pid, seconds, raw)
        seen = json.loads(load.line())
        user_after, system_after = server.user_and_system_ms()
        _, complaint = sampler.communicate(timeout=30)
    if not raw.exists():
        raise SystemExit(f"py-spy took no samples: {complaint.decode().strip()}")
    spent = (user_after - user) / seen["turns"], (system_after - system) / seen["turns"]
    lines = told(raw.read_text(), running.project, *spent)
    text = "\n".join([f"Profile of: {group.title} / {row.name}", *lines])
    results.mkdir(exist_ok=True)
    (results / f"profile-{name}.txt").write_text(text + "\n")
    return text


def told(stacks: str, project: Path, user_ms: float, system_ms: float) -> list[str]:
    """The three tables of one profile."""
    parts, functions, ours = count(stacks, project)
    cpu_ms = user_ms + system_ms
    scale = (max(parts.total(), 1), cpu_ms)
    return [
        f"{cpu_ms:.2f} ms of CPU a turn, {system_ms:.2f} of it the system's; {parts.total():,} samples",
        *table("by part (innermost frame; C code counts for its Python caller)", parts, *scale),
        *table("by function (innermost frame)", functions, *scale),
        *table("our functions with all they call", ours, *scale),
    ]
