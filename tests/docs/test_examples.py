"""The documentation's examples are pasted and run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.clients import Socket, Stream
from tests.model_server import ModelServer

from .follower import COMMANDS, Follower, both_doors, node
from .pages import GUIDE, README, blocks, each


def follower(live: str, names: dict[str, str], **more: Any) -> Follower:
    one = Follower(live, names=names, **more)
    one.variables["TOKEN"] = names["mk_YOUR_TOKEN"]
    return one


def test_the_examples_of_the_readme(live: str, names: dict[str, str]) -> None:
    follower(live, names, door=Socket).follow(README)


@both_doors
@each(GUIDE)
def test_the_examples_of_the_guide(
    live: str, names: dict[str, str], model: ModelServer, page: Path, door: type[Socket | Stream]
) -> None:
    follower(live, names, model=model, door=door).follow(page)


def test_the_javascript_is_run_where_there_is_node() -> None:
    if node() is None:
        pytest.skip("Node.js 20.10 or newer is not installed: the examples in JavaScript were not run")


@each([README, *GUIDE])
def test_every_example_is_run_or_says_why_not(page: Path) -> None:
    idle = [block.place for block in blocks(page) if block.language in [*COMMANDS, "json"] and not block.does]
    assert idle == []
