"""The pages of the documentation: their blocks, their prose and their tables."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README, CHANGELOG = ROOT / "README.md", ROOT / "CHANGELOG.md"
GUIDE = [ROOT / "docs/integrators.md", *sorted((ROOT / "docs/integrators").glob("*.md"))]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
RECORDS = sorted((ROOT / "docs/decisions").glob("*.md"))

_BLOCK = re.compile(r"(?:^<!-- ([^\n]+) -->\n)?^```(\w*)\n(.*?)^```$", re.M | re.S)


def short(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def each(pages: list[Path]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("page", pages, ids=short)


@dataclass(frozen=True)
class Block:
    """A fenced block, and what the comment above it says is done with it: `<!-- does: how -->`."""

    place: str
    does: str
    how: str
    language: str
    text: str


@functools.cache
def blocks(page: Path) -> list[Block]:
    text, found = page.read_text(), []
    for match in _BLOCK.finditer(text):
        does, _, how = (match[1] or "").partition(": ")
        line = text.count("\n", 0, match.start(2)) + 1
        found.append(Block(f"{short(page)}:{line}", does, how, match[2], match[3]))
    return found


def prose(page: Path) -> str:
    return _BLOCK.sub("", page.read_text())


def table(page: str, head: str) -> list[list[str]]:
    """The cells of the first table whose head begins so, without their backticks."""
    rows = []
    for line in (ROOT / page).read_text().partition(f"\n{head}")[2].splitlines()[2:]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip().strip("`") for cell in line.strip("|").split(" | ")])
    assert rows, f"{page} has no table {head}"
    return rows
