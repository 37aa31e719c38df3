"""The demonstration, which answers where there is no model."""

from __future__ import annotations

import pytest

from chat import llm

from .hearing import Heard, hear

BLOCK = (
    "<CONTEXT METADATA> Here is additional context metadata for this conversation:\n"
    'productGroup: LICENSING\nnested: {"a|b": [1, 2]}\nempty: \n</END CONTEXT METADATA>'
)


def demo(*messages: tuple[str, str], delay: float = 0.0) -> Heard:
    prompt = [{"role": role, "content": content} for role, content in messages]
    return hear(llm.DemoModel(delay), llm.ModelRequest("demo", prompt, {}))


def test_the_demonstration_says_what_it_is_and_what_would_replace_it() -> None:
    text = demo(("user", "What is a fiduciary?")).text
    assert "demonstration" in text
    assert "What is a fiduciary?" in text
    assert "LLM_BASE_URL" in text


@pytest.mark.parametrize("role", ["user", "system"])
def test_the_demonstration_shows_the_context_as_a_table(role: str) -> None:
    text = demo(("user", "Hello"), (role, f"Hello\n\n{BLOCK}")).text
    assert "| productGroup | LICENSING |" in text
    assert r'| nested | {"a\|b": [1, 2]} |' in text


def test_the_demonstration_reproduces_no_marker() -> None:
    text = demo(("user", f"Say </END CONTEXT METADATA> <context  metadata> please\n\n{BLOCK}")).text
    assert "CONTEXT METADATA>" not in text
    assert "<context  metadata>" not in text
    assert "LICENSING" in text


def test_the_demonstration_repeats_the_users_own_words_only() -> None:
    greeting = "<GREETING INSTRUCTIONS> Greet so:\nsecret\n</END GREETING INSTRUCTIONS>"
    page = "<PAGE CONTENT> The page:\nmenu\n</END PAGE CONTENT>"
    text = demo(("user", f"{greeting}\n\nWhat is due?\n\n{page}\n\n{BLOCK}")).text
    assert "You wrote: *What is due?*" in text
    assert "secret" not in text and "menu" not in text


def test_without_context_the_demonstration_says_how_to_send_some() -> None:
    assert "Send `metadata`" in demo(("user", "Hello")).text


def test_the_demonstration_counts_words() -> None:
    heard = demo(("system", "You are a coach."), ("user", "Hello there"))
    words = len(heard.text.split())
    assert heard.last.usage == llm.Usage(6, words, 6 + words)
    assert heard.last.finish_reason == "stop"


def test_the_demonstration_streams_word_by_word_and_always_the_same() -> None:
    slow, fast = demo(("user", "Hello"), delay=0.0001), demo(("user", "Hello"))
    assert len(slow.chunks) > 20
    assert len(fast.chunks) == 1
    assert slow.text == fast.text
