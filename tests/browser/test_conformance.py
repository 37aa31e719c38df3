"""One law at every door: the table of `tests/conformance`, performed as a host's page and its users do it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
import redis
from playwright.sync_api import Browser, BrowserContext, Page

from chat.cache import context_key
from tests.conformance.cases import CASES, NY
from tests.conformance.doors import performed, wanted
from tests.conformance.stage import Place, Visit
from tests.conformance.table import Case, Loss, Rule, Who, told_alike
from tests.faults.web import Web
from tests.model_server import ModelServer

from .conftest import SECRET, TOKEN
from .doors import BROWSER_DOORS, BrowserDoor, Parameters, Script
from .frames import Around
from .site import Site
from .test_sdk import Host

LAW = "law"
# Their Redis is not ours to stop.
HERE = [case for case in CASES if Loss.DEAD not in case.losses]


def rows(sql: str, *params: Any) -> list[tuple[Any, ...]]:
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
        return connection.execute(sql.encode(), params).fetchall()


class TheirCache:
    """Redis, as anybody else has it."""

    def __init__(self) -> None:
        self.redis = redis.Redis.from_url(os.environ["REDIS_URL"], decode_responses=True)

    def get(self, session_id: str) -> str | None:
        text: str | None = self.redis.get(context_key(session_id))
        return text

    def lose(self, session_id: str, loss: Loss) -> None:
        if loss is Loss.DELETED:
            self.redis.delete(context_key(session_id))
        else:
            self.redis.set(context_key(session_id), NY)

    def revive(self) -> None:
        """It was never dead."""


@pytest.fixture(scope="module")
def place(web: Web, model: ModelServer) -> Place:
    return Place(web.url, "school", LAW, TOKEN, model, rows, TheirCache(), True, SECRET)


@pytest.fixture(scope="module")
def person(browser: Browser) -> Iterator[Callable[[], Page]]:
    """Somebody with a browser that knows nothing yet."""
    contexts: list[BrowserContext] = []

    def come() -> Page:
        contexts.append(browser.new_context(reduced_motion="reduce"))
        contexts[-1].set_default_timeout(20_000)
        return contexts[-1].new_page()

    yield come
    for context in contexts:
        context.close()


Doors = Callable[[type[BrowserDoor], Rule], BrowserDoor]


@pytest.fixture(scope="module")
def doors(place: Place, web: Web, school: Site, person: Callable[[], Page]) -> Doors:
    """A door, whose page stays open from case to case; an address is opened anew."""
    kept: dict[tuple[type[BrowserDoor], Rule], BrowserDoor] = {}

    def made(door: type[BrowserDoor], rule: Rule) -> BrowserDoor:
        there = place.under(rule)

        def around(query: str) -> Around:
            address = f"{web.url}/embed/school/{there.mentor}/{query}"
            return Around(person(), school, address, path="/law").open()

        def host(_: str) -> Host:
            attributes = f'data-mentor="{there.mentor}" data-container="#place"'
            return Host(person(), web, school).open(attributes=attributes)

        if door is Parameters or (door, rule) not in kept:
            kept[door, rule] = door(there, host if door is Script else around)
        return kept[door, rule]

    return made


def able() -> list[Any]:
    pairs = [(door, case) for door in BROWSER_DOORS for case in HERE if not door.cannot(case, Who.PAGE)]
    return [pytest.param(*pair, id=f"{pair[0].name}: {pair[1].name}") for pair in pairs]


@pytest.mark.parametrize(("door", "case"), able())
def test_a_page_leaves_the_same_as_every_door(
    doors: Doors, place: Place, door: type[BrowserDoor], case: Case
) -> None:
    outcomes, left = wanted(place, case, Who.PAGE)
    told, found = performed(doors(door, case.rule), Visit(Who.PAGE), case)
    assert [pair for pair in zip(told, outcomes, strict=True) if not told_alike(*pair)] == []
    assert found == left
