"""Conversations as files have them, and the command that imports them."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

CA = {"productGroup": "LICENSING", "stateCode": "CA"}
NY = {"productGroup": "CE", "stateCode": "NY"}


def user(text: str, **more: Any) -> dict[str, Any]:
    return {"role": "user", "text": text, **more}


def assistant(text: str, **more: Any) -> dict[str, Any]:
    return {"role": "assistant", "text": text, **more}


TALK = {
    "conversation_id": "c-1",
    "tenant": "demo",
    "mentor": "coach",
    "user_id": "ann",
    "client_context": {"stateCode": "CA", "note": "two\nlines", "深 圳": [1, None, {"a": 4.0}]},
    "turns": [
        user("What are the <requirements>?", metadata={"productGroup": "LICENSING"}),
        assistant("**Forty** hours."),
        user("And then?"),
        assistant("An exam."),
        user("I moved.", metadata=NY),
        assistant("Then start again."),
        user("Still so?", metadata={"stateCode": "NY", "productGroup": "CE"}),
        assistant("Yes."),
        user("Forget it.", metadata={}),
        assistant("Gladly."),
    ],
}
# What no wire could say in pairs: it begins with an answer, one side speaks twice, one says nothing.
UNEVEN = {
    **TALK,
    "conversation_id": "c-2",
    "client_context": CA,
    "turns": [
        assistant("Hello!", metadata={"dialog_act": "greet"}),
        assistant("How are you?"),
        user(""),
        user("Well.", metadata=NY),
        {"role": "system", "text": "The price was offered.", "metadata": {"button": "offer"}},
        assistant("Good."),
    ],
}


def written(folder: Path, *lines: Any, name: str = "some.jsonl") -> Path:
    file = folder / name
    texts = [line if isinstance(line, str) else json.dumps(line, ensure_ascii=False) for line in lines]
    file.write_text("\n".join(texts), encoding="utf-8")
    return file


def imported(*files: Path, **options: Any) -> str:
    out = StringIO()
    call_command("import_conversations", *map(str, files), stdout=out, **options)
    return out.getvalue()


def refused(*files: Path, **options: Any) -> str:
    with pytest.raises(CommandError) as caught:
        imported(*files, **options)
    return str(caught.value)
