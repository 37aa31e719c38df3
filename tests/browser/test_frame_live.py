"""What others do in a session is seen in its frame: at once, and after being away."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.clients import fetch, request
from tests.faults.web import Web
from tests.model_server import Answer, ModelServer, numbered

from .conftest import TOKEN, listen
from .frames import Shown, sign_in


@pytest.fixture
def backend(web: Web) -> Callable[..., Any]:
    """The school's own server."""

    def call(method: str, path: str, body: Any = None) -> Any:
        status, told = fetch(web.url, method, path, body, {"Authorization": f"Api-Token {TOKEN}"})
        assert status in (200, 201, 204), told
        return told

    return call


@pytest.fixture
def talk(page: Page, web: Web) -> Shown:
    """A frame in which something was said."""
    page.goto(f"{web.url}/embed/school/coach/?stateCode=CA")
    shown = Shown(page.main_frame)
    shown.ask("Hello?")
    return shown


def newest(backend: Callable[..., Any]) -> str:
    return str(backend("GET", "/api/v1/sessions/?limit=1")["results"][0]["id"])


def test_a_message_of_a_back_end_appears_at_once_and_goes_when_it_is_removed(
    talk: Shown, backend: Callable[..., Any]
) -> None:
    path = f"/api/v1/sessions/{newest(backend)}/messages/"
    notice = backend("POST", path, {"content": "Your tutor is looking.", "message_type": "notice"})
    expect(talk.frame.get_by_text("Your tutor is looking.")).to_be_visible()
    backend("DELETE", f"{path}{notice['id']}/")
    expect(talk.frame.get_by_text("Your tutor is looking.")).to_have_count(0)


def test_the_seeds_own_message_shows_its_attribution_its_footer_and_no_debug_to_its_user(
    talk: Shown, backend: Callable[..., Any]
) -> None:
    message = {
        "id": "1234....",
        "sender": {"participant_id": "1234....", "participant_role": "user"},
        "content": "Hello World!",
        "content_type": "text/plain",
        "message_type": "chat",
        "metadata": {
            "attribution": "Internal System",
            "debug": {"intent_generation": {"request": {"content": "x"}, "response": {"content": "y"}}},
            "footer_items": ["6.8k of 50k (13%) tokens used for request"],
        },
    }
    backend("POST", f"/api/v1/sessions/{newest(backend)}/messages/", message)
    shown = talk.frame.locator(".message", has_text="Hello World!")
    expect(shown).to_contain_text("[Internal System]")
    expect(shown).to_contain_text("6.8k of 50k (13%) tokens used for request")
    assert shown.get_by_role("button", name="Inspect").count() == 0


def test_what_was_missed_while_away_is_there_after_a_reload_in_its_order(
    talk: Shown, page: Page, backend: Callable[..., Any], web: Web
) -> None:
    session = newest(backend)
    page.goto("about:blank")
    for number in range(3):
        body = {"content": f"Missed {number}", "sender": {"participant_role": "assistant"}}
        backend("POST", f"/api/v1/sessions/{session}/messages/", body)
    page.goto(f"{web.url}/embed/school/coach/")
    expect(talk.frame.get_by_text("Missed 2")).to_be_visible()
    assert talk.said[:1] == ["Hello?"] and talk.said[-3:] == ["Missed 0", "Missed 1", "Missed 2"]


def test_two_tabs_see_each_others_questions_and_answers(
    talk: Shown, context: BrowserContext, web: Web, complaints: list[str], model: ModelServer
) -> None:
    other = context.new_page()
    listen(other, complaints)
    other.goto(f"{web.url}/embed/school/coach/")
    second = Shown(other.main_frame)
    second.status("Ready")
    model.enqueue(Answer(numbered(10), gap=0.1))
    talk.type("From the first tab")
    expect(second.frame.get_by_text("From the first tab")).to_be_visible()
    expect(second.frame.locator("#transcript .message.mentor.complete")).to_have_count(2)
    second.ask("From the second tab")
    expect(talk.frame.get_by_text("From the second tab", exact=True)).to_be_visible()
    expect(talk.frame.locator("#transcript .message.mentor.complete")).to_have_count(3)
    assert talk.said == second.said and len(talk.said) == 6


def test_a_message_of_ones_own_is_shown_once(talk: Shown) -> None:
    talk.ask("Once")
    talk.frame.page.wait_for_timeout(700)
    assert talk.frame.locator("#transcript > *").count() == 4


def test_what_is_posted_while_an_answer_is_written_keeps_its_place(
    talk: Shown, backend: Callable[..., Any], model: ModelServer
) -> None:
    session = newest(backend)
    model.enqueue(Answer(numbered(20), gap=0.1))
    talk.type("Slowly")
    expect(talk.frame.get_by_text("tok2 ")).to_be_visible()
    body = {"content": "Meanwhile", "message_type": "note", "sender": {"participant_role": "service"}}
    backend("POST", f"/api/v1/sessions/{session}/messages/", body)
    expect(talk.frame.get_by_text("Meanwhile")).to_be_visible()
    expect(talk.frame.locator("#transcript .message.mentor.complete")).to_have_count(2)
    assert talk.said[-1] == "Meanwhile"
    stored = backend("GET", f"/api/v1/sessions/{session}/messages/")["results"]
    assert [one["sequence"] for one in stored] == [1, 2, 3, 4, 5]


def test_a_context_that_another_has_set_is_known_here(
    talk: Shown, backend: Callable[..., Any], web: Web
) -> None:
    session = newest(backend)
    body = {
        "session_id": session,
        "flow": {"name": "coach", "tenant": "school"},
        "prompt": "On their behalf",
        "metadata": {"stateCode": "NY"},
    }
    raw = json.dumps(body).encode()
    status, _ = _post_stream(web.url, raw)
    assert status == 200
    expect(talk.frame.locator("#context")).to_contain_text("stateCode: NY")


def _post_stream(url: str, raw: bytes) -> tuple[int, bytes]:
    headers = {"Authorization": f"Api-Token {TOKEN}", "Content-Type": "application/json"}
    with request(url, "POST", "/api/mentor/chat/", raw, headers) as answer:
        return answer.status, answer.read()


def test_staff_who_are_signed_in_inspect_exactly_what_an_answer_was_made_from(
    page: Page, web: Web, administrator: str, model: ModelServer
) -> None:
    sign_in(page, web, administrator)
    page.goto(f"{web.url}/?tenant=demo&mentor=licensing-coach")
    shown = Shown(page.main_frame)
    shown.ask("What was asked?")
    answer = shown.frame.locator(".message.mentor.complete").last
    answer.get_by_role("button", name="Inspect").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("request")
    dialog.get_by_text("JSON", exact=True).click()
    sent = json.loads(model.received[-1])["messages"][-1]["content"]
    expect(dialog).to_contain_text(json.dumps(sent)[1:60])
    expect(answer).to_contain_text("tokens used")


def test_a_question_and_its_answer_that_a_back_end_takes_out_are_gone(
    talk: Shown, backend: Callable[..., Any]
) -> None:
    path = f"/api/v1/sessions/{newest(backend)}/messages/"
    for one in backend("GET", path)["results"]:
        backend("DELETE", f"{path}{one['id']}/")
    expect(talk.frame.locator("#transcript > *")).to_have_count(0)
