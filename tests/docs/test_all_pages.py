"""What every page keeps to: links, names, addresses; and the records and changes beside them."""

from __future__ import annotations

import json
import re
from pathlib import Path

from django.conf import settings as django_settings

from chat.views.quickchat import CODES as QUICKCHAT_CODES

from .pages import CHANGELOG, GUIDE, PAGES, README, RECORDS, ROOT, blocks, each, prose, table

_LINK = re.compile(r"\]\(([^)\s]+)\)")


@each(PAGES)
def test_every_json_block_parses(page: Path) -> None:
    for block in blocks(page):
        if block.language == "json":
            json.loads(block.text)


def anchors(page: Path) -> set[str]:
    """As GitHub makes them of headings."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@each(PAGES)
def test_every_link_leads_somewhere(page: Path) -> None:
    for link in _LINK.findall(prose(page)):
        path, _, anchor = link.partition("#")
        if "://" not in link:
            target = (page.parent / path).resolve() if path else page
            assert target.exists(), link
            assert not anchor or anchor in anchors(target), link


@each(PAGES)
def test_every_file_that_is_named_is_there(page: Path) -> None:
    named = re.findall(
        r"`((?:chat|tests|docs|static|benchmarks|mentor_project|requirements)/[\w./*-]+)`", prose(page)
    )
    assert [name for name in named if not list(ROOT.glob(name.rstrip("/")))] == []


@each([README, *GUIDE, ROOT / "docs/development.md", *RECORDS])
def test_every_setting_that_is_named_is_one(page: Path) -> None:
    named = set(re.findall(r"`([A-Z]+(?:_[A-Z]+)+)(?:=[^`]*)?`", prose(page)))
    listed = {row[0] for row in table("docs/operations.md", "| name | default |")}
    theirs = set(QUICKCHAT_CODES.values())
    assert {name for name in named - listed - theirs if not hasattr(django_settings, name)} == set()


@each(PAGES)
def test_no_page_names_a_place_on_somebodys_machine(page: Path) -> None:
    assert re.findall(r"/(?:home|root|work|tmp|Users)/\S*", page.read_text()) == []


# --- decisions and changes


@each(RECORDS)
def test_a_decision_is_told_in_less_than_400_words(page: Path) -> None:
    assert len(page.read_text().split()) < 400


def test_decisions_are_numbered_without_a_gap() -> None:
    assert [int(page.name[:4]) for page in RECORDS] == list(range(1, len(RECORDS) + 1))


def test_the_changes_name_this_version() -> None:
    version = re.search(r'^version = "(.+)"', (ROOT / "pyproject.toml").read_text(), re.M)
    assert version is not None
    assert f"\n## {version[1]} " in CHANGELOG.read_text()
