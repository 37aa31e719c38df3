"""The README's page, as a newcomer tries it: served from another port, and read again in every place."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.docs.pages import README, ROOT, Block, blocks
from tests.faults.web import Web
from tests.model_server import ModelServer

from .frames import Shown, sign_in
from .site import Site

CA = {"productGroup": "LICENSING", "stateCode": "CA"}
NY = {"productGroup": "CE", "stateCode": "NY"}


def the_page() -> str:
    (found,) = [block.text for block in blocks(README) if block.does == "in a page"]
    assert len(found.splitlines()) <= 10
    return found


def test_its_page_gives_its_context_changes_it_and_all_of_it_is_read_again(
    page: Page, web: Web, school: Site, model: ModelServer, administrator: str
) -> None:
    page.goto(school.put("/readme", the_page().replace("http://127.0.0.1:8000", web.url)))
    page.get_by_role("button", name="Chat").click()
    page.wait_for_timeout(300)
    frame = page.frame(url=lambda url: "/embed/demo/licensing-coach/" in url)
    assert frame is not None
    mentor = Shown(frame)
    mentor.ask("What do I need?")
    page.get_by_role("button", name="I moved to New York").click()
    mentor.ask("And here?")
    prompts = [json.loads(body)["messages"][-1]["content"] for body in model.received]
    assert "stateCode: CA" in prompts[0] and "stateCode: NY" in prompts[1] and "CA" not in prompts[1]

    sign_in(page, web, administrator)
    rows = _get(page, "/api/v1/analytics/conversations/?context.stateCode=NY&message_context.stateCode=CA")
    session = rows["results"][0]["id"]
    details = _get(page, f"/api/v2/messages/details/?session_id={session}")
    assert details["summary"]["client_context"] == NY
    pairs = details["messages"]
    assert [pair["question"]["client_context"] for pair in pairs] == [CA, NY]
    assert [pair["answer"]["client_context"] for pair in pairs] == [CA, NY]

    text = page.request.get(f"{web.url}/api/v1/exports/stream.csv?tenant=demo&session={session}").text()
    table = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")))
    assert [json.loads(row["client_context"]) for row in table] == [CA, CA, NY, NY]

    page.goto(f"{web.url}/analytics/sessions/{session}/")
    for value in ("CA", "NY"):
        expect(page.get_by_text(value, exact=True).first).to_be_visible()


def _get(page: Page, path: str) -> Any:
    answer = page.request.get("/".join(page.url.split("/")[:3]) + path)
    assert answer.ok, answer.text()
    return answer.json()


GUIDE = ROOT / "docs/integrators/embed.md"


@pytest.mark.parametrize("block", [b for b in blocks(GUIDE) if b.does == "in a page"], ids=lambda b: b.place)
def test_the_examples_of_the_guide_work_where_they_are_pasted(
    page: Page, web: Web, school: Site, model: ModelServer, block: Block
) -> None:
    (snippet,) = [b.text for b in blocks(GUIDE) if b.how == "the snippet"]
    more = {
        "html": "",
        "js": snippet if "Mentor(" in block.text else '<div id="coach" style="block-size: 30rem"></div>',
    }
    text = block.text if block.language == "html" else f'<script type="module">{block.text}</script>'
    whole = f"<!doctype html><title>Pasted</title><body>{more[block.language]}{text}"
    page.goto(school.put("/pasted", whole.replace("http://127.0.0.1:8000", web.url)))
    if "sdk.js" in whole:
        page.get_by_role("button", name="Chat").click()
    page.wait_for_timeout(500)
    frame = page.frame(url=lambda url: "/embed/demo/licensing-coach/" in url)
    assert frame is not None
    Shown(frame).ask("Where am I?")
    state = "NY" if "NY" in block.text else "CA"
    assert f"stateCode: {state}" in json.loads(model.received[-1])["messages"][-1]["content"]
