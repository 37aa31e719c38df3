"""Who may frame a mentor, and whose messages count."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from chat import origins
from tests.faults.web import Web
from tests.model_server import ModelServer

from .frames import LISTENS, Around, Shown
from .site import Site


def test_a_page_that_is_on_no_list_cannot_frame_the_mentor(
    page: Page, web: Web, stranger: Site, complaints: list[str]
) -> None:
    page.goto(stranger.put("/", LISTENS % {"src": f"{web.url}/embed/school/coach/", "more": ""}))
    page.wait_for_timeout(1000)
    script = """() => {
      const frame = document.getElementById('mentor').contentWindow;
      for (let i = 0; i < 3; i++) frame.postMessage({type: 'context', metadata: {evil: 1}}, '*');
    }"""
    page.evaluate(script)
    page.wait_for_timeout(500)
    assert page.evaluate("() => heard") == []
    assert all("frame-ancestors" in text for text in complaints) and complaints
    complaints.clear()


def test_a_stranger_beside_the_host_can_neither_set_nor_hear_anything(
    page: Page, web: Web, school: Site, stranger: Site, model: ModelServer
) -> None:
    beside = stranger.put(
        "/beside.html",
        """<script>window.heard = []; addEventListener('message', (e) => e.source === window || heard.push(e.data));
        setInterval(() => { for (let i = 0; i < parent.frames.length; i++)
          parent.frames[i].postMessage({type: 'context', metadata: {evil: true}}, '*') }, 50);</script>""",
    )
    more = f'<iframe src="{beside}"></iframe>'
    host = Around(page, school, f"{web.url}/embed/school/coach/", more=more).open()
    host.tell({"good": True})
    page.wait_for_timeout(500)
    host.shown.ask("Who is there?")
    assert b"good: true" in model.received[-1] and b"evil" not in model.received[-1]
    spy = page.frame(url=beside)
    assert spy is not None and spy.evaluate("() => heard") == []


def test_a_mentor_for_anybody_may_be_framed_by_anybody(
    page: Page, web: Web, stranger: Site, model: ModelServer
) -> None:
    host = Around(page, stranger, f"{web.url}/embed/school/anywhere/").open()
    assert host.tell({"a": 1})["applied"] is True
    host.shown.ask("Here?")
    assert b"a: 1" in model.received[-1]


@pytest.mark.parametrize("path", ["/embed/school/nobody/", "/embed/nowhere/coach/", "/embed/school/closed/"])
def test_a_mentor_that_is_not_there_and_one_that_asks_for_a_token_look_alike(
    page: Page, web: Web, path: str, complaints: list[str]
) -> None:
    answer = page.goto(f"{web.url}{path}")
    assert answer is not None and answer.status == 404
    assert page.get_by_text("There is no such page").is_visible()
    assert "404" in complaints.pop()


def test_a_frame_without_a_page_around_it_is_a_chat(frame: Callable[..., Shown]) -> None:
    shown = frame()
    assert shown.ask("Alone?") == "You said: Alone?"


def test_the_address_is_the_metadata_of_the_session_that_it_begins(
    around: Callable[..., Around], model: ModelServer
) -> None:
    host = around("/platform/school/coach/?embed=true&theme=dark&stateCode=CA&meta.theme=law&n=5&n=6")
    assert host.heard("mentor:ready")["parameters"] == ["stateCode", "theme", "n"]
    assert host.heard("mentor:ready")["warnings"][0]["code"] == "repeated_parameter"
    host.shown.ask("Where am I?")
    prompt = json.loads(model.received[-1])["messages"][-1]["content"]
    assert "stateCode: CA\ntheme: law\nn: 6\n" in prompt and "embed" not in prompt


def test_what_the_page_says_counts_before_the_address(
    around: Callable[..., Around], model: ModelServer
) -> None:
    host = around("/embed/school/coach/?stateCode=CA")
    host.tell({"stateCode": "NY"})
    host.shown.ask("Where?")
    assert b"stateCode: NY" in model.received[-1] and b"CA" not in model.received[-1]


def test_a_new_conversation_is_told_the_context_again(
    around: Callable[..., Around], model: ModelServer
) -> None:
    host = around()
    host.tell({"stateCode": "CA"})
    host.shown.ask("One")
    host.post({"type": "MENTOR:NEW_CHAT"})
    expect(host.shown.frame.locator("#transcript > *")).to_have_count(0)
    host.shown.ask("Two")
    assert b"stateCode: CA" in model.received[-1] and b"One" not in model.received[-1]


def test_the_host_chooses_the_theme_and_moves_the_focus(around: Callable[..., Around]) -> None:
    host = around()
    root = host.shown.frame.locator("html")
    host.post({"type": "MENTOR:THEME_CHANGE", "theme": "dark"})
    expect(root).to_have_attribute("data-theme", "dark")
    host.post(json.dumps({"theme": "light"}))
    expect(root).to_have_attribute("data-theme", "light")
    host.post({"type": "MENTOR:PROMPT_FOCUS"})
    expect(host.shown.prompt).to_be_focused()


def test_an_address_that_is_wrong_says_so_in_the_frame(
    page: Page, web: Web, stranger: Site, complaints: list[str]
) -> None:
    page.goto(stranger.put("/", LISTENS % {"src": f"{web.url}/embed/school/nobody/", "more": ""}))
    expect(page.frame_locator("#mentor").get_by_text("There is no such page")).to_be_visible()
    assert "404" in complaints.pop()


HELD = [
    (pattern, origin)
    for pattern in ("https://A.example", "https://*.A.example", "http://localhost:*", "http://[::1]:*")
    for origin in (
        *("https://a.example", "https://www.a.example", "https://evila.example", "https://a.example:8443"),
        *("https://www.a.example.", "https://a.example.evil", "http://localhost"),
        *("http://localhost:8000", "http://[::1]:8000", "https://xn--www-.a.example", "null"),
    )
]


def test_the_frame_and_the_server_let_in_the_same_pages(page: Page, web: Web, school: Site) -> None:
    page.goto(school.put("/bare", "<!doctype html><title>Bare</title>"))
    script = """async ([url, held]) => {
      const { allows } = await import(`${url}/static/frame/origins.js`);
      return held.map(([pattern, origin]) => allows([pattern], origin));
    }"""
    expected = [origins.allows([pattern], origin) for pattern, origin in HELD]
    assert page.evaluate(script, [web.url, HELD]) == expected and sum(expected) == 6
