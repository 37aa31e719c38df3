"""The files that `manage.py replay` reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from chat.replay import conversations
from chat.replay.conversations import UserTurn

from .recorded import LINE, written


def test_user_turns_are_read_and_the_first_brings_all_that_was_known(tmp_path: Path) -> None:
    [conversation] = conversations.read([written(tmp_path, LINE, "")])
    assert (conversation.tenant, conversation.mentor, conversation.user_id) == ("acme", "coach", "ann")
    assert conversation.turns == (
        UserTurn("What now?", {"page": "exam", "state": "NY"}),
        UserTurn("And then?", None),
        UserTurn("Well?", {"state": None}),
    )


def test_a_limit_counts_per_file_what_can_be_played(tmp_path: Path) -> None:
    silent = {**LINE, "turns": LINE["turns"][:1]}  # type: ignore[index]
    file = written(tmp_path, silent, LINE, {**LINE, "conversation_id": "c-2"}, LINE)
    read = conversations.read([file, file], limit=2)
    assert [conversation.conversation_id for conversation in read] == ["c-1", "c-2", "c-1", "c-2"]


@pytest.mark.parametrize(
    ("line", "mistake"),
    [
        ("{", "is not a conversation"),
        ("[]", "is not a conversation"),
        ({**LINE, "client_context": [1]}, "is not a conversation"),
        ({**LINE, "user_id": ""}, "its names must be strings that are not empty"),
        ({"conversation_id": "c-1"}, "tenant is missing"),
        ({**LINE, "turns": [{"role": "user"}]}, "text is missing"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: Any, mistake: str) -> None:
    with pytest.raises(conversations.UnreadableFile, match=f"some.jsonl:2: {mistake}"):
        list(conversations.read([written(tmp_path, LINE, line)]))
