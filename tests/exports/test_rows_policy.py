"""What a policy keeps from exports, row by row: PostgreSQL and Python leave out and mask the same."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chat.models import Mentor
from exports import copying, plain
from exports.columns import COLUMNS, choose
from exports.rows import Question, typed
from exports.statements import copy_sql

from .hostile import BEGAN, everything, hostile, on_postgresql
from .test_rows import LATER
from .test_rows_same import FORMS, KEYS, written

KEEPS: dict[str, Any] = {
    "stateCode": {"x-visible-to": ["operator"]},
    "order": {"x-masked": "shown"},
    "big": {"x-masked": "shown"},
    "n": {"x-masked": "shown"},
    "text": {"x-masked": "shown"},
    "a.b": {"x-visible-to": []},
    "": {"x-visible-to": ["user"]},
    "on": {"x-masked": "shown", "x-visible-to": ["model"]},
}


@pytest.fixture
def ids(coach: Mentor) -> str:
    coach.context_schema = json.dumps({"properties": KEEPS})
    coach.full_clean()
    coach.save()
    return f"{{{hostile(coach).pk}}}"


def question(grain: Any, form: Any, names: list[str] | None = None, keys: list[str] = KEYS) -> Question:
    columns = choose(grain, names or [name for name in COLUMNS[grain] if name != "mentor_unique_id"], keys)
    asked = Question(everything(), columns, grain, form, LATER)
    return Question(everything(), typed(asked), grain, form, LATER)


@pytest.mark.services
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("grain", ["message", "session"])
def test_postgresql_and_python_keep_back_the_same(ids: str, grain: str, form: str) -> None:
    asked = question(grain, form)
    assert written(copying, asked, ids) == written(plain, asked, ids)


def rows(ids: str, grain: str, names: list[str], keys: list[str]) -> list[dict[str, Any]]:
    by = copying if on_postgresql() else plain
    text = written(by, question(grain, "jsonl", names, keys), ids)
    return [json.loads(line) for line in text.rstrip("\n").split("\n")]


def test_a_context_is_in_its_order_without_what_is_hidden(ids: str) -> None:
    asked = question("message", "csv-raw", ["client_context"], [])
    found = written(copying if on_postgresql() else plain, asked, ids).splitlines()
    assert found[0] == '"{""order"":""•••"",""n"":""•••"",""big"":""•••7890""}"'
    assert found[-1] == '"{""__proto__"":null,""text"":""•••omma"",""n"":""•••"",""e"":{}}"'


def test_a_column_of_a_key_is_empty_or_a_mask(ids: str) -> None:
    keys = ["stateCode", "big", "order.total", "text", "on", "e"]
    first, *_, last = rows(ids, "message", ["sequence"], keys)
    assert {**first, "sequence": 0} == {
        "sequence": 0,
        **{f"ctx.{key}": None for key in keys},
        "ctx.big": "•••7890",
    }
    assert {**last, "sequence": 0} == {
        "sequence": 0,
        **{f"ctx.{key}": None for key in keys},
        "ctx.text": "•••omma",
        "ctx.e": {},
    }


def test_the_stored_content_is_own_words_alone(ids: str) -> None:
    found = rows(ids, "message", ["stored_content", "content"], [])
    assert [row["stored_content"] for row in found] == [row["content"] for row in found]


def test_a_column_has_the_type_of_what_is_shown(ids: str) -> None:
    types = {column.name: column.value_type for column in question("message", "arrow").columns}
    assert (types["ctx.big"], types["ctx.stateCode"], types["ctx.e"]) == ("string", "string", "json")


def test_a_mentor_that_keeps_nothing_back_costs_nothing(coach: Mentor, tutor: Mentor) -> None:
    """Another tenant's policy, or another mentor's, is in no statement."""
    tutor.context_schema = json.dumps({"properties": KEEPS})
    tutor.save()
    coach.context_schema = json.dumps({"properties": {"n": {"type": "integer", "x-visible-to": ["export"]}}})
    coach.save()
    columns = choose("message", None, ["n"])
    before = copy_sql("message", columns, "csv", "{}", ("true", []))
    asked = Question(everything(mentor="coach"), columns, "message", "csv", BEGAN)
    assert (asked.views, copy_sql("message", columns, "csv", "{}", ("true", []), asked.views)) == ({}, before)
    assert "policy" not in before[0]
