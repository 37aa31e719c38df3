"""What a listener is told next, as a table of places and rows; and that no way of leaving loses or repeats anything."""

from __future__ import annotations

import dataclasses
import random
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

import pytest

from chat.told import Deleted, Page, Rows, Said, State, Told, Version, is_news, micros, moment, page_of

AT = datetime(2025, 11, 21, 12, tzinfo=UTC)
TURN = UUID(int=7)


@dataclass
class Stand:
    """A session in memory: sequence → (context version, finished, taken out at)."""

    messages: dict[int, tuple[int, bool, int]] = field(default_factory=dict)
    context: int = 0
    updated: int = 1
    began: int = 5

    @property
    def state(self) -> State:
        running = TURN if any(not done for _, done, _ in self.messages.values()) else None
        gone = max((gone for *_, gone in self.messages.values()), default=0)
        return State(self.began, len(self.messages), running, self.context, gone, self.updated)

    def rows(self, told: Told, most: int = 50) -> Rows:
        said_to = min(told.message + most, len(self.messages))
        versions_to = min(told.context + most, self.context)
        asked = [n for n in self.messages if n == told.answer or told.message < n <= said_to]
        since = (told.deleted, told.deleted_message)
        gone = sorted((gone, n) for n, (*_, gone) in self.messages.items() if gone and (gone, n) > since)
        return Rows(
            said=[self.said(n) for n in sorted(asked)],
            said_to=said_to,
            versions=[Version(n, AT) for n in range(told.context + 1, versions_to + 1)],
            versions_to=versions_to,
            deleted=[Deleted(n, moment(at)) for at, n in gone[:most]],
            all_deleted=len(gone) <= most,
        )

    def said(self, number: int) -> Said:
        context, done, gone = self.messages[number]
        return Said(number, context, not done, bool(gone), AT, row=number)

    def page(self, told: Told, most: int = 50) -> Page:
        told = told.within(self.state)
        return page_of(told, self.state, self.rows(told, most))


def words(page: Page) -> list[str]:
    return [f"{event.name} {mark_of(event.name, event.told)}" for event in page.events]


def mark_of(name: str, told: Told) -> str:
    marks = {
        "message.created": f"m{told.message} a{told.answer}",
        "message.deleted": f"{told.deleted_message}",
        "context.updated": f"{told.context}",
        "session.updated": f"{told.updated}",
    }
    return marks[name]


ASKED, DONE, RUNS = (1, True, 0), (1, True, 0), (1, False, 0)
TABLE = {
    "nothing is new": (Told(5, 2, 0, 1, updated=1), Stand({1: ASKED, 2: DONE}, 1), []),
    "a turn has begun": (
        Told(5),
        Stand({1: ASKED, 2: RUNS}, 1),
        ["context.updated 1", "message.created m1 a0", "session.updated 1"],
    ),
    "its answer still runs": (Told(5, 2, 2, 1, updated=1), Stand({1: ASKED, 2: RUNS}, 1), []),
    "its answer has ended": (
        Told(5, 2, 2, 1, updated=1),
        Stand({1: ASKED, 2: DONE}, 1, updated=2),
        ["message.created m2 a0", "session.updated 2"],
    ),
    "and the next turn has begun": (
        Told(5, 2, 2, 1, updated=1),
        Stand({1: ASKED, 2: DONE, 3: ASKED, 4: RUNS}, 1, updated=3),
        ["message.created m2 a0", "message.created m3 a0", "session.updated 3"],
    ),
    "somebody wrote while it runs": (
        Told(5, 2, 2, 1, updated=1),
        Stand({1: ASKED, 2: RUNS, 3: DONE}, 1, updated=2),
        ["message.created m3 a2", "session.updated 2"],
    ),
    "each context before what was written under it": (
        Told(5),
        Stand({1: (1, True, 0), 2: (1, True, 0), 3: (3, True, 0)}, 4),
        [
            *("context.updated 1", "message.created m1 a0", "message.created m2 a0", "context.updated 2"),
            *("context.updated 3", "message.created m3 a0", "context.updated 4", "session.updated 1"),
        ],
    ),
    "a message was taken out": (
        Told(5, 2, 0, 1, updated=1),
        Stand({1: (1, True, 90), 2: DONE}, 1, updated=2),
        ["message.deleted 1", "session.updated 2"],
    ),
    "two in one moment": (
        Told(5, 2, 0, 1, deleted=90, deleted_message=1, updated=2),
        Stand({1: (1, True, 90), 2: (1, True, 90)}, 1, updated=2),
        ["message.deleted 2"],
    ),
    "it came and went meanwhile": (
        Told(5, 0, 0, 1),
        Stand({1: (1, True, 90), 2: DONE}, 1),
        ["message.created m2 a0", "message.deleted 1", "session.updated 1"],
    ),
    "an answer that was taken out before it was told": (
        Told(5, 2, 2, 1, updated=1),
        Stand({1: ASKED, 2: (1, True, 90)}, 1, updated=2),
        ["message.deleted 2", "session.updated 2"],
    ),
    "the session's title only": (
        Told(5, 2, 0, 1, updated=1),
        Stand({1: ASKED, 2: DONE}, 1, updated=2),
        ["session.updated 2"],
    ),
    "another session had this id": (
        Told(4, 9, 8, 7, 6, 5, 1),
        Stand({1: ASKED}, 1),
        ["context.updated 1", "message.created m1 a0", "session.updated 1"],
    ),
    "a place that never was": (
        Told(5, 9, 0, 1, updated=1),
        Stand({1: ASKED}, 1),
        ["context.updated 1", "message.created m1 a0", "session.updated 1"],
    ),
    "a message under a version that is not there": (
        Told(5, updated=1),
        Stand({1: (9, True, 0)}, 0),
        ["message.created m1 a0"],
    ),
}


