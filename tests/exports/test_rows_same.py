"""The same rows are the same bytes, whoever writes them: PostgreSQL, or Python for another database."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from chat.models import Mentor
from chat.transcripts import titles
from exports import copying, plain
from exports.columns import COLUMNS, choose
from exports.rows import Key, Question, typed

from .hostile import everything, hostile, on_postgresql
from .test_rows import LATER

GOLDEN = Path(__file__).parent / "golden"
KEYS = ["stateCode", "n", "big", "text", "order", "order.items.0.sku", '"a.b"', "on", "e", '"__proto__"']
FORMS = ["csv", "csv-raw", "jsonl", "arrow"]


def question(grain: Any, form: Any) -> Question:
    # Of the mentor a random UUID.
    names = [name for name in COLUMNS[grain] if name != "mentor_unique_id"]
    asked = Question(everything(), choose(grain, names, KEYS), grain, form, LATER)
    return Question(everything(), typed(asked), grain, form, LATER)


def written(by: Any, asked: Question, ids: str) -> str:
    return b"".join(by.blocks(asked, ids, [0])).decode()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("grain", ["message", "session"])
def test_hostile_rows_are_these_bytes_on_every_database(coach: Mentor, grain: str, form: str) -> None:
    ids = f"{{{hostile(coach).pk}}}"
    found = written(copying if on_postgresql() else plain, question(grain, form), ids)
    assert found == (GOLDEN / f"{grain}.{form}.txt").read_bytes().decode()


@pytest.mark.services
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("grain", ["message", "session"])
def test_postgresql_and_python_write_the_same_of_the_same_rows(coach: Mentor, grain: str, form: str) -> None:
    ids = f"{{{hostile(coach).pk}}}"
    asked = question(grain, form)
    assert written(copying, asked, ids) == written(plain, asked, ids)


def test_the_first_prompt_is_one_that_is_there(coach: Mentor) -> None:
    session = hostile(coach)
    asked = Question(everything(), choose("session", ["first_prompt", "title"], []), "session", "csv", LATER)
    first, second, third = session.messages.filter(role="user").order_by("sequence")[:3]
    session.messages.filter(pk=first.pk).update(content="", text="", deleted_at=LATER)
    session.messages.filter(pk=second.pk).update(message_type="note", content="A note.", text=None)
    session.messages.filter(pk=third.pk).update(content="Third.", text=None)
    by = copying if on_postgresql() else plain
    assert written(by, asked, f"{{{session.pk}}}") == "Third.,Third.\n"
    assert titles([session]) == {session.pk: "Third."}


def test_the_ids_that_were_found_are_an_arrays_literal(coach: Mentor) -> None:
    session = hostile(coach)
    sessions = question("message", "csv").sessions.order_by("created_at", "pk")
    found = (copying if on_postgresql() else plain).find(sessions, 5)
    assert found == [(f"{{{session.pk}}}", session.created_at)]
    assert Key.of(1, found[0]).session_id == session.pk
