"""Somebody who follows a page: says what it says, runs what it runs, and hears what it shows."""

from __future__ import annotations

import asyncio
import functools
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from chat import configuration
from tests.children import environment
from tests.clients import Frame, Reply, Socket, Stream, is_last, new_session
from tests.model_server import FOREVER, Answer, Behaviour, Call, ModelServer, Raw, delta

from .pages import ROOT, Block, blocks

LEFT_OUT = "…"
# Not for a command line: those in a page are pasted into one by tests/browser.
ELSEWHERE = ("", "not run", "in a page")

_NAME = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|(?<![\w-])[\w-]{43}(?![\w-])")
_COUNT = re.compile(r'(?<="event":)\d+|(?<=_tokens":)\d+|(?<=^id: )\d+', re.M)

both_doors = pytest.mark.parametrize("door", [Socket, Stream], ids=["ws", "sse"])


@dataclass(frozen=True)
class Unfinished:
    """These tokens, and then nothing: a turn that still runs."""

    tokens: list[str]

    async def play(self, call: Call) -> web.StreamResponse:
        response = await call.begin()
        for token in self.tokens:
            await response.write(delta(token))
        await asyncio.sleep(FOREVER)
        return response


def scripted(frames: list[Frame]) -> Behaviour:
    """The model that makes a turn have these frames."""
    tokens = [frame["data"] for frame in frames if "data" in frame]
    end = next((frame for frame in frames if "eos" in frame or "error" in frame), {})
    if end.get("code") == "model_cut":
        return Raw([delta(token) for token in tokens], cut=True)
    if end.get("status") == "stopped":
        return Unfinished(tokens)
    usage = end.get("usage")
    return Answer(tokens, gap=0.1, usage=usage and (usage["prompt_tokens"], usage["completion_tokens"]))


def pretty(value: Any) -> str:
    return json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False)


def as_far_as_shown(shown: Any, told: Any) -> Any:
    """What was told, with the dots where the page has them."""
    if shown == LEFT_OUT:
        return LEFT_OUT
    if isinstance(shown, dict) and isinstance(told, dict):
        return {key: as_far_as_shown(shown.get(key), value) for key, value in told.items()}
    if isinstance(shown, list) and isinstance(told, list) and len(shown) == len(told):
        return [as_far_as_shown(*pair) for pair in zip(shown, told, strict=True)]
    return told


def without_the_middle(shown: str, told: str) -> tuple[str, str]:
    """Both without the lines that a line of dots stands for, and without counts, which those decide."""
    lines, heard = shown.splitlines(), told.splitlines()
    if LEFT_OUT not in lines:
        return shown, told
    before = lines.index(LEFT_OUT)
    after = len(lines) - before - 1
    kept = [*lines[:before], *lines[before + 1 :]], [*heard[:before], *heard[len(heard) - after :]]
    return _COUNT.sub("n", "\n".join(kept[0])), _COUNT.sub("n", "\n".join(kept[1]))


