"""Messages of any kind with what their senders attach, drawn by the page's own modules."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.faults.web import Web

from . import hostile
from .frames import Around
from .site import Site
from .stored import SEED, TOKENS, Shows, message, nothing_ran

# --- the seed's example


def test_the_seeds_example_is_shown_as_the_seed_says(page: Page, show: Shows) -> None:
    (item,) = show(message(metadata=SEED)).all()
    expect(item.locator(".who")).to_have_text("You[Internal System]")
    expect(item.locator(".footer li")).to_have_text([TOKENS])
    item.get_by_role("button", name="Inspect").click()
    dialog = page.get_by_role("dialog", name="Debug data")
    expect(dialog.locator("summary")).to_have_text(
        ["intent_generation 2 values", "response_generation 2 values"]
    )
    assert page.evaluate("() => asked") == []


def test_an_answer_has_the_same_beside_its_own(show: Shows) -> None:
    (item,) = show(message("**Hi**", "assistant", metadata=SEED)).all()
    expect(item.locator(".who")).to_have_text("Coach[Internal System]")
    expect(item.locator(".prose strong")).to_have_text("Hi")
    expect(item.locator(".notes .footer")).to_have_text(TOKENS)
    expect(item.locator(".tools button")).to_have_text(["Copy", "Inspect"])


def test_what_is_attached_to_an_answer_later_is_shown_then(page: Page, show: Shows) -> None:
    (item,) = show(message("Hi", "assistant")).all()
    expect(item.locator(".footer, .attribution")).to_have_count(0)
    page.evaluate("(attached) => shown.update(Object.assign(messages[0], { attached }))", SEED)
    expect(item.locator(".footer li")).to_have_text([TOKENS])
    expect(item.locator(".attribution")).to_have_text("[Internal System]")


def test_a_message_without_anything_is_as_it_was(show: Shows) -> None:
    items = show(message(), message("Hi", "assistant"))
    expect(items.locator(".footer, .attribution, .label, a")).to_have_count(0)
    expect(items.first.locator("p.said")).to_have_text("Hello World!")
    expect(items.last.locator(".tools button")).to_have_text(["Copy"])


# --- stored messages


def test_a_stored_message_becomes_the_transcripts(page: Page, show: Shows) -> None:
    show()
    question = message(client_message_id="key-1", metadata=SEED, status="complete", context_version=2)
    answer = message("Hi", "assistant", has_debug_data=True, status="stopped")
    writing = message("half", "assistant", status="streaming")
    command = message("/x", message_type="command")
    script = "async (told) => (await import('/static/chat/history.js')).fromServer(told)"
    told = [page.evaluate(script, one) for one in (question, answer, writing, command)]
    assert told[0] == {
        "key": "key-1",
        "id": question["id"],
        "sequence": question["sequence"],
        "role": "user",
        "type": "chat",
        "by": "user",
        "sender": "alice",
        "text": "Hello World!",
        "contentType": "text/plain",
        "at": "2026-11-21T18:00:00Z",
        "version": 2,
        "attached": SEED,
        "debug": False,
        "state": "sent",
        "warnings": [],
    }
    kept = ("key", "role", "by", "text", "status", "generation", "event", "debug")
    assert [{key: one[key] for key in kept if key in one} for one in told[1:]] == [
        {"key": answer["id"], "role": "mentor", "by": "mentor", "text": "Hi", "status": "stopped"}
        | {"generation": answer["id"], "debug": True},
        {"key": writing["id"], "role": "mentor", "by": "mentor", "text": "", "status": "streaming"}
        | {"generation": writing["id"], "event": 0, "debug": False},
        {
            "key": command["id"],
            "role": "command",
            "by": "user",
            "text": "/x",
            "status": "complete",
            "debug": False,
        },
    ]
    for hidden in (message(message_type="log"), message(deleted_at="2026-11-21T18:00:00Z")):
        assert page.evaluate(script, hidden) is None


# --- kinds


def test_each_kind_is_told_apart(show: Shows) -> None:
    items = show(
        message("/help", message_type="command"),
        message("Ask me.", "assistant", message_type="command-response"),
        message("Alice joined.", "service", message_type="notice"),
        message("Remember.", "assistant", message_type="note"),
        message("secret log", "service", message_type="log"),
        message("Hello.", "service"),
    )
    expect(items).to_have_count(5)
    expect(items.locator(".label")).to_have_text(["Command", "Response", "Note"])
    assert items.locator(".who").all_inner_texts() == ["You", "Coach", "Coach", "alice"]
    expect(items.nth(2).locator(".who, time")).to_have_count(0)
    expect(items.nth(2)).to_have_text("Alice joined.")


@pytest.mark.parametrize("name", ["service", "", None, 5, {"a": 1}, "6bb94316-e32c-4dc4-9e0a-537b1c0d23cd"])
def test_a_service_without_a_name_is_called_so(show: Shows, name: Any) -> None:
    sender = {"participant_id": name, "participant_role": "service"}
    expect(show(message(sender=sender)).locator(".who")).to_have_text("Service")


def test_a_kind_or_sender_that_nobody_knows_is_a_note_of_a_service(show: Shows) -> None:
    items = show(message(message_type="hologram", sender=None), message("x", message_type=None, sender={}))
    expect(items.locator(".who")).to_have_text(["Service", "Service"])


def test_a_log_between_two_messages_does_not_mix_up_their_order(page: Page, show: Shows) -> None:
    items = show(message("one"), message("three"))
    page.evaluate(
        """() => {
          const log = { key: 'l', role: 'note', type: 'log', text: 'log' };
          const two = { key: 't', role: 'note', type: 'note', by: 'user', text: 'two' };
          messages.splice(1, 0, two, log);
          for (const message of [log, two]) shown.update(message);
        }"""
    )
    expect(items.locator(".said")).to_have_text(["one", "two", "three"])


@pytest.mark.parametrize("kind", ["chat", "note", "command-response"])
def test_a_content_type_says_how_a_text_is_read(show: Shows, kind: str) -> None:
    items = show(
        message("a\n **b**", message_type=kind),
        message("a **b**", content_type="text/markdown; charset=utf-8", message_type=kind),
        message('{"a":{"b":1}}', content_type="application/json", message_type=kind),
        message("{not json", content_type="application/json", message_type=kind),
        message("<b>c</b>", content_type="text/html", message_type=kind),
    )
    expect(items.nth(0).locator(".said")).to_have_css("white-space", "pre-wrap")
    expect(items.nth(1).locator(".prose strong")).to_have_text("b")
    assert items.nth(2).locator("pre").inner_text() == '{\n  "a": {\n    "b": 1\n  }\n}'
    assert [items.nth(at).locator(".said").inner_text() for at in (3, 4)] == ["{not json", "<b>c</b>"]


# --- attribution and footers


def test_an_attribution_that_is_no_text_is_not_there(show: Shows) -> None:
    wrong = [{"attribution": value} for value in hostile.NO_TEXTS + hostile.BLANK]
    items = show(*(message("x", role, metadata=one) for one in wrong for role in ("user", "assistant")))
    expect(items).to_have_count(2 * len(wrong))
    expect(items.locator(".attribution")).to_have_count(0)


def test_a_text_is_a_text_in_one_line_and_not_too_long(page: Page, show: Shows) -> None:
    items = show(*(message(metadata={"attribution": text, "footer_items": [text]}) for text in hostile.TEXTS))
    expect(items).to_have_count(len(hostile.TEXTS))
    for text in items.locator(".attribution").all_text_contents():
        assert len(text) < 170 and not set(text) & set("\n\r\u0000\u2028\u202e\u2066\u200f")
    for text in items.locator(".footer li").all_text_contents():
        assert len(text) < 610
    assert nothing_ran(page)
    assert page.locator("#scroller").evaluate("(node) => node.scrollWidth <= node.clientWidth")


def test_a_footer_has_at_most_twenty_lines_and_texts_only(page: Page, show: Shows) -> None:
    items = show(*(message(metadata={"footer_items": value}) for value in hostile.FOOTERS))
    expect(items).to_have_count(len(hostile.FOOTERS))
    for item, value in zip(items.all(), hostile.FOOTERS, strict=True):
        texts = [
            one for one in ([value] if isinstance(value, str) else listed(value)) if isinstance(one, str)
        ]
        lines = item.locator(".footer li")
        if len(texts) > 20:
            expect(lines).to_have_count(21)
            expect(lines.last).to_have_text(f"and {len(texts) - 20:,} more")
        else:
            expect(lines).to_have_count(sum(bool(text.strip(" \n\t\u200b\u202e")) for text in texts))
    assert nothing_ran(page)


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


@pytest.mark.parametrize("kind", ["chat", "note", "notice", "command", "command-response"])
def test_metadata_of_any_shape_break_nothing(page: Page, show: Shows, kind: str) -> None:
    told = [message("x", "assistant", message_type=kind, metadata=value) for value in hostile.METADATA]
    items = show(*told)
    expect(items).to_have_count(len(told))
    expect(items.locator(".attribution, .footer, a")).to_have_count(0)
    expect(items.get_by_role("button", name="Inspect")).to_have_count(0)
    assert nothing_ran(page)


# --- links


def test_a_message_other_than_chat_leads_where_it_says(page: Page, web: Web, show: Shows) -> None:
    kinds = ("note", "notice", "command", "command-response")
    items = show(
        *(message(f"to {kind}", message_type=kind, metadata={"href": "/docs/x?y=1#z"}) for kind in kinds),
        message("out", message_type="notice", metadata={"href": "https://a.example/b"}),
        message("chat", metadata={"href": "/docs/x"}),
        message("chat", "assistant", metadata={"href": "/docs/x"}),
        message("chat", "service", metadata={"href": "/docs/x"}),
    )
    links = items.get_by_role("link")
    assert links.all_inner_texts() == [*(f"to {kind}" for kind in kinds), "out"]
    assert links.first.get_attribute("href") == f"{web.url}/docs/x?y=1#z"
    assert links.first.get_attribute("target") is None
    assert links.last.get_attribute("target") == "_blank"
    assert "noopener" in str(links.last.get_attribute("rel"))


def test_within_a_link_nothing_else_is_one(show: Shows) -> None:
    said = "A [link](https://a.example) and\n\n```\ncode\n```"
    item = show(message(said, message_type="note", content_type="text/markdown", metadata={"href": "/x"}))
    expect(item.locator("a")).to_have_count(1)
    expect(item.locator("button, a [tabindex]")).to_have_count(0)


def test_no_other_address_is_ever_a_link(page: Page, show: Shows) -> None:
    kinds = ("notice", "note")
    items = show(
        *(
            message(message_type=kind, metadata={"href": value})
            for value in hostile.ADDRESSES
            for kind in kinds
        )
    )
    expect(items).to_have_count(2 * len(hostile.ADDRESSES))
    expect(items.locator("a, [href]:not(use)")).to_have_count(0)
    assert nothing_ran(page)


def test_inside_another_sites_page_a_link_opens_a_tab(browser: Browser, web: Web, school: Site) -> None:
    context = browser.new_context(bypass_csp=True)  # else nothing but the frame's own script may import
    around = Around(context.new_page(), school, f"{web.url}/embed/school/coach/").open()
    script = "async () => (await import('/static/chat/attached.js')).addressOf('/x')"
    assert around.shown.frame.evaluate(script) == {
        "href": f"{web.url}/x",
        "target": "_blank",
        "rel": "noopener noreferrer nofollow",
    }
    context.close()
