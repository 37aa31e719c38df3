"""The files of `manage.py import_conversations`: a mistake is named by its place, and nothing is stored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from chat.models import Session, Tenant

from .recordings import TALK, UNEVEN, assistant, refused, user, written


def turn(**more: Any) -> dict[str, Any]:
    return {**TALK, "conversation_id": "bad", "turns": [user("Hi"), {**assistant("Yes"), **more}]}


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("{", "/ The line is not JSON (character 2)."),
        ("[]", "/ The line must be a JSON object."),
        ('{"a": NaN}', "/a A number must be finite and of at most 310 digits."),
        ({**TALK, "tenant": None}, "/tenant must be a string."),
        ({**TALK, "mentor": "my coach"}, "/mentor must be a slug: letters, digits, - and _."),
        ({**TALK, "user_id": ""}, "/user_id must not be empty."),
        ({**TALK, "user_id": "x" * 256}, "/user_id must have at most 255 characters."),
        ({**TALK, "client_context": [1]}, "/client_context must be an object."),
        ({**TALK, "turns": []}, "/turns must not be empty."),
        ({"conversation_id": "c"}, "/tenant is required."),
        (turn(role="robot"), "/turns/1/role must be 'user', 'assistant' or 'system'."),
        (turn(text=None), "/turns/1/text must be a string."),
        (turn(text="\0"), "/turns/1/text Text must not contain NUL or half of a surrogate pair."),
        (turn(metadata=5), "/turns/1/metadata must be an object."),
        (
            {**TALK, "turns": [user("x" * 40_000)]},
            "/turns/0/text The prompt is 40000 bytes long; at most 32768 are accepted.",
        ),
        (
            {**TALK, "turns": [user("Hi", metadata={"z": "x" * 20_000})]},
            "/turns/0/metadata The metadata is 20074 bytes long; at most 16384 are accepted.",
        ),
        (
            {**UNEVEN, "conversation_id": "c-1"},
            "/conversation_id is that of another conversation, in {file}:1.",
        ),
    ],
)
@pytest.mark.django_db
def test_a_bad_line_is_named_and_nothing_is_stored(tmp_path: Path, line: Any, sentence: str) -> None:
    file = written(tmp_path, TALK, line)
    told, end = refused(file).rsplit("\n", 1)
    assert (told.splitlines()[0], end) == (
        f"{file}:2: {sentence.replace('{file}', str(file))}",
        "Nothing was stored.",
    )
    assert (Session.objects.count(), Tenant.objects.count()) == (0, 0)


@pytest.mark.django_db
def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert refused(tmp_path / "none.jsonl").startswith(f"{tmp_path}/none.jsonl cannot be read: No such file")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"from": "2026-03-02", "to": "2026-03-01"}, "--from must be before --to."),
        ({"from": "soon"}, "must be a day"),
        ({"repeat": "0"}, "must be 1 or more"),
    ],
)
def test_a_bad_option_is_named(tmp_path: Path, options: dict[str, str], sentence: str) -> None:
    arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
    with pytest.raises(CommandError, match=sentence):
        call_command("import_conversations", str(written(tmp_path, TALK)), *arguments)
