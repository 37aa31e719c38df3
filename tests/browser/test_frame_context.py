"""A host page says where its user stands, and the model is told."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.model_server import ModelServer

from .frames import Around

LICENSING = {"productGroup": "LICENSING", "stateCode": "CA"}
CE = {"productGroup": "CE", "stateCode": "NY"}
CA_BLOCK = (
    "<CONTEXT METADATA> Here is additional context metadata for this conversation:\n"
    "productGroup: LICENSING\nstateCode: CA\n</END CONTEXT METADATA>"
)
NY_BLOCK = CA_BLOCK.replace("LICENSING", "CE").replace("CA\n", "NY\n")


def last_prompt(model: ModelServer) -> str:
    return str(json.loads(model.received[-1])["messages"][-1]["content"])


def test_the_seeds_four_messages_reach_the_model_as_its_table_says(
    around: Callable[..., Around], model: ModelServer
) -> None:
    host = around()
    host.tell(LICENSING, page_content="")
    host.shown.ask("First?")
    assert last_prompt(model) == f"First?\n\n{CA_BLOCK}"
    host.shown.ask("Second?")
    assert last_prompt(model) == f"Second?\n\n{CA_BLOCK}"
    host.tell(CE)
    host.shown.ask("Third?")
    assert last_prompt(model) == f"Third?\n\n{NY_BLOCK}"
    host.shown.ask("Fourth?")
    assert last_prompt(model) == f"Fourth?\n\n{NY_BLOCK}"


def test_every_context_is_acknowledged_and_its_storing_told(around: Callable[..., Around]) -> None:
    host = around()
    assert host.tell(LICENSING) == {"applied": True, "version": 0, "pending": True, "warnings": []}
    host.shown.ask("First?")
    assert host.heard("mentor:context-stored") == {
        "applied": True,
        "version": 1,
        "changed": True,
        "warnings": [],
    }
    assert host.tell(LICENSING) == {"applied": True, "version": 1, "pending": False, "warnings": []}


def test_a_context_before_the_frame_has_loaded_is_not_lost_to_one_who_waits_for_ready(
    around: Callable[..., Around], model: ModelServer
) -> None:
    eager = """<script>
      addEventListener('message', ({data, source}) => data.type === 'mentor:ready' &&
        source.postMessage({type: 'context', metadata: {early: true}}, '*'));
    </script>"""
    host = around(more=eager)
    host.heard("mentor:context-ack")
    host.shown.ask("Hello?")
    assert "early: true" in last_prompt(model)


def test_of_two_contexts_before_a_prompt_the_latest_counts(
    around: Callable[..., Around], model: ModelServer, read: Callable[..., Any]
) -> None:
    host = around()
    host.tell(LICENSING)
    host.tell(CE)
    host.shown.ask("Which?")
    assert last_prompt(model) == f"Which?\n\n{NY_BLOCK}"
    assert read("/api/v1/sessions/")["results"][0]["context_version"] == 1


def test_what_is_no_json_object_is_refused_by_name_and_changes_nothing(
    around: Callable[..., Around], model: ModelServer
) -> None:
    host = around()
    host.tell(LICENSING)
    for wrong in ([1], "text", 5, True):
        told = host.tell(wrong)
        assert told["applied"] is False and told["warnings"][0]["code"] == "invalid_metadata"
    told = host.tell({"big": "x" * 20_000})
    assert told["applied"] is False and told["warnings"][0]["code"] == "metadata_too_large"
    host.shown.ask("Still?")
    assert last_prompt(model) == f"Still?\n\n{CA_BLOCK}"


def test_what_only_a_browser_can_send_is_told_with_its_place(around: Callable[..., Around]) -> None:
    host = around()
    host.page.evaluate(
        """() => document.getElementById('mentor').contentWindow.postMessage(
          {type: 'context', metadata: {seen: {at: new Date(0)}}}, '*')"""
    )
    (warning,) = host.heard("mentor:context-ack")["warnings"]
    assert warning["pointer"] == "/metadata/seen/at"


@pytest.mark.parametrize(
    "made",
    [
        "let value = {}; for (let n = 0; n < 60; n += 1) value = {a: value, b: value};",
        "const value = {list: []}; value.list.length = 4_000_000_000;",
        "const part = {text: 'x'.repeat(10_000)}; const value = {parts: Array(100_000).fill(part)};",
    ],
    ids=["shared", "sparse", "repeated"],
)
def test_a_small_message_that_says_a_lot_is_refused_at_once(around: Callable[..., Around], made: str) -> None:
    host = around()
    post = "document.getElementById('mentor').contentWindow.postMessage({type: 'context', metadata: value}, '*');"
    host.page.evaluate(f"() => {{ {made} {post} }}")
    told = host.heard("mentor:context-ack")
    assert (told["applied"], told["warnings"][0]["code"]) == (False, "metadata_too_large")


def test_a_page_of_tags_that_never_end_holds_no_message_back(
    around: Callable[..., Around], model: ModelServer
) -> None:
    host = around()
    host.tell(LICENSING, page_content="<p>Cells.</p>" + "<a" * 500_000)
    host.shown.ask("What divides?")
    assert "Cells." in last_prompt(model)


def test_ibls_own_message_brings_title_address_and_text_of_the_page(
    around: Callable[..., Around], model: ModelServer
) -> None:
    host = around()
    update = {
        "type": "MENTOR:CONTEXT_UPDATE",
        "hostInfo": {"title": "Lesson 3", "href": "https://learn.example.org/3?key=secret#part"},
        "pageContent": "<main><h1>Cells</h1><p>They <b>divide</b>.</p><script>let secret</script></main>",
        "metadata": LICENSING,
    }
    host.post(json.dumps(update))
    host.heard("mentor:context-ack")
    host.shown.ask("What is it about?")
    prompt = last_prompt(model)
    assert "Lesson 3\nhttps://learn.example.org/3\n\nCells\n" in prompt and "They divide." in prompt
    assert "secret" not in prompt and prompt.endswith(CA_BLOCK)


def test_what_is_not_understood_is_told_once(around: Callable[..., Around]) -> None:
    host = around()
    for _ in range(3):
        host.post({"type": "MENTOR:CSS_INJECT", "css": "* { display: none }"})
    host.tell(LICENSING)
    assert host.all_heard("mentor:ignored") == [
        {"type": "mentor:ignored", "ignored": "MENTOR:CSS_INJECT", "origin": host.frame_origin}
    ]


def test_a_page_full_of_styles_and_scripts_is_read_without_a_complaint(
    around: Callable[..., Around], model: ModelServer
) -> None:
    host = around()
    page = """<style>p { color: red }</style><p style="color: red" onclick="alert(1)">One <b STYLE='x:y'>two</b></p>
    <img src="https://example.invalid/x.png" alt="A cell" onerror="alert(1)"><svg style="a:b"><title>no</title></svg>
    <table><tr><th>State</th><th style="x">Hours</th></tr><tr><td>CA</td><td>52</td></tr></table>
    <ul><li>first</li><li>second</li></ul>after"""
    host.post({"type": "context", "page_content": page})
    host.heard("mentor:context-ack")
    host.shown.ask("Read?")
    text = last_prompt(model).split("\n\n", 1)[1]
    assert "One two" in text and "A cell" in text and "State | Hours\nCA | 52" in text
    assert "first\nsecond\n\nafter" in text and "color" not in text and "no" not in text.split()


def test_a_context_that_the_mentor_refuses_does_not_stay_in_its_users_way(
    around: Callable[..., Around], model: ModelServer
) -> None:
    host = around("/embed/school/law-enforce/")
    host.tell({"stateCode": "CA"})
    host.shown.ask("First?")
    host.tell({"stateCode": "XX"})
    host.shown.type("Second?")
    told = host.heard("mentor:context-stored", number=2)
    assert (told["applied"], told["version"]) == (False, 1)
    assert [one["pointer"] for one in told["warnings"]] == ["/metadata/stateCode"]
    expect(host.shown.frame.get_by_text("This message was not accepted.")).to_be_visible()
    host.shown.frame.get_by_role("button", name="Try again").click()
    host.heard("mentor:message", number=4)
    assert "Second?" in last_prompt(model) and "stateCode: CA\n" in last_prompt(model)
    assert host.tell({"stateCode": "NY"})["pending"]
    host.shown.ask("Third?")
    assert "stateCode: NY\n" in last_prompt(model)
