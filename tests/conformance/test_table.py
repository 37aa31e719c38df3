"""The table itself: every door is there, each performs what it can, and says of the rest why it cannot."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.browser.doors import BROWSER_DOORS

from .cases import CASES
from .doors import DOORS, LEFT_OUT, Door, OverSocket, OverStream
from .table import Case, Need, Who, needs_of

ALL = [*DOORS, *BROWSER_DOORS]
CHAT = Path(__file__).parent.parent.parent / "chat"


def able(case: Case) -> set[type[Door]]:
    return {door for door in ALL for who in case.whos if not door.cannot(case, who)}


def test_every_door_that_the_program_names_is_here_or_left_out() -> None:
    named = re.compile(r'^(?:    )?(?:door|DOOR) = "(\w+)"$', re.MULTILINE)
    found = {name for path in CHAT.rglob("*.py") for name in named.findall(path.read_text())}
    assert found == {door.kept_as for door in ALL} | LEFT_OUT.keys()
    assert {"websocket", "sse", "rest", "quickchat"} <= found


def test_names_are_names() -> None:
    for names in ([case.name for case in CASES], [door.name for door in ALL]):
        assert len(set(names)) == len(names)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_no_case_is_left_to_a_few_doors(case: Case) -> None:
    """Those that bring a context with a turn perform them all; beside them some things can be said by a page only."""
    performing = able(case)
    assert {OverSocket, OverStream} <= performing
    a_pages = any(write.text == "null" or (write.text and write.signed) for write in case.writes)
    assert len(performing) >= (4 if a_pages else 5)


@pytest.mark.parametrize("door", ALL, ids=lambda door: door.name)
def test_no_door_leaves_out_much(door: type[Door]) -> None:
    performs = [case for case in CASES if not all(door.cannot(case, who) for who in case.whos)]
    assert len(performs) >= (8 if Need.AGAIN in door.lacks else len(CASES) * 3 // 4)


@pytest.mark.parametrize("door", ALL, ids=lambda door: door.name)
def test_what_a_door_lacks_is_asked_for_and_said_why(door: type[Door]) -> None:
    writes = [(write, not n) for case in CASES for n, write in enumerate(case.writes)]
    asked = {need for write, first in writes for who in Who for need in needs_of(write, who, first=first)}
    assert door.lacks.keys() <= asked
    assert all(reason.endswith(".") and len(reason) > 15 for reason in door.lacks.values())
