"""Stored messages as the API tells them, shown in the transcript of the chat page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from playwright.sync_api import Locator, Page

SEEDS_DEBUG = {
    "intent_generation": {"request": {"content": "Which intent?"}, "response": {"content": "greeting"}},
    "response_generation": {"request": {"content": "Greet."}, "response": {"content": "Hello World!"}},
}
TOKENS = "6.8k of 50k (13%) tokens used for request"
SEED = {"attribution": "Internal System", "debug": SEEDS_DEBUG, "footer_items": [TOKENS]}

# Shows these messages as stored ones in the page's transcript; debug data come from `window.debugData`.
SHOW = """async (told) => {
  const { Transcript } = await import('/static/chat/transcript.js');
  const { fromServer } = await import('/static/chat/history.js');
  const find = (id) => document.getElementById(id);
  window.asked = [];
  const load = (message) => {
    asked.push(message.id);
    return window.debugData === undefined ? Promise.reject(new Error('gone')) : Promise.resolve(window.debugData);
  };
  const on = { load, again() {}, edit() {}, anew() {}, tag() {} };
  const mentor = { name: 'Coach', show_context: true };
  window.shown = new Transcript(find('transcript'), find('scroller'), find('latest'), { mentor, on });
  window.messages = JSON.parse(told).map(fromServer).filter(Boolean);
  find('opening').hidden = find('starters').hidden = true;
  shown.show({ messages, versions: {}, version: 0 });
}"""


def message(content: str = "Hello World!", role: str = "user", **more: Any) -> dict[str, Any]:
    """As the API tells it."""
    number = message.__dict__["number"] = message.__dict__.get("number", 0) + 1
    return {
        "id": f"00000000-0000-4000-8000-{number:012}",
        "sequence": number,
        "sender": {"participant_id": "alice", "participant_role": role},
        "content": content,
        "content_type": "text/plain",
        "message_type": "chat",
        "metadata": {},
        "timestamp": "2026-11-21T18:00:00Z",
        "filenames": [],
        "has_debug_data": False,
        "status": "complete",
        "context_version": 0,
        **more,
    }


Shows = Callable[..., Locator]


def nothing_ran(page: Page) -> bool:
    strange = "#transcript :is(img, script, iframe, object, embed, b), .inspector :is(img, script, b)"
    return bool(page.evaluate("() => window.hit === undefined")) and page.locator(strange).count() == 0


# One of each.
KINDS = [
    message("Which hours count in *California*?", metadata={"attribution": "Course page"}),
    message(
        "Thirty hours of **classroom** study, and $15$ of supervised practice.",
        "assistant",
        metadata={"attribution": "Licensing desk", "footer_items": [TOKENS, "Sources: 2"]},
        has_debug_data=True,
    ),
    message("Alice joined the conversation.", "service", message_type="notice"),
    message(
        "A new version of the handbook is available.",
        "service",
        message_type="notice",
        metadata={"href": "/handbook/", "attribution": "Library"},
    ),
    message("/hours --state CA", message_type="command", has_debug_data=True),
    message(
        "| State | Hours |\n|:--|--:|\n| CA | 45 |\n| NY | 52 |",
        "assistant",
        message_type="command-response",
        content_type="text/markdown",
        metadata={"footer_items": "Computed in 12 ms"},
    ),
    message(
        '{"state": "CA", "hours": {"classroom": 30, "practice": 15}}',
        "service",
        sender={"participant_id": "registry", "participant_role": "service"},
        content_type="application/json",
    ),
    message(
        "The learner has asked twice about hours.\nFollow up on Monday.",
        "assistant",
        message_type="note",
        metadata={"href": "https://notes.example/1"},
        has_debug_data=True,
    ),
    message(
        "The learner prefers short answers.",
        "assistant",
        message_type="note",
        metadata={"footer_items": ["Kept for 30 days"]},
    ),
]
