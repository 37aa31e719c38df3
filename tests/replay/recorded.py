"""Recorded conversations: as lines of a file, and as they are read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from chat.replay.conversations import Conversation, UserTurn

LICENSING = {"productGroup": "LICENSING", "stateCode": "CA"}
CE = {"productGroup": "CE", "stateCode": "NY"}
TALK = Conversation("c-1", "acme", "coach", "ann", (UserTurn("Hi", LICENSING), UserTurn("And?", None)))
LINE = {
    "conversation_id": "c-1",
    "tenant": "acme",
    "mentor": "coach",
    "user_id": "ann",
    "client_context": {"page": "exam", "state": "CA"},
    "turns": [
        {"role": "assistant", "text": "Hello!", "metadata": {"ignored": 1}},
        {"role": "user", "text": "What now?", "metadata": {"state": "NY"}},
        {"role": "assistant", "text": "This."},
        {"role": "user", "text": "And then?"},
        {"role": "user", "text": "Well?", "metadata": {"state": None}},
    ],
}


def written(folder: Path, *lines: Any) -> Path:
    file = folder / "some.jsonl"
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    file.write_text("\n".join(texts), encoding="utf-8")
    return file
