"""What is measured, beside what, and what is hoped for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One line of a table: one server, one door, one model's pace.

    `server` is bare, ours, limited (ours with its rate limits on) or model (no server between at all).
    `path` is where a server that is not ours listens, and `dialect` what it speaks; `beside` names the row
    of the same group that the figure is taken against.
    """

    name: str
    server: str
    door: str
    path: str = ""
    beside: str = ""
    model: str = "back-to-back"
    metadata_every: int = 0
    dialect: str = "ours"


@dataclass(frozen=True)
class Group:
    """Rows of one table, measured by turns in every round; `figure` is what `beside` is compared in."""

    key: str
    title: str
    sockets: int
    rows: tuple[Row, ...]
    figure: str = "ratio"
    stagger: float = 0.0
    warm_turns: int = 2
    seconds: float | None = None


@dataclass(frozen=True)
class Target:
    """A hope: the figure of a row has to be over (or, with `below`, under) a bound."""

    group: str
    row: str
    figure: str
    bound: float
    words: str
    below: bool = False

    def met(self, value: float) -> bool:
        return value < self.bound if self.below else value >= self.bound


CHAT = "v1/chat/completions"

BACK_TO_BACK = Group(
    key="back_to_back",
    title="Back to back: 50 sockets, 50 tokens a turn, tokens as fast as the model's server writes them",
    sockets=50,
    rows=(
        Row("bare WebSocket, yields", "bare", "ws", "yield"),
        Row("bare WebSocket, burst", "bare", "ws", "burst", beside="bare WebSocket, yields"),
        Row("ours WebSocket", "ours", "ws", beside="bare WebSocket, yields"),
        Row(
            "ours WebSocket, new metadata every 4th turn",
            "ours",
            "ws",
            beside="bare WebSocket, yields",
            metadata_every=4,
        ),
        Row("ours WebSocket, rate limits on", "limited", "ws", beside="bare WebSocket, yields"),
        Row("bare SSE, yields", "bare", "sse", "yield"),
        Row("bare SSE, burst", "bare", "sse", "burst", beside="bare SSE, yields"),
        Row("ours SSE", "ours", "sse", beside="bare SSE, yields"),
    ),
)

PACED = Group(
    key="paced",
    title="Paced: 200 sockets, 50 tokens a turn, 20 ms between tokens",
    sockets=200,
    stagger=1.0,
    warm_turns=1,
    seconds=3.5,
    rows=(
        Row("bare WebSocket", "bare", "ws", "paced-20ms"),
        Row("ours WebSocket", "ours", "ws", beside="bare WebSocket", model="paced-20ms"),
        Row("bare SSE", "bare", "sse", "paced-20ms"),
        Row("ours SSE", "ours", "sse", beside="bare SSE", model="paced-20ms"),
    ),
)

FIRST_TOKEN = Group(
    key="first_token",
    figure="added_ttft",
    title="First token: 20 sockets, 20 ms between tokens, beside the same call to the model's server itself",
    sockets=20,
    stagger=1.0,
    warm_turns=1,
    seconds=3.5,
    rows=(
        Row("model's server itself", "model", "sse", CHAT, model="paced-20ms", dialect="openai"),
        Row("ours WebSocket", "ours", "ws", beside="model's server itself", model="paced-20ms"),
        Row("ours SSE", "ours", "sse", beside="model's server itself", model="paced-20ms"),
    ),
)

GROUPS = (BACK_TO_BACK, PACED, FIRST_TOKEN)

TARGETS = (
    Target("back_to_back", "ours WebSocket", "ratio", 0.60, "of bare's turns per CPU-second, back to back"),
    Target("back_to_back", "ours SSE", "ratio", 0.60, "of bare's turns per CPU-second, back to back"),
    Target("paced", "ours WebSocket", "ratio", 0.50, "of bare's turns per CPU-second, paced"),
    Target("paced", "ours SSE", "ratio", 0.50, "of bare's turns per CPU-second, paced"),
    Target("first_token", "ours WebSocket", "added_ttft", 3.0, "added to the first token", below=True),
    Target("first_token", "ours SSE", "added_ttft", 3.0, "added to the first token", below=True),
    Target("idle", "ours, on Redis", "kib_per_socket", 40.0, "per idle socket", below=True),
    Target(
        "idle", "ours, on Redis, after a turn each", "kib_per_socket", 40.0, "per idle socket", below=True
    ),
)
