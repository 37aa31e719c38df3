"""What one does in a frame: ask, stop, ask again, copy, begin anew."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import BrowserContext, Page, expect

from tests.faults.web import Web
from tests.model_server import Answer, ModelServer, Refuse, numbered

from .frames import Shown


def test_a_starter_is_asked_as_it_stands(frame: Callable[..., Shown], model: ModelServer) -> None:
    shown = frame()
    shown.frame.get_by_role("button", name="What topics are on the exam?").click()
    expect(shown.frame.get_by_text("You said: What topics are on the exam?", exact=True)).to_be_visible()
    expect(shown.frame.locator("#starters")).to_be_hidden()


def test_an_answer_is_stopped_and_says_so(frame: Callable[..., Shown], model: ModelServer) -> None:
    shown = frame()
    model.enqueue(Answer(numbered(100), gap=0.1))
    shown.type("Slowly")
    expect(shown.frame.get_by_text("tok2 ")).to_be_visible()
    shown.frame.get_by_role("button", name="Stop the answer").click()
    expect(shown.frame.get_by_text("You stopped this answer.")).to_be_visible()
    assert model.client_left()
    assert shown.ask("Again?") == "You said: Again?"


def test_what_failed_is_asked_again_and_what_is_half_written_stays(
    frame: Callable[..., Shown], model: ModelServer
) -> None:
    shown = frame()
    model.enqueue(Refuse(401))
    shown.type("Once more")
    again = shown.frame.get_by_role("button", name="Ask again")
    expect(again).to_be_visible()
    shown.prompt.fill("Half a sen")
    again.click()
    expect(shown.frame.get_by_text("You said: Once more", exact=True)).to_be_visible()
    expect(shown.prompt).to_have_value("Half a sen")


def test_an_answer_is_copied_as_it_was_written(
    page: Page, context: BrowserContext, web: Web, model: ModelServer
) -> None:
    context.grant_permissions(["clipboard-read", "clipboard-write"], origin=web.url)
    page.goto(f"{web.url}/embed/school/coach/")
    model.enqueue(Answer(["**Bold** and `code`"]))
    Shown(page.main_frame).ask("Write")
    page.get_by_role("button", name="Copy", exact=True).click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("() => navigator.clipboard.readText()") == "**Bold** and `code`"


def test_a_new_conversation_knows_nothing_of_the_one_before(
    frame: Callable[..., Shown], model: ModelServer
) -> None:
    shown = frame()
    shown.ask("One")
    shown.frame.get_by_role("button", name="New conversation").click()
    assert shown.said == []
    shown.ask("Two")
    assert b"One" not in model.received[-1]


def test_a_link_of_an_answer_goes_nowhere_but_the_web(
    frame: Callable[..., Shown], model: ModelServer
) -> None:
    shown = frame()
    words = (
        "[web](https://a.example/x) [script](javascript:alert(1)) [data](data:text/html,x) [path](/admin/)"
    )
    model.enqueue(Answer([words]))
    shown.ask("Links?")
    links = shown.frame.locator(".message.mentor .prose a")
    assert links.evaluate_all("(all) => all.map((one) => [one.href, one.target, one.rel])") == [
        ["https://a.example/x", "_blank", "noopener noreferrer nofollow"]
    ]


def test_a_message_that_is_too_long_is_kept_and_said_to_be(frame: Callable[..., Shown]) -> None:
    shown = frame()
    shown.type("x" * 40_000)
    expect(shown.frame.locator("#status")).to_contain_text("Please shorten this")
    assert len(shown.prompt.input_value()) == 40_000
