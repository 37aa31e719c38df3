"""Which columns there are, and which are refused."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from chat.errors import InvalidPayload
from exports.columns import CHAT_HISTORY, COLUMNS, DEFAULT, choose


def test_the_usual_columns_of_messages_begin_with_where_and_end_with_what_was_shown() -> None:
    names = [column.name for column in choose("message", None, [])]
    assert names[:3] == ["session_id", "sequence", "message_id"]
    assert {"content", "timestamp", "client_context", "context_version", "mentor", "user"} <= set(names)


def test_a_session_has_one_row_with_the_context_now_in_force() -> None:
    names = [column.name for column in choose("session", None, [])]
    assert {"session_id", "client_context", "messages", "first_prompt", "title"} <= set(names)


def test_the_columns_of_ibl_are_exactly_these() -> None:
    assert [column.name for column in choose("message", list(CHAT_HISTORY), [])] == [
        "type",
        "content",
        "timestamp",
        "client_context",
    ]


def test_columns_come_in_the_order_they_were_asked_for_and_keys_after_them() -> None:
    chosen = choose("message", ["content", "role"], ["order.items.0", '"a.b"'])
    assert [column.name for column in chosen] == ["content", "role", "ctx.order.items.0", 'ctx."a.b"']
    assert [column.path for column in chosen[2:]] == [("order", "items", 0), ("a.b",)]


@pytest.mark.parametrize("grain", ["message", "session"])
def test_every_column_can_be_chosen(grain: str) -> None:
    names = list(COLUMNS[grain])  # type: ignore[index]
    assert [column.name for column in choose(grain, names, [])] == names  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("names", "keys", "pointer"),
    [
        (["content", "no_such"], [], "/columns/1"),
        (["content", "title"], [], "/columns/1"),
        (["content", "content"], [], "/columns/1"),
        ([""], [], "/columns/0"),
        (None, ["stateCode", "stateCode"], "/context_keys/1"),
        (None, [""], "/context_keys/0"),
        (None, ["a..b"], "/context_keys/0"),
        (None, ["age__gt"], "/context_keys/0"),
        (None, ["age__eq"], "/context_keys/0"),
        (None, ["a\0b"], "/context_keys/0"),
        (None, ["\ud800"], "/context_keys/0"),
        (None, [f"k{n}" for n in range(101)], "/context_keys"),
    ],
)
def test_what_is_no_column_is_refused_by_its_place(
    names: list[str] | None, keys: list[str], pointer: str
) -> None:
    with pytest.raises(InvalidPayload) as refused:
        choose("message", names, keys)
    assert refused.value.details[0]["pointer"] == pointer


@pytest.mark.parametrize(("grain", "heading"), [("message", "messages"), ("session", "sessions")])
def test_the_page_about_files_has_every_column_and_says_which_are_usual(grain: Any, heading: str) -> None:
    page = (Path(__file__).parents[2] / "docs/integrators/export-files.md").read_text()
    table = page.split(f"## Columns of {heading}")[1].split("##")[0]
    named: list[str] = []
    usual: list[str] = []
    for row in re.findall(r"^\| (`.*?) \| (.*?) ?\|", table, re.MULTILINE):
        names = re.findall(r"`(\w+)`", row[0])
        named += names
        usual += [name for name in names if row[1] == "yes" or (row[1] and name.endswith(row[1]))]
    assert set(named) == set(COLUMNS[grain])
    assert set(usual) == set(DEFAULT[grain])
