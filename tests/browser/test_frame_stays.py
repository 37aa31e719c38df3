"""A conversation in a frame outlives a reload, a restart, a denied storage and a second tab; and a noisy page."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import psutil
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.faults.web import Web
from tests.model_server import Answer, ModelServer, numbered

from .conftest import listen
from .frames import Around, Shown
from .site import Site

SLOWLY = Answer(numbered(40), gap=0.1)
WHOLE = "".join(numbered(40)).strip()


def test_after_a_reload_what_was_said_and_known_is_there(
    around: Callable[..., Around], page: Page, model: ModelServer
) -> None:
    host = around()
    host.tell({"stateCode": "CA"})
    host.shown.ask("One?")
    said = host.shown.said
    page.reload()
    host.heard("mentor:ready")
    assert host.shown.said == said
    host.shown.ask("Two?")
    assert json.loads(model.received[-1])["messages"][-3]["content"] == "One?"
    assert b"stateCode: CA" in model.received[-1]


def test_a_reload_in_mid_answer_loses_and_repeats_nothing(
    around: Callable[..., Around], page: Page, model: ModelServer
) -> None:
    host = around()
    model.enqueue(SLOWLY)
    host.shown.type("Tell me.")
    expect(host.shown.frame.get_by_text("tok5 ")).to_be_visible()
    page.reload()
    host.heard("mentor:ready")
    answer = host.shown.frame.locator("#transcript .message.mentor.complete .prose")
    expect(answer).to_have_text(WHOLE, timeout=15_000)
    assert len(model.received) == 1


def test_a_restart_in_mid_answer_tells_what_became_of_it_and_goes_on(
    around: Callable[..., Around], web: Web, model: ModelServer, complaints: list[str]
) -> None:
    host = around()
    model.enqueue(SLOWLY)
    host.shown.type("Tell me.")
    expect(host.shown.frame.get_by_text("tok5 ")).to_be_visible()
    web.kill()
    expect(host.shown.frame.locator("#status")).to_contain_text("No connection")
    web.launch()
    web.wait()
    broken = host.shown.frame.locator("#transcript .message.mentor.interrupted")
    expect(broken).to_contain_text("The answer broke off.", timeout=30_000)
    assert broken.locator(".prose").inner_text().startswith("tok0 tok1 tok2 tok3 tok4 tok5")
    broken.get_by_role("button", name="Ask again").click()
    expect(host.shown.frame.locator("#transcript .message.mentor.complete")).to_have_count(1)
    complaints.clear()  # the browser's, of a socket that was refused


def test_a_second_tab_goes_on_with_the_conversation(
    page: Page, context: BrowserContext, web: Web, complaints: list[str], model: ModelServer
) -> None:
    address = f"{web.url}/embed/school/coach/"
    page.goto(address)
    Shown(page.main_frame).ask("In the first tab")
    other = context.new_page()
    listen(other, complaints)
    other.goto(address)
    shown = Shown(other.main_frame)
    assert shown.said[-2] == "In the first tab"
    shown.ask("In the second")
    assert json.loads(model.received[-1])["messages"][-3]["content"] == "In the first tab"


def test_a_tab_that_was_only_open_forgets_nothing_that_another_said(
    page: Page, context: BrowserContext, web: Web, complaints: list[str]
) -> None:
    address = f"{web.url}/embed/school/coach/"
    page.goto(address)
    first = Shown(page.main_frame)
    first.ask("One?")
    other = context.new_page()
    listen(other, complaints)
    other.goto(address)
    Shown(other.main_frame).status("Ready")
    first.ask("Two?")
    page.close()
    other.close(run_before_unload=False)
    again = context.new_page()
    listen(again, complaints)
    again.goto(address)
    assert [text for text in Shown(again.main_frame).said if not text.startswith("You said")] == [
        "One?",
        "Two?",
    ]


def test_of_two_tabs_that_ask_at_once_one_is_told_to_wait(
    page: Page, context: BrowserContext, web: Web, complaints: list[str], model: ModelServer
) -> None:
    address = f"{web.url}/embed/school/coach/"
    page.goto(address)
    first = Shown(page.main_frame)
    first.ask("Hello")
    other = context.new_page()
    listen(other, complaints)
    other.goto(address)
    second = Shown(other.main_frame)
    model.enqueue(SLOWLY)
    first.type("Slowly, please")
    expect(first.frame.get_by_text("tok1 ")).to_be_visible()
    second.type("Me too")
    expect(second.frame.get_by_text("This message was not accepted.")).to_be_visible()
    expect(first.frame.locator("#transcript .message.mentor.complete")).to_have_count(2, timeout=15_000)
    second.frame.get_by_role("button", name="Try again").click()
    expect(second.frame.get_by_text("You said: Me too", exact=True)).to_be_visible()


@pytest.mark.parametrize("denied", ["throws", "is full"])
def test_where_storage_is_denied_it_lasts_as_long_as_the_page(
    page: Page, web: Web, school: Site, denied: str, model: ModelServer
) -> None:
    deny = {
        "throws": "for (const s of ['localStorage', 'sessionStorage']) Object.defineProperty(window, s, "
        "{get() { throw new DOMException('denied', 'SecurityError') }})",
        "is full": "Storage.prototype.setItem = () => { throw new DOMException('full', 'QuotaExceededError') }",
    }
    page.add_init_script(deny[denied])
    host = Around(page, school, f"{web.url}/embed/school/coach/").open()
    host.tell({"stateCode": "CA"})
    host.shown.ask("One?")
    host.shown.ask("Two?")
    assert json.loads(model.received[-1])["messages"][-3]["content"] == "One?"
    page.reload()
    host.heard("mentor:ready")
    assert host.shown.said == []
    host.shown.ask("Three?")


def test_a_page_that_tells_two_megabytes_a_second_costs_neither_memory_nor_traffic(
    page: Page, web: Web, school: Site, model: ModelServer
) -> None:
    sent: list[int] = []
    page.on("websocket", lambda socket: socket.on("framesent", lambda text: sent.append(len(text))))
    host = Around(page, school, f"{web.url}/embed/school/coach/").open()
    script = """() => { const cell = '<p style="color:red">A cell divides. </p>'.repeat(50000); let n = 0;
      window.noise = setInterval(() => document.getElementById('mentor').contentWindow.postMessage(
        {type: 'MENTOR:CONTEXT_UPDATE', hostInfo: {title: 'Noise', href: location.href},
         pageContent: `<main><h1>${n += 1}</h1>${cell}</main>`}, '*'), 1000); }"""
    page.evaluate(script)
    page.wait_for_timeout(5_000)
    before = _resident(page)
    page.wait_for_timeout(55_000)
    page.evaluate("() => clearInterval(noise)")
    assert len(host.all_heard("mentor:context-ack")) >= 50
    assert sum(sent) < 5_000  # nothing went to the server while nobody wrote
    assert _resident(page) < before + 150 * 1024 * 1024
    host.shown.ask("What is it?")
    assert sum(sent) < 300_000
    prompt = json.loads(model.received[-1])["messages"][-1]["content"]
    assert "Noise" in prompt and len(prompt.encode()) < 270_000


def _resident(page: Page) -> int:
    """Of the browser and all that it started."""
    page.request  # the driver is alive
    here = psutil.Process()
    family = [one for one in here.children(recursive=True) if "chrom" in one.name()]
    return sum(one.memory_info().rss for one in family)


def test_nothing_is_sent_twice_when_a_first_answer_is_lost(
    page: Page, web: Web, model: ModelServer, read: Callable[..., Any]
) -> None:
    def lose(route: Any) -> None:
        server = route.connect_to_server()
        lost: list[bool] = []

        def back(message: str) -> None:
            if not lost:
                lost.append(True)
                route.close()
            else:
                route.send(message)

        server.on_message(back)
        route.on_message(server.send)

    seen: list[Any] = []

    def once(route: Any) -> None:
        seen.append(route)
        if len(seen) == 1:
            lose(route)
        else:
            route.connect_to_server()

    page.route_web_socket("**/ws/chat/", once)
    page.goto(f"{web.url}/embed/school/coach/")
    shown = Shown(page.main_frame)
    shown.type("Only once")
    expect(shown.frame.get_by_text("You said: Only once", exact=True)).to_be_visible()
    assert len(model.received) == 1 and len(seen) == 2


def test_the_first_paint_is_within_a_second(browser: Browser, web: Web) -> None:
    """The best of three visits by a new browser: other work on the machine is not the page's."""
    assert min(_first_paint(browser, f"{web.url}/embed/school/coach/") for _ in range(3)) < 1000


def _first_paint(browser: Browser, address: str) -> float:
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(address)
        script = "() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime"
        page.wait_for_function(script)
        return float(page.evaluate(script))


def test_a_frame_that_is_narrower_than_a_phone_is_not_wider_than_its_window(page: Page, web: Web) -> None:
    page.set_viewport_size({"width": 320, "height": 480})
    page.goto(f"{web.url}/embed/school/quiet/?stateCode=CA")
    Shown(page.main_frame).ask("x" * 300)
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 320
