"""Which rows an export has, in which order, and how it goes on after a batch."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import orjson
import pytest

from chat.models import (
    ChatMessageHistory,
    ChatMessageHistoryExtra,
    Mentor,
    Session,
    SessionContextVersion,
    Tenant,
)
from exports import rows
from exports.columns import choose
from exports.rows import Key, Question, batches, estimate

from .cast import said
from .hostile import BEGAN, everything

LATER = BEGAN + timedelta(days=1)
NAMES = ["session_id", "sequence", "content"]


def ask(
    names: list[str] | None = None, keys: tuple[str, ...] = (), grain: Any = "message", **more: Any
) -> Question:
    filter = more.pop("filter", {})
    columns = choose(grain, names or (NAMES if grain == "message" else ["session_id"]), list(keys))
    return Question(everything(**filter), columns, grain, "jsonl", more.pop("before", LATER), **more)


def read(question: Question, **more: Any) -> list[dict[str, Any]]:
    found = b"".join(block for batch in batches(question, **more) for block in batch.blocks)
    return [orjson.loads(line) for line in found.splitlines()]


def contents(question: Question, **more: Any) -> list[str]:
    return [row["content"] for row in read(question, **more)]


@pytest.fixture
def three(coach: Mentor) -> list[Session]:
    """Sessions that began at 8:02, 8:00 and 8:01, with two messages each."""
    return [said(coach, {"n": n}, at=BEGAN + timedelta(minutes=n)) for n in (2, 0, 1)]


def test_sessions_come_as_they_began_and_messages_as_they_were_said(three: list[Session]) -> None:
    rows = read(ask())
    assert [row["session_id"] for row in rows[::2]] == [str(three[n].pk) for n in (1, 2, 0)]
    assert [row["sequence"] for row in rows] == [1, 2, 1, 2, 1, 2]


def test_sessions_of_one_moment_come_by_their_id(coach: Mentor) -> None:
    made = sorted(str(said(coach, {}, at=BEGAN).pk) for _ in range(5))
    assert [row["session_id"] for row in read(ask(), size=2)[::2]] == made


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_the_size_of_batches_changes_no_row(three: list[Session], size: int) -> None:
    assert read(ask(), size=size) == read(ask())


@pytest.mark.parametrize("taken", [1, 2, 3])
def test_an_export_goes_on_after_the_key_of_a_batch(three: list[Session], taken: int) -> None:
    rows, key = [], ""
    for _, batch in zip(range(taken), batches(ask(), size=1), strict=False):
        rows += [orjson.loads(line) for block in batch.blocks for line in block.splitlines()]
        key = str(batch.key)
    assert rows + read(ask(), after=Key.parse(key), size=1) == read(ask())


def test_what_many_have_said_is_read_in_batches_too(
    three: list[Session], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "FOUND_AT_ONCE", 1)
    three[2].messages.filter(role="mentor").update(role="operator")
    assert contents(ask(filter={"role": "mentor"}), size=1) == ["Answer 1."] * 2


def test_a_batch_knows_how_many_rows_it_had(three: list[Session]) -> None:
    counts = []
    for batch in batches(ask(), size=2):
        assert b"".join(batch.blocks)
        counts.append(batch.rows)
    assert counts == [4, 2]


def test_what_was_created_after_the_export_was_asked_for_is_not_in_it(three: list[Session]) -> None:
    late = ChatMessageHistory.objects.create(
        session=three[1], sequence=3, role="user", content="late", created_at=LATER
    )
    said(three[0].mentor, {}, at=LATER)
    assert len(read(ask())) == 6
    assert late.content in contents(ask(before=LATER + timedelta(seconds=1)))


def test_a_condition_on_messages_chooses_messages(three: list[Session]) -> None:
    assert contents(ask(filter={"role": "mentor"})) == ["Answer 1."] * 3
    assert contents(ask(filter={"message_context.n": "1"})) == ["Question 1?", "Answer 1."]


def test_a_condition_on_the_session_chooses_sessions(three: list[Session]) -> None:
    assert [row["session_id"] for row in read(ask(filter={"context.n": "2"}))] == [str(three[0].pk)] * 2


def test_an_empty_export_has_no_batch(coach: Mentor) -> None:
    assert list(batches(ask())) == []
    assert list(batches(ask(filter={"mentor": "nobody"}))) == []


def test_another_tenants_rows_are_not_read(three: list[Session], other: Tenant) -> None:
    stranger = Mentor(tenant=other, slug="coach", name="Theirs")
    stranger.save()
    said(stranger, {}, at=BEGAN)
    assert len(read(ask(filter={"tenant": "demo"}))) == 6
    assert len(read(ask())) == 8


def test_every_message_has_the_context_it_was_written_under(coach: Mentor) -> None:
    said(coach, {"stateCode": "CA"}, {"stateCode": "NY"}, {}, at=BEGAN)
    rows = read(ask(["client_context", "context_version"], ("stateCode",)))
    assert [row["client_context"] for row in rows[::2]] == [{"stateCode": "CA"}, {"stateCode": "NY"}, {}]
    assert [row["ctx.stateCode"] for row in rows[::2]] == ["CA", "NY", None]


def test_a_context_is_spelled_as_its_client_spelled_it(coach: Mentor) -> None:
    session = said(coach, {"b": 1000.0, "a": 1}, at=BEGAN)
    text = '{"b":1e3,"a":1}'
    SessionContextVersion.objects.create(
        session=session, number=1, text=text, value=orjson.loads(text), author="", door="ws"
    )
    found = b"".join(next(batches(ask(["client_context"]))).blocks).decode()
    assert found == '{"client_context":{"b":1e3,"a":1}}\n' * 2


def test_a_snapshot_that_its_version_does_not_say_is_what_counts(coach: Mentor) -> None:
    session = said(coach, {"a": 'b, ": c', "n": None}, at=BEGAN)
    SessionContextVersion.objects.create(
        session=session, number=1, text='{"a":2}', value={"a": 2}, author="", door="ws"
    )
    found = b"".join(next(batches(ask(["client_context"]))).blocks).decode()
    assert found == '{"client_context":{"a":"b, \\": c","n":null}}\n' * 2


def test_a_message_beside_which_nothing_was_noted_is_not_lost(three: list[Session]) -> None:
    ChatMessageHistoryExtra.objects.all().delete()
    rows = read(ask(["content", "client_context", "context_version", "model"], ("n",)))
    assert len(rows) == 6
    assert rows[0] == {
        "content": "Question 1?",
        "client_context": {},
        "context_version": None,
        "model": None,
        "ctx.n": None,
    }


def test_a_session_has_its_counts_and_its_first_prompt(coach: Mentor) -> None:
    session = said(coach, {"a": 1}, {"a": 2}, at=BEGAN)
    session.messages.filter(sequence=4).update(status="failed")
    names = [
        "session_id",
        "messages",
        "prompts",
        "answers",
        "failures",
        "first_prompt",
        "title",
        "client_context",
    ]
    assert read(ask(names, grain="session")) == [
        {
            "session_id": str(session.pk),
            "messages": 4,
            "prompts": 2,
            "answers": 2,
            "failures": 1,
            "first_prompt": "Question 1?",
            "title": "Question 1?",
            "client_context": {"a": 2},
        }
    ]


def test_a_session_without_messages_is_a_row_too(coach: Mentor) -> None:
    said(coach, at=BEGAN)
    names = ["messages", "answers", "first_prompt", "title", "last_message_at", "prompt_tokens"]
    assert [list(row.values()) for row in read(ask(names, grain="session"))] == [[0, 0, None, "", None, 0]]


def test_successive_windows_have_each_message_once(three: list[Session]) -> None:
    answer = three[1].messages.get(sequence=2)
    ChatMessageHistory.objects.filter(pk=answer.pk).update(status="streaming", finished_at=None)
    first = read(ask(until=BEGAN + timedelta(seconds=90)))
    ChatMessageHistory.objects.filter(pk=answer.pk).update(
        status="complete", finished_at=BEGAN + timedelta(minutes=3)
    )
    second = read(ask(since=BEGAN + timedelta(seconds=90), until=LATER))
    seen = [(row["session_id"], row["sequence"]) for row in first + second]
    assert len(seen) == len(set(seen)) == 6
    assert (str(three[1].pk), 2) in [(row["session_id"], row["sequence"]) for row in second]


def test_about_how_many_rows_there_will_be_is_known_before(three: list[Session]) -> None:
    assert estimate(ask()) == 6
    assert estimate(ask(grain="session")) == 3
    assert estimate(ask(filter={"role": "user"})) is None