@dataclass
class Follower:
    """Does with each block of a page what the comment above it says."""

    url: str
    door: type[Socket | Stream]
    # The page's ids and secrets, and what they are here.
    names: dict[str, str]
    model: ModelServer | None = None
    variables: dict[str, str] = field(default_factory=environment)
    told: str = ""
    talk: Socket | Stream | None = None
    open: bool = False

    def follow(self, page: Path) -> None:
        todo = list(self.for_this_door(blocks(page)))
        try:
            for number, block in enumerate(todo):
                if block.does not in ELSEWHERE:
                    does = block.does.replace("'", "").replace(" ", "_")
                    getattr(self, does)(block, todo[number + 1 :])
        finally:
            self.leave()  # a socket that stays open would count in other tests

    def for_this_door(self, page: list[Block]) -> Iterator[Block]:
        """Commands are the socket's, and with them goes what is said before and heard after."""
        here = True
        for block in page:
            if block.does in ("say", "run", "apply"):
                here = self.door is Socket or not block.how.startswith("ws")
            if here:
                yield block

    def ours(self, text: str) -> str:
        for name, mine in self.names.items():
            text = text.replace(name, mine)
        return text

    def compare(self, block: Block, shown: str, told: str) -> None:
        for name, mine in zip(_NAME.findall(shown), _NAME.findall(told), strict=False):
            self.names.setdefault(name, mine)
        assert told == self.ours(shown), block.place

    def leave(self) -> None:
        if self.talk is not None:
            self.talk.close()

    def apply(self, block: Block, rest: list[Block]) -> None:
        assert configuration.apply(block.text, environ={}).changed

    # a turn

    def say(self, block: Block, rest: list[Block]) -> None:
        self.open = '"prompt"' in block.text
        if self.open:
            self.script(rest)
        if self.open or "another socket" in block.how:
            self.leave()
            self.talk = self.door(self.url, "demo", "")
        assert self.talk is not None
        for session_id in _NAME.findall(block.text):
            self.names.setdefault(session_id, new_session())
        self.talk.put(self.ours(block.text))

    def script(self, rest: list[Block]) -> None:
        """The model says what the page goes on to show of this turn."""
        frames: list[Frame] = []
        for later in rest:
            if later.does == "say" and '"prompt"' in later.text:
                break
            frames += json.loads(later.text) if later.does == "hear" else []
        if self.model is not None and any("data" in frame for frame in frames):
            self.model.enqueue(scripted(frames))

    def hear(self, block: Block, rest: list[Block]) -> None:
        shown = json.loads(block.text)
        if block.how == "the text":
            told: list[Frame] = [{"data": Reply(self.to_the_end()).text}]
        elif block.how == "in any order":
            told = sorted((self.heard() for _ in shown), key=lambda frame: "detail" not in frame)
        else:
            told = [self.heard() for _ in shown]
        if block.how == "the first":
            self.to_the_end()
        self.compare(block, pretty(shown), pretty(as_far_as_shown(shown, told)))

    def heard(self) -> Frame:
        assert self.talk is not None
        frame = self.talk.get()
        self.open = self.open and not is_last(frame)
        return frame

    def to_the_end(self) -> list[Frame]:
        frames = []
        while self.open:
            frames.append(self.heard())
        return frames

    def the_users_message(self, block: Block, rest: list[Block]) -> None:
        assert self.sent()[-1]["content"] + "\n" == block.text

    def the_system_prompt(self, block: Block, rest: list[Block]) -> None:
        assert self.sent()[0]["content"] + "\n" == block.text

    def sent(self) -> list[dict[str, str]]:
        """The messages of the model's latest request."""
        self.to_the_end()
        assert self.model is not None
        messages: list[dict[str, str]] = json.loads(self.model.received[-1])["messages"]
        return messages

    # a program

    def run(self, block: Block, rest: list[Block]) -> None:
        command = COMMANDS[block.language]()
        if command is None:
            return  # a language that is not here
        done = subprocess.run(
            [*command, self.ours(block.text)],
            env=self.variables,
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, ""), block.place
        self.told = done.stdout

    def output(self, block: Block, rest: list[Block]) -> None:
        if block.language == "json":
            shown, told = json.loads(block.text), json.loads(self.told)
            self.compare(block, pretty(shown), pretty(as_far_as_shown(shown, told)))
        else:
            self.compare(block, *without_the_middle(block.text, self.told))


def bash() -> list[str]:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    return ["bash", "-euo", "pipefail", "-c"]


@functools.cache
def node() -> list[str] | None:
    """Node.js from 20.10 on, which has WebSocket behind a flag."""
    flags = ["--no-warnings", "--experimental-websocket", "--input-type=module"]
    path = shutil.which("node")
    probe = [path or "", *flags, "-e", "new URL('ws://x'); WebSocket;"]
    works = path is not None and subprocess.run(probe, capture_output=True, check=False).returncode == 0
    return [str(path), *flags, "-e"] if works else None


COMMANDS: dict[str, Callable[[], list[str] | None]] = {
    "bash": bash,
    "js": node,
    "python": lambda: [sys.executable, "-c"],
}
