"""What is read of what a sender attached: debug data, a page's keys, the footer. Everything else is let be."""

from __future__ import annotations

from typing import Any

import pytest

from chat.message_metadata import footer, merged, sifted, with_footer, without_debug


@pytest.mark.parametrize(
    ("asked", "answered", "window", "line"),
    [
        (6000, 800, 50_000, "6.8k of 50k (13%) tokens used for request"),
        (7, 3, 8192, "10 of 8.2k (0%) tokens used for request"),
        (128_000, 0, 128_000, "128k of 128k (100%) tokens used for request"),
        (1100, 87, 0, "1.2k tokens used (1.1k asked, 87 answered)"),
        (999, 0, 0, "999 tokens used (999 asked, 0 answered)"),
        (1000, 0, 0, "1k tokens used (1k asked, 0 answered)"),
    ],
)
def test_a_footer_says_what_an_answer_took(asked: int, answered: int, window: int, line: str) -> None:
    assert footer(asked, answered, window) == line


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({}, {"footer_items": ["line"]}),
        ({"a": 1, "footer_items": ["one"]}, {"a": 1, "footer_items": ["one", "line"]}),
        ({"footer_items": "one"}, {"footer_items": ["one", "line"]}),
        ({"footer_items": {"one": 1}}, {"footer_items": {"one": 1}}),
        ({"footer_items": None}, {"footer_items": None}),
    ],
)
def test_it_comes_after_what_the_sender_said(said: dict[str, Any], told: dict[str, Any]) -> None:
    before = dict(said)
    assert (with_footer(said, "line"), said) == (told, before)


def test_debug_is_moved_and_not_copied() -> None:
    sent = {"debug": {"a": [1]}, "b": {"debug": 2}}
    assert without_debug(sent, {"a": [3]}) == ({"b": {"debug": 2}}, {"a": [1, 3]})
    assert sent == {"debug": {"a": [1]}, "b": {"debug": 2}}
    assert without_debug({"debug": None}, None) == ({}, {"debug": None})


def test_of_two_values_that_cannot_be_merged_the_second_counts() -> None:
    assert merged({"a": {"b": 1}}, {"a": 5}) == {"a": 5}
    assert merged({"a": 5}, {"a": {"b": 1}}) == {"a": {"b": 1}}


def test_a_page_keeps_what_is_its_own() -> None:
    kept, rejected, warnings = sifted({"footer_items": [], "href": None, "Debug": 1})
    assert (kept, rejected) == ({"footer_items": [], "Debug": 1}, {"href": None})
    assert [one["pointer"] for one in warnings] == ["/metadata/href"]
