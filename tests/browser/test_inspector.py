"""Debug data of a message, and how messages of every kind look with them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, expect

from . import hostile
from .stored import KINDS, SEEDS_DEBUG, Shows, message, nothing_ran


def opened(page: Page, item: Locator) -> Locator:
    item.get_by_role("button", name="Inspect").click()
    return page.get_by_role("dialog", name="Debug data")


def test_debug_data_are_asked_for_when_they_are_looked_at(page: Page, show: Shows) -> None:
    item = show(message(has_debug_data=True), debug=SEEDS_DEBUG)
    assert page.evaluate("() => asked") == []
    dialog = opened(page, item)
    dialog.get_by_text("intent_generation").click()
    dialog.get_by_text("request", exact=True).click()
    expect(dialog.locator(".value").first).to_have_text("Which intent?")
    assert len(page.evaluate("() => asked")) == 1
    dialog.get_by_text("JSON").click()
    assert json.loads(dialog.locator("pre").inner_text()) == SEEDS_DEBUG


def test_escape_closes_it_alone_and_the_focus_comes_back(page: Page, show: Shows) -> None:
    item = show(message(has_debug_data=True), debug={"a": 1})
    page.evaluate("() => { window.keys = []; addEventListener('keydown', ({ key }) => keys.push(key)); }")
    dialog = opened(page, item)
    expect(dialog.locator(".value")).to_have_text("1")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(item.get_by_role("button", name="Inspect")).to_be_focused()
    page.keyboard.press("Escape")
    assert page.evaluate("() => keys") == ["Escape"]


def test_its_button_closes_it(page: Page, show: Shows) -> None:
    dialog = opened(page, show(message(has_debug_data=True), debug={}))
    expect(dialog).to_contain_text("There is nothing in it.")
    dialog.get_by_role("button", name="Close").click()
    expect(page.locator("dialog")).to_have_count(0)


def test_what_cannot_be_loaded_is_told_and_tried_again(page: Page, show: Shows) -> None:
    dialog = opened(page, show(message(has_debug_data=True)))
    expect(dialog).to_contain_text("could not be loaded")
    page.evaluate("() => (window.debugData = { now: 'it is here' })")
    dialog.get_by_role("button", name="Try again").click()
    expect(dialog.locator(".value")).to_have_text("it is here")


def test_while_it_loads_it_says_so(page: Page, show: Shows) -> None:
    item = show(message(has_debug_data=True))
    page.evaluate("() => { window.debugData = new Promise((done) => (window.arrive = done)); }")
    dialog = opened(page, item)
    expect(dialog).to_contain_text("Loading…")
    page.evaluate("() => arrive({ a: 1 })")
    expect(dialog.locator(".value")).to_have_text("1")


@pytest.mark.parametrize("told", ["a text", 5, ["a", "b"]])
def test_what_is_no_dictionary_is_shown_all_the_same(page: Page, show: Shows, told: Any) -> None:
    dialog = opened(page, show(message(has_debug_data=True), debug=told))
    expect(dialog.locator(".value").last).to_have_text("b" if isinstance(told, list) else str(told))


def test_of_much_only_so_much_is_shown_at_once(page: Page, show: Shows) -> None:
    data = {**hostile.DEBUG, "megabyte": "x" * 1_000_000}
    item = show(message(has_debug_data=True), debug=data)
    start = time.monotonic()
    dialog = opened(page, item)
    expect(dialog.locator(".tree > li")).to_have_count(len(data))
    dialog.locator("summary", has_text="many").click()
    expect(dialog.get_by_text("and 9,900 more")).to_be_visible()
    dialog.get_by_text("and 9,900 more").click()
    expect(dialog.get_by_text("and 9,800 more")).to_be_visible()
    for _ in range(200):
        dialog.locator("details:not([open]) > summary", has_text="1 value").last.evaluate(
            "(node) => node.click()"
        )
    expect(dialog.get_by_text("the end")).to_have_count(1)
    dialog.get_by_text("JSON").click()
    assert len(dialog.locator("pre").inner_text()) <= 20_000
    assert time.monotonic() - start < 20
    assert nothing_ran(page)
    assert dialog.evaluate("(node) => node.scrollWidth <= node.clientWidth")


# --- how it looks


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 400, 1000, 1280])
def test_every_kind_fits_every_window(
    page: Page, show: Shows, picture: Callable[[Page, str], Path], theme: str, width: int
) -> None:
    page.set_viewport_size({"width": width, "height": 1250})
    items = show(
        *KINDS, theme=theme, debug={**SEEDS_DEBUG, "model": "small", "seconds": 1.25, "cached": False}
    )
    expect(items.locator("math")).to_have_count(1)
    picture(page, f"attached-{theme}-{width}")
    assert page.locator("#scroller").evaluate("(node) => node.scrollWidth <= node.clientWidth")
    dialog = opened(page, items.nth(1))
    dialog.get_by_text("intent_generation").click()
    dialog.get_by_text("request", exact=True).click()
    picture(page, f"inspector-{theme}-{width}")
    assert dialog.evaluate("(node) => node.scrollWidth <= node.clientWidth")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_kind_can_be_read_by_everybody(page: Page, show: Shows, theme: str) -> None:
    items = show(*KINDS, theme=theme, debug=SEEDS_DEBUG)
    expect(items.locator("math")).to_have_count(1)
    assert Axe().run(page, context="#transcript").response["violations"] == []
    opened(page, items.nth(1)).get_by_text("intent_generation").click()
    assert Axe().run(page, context="dialog").response["violations"] == []


def test_from_right_to_left_it_is_the_mirror(
    page: Page, show: Shows, picture: Callable[[Page, str], Path]
) -> None:
    page.set_viewport_size({"width": 400, "height": 1250})
    show(*KINDS)
    page.evaluate("() => (document.documentElement.dir = 'rtl')")
    picture(page, "attached-rtl-400")
    assert page.locator("#scroller").evaluate("(node) => node.scrollWidth <= node.clientWidth")
