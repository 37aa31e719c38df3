"""`manage.py check_contexts`."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from chat.models import Mentor

from ..visits import Visit


def run(**options: Any) -> tuple[str, str]:
    """What it prints, and the error that it ends with, if any."""
    out = StringIO()
    try:
        call_command("check_contexts", mentor="demo/coach", stdout=out, **options)
    except CommandError as error:
        return out.getvalue(), str(error)
    return out.getvalue(), ""


@pytest.fixture
def three(coach: Mentor, token: str) -> list[str]:
    """Sessions under CA, under 5 after CA, and under nothing."""
    contexts = [['{"stateCode":"CA"}'], ['{"stateCode":"CA"}', '{"stateCode":5}'], [None]]
    found = []
    for values in contexts:
        visit = Visit(coach, token)
        for value in values:
            visit.turn(value)
        found.append(str(visit.session))
    return found


def schema(folder: Path, **keys: Any) -> Path:
    path = folder / "schema.json"
    path.write_text(json.dumps({"properties": keys}))
    return path


def test_it_counts_what_would_be_refused(three: list[str], tmp_path: Path) -> None:
    told, error = run(schema=schema(tmp_path, stateCode={"type": "string"}))
    assert told.splitlines()[0] == "1 of 2 contexts in force would be refused or stripped."
    assert "/metadata/stateCode" in told
    assert three[1] in told
    assert error == "Some would be refused."


def test_what_only_warns_is_no_failure(three: list[str], tmp_path: Path) -> None:
    told, error = run(schema=schema(tmp_path, stateCode={"type": "string"}), mode="warn")
    assert (told.splitlines()[0], error) == ("1 of 2 contexts in force would not fit.", "")


def test_the_mentors_own_schema_is_asked_where_none_is_named(three: list[str], coach: Mentor) -> None:
    assert run()[0].startswith("0 of 2")
    coach.context_schema = '{"required":["plan"]}'
    coach.save()
    assert run()[0].startswith("2 of 2")


def test_a_schema_that_cannot_be_used_is_refused(coach: Mentor, tmp_path: Path) -> None:
    assert "/properties/stateCode/type" in run(schema=schema(tmp_path, stateCode={"type": "strin"}))[1]
    assert "cannot be read" in run(schema=tmp_path / "none.json")[1]


def test_a_mentor_that_is_not_there(db: None) -> None:
    assert "no mentor" in run()[1]
