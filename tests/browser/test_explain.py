"""Why an answer is as it is, and what if: the dashboard's page, by mouse and by keyboard, and how it looks."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.clients import Reply, Stream, fetch
from tests.faults.web import Web
from tests.model_server import Answer, ModelServer, Refuse

from .conftest import TOKEN
from .frames import sign_in
from .test_looks import Theme, opened, serious, theme  # noqa: F401

FREE = {"plan": "free", "hours": {"done": 12, "due": 52}}
PAGE = {"page": "pricing", "stateCode": "CA", "plan": "enterprise"}


@pytest.fixture
def asked(web: Web, model: ModelServer) -> Reply:
    """A page claims a plan that the back end has set otherwise; the second turn of a visitor."""
    model.enqueue(
        Answer(["Hello! What are you preparing for?"]), Answer(["The simulator is part of **Pro**."])
    )
    visitor = Stream(web.url, "school", "coach")
    visitor.say("Hello?", metadata={"page": "home"})
    path = f"/api/v1/sessions/{visitor.session_id}/context/"
    status, told = fetch(
        web.url, "PUT", path, {"client_context": FREE}, {"Authorization": f"Api-Token {TOKEN}"}
    )
    assert status == 200, told
    return visitor.say("May I use the simulator?", metadata=PAGE, page_content="Plans and prices.")


def address(web: Web, asked: Reply) -> str:
    return f"{web.url}/analytics/messages/{asked.generation_id}/"


def contexts(page: Page, side: str) -> str:
    return page.get_by_label(f"Context {side}").input_value()


def test_a_claim_that_is_not_signed_is_shown_with_why_it_was_kept_out(
    page: Page, web: Web, asked: Reply, administrator: str
) -> None:
    sign_in(page, web, administrator)
    page.wait_for_timeout(3_000)  # what is kept out is counted within seconds
    page.goto(address(web, asked))
    row = page.locator(".knew tr", has_text="plan")
    expect(row).to_contain_text("free")
    expect(row).to_contain_text("verified")
    expect(row).to_contain_text("Set by the tenant's server, token backend by the API, from the same machine")
    expect(row).to_contain_text("Kept out: another value that was not verified")
    expect(page.locator(".knew")).not_to_contain_text("enterprise")
    expect(page.locator(".part.user").last).to_contain_text("plan: free")


def test_two_contexts_side_by_side(
    page: Page, web: Web, asked: Reply, model: ModelServer, administrator: str
) -> None:
    sign_in(page, web, administrator)
    page.goto(address(web, asked))
    assert json.loads(contexts(page, "A")) == json.loads(contexts(page, "B")) == {**PAGE, **FREE}
    page.get_by_role("button", name="Compare the prompts").click()
    expect(page.get_by_role("status")).to_have_text("Both prompts are the same.")
    changed = contexts(page, "B").replace('"free"', '"enterprise"').replace('"CA"', '"NY"')
    page.get_by_label("Context B").fill(changed)
    page.get_by_role("button", name="Compare the prompts").click()
    expect(page.get_by_role("status")).to_have_text("1 line differs.")
    expect(page.locator(".only-b")).to_contain_text("stateCode: NY")
    expect(page.locator(".warned")).to_contain_text("/metadata/plan")
    page.locator("[data-side=B]").get_by_label("Set by the tenant's own server").check()
    page.get_by_role("button", name="Compare the prompts").click()
    expect(page.get_by_role("status")).to_have_text("2 lines differ.")
    expect(page.locator(".only-b")).to_contain_text("plan: enterprise")
    expect(page.locator(".only-b ins").last).to_contain_text("enterprise")
    model.forget()
    model.enqueue(Answer(["No."]), Answer(["Yes."]))
    page.get_by_role("button", name="Ask the model for both").click()
    expect(page.get_by_role("status")).to_have_text("2 lines differ. Both answers are in.")
    assert sorted(page.locator(".answered .words").all_inner_texts()) == ["No.", "Yes."]
    prompts = [json.loads(body)["messages"][-1]["content"] for body in model.received]
    assert sorted("plan: enterprise" in prompt for prompt in prompts) == [False, True]


def test_what_is_wrong_is_told_where_it_is(
    page: Page, web: Web, asked: Reply, model: ModelServer, administrator: str, complaints: list[str]
) -> None:
    sign_in(page, web, administrator)
    page.goto(address(web, asked))
    for text, told in (("{", "This is not JSON"), ("[1]", "A context is a JSON object")):
        page.get_by_label("Context B").fill(text)
        page.get_by_role("button", name="Compare the prompts").click()
        expect(page.locator("#fault-B")).to_contain_text(told)
        expect(page.get_by_label("Context B")).to_be_focused()
    page.get_by_label("Context B").fill(json.dumps({"a": "x" * 20_000}))
    expect(page.locator("#fault-B")).to_be_empty()
    page.get_by_role("button", name="Compare the prompts").click()
    expect(page.locator("#compared .fault")).to_contain_text("at most 16384 are accepted")
    page.get_by_label("Context B").fill('{"n": 1}')
    model.enqueue(Refuse(401), Refuse(401))
    page.get_by_role("button", name="Ask the model for both").click()
    expect(page.locator(".answered .fault")).to_have_count(2)
    complaints[:] = [one for one in complaints if "Failed to load resource" not in one]


def test_it_works_without_a_mouse(page: Page, web: Web, asked: Reply, administrator: str) -> None:
    sign_in(page, web, administrator)
    page.goto(address(web, asked))
    page.get_by_label("Context B").focus()
    page.keyboard.press("Control+A")
    page.keyboard.type('{"stateCode": "NY"}')
    page.keyboard.press("Control+Enter")
    expect(page.locator(".only-b")).to_contain_text("stateCode: NY")
    expect(page.get_by_label("Context B")).to_be_focused()
    for _ in range(3):
        page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Compare the prompts")).to_be_focused()


def test_the_session_leads_to_it_and_back(page: Page, web: Web, asked: Reply, administrator: str) -> None:
    sign_in(page, web, administrator)
    page.goto(address(web, asked))
    page.get_by_role("link", name="← Session").click()
    expect(page.locator("#message-4")).to_be_visible()
    expect(page.locator(".known").last).to_contain_text("with #3")
    page.locator("#message-4").get_by_role("link", name="Why this answer").click()
    expect(page.get_by_role("heading", name="Why this answer")).to_be_visible()
    page.goto(f"{web.url}/admin/chat/chatmessagehistory/{asked.generation_id}/change/")
    page.get_by_role("link", name="Why this answer, and what if").click()
    expect(page.get_by_role("heading", name="What if")).to_be_visible()


@pytest.mark.parametrize("width", ["narrow", "wide"])
def test_how_it_looks(
    opened: Callable[..., Page],  # noqa: F811
    picture: Callable[[Page, str], Path],
    web: Web,
    asked: Reply,
    administrator: str,
    theme: Theme,  # noqa: F811
    width: str,
) -> None:
    page = opened(f"{web.url}/admin/login/", width)
    sign_in(page, web, administrator)
    page.goto(address(web, asked))
    changed = contexts(page, "B").replace('"CA"', '"NY"').replace('"free"', '"pro"')
    page.get_by_label("Context B").fill(changed)
    page.get_by_role("button", name="Ask the model for both").click()
    expect(page.get_by_role("status")).to_contain_text("Both answers are in.")
    page.screenshot(path=picture(page, f"explain-{width}-{theme}"), full_page=True)
    assert serious(page) == []
    assert page.evaluate("() => document.documentElement.scrollWidth") <= {"narrow": 320, "wide": 1280}[width]
