"""The schema of a mentor's context, edited in the admin as a form and as text."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.faults.web import Web

from .frames import sign_in

SCHEMA = {
    "$comment": "kept as it is",
    "properties": {
        "stateCode": {"type": "string", "enum": ["CA", "NY"], "title": "kept too"},
        "seats": {"enum": [1, "2"]},
    },
    "required": ["stateCode"],
}


@pytest.fixture
def form(page: Page, web: Web, administrator: str) -> Callable[[int], Page]:
    """The page of demo's licensing-coach, so wide; nothing that a test saves is left behind."""

    def opened(width: int) -> Page:
        page.set_viewport_size({"width": width, "height": 1000})
        sign_in(page, web, administrator)
        page.goto(f"{web.url}/admin/chat/mentor/?q=licensing-coach")
        page.locator("#result_list tbody th a").first.click()
        expect(page.locator(".schema-form")).to_be_visible()
        return page

    return opened


def text(page: Page) -> Any:
    return json.loads(page.locator("#id_context_schema").input_value() or "{}")


def row(page: Page, number: int) -> Locator:
    return page.locator(".schema-row").nth(number)


def test_the_form_shows_the_text_and_leaves_what_it_does_not_show(form: Callable[[int], Page]) -> None:
    page = form(1280)
    page.locator("#id_context_schema").fill(json.dumps(SCHEMA))
    expect(page.locator(".schema-row")).to_have_count(2)
    expect(row(page, 0).get_by_label("Allowed values")).to_have_value("CA, NY")
    expect(row(page, 1).get_by_label("Allowed values")).to_have_value('1, "2"')
    row(page, 0).get_by_label("Allowed values").fill("CA, NY, TX")
    row(page, 1).get_by_label("Required").check()
    assert text(page) == {
        "$comment": "kept as it is",
        "properties": {
            "stateCode": {"type": "string", "enum": ["CA", "NY", "TX"], "title": "kept too"},
            "seats": {"enum": [1, "2"]},
        },
        "required": ["stateCode", "seats"],
    }


def test_a_policy_is_ticked_and_saved(
    form: Callable[[int], Page], picture: Callable[[Page, str], Path], complaints: list[str]
) -> None:
    page = form(1280)
    page.get_by_role("button", name="Add a key").click()
    page.keyboard.type("plan")
    page.keyboard.press("Tab")
    row(page, 0).get_by_text("Policy").click()
    row(page, 0).get_by_label("Only the tenant’s server sets it").check()
    row(page, 0).get_by_label("webhook").uncheck()
    row(page, 0).get_by_label("Masked").select_option("shown")
    row(page, 0).get_by_label("Kept for").fill("P30D")
    page.get_by_label("Other keys are allowed").uncheck()
    wanted = {
        "properties": {
            "plan": {
                "type": "string",
                "x-verified-only": True,
                "x-visible-to": ["model", "operator", "export", "user"],
                "x-masked": "shown",
                "x-retention": "P30D",
            }
        },
        "additionalProperties": False,
    }
    assert text(page) == wanted
    picture(page, "schema-form-wide")
    page.get_by_role("button", name="Save and continue editing").click()
    expect(page.locator(".messagelist .success")).to_be_visible()
    assert text(page) == wanted
    row(page, 0).get_by_role("button", name="Remove plan").click()
    page.get_by_label("Other keys are allowed").check()
    assert text(page) == {"properties": {}}
    page.locator("#id_context_schema").fill("")
    page.get_by_role("button", name="Save and continue editing").click()
    expect(page.locator(".schema-row")).to_have_count(0)
    assert complaints == []


def test_a_schema_that_cannot_be_used_is_told_where(form: Callable[[int], Page]) -> None:
    page = form(1280)
    page.locator("#id_context_schema").fill('{"properties": {"a": {"$ref": "https://example.org/x"}}}')
    page.get_by_role("button", name="Save and continue editing").click()
    expect(page.locator(".errorlist").filter(has_text="/properties/a/$ref")).to_be_visible()


def test_text_that_is_no_schema_is_left_alone(form: Callable[[int], Page]) -> None:
    page = form(1280)
    page.locator("#id_context_schema").fill("{")
    expect(page.get_by_text("is not a schema that this form can show")).to_be_visible()
    expect(page.get_by_role("button", name="Add a key")).to_be_disabled()
    assert page.locator("#id_context_schema").input_value() == "{"


def test_it_fits_a_narrow_window(form: Callable[[int], Page], picture: Callable[[Page, str], Path]) -> None:
    page = form(400)
    page.locator("#id_context_schema").fill(json.dumps(SCHEMA))
    row(page, 0).get_by_text("Policy").click()
    picture(page, "schema-form-narrow")
    box = row(page, 0).bounding_box()
    assert box is not None and box["x"] + box["width"] <= 400
