"""Our turn beside programs that pip installs, in one run: `make bench-peers`.

Each peer gets an environment of its own under var/bench/peers, one worker, its defaults, and the same
scripted model. The gateways keep nothing and know nobody; Chainlit keeps a turn in memory; ours does all
that it always does. A peer that cannot be installed or started is skipped with a line that says so.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import report
from bench import RESULTS, add_project_options, play_rounds, with_stage
from processes import Server, free_port
from rows import CHAT, Group, Row
from running import HERE, PROJECT, TOKEN_OF_PEERS, Running, installed

ENVIRONMENTS = PROJECT / "var" / "bench" / "peers"


@dataclass(frozen=True)
class Peer:
    """One program: its row in the table, how it is started, and what it needs in its environment."""

    key: str
    row: Row
    command: Callable[[Path, int, str], list[str]]
    env: dict[str, str] = field(default_factory=dict)


def litellm_command(folder: Path, port: int, model_url: str) -> list[str]:
    """The proxy with one model and a master key, no database."""
    parameters = {"model": "openai/back-to-back", "api_base": model_url, "api_key": "none"}
    config = {
        "model_list": [{"model_name": "back-to-back", "litellm_params": parameters}],
        "general_settings": {"master_key": TOKEN_OF_PEERS},
    }
    (folder / "litellm.yaml").write_text(json.dumps(config))
    where = ["--host", "127.0.0.1", "--port", str(port), "--num_workers", "1"]
    return ["litellm", "--config", "litellm.yaml", *where]


def mlflow_command(folder: Path, port: int, model_url: str) -> list[str]:
    """The gateway with one OpenAI-compatible chat endpoint."""
    model = {
        "provider": "openai",
        "name": "back-to-back",
        "config": {"openai_api_key": "none", "openai_api_base": model_url},
    }
    config = {"endpoints": [{"name": "back-to-back", "endpoint_type": "llm/v1/chat", "model": model}]}
    (folder / "mlflow.yaml").write_text(json.dumps(config))
    where = ["--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    return ["mlflow", "gateway", "start", "--config-path", "mlflow.yaml", *where]


def chainlit_command(folder: Path, port: int, model_url: str) -> list[str]:
    """The application beside this file, without a browser."""
    where = ["--host", "127.0.0.1", "--port", str(port)]
    return ["chainlit", "run", str(HERE / "peers" / "chainlit_app.py"), "--headless", *where]


CHAINLIT_SOCKET = "ws/socket.io/?EIO=4&transport=websocket"
PEERS = (
    Peer(
        "litellm",
        Row("LiteLLM proxy", "litellm", "sse", CHAT, beside="ours SSE", dialect="openai"),
        litellm_command,
        {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_TELEMETRY": "False", "LITELLM_LOG": "ERROR"},
    ),
    Peer(
        "mlflow",
        Row("MLflow gateway", "mlflow", "sse", CHAT, beside="ours SSE", dialect="openai"),
        mlflow_command,
        {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"},
    ),
    Peer(
        "chainlit",
        Row(
            "Chainlit with the openai SDK",
            "chainlit",
            "ws",
            CHAINLIT_SOCKET,
            beside="ours WebSocket",
            dialect="chainlit",
        ),
        chainlit_command,
    ),
)
OURS = (Row("ours WebSocket", "ours", "ws"), Row("ours SSE", "ours", "sse"))


def install(peer: Peer) -> str:
    """Make the peer's environment if there is none; why it could not be made, or nothing."""
    home = ENVIRONMENTS / peer.key
    if (home / "installed").exists():
        return ""
    print(f"  installing {peer.row.name} …", flush=True)
    subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
    needs = HERE / "peers" / f"{peer.key}.txt"
    done = subprocess.run(
        [str(home / "bin" / "pip"), "install", "--quiet", "-r", str(needs)], capture_output=True, text=True
    )
    if done.returncode:
        return (done.stderr.strip().splitlines() or ["pip failed"])[-1]
    (home / "installed").touch()
    return ""


def start(running: Running, peer: Peer) -> None:
    """Start the peer before the scripted model, on the server's core."""
    port = free_port()
    model_url = f"http://127.0.0.1:{running.server('model').port}/v1"
    folder = running.folder / peer.key
    folder.mkdir()
    program, *arguments = peer.command(folder, port, model_url)
    binaries = ENVIRONMENTS / peer.key / "bin"
    env = {**os.environ, **peer.env, "MODEL_URL": model_url, "PATH": f"{binaries}:{os.environ['PATH']}"}
    command = [str(binaries / program), *arguments]
    server = Server(peer.row.name, command, port, running.folder / f"{peer.key}.log", env=env, cwd=folder)
    running.stack.callback(server.stop)
    server.wait_ready(timeout=120)
    running.servers[peer.key] = server


def versions(peers: Sequence[Peer]) -> dict[str, str]:
    """Of the peers that take part."""
    found: dict[str, str] = {}
    for peer in peers:
        found |= installed(ENVIRONMENTS / peer.key / "bin" / "python", [peer.key])
    return found


def tried(running: Running, peer: Peer) -> bool:
    """Install and start a peer; say why if it will not."""
    complaint = install(peer)
    if not complaint:
        try:
            start(running, peer)
            return True
        except SystemExit as error:
            complaint = str(error)
    print(f"  SKIPPED: {peer.row.name}: {complaint}", flush=True)
    return False


def bench(running: Running, options: argparse.Namespace) -> None:
    """One whole run, printed and saved."""
    facts = report.machine()
    running.prepare()
    present = [peer for peer in PEERS if peer.key in options.only and tried(running, peer)]
    facts["servers"] = running.versions() | versions(present)
    group = Group(
        key="peers",
        title="Peers: 50 streams, 50 tokens a turn, back to back; lead = CPU of a peer's turn over ours",
        sockets=50,
        rows=(*OURS, *(peer.row for peer in present)),
        figure="lead",
        warm_turns=1,
    )
    rounds = play_rounds(running, group, options)
    table = report.medians(group, rounds)
    print("\n" + report.render(group.title, table))
    print(running.check_kept())
    print(report.machine_line(facts))
    settings = {"rounds": options.rounds, "seconds": options.seconds}
    whole = {"machine": facts, "settings": settings, "medians": {"peers": table}, "rounds": {"peers": rounds}}
    report.save(RESULTS, "peers", whole)


def main() -> None:
    """Set the stage, run, clear the stage, whatever happens."""
    keys = [peer.key for peer in PEERS]
    parser = argparse.ArgumentParser(description="Measure our server beside its peers.")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each row")
    parser.add_argument("--only", nargs="+", choices=keys, default=keys)
    add_project_options(parser)
    options = parser.parse_args()
    with_stage(options, bench)


if __name__ == "__main__":
    main()
