"""Files: they parse back to what was stored, in every format."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from chat.models import Mentor
from exports.cells import guard
from exports.columns import choose
from exports.rows import Question, batches, typed
from exports.writers import Writer, writer_for

from .cast import said
from .hostile import BEGAN, CONTEXTS, WORDS, everything, hostile
from .test_rows import LATER


def file(format: str, names: list[str] | None = None, keys: tuple[str, ...] = (), **options: Any) -> bytes:
    columns = choose("message", names, list(keys))
    question = Question(everything(), columns, "message", writer_for(format, columns, **options).form, LATER)
    question = Question(everything(), typed(question), "message", question.form, LATER)
    return whole(writer_for(format, question.columns, **options), question)


def whole(writer: Writer, question: Question) -> bytes:
    pieces = [writer.begin()]
    for batch in batches(question, size=1):
        pieces += writer.write(batch)
    return b"".join([*pieces, writer.end()])


def table(data: bytes) -> Any:
    return pq.read_table(pa.BufferReader(data))


def rows_of(text: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text.decode(), newline="")))


def test_csv_parses_back_to_what_was_said(coach: Mentor) -> None:
    hostile(coach)
    assert rows_of(file("csv", ["content"], formula_safety=False)) == [
        ["content"],
        *([words] for words in WORDS),
    ]


def test_csv_is_kept_safe_unless_it_is_asked_not_to_be(coach: Mentor) -> None:
    hostile(coach)
    assert rows_of(file("csv", ["content"]))[1:] == [[guard(words)] for words in WORDS]


def test_a_header_cannot_be_a_formula_and_a_cell_of_a_key_neither(coach: Mentor) -> None:
    said(coach, {"=cmd": "=cmd()"}, at=BEGAN)
    rows = rows_of(file("csv", ["role"], ("=cmd",)))
    assert rows == [["role", "ctx.=cmd"], ["user", "'=cmd()"], ["mentor", "'=cmd()"]]


def test_the_columns_of_ibl_are_a_file_of_them(coach: Mentor) -> None:
    said(coach, {"stateCode": "CA"}, at=BEGAN)
    assert file("csv", ["type", "content", "timestamp", "client_context"]).decode() == (
        "type,content,timestamp,client_context\n"
        'human,Question 1?,2026-11-20T08:00:00.12Z,"{""stateCode"":""CA""}"\n'
        'ai,Answer 1.,2026-11-20T08:00:00.12Z,"{""stateCode"":""CA""}"\n'
    )


def test_nothing_is_an_empty_cell_and_empty_text_a_quoted_one(coach: Mentor) -> None:
    said(coach, {}, at=BEGAN)
    assert file("csv", ["model", "ttft_ms", "role"]).splitlines()[1] == b'"",,user'


@pytest.mark.parametrize("bom", [True, False])
def test_a_byte_order_mark_is_there_by_choice(coach: Mentor, bom: bool) -> None:
    assert file("csv", ["role"], bom=bom) == (b"\xef\xbb\xbf" if bom else b"") + b"role\n"


def test_json_lines_have_contexts_as_objects_and_words_as_they_are(coach: Mentor) -> None:
    hostile(coach)
    rows = [orjson.loads(line) for line in file("jsonl", ["content", "client_context"]).split(b"\n")[:-1]]
    assert [row["content"] for row in rows] == list(WORDS)
    assert rows[0]["client_context"] == orjson.loads(CONTEXTS[0])


def test_parquet_has_types_and_words_as_they_are(coach: Mentor) -> None:
    hostile(coach)
    found = table(file("parquet"))
    types = {field.name: str(field.type) for field in found.schema}
    assert found["content"].to_pylist() == list(WORDS)
    assert [types[name] for name in ("sequence", "ttft_ms", "content", "client_context")] == [
        *("int64", "double"),
        *("string", "string"),
    ]
    assert types["timestamp"] == "timestamp[us, tz=UTC]"
    assert found["timestamp"].to_pylist()[0] == BEGAN + timedelta(seconds=1)
    assert found["client_context"].to_pylist()[0] == CONTEXTS[0]
    assert found["ttft_ms"].to_pylist()[:2] == [None, 25.0]


@pytest.mark.parametrize(
    ("contexts", "kind", "values"),
    [
        ([{"k": "CA"}, {"k": ""}, {}, {"k": None}], "string", ["CA", "", None, None]),
        ([{"k": 5}, {"k": -7}, {}], "int64", [5, -7, None]),
        ([{"k": 5}, {"k": 0.5}], "double", [5.0, 0.5]),
        ([{"k": 10**20}, {"k": 1}], "double", [1e20, 1.0]),
        ([{"k": True}, {"k": False}], "bool", [True, False]),
        ([{"k": "5"}, {"k": 5}, {"k": None}, {}], "string", ['"5"', "5", "null", None]),
        ([{"k": [1, "=x"]}, {"k": {"a": None}}], "string", ['[1,"=x"]', '{"a":null}']),
        ([{}, {}], "string", [None, None]),
    ],
)
def test_a_key_has_the_one_type_that_its_values_have(
    coach: Mentor, contexts: list[dict[str, Any]], kind: str, values: list[Any]
) -> None:
    said(coach, *contexts, at=BEGAN)
    found = table(file("parquet", ["role"], ("k",)))["ctx.k"]
    assert (str(found.type), found.to_pylist()[::2]) == (kind, values)


def test_parquet_of_nothing_is_a_file_with_its_columns(coach: Mentor) -> None:
    found = table(file("parquet", ["content", "timestamp"], ("k",)))
    assert (found.num_rows, found.column_names) == (0, ["content", "timestamp", "ctx.k"])


def test_the_file_of_a_session_grain_has_the_same_formats(coach: Mentor) -> None:
    said(coach, {"k": 1}, at=BEGAN)
    columns = choose("session", ["user", "messages", "anonymous", "client_context"], ["k"])
    asked = Question(everything(), columns, "session", "arrow", LATER)
    asked = Question(everything(), typed(asked), "session", "arrow", LATER)
    found = table(whole(writer_for("parquet", asked.columns), asked)).to_pylist()
    assert found == [
        {"user": "alice", "messages": 2, "anonymous": False, "client_context": '{"k":1}', "ctx.k": 1}
    ]
