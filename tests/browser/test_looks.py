"""How the pages look, kept as pictures for people, and whether everybody can use them (axe-core)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.faults.web import Web
from tests.model_server import Answer, ModelServer, Refuse

from .conftest import listen
from .frames import Shown

ANSWER = """Two things count in **California**:

1. Fifty-two hours of pre-licensing education, of which *twelve* are in ethics
2. An exam of 150 questions

| part | questions |
|---|---|
| General knowledge | 100 |
| State law | 50 |

```python
hours = {"CA": 52, "NY": 40}
```

> The state's [department of insurance](https://www.insurance.ca.gov/) confirms every figure.
"""
SERIOUS = ("serious", "critical")
WIDTHS = {"narrow": (320, 640), "bubble": (400, 640), "wide": (1280, 800)}
Theme = Literal["light", "dark"]


@pytest.fixture(params=["light", "dark"])
def theme(request: pytest.FixtureRequest) -> Theme:
    return "light" if request.param == "light" else "dark"


@pytest.fixture
def opened(browser: Browser, theme: Theme, complaints: list[str]) -> Iterator[Callable[..., Page]]:
    """A page of this width in this theme."""
    contexts = []

    def open_page(address: str, width: str) -> Page:
        wide, high = WIDTHS[width]
        size: Any = {"width": wide, "height": high}
        contexts.append(browser.new_context(viewport=size, color_scheme=theme, reduced_motion="reduce"))
        page = contexts[-1].new_page()
        listen(page, complaints)
        page.goto(address)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


def serious(page: Page) -> list[str]:
    """What axe-core finds that keeps somebody from using the page."""
    found = Axe().run(page).response["violations"]
    return [
        f"{one['id']}: {node['html'][:120]}"
        for one in found
        if one["impact"] in SERIOUS
        for node in one["nodes"]
    ]


@pytest.mark.parametrize("width", WIDTHS)
def test_a_conversation(
    opened: Callable[..., Page],
    picture: Callable[[Page, str], Path],
    web: Web,
    model: ModelServer,
    theme: Theme,
    width: str,
) -> None:
    address = f"{web.url}/embed/school/coach/?productGroup=LICENSING&stateCode=CA"
    page = opened(address, width)
    shown = Shown(page.main_frame)
    picture(page, f"frame-empty-{width}-{theme}")
    assert serious(page) == []
    model.enqueue(Answer([ANSWER]))
    shown.ask("What do I need in California?")
    picture(page, f"frame-{width}-{theme}")
    assert serious(page) == []
    model.enqueue(Refuse(401))
    shown.type("And after that?")
    expect(page.locator(".fault")).to_be_visible()
    picture(page, f"frame-fault-{width}-{theme}")
    assert serious(page) == []
    assert page.evaluate("() => document.documentElement.scrollWidth") <= WIDTHS[width][0]


def test_the_card_of_what_the_mentor_knows(
    opened: Callable[..., Page], picture: Callable[[Page, str], Path], web: Web, theme: Theme
) -> None:
    page = opened(f"{web.url}/embed/school/coach/?productGroup=LICENSING&stateCode=CA", "bubble")
    Shown(page.main_frame).status("Ready")
    page.get_by_role("button", name="The mentor knows").click()
    expect(page.locator("#card")).to_contain_text("stateCode")
    picture(page, f"frame-knows-{theme}")
    assert serious(page) == []
    page.keyboard.press("Escape")
    expect(page.locator("#card")).to_be_hidden()


def test_a_mentor_that_keeps_to_itself_what_it_knows(
    opened: Callable[..., Page], picture: Callable[[Page, str], Path], web: Web, theme: Theme
) -> None:
    page = opened(f"{web.url}/embed/school/quiet/?stateCode=CA", "bubble")
    Shown(page.main_frame).ask("What do I need?")
    assert page.locator("#context").is_hidden() and page.get_by_text("context v1").count() == 0
    picture(page, f"frame-quiet-{theme}")
    assert serious(page) == []


def test_right_to_left(
    opened: Callable[..., Page],
    picture: Callable[[Page, str], Path],
    web: Web,
    model: ModelServer,
    theme: Theme,
) -> None:
    page = opened(f"{web.url}/embed/school/quiet/?lang=ar", "bubble")
    model.enqueue(Answer(["مرحبا! **اثنتان وخمسون** ساعة."]))
    page.locator("#prompt").fill("كم ساعة أحتاج؟")
    page.locator("#prompt").press("Enter")
    expect(page.locator("#transcript .message.mentor.complete")).to_have_count(1)
    picture(page, f"frame-rtl-{theme}")
    assert page.evaluate("() => getComputedStyle(document.body).direction") == "rtl"
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 400
    assert serious(page) == []


@pytest.mark.parametrize("width", ["narrow", "wide"])
def test_the_chat_page(
    opened: Callable[..., Page],
    picture: Callable[[Page, str], Path],
    web: Web,
    model: ModelServer,
    theme: Theme,
    width: str,
) -> None:
    page = opened(f"{web.url}/?tenant=demo", width)
    model.enqueue(Answer([ANSWER]))
    Shown(page.main_frame).ask("What do I need in California?")
    picture(page, f"chat-{width}-{theme}")
    assert serious(page) == []


def test_all_of_it_works_without_a_mouse(page: Page, web: Web, model: ModelServer) -> None:
    page.goto(f"{web.url}/embed/school/coach/")
    Shown(page.main_frame).status("Ready")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the message box")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#prompt")).to_be_focused()
    page.keyboard.type("Hello")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("there")
    page.keyboard.press("Enter")
    expect(page.locator("#transcript .message.mentor.complete")).to_have_count(1)
    assert "Hello\nthere" in model.received[-1].decode().replace("\\n", "\n")
    reached = set()
    for _ in range(12):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("() => document.activeElement.id || document.activeElement.innerText"))
    assert {"new", "prompt", "Copy"} <= reached


def test_a_screen_reader_hears_the_answer_once_it_is_whole(page: Page, web: Web, model: ModelServer) -> None:
    page.goto(f"{web.url}/embed/school/coach/")
    page.evaluate(
        """() => { window.told = []; new MutationObserver(() => told.push(announcer.textContent))
                     .observe(announcer, {childList: true, characterData: true, subtree: true}); }"""
    )
    model.enqueue(Answer(["one ", "two ", "three"], gap=0.1))
    Shown(page.main_frame).ask("Count")
    assert page.evaluate("() => told") == ["Coach answered. one two three"]
    live = page.locator("[aria-live], [role=status], [role=alert], [role=log]")
    assert live.evaluate_all("(nodes) => nodes.map(({id}) => id)") == ["announcer"]