@pytest.mark.parametrize("name", TABLE)
def test_what_is_told_after_a_place(name: str) -> None:
    told, stand, expected = TABLE[name]
    page = stand.page(told)
    assert (words(page), page.more) == (expected, False)
    assert stand.page(page.told).events == []


@pytest.mark.parametrize("name", TABLE)
def test_a_look_sees_whether_there_is_something_to_tell(name: str) -> None:
    told, stand, expected = TABLE[name]
    if name not in (
        "two in one moment",
        "a place that never was",
    ):  # a listener who comes is read for in any case
        assert is_news(told, stand.state) == bool(expected)


@pytest.mark.parametrize("most", [1, 2, 3])
@pytest.mark.parametrize("name", TABLE)
def test_small_pages_tell_the_same(name: str, most: int) -> None:
    told, stand, expected = TABLE[name]
    heard = []
    for _ in range(20):
        page = stand.page(told, most)
        heard += words(page)
        if not page.more:
            break
        assert page.told != told
        told = page.told
    assert heard == expected


# --- leaving and coming back


class Life:
    """A session to which something happens again and again."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.stand = Stand()
        self.clock = 100

    def happen(self) -> None:
        self.clock += 1
        stand, messages = self.stand, self.stand.messages
        running = [n for n, (_, done, _) in messages.items() if not done]
        what = self.dice.choice(["turn", "end", "write", "context", "delete", "rename"])
        if what == "turn" and not running:
            stand.context += self.dice.randint(0, 1)
            messages[len(messages) + 1] = (stand.context, True, 0)
            messages[len(messages) + 1] = (stand.context, False, 0)
        elif what == "end" and running:
            messages[running[0]] = (messages[running[0]][0], True, 0)
        elif what == "write":
            messages[len(messages) + 1] = (stand.context, True, 0)
        elif what == "context":
            stand.context += 1
        elif what == "delete" and (
            there := [n for n, (_, done, gone) in messages.items() if done and not gone]
        ):
            number = self.dice.choice(there)
            messages[number] = (messages[number][0], True, self.clock)
        stand.updated = self.clock


@pytest.mark.parametrize("seed", range(60))
def test_whoever_leaves_at_any_event_hears_everything_once(seed: int) -> None:
    life = Life(seed)
    steady, leaver = Told(5), Told(5)
    created: list[list[int]] = [[], []]
    versions: list[list[int]] = [[], []]
    deleted: list[list[int]] = [[], []]

    def hear(who: int, page: Page, upto: int) -> Told | None:
        last = None
        for event in page.events[:upto]:
            last = event.told
            if event.name == "message.created":
                created[who].append(event.row)
            elif event.name == "context.updated":
                versions[who].append(last.context)
            elif event.name == "message.deleted":
                deleted[who].append(last.deleted_message)
        return last

    for _ in range(40):
        life.happen()
        page = life.stand.page(steady, 3)
        hear(0, page, len(page.events))
        steady = page.told
        if life.dice.random() < 0.4:  # the other one looks seldom, and is cut off within a page
            page = life.stand.page(leaver, 3)
            leaver = hear(1, page, life.dice.randint(0, len(page.events))) or leaver
    for who, told in enumerate((steady, leaver)):
        while (page := life.stand.page(told, 3)).events or page.more:
            hear(who, page, len(page.events))
            told = page.told
    assert versions[0] == versions[1] == list(range(1, life.stand.context + 1))
    gone = {n for n, (*_, gone) in life.stand.messages.items() if gone}
    ended = {n for n, (_, done, _) in life.stand.messages.items() if done}
    for who in (0, 1):
        assert sorted(deleted[who]) == sorted(gone)
        assert len(created[who]) == len(set(created[who]))
        assert ended - gone <= set(created[who]) <= ended


# --- its spelling


def test_a_place_is_read_as_it_was_spelled() -> None:
    told = Told(1763745600123456, 12, 11, 3, 1763745600999999, 7, 1763745601000000)
    assert str(told) == "s1763745600123456.m12.a11.c3.d1763745600999999-7.u1763745601000000"
    assert Told.parse(str(told)) == told


@pytest.mark.parametrize(
    "text",
    [
        *("", "7", "m1.a0.c0", "s1.m-1.a0.c0.d0-0.u0", "s1.m1.a0.c0.d0-0.u0\n", "s1.m².a0.c0.d0-0.u0"),
        *("s1.m2147483648.a0.c0.d0-0.u0", f"s{'9' * 17}.m1.a0.c0.d0-0.u0", "s1.m1.a0.c0.d0-9999999999.u0"),
    ],
)
def test_what_is_no_place_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not the id of an event"):
        Told.parse(text)


def test_moments_keep_their_microseconds() -> None:
    at = AT.replace(microsecond=123457)
    assert moment(micros(at)) == at
    assert micros(None) == 0


def test_a_place_of_now_has_nothing_to_be_told() -> None:
    stand = Stand({1: ASKED, 2: RUNS}, 1)
    told = Told.now(stand.state, answer=2)
    assert stand.page(told).events == []
    ended = dataclasses.replace(stand, messages={1: ASKED, 2: DONE}, updated=2)
    assert words(ended.page(told)) == ["message.created m2 a0", "session.updated 2"]
