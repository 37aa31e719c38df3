"""Search finds whole words, in any case, in any script, alike on both databases."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

import pytest
from django.db import connection

from chat.errors import InvalidFilter
from chat.filters import parse
from chat.filters.words import wanted
from chat.models import ChatMessageHistory, Mentor, Session
from chat.models.search import Says
from chat.selections import Reader, Selection

ALL = Reader(None)

SAID = [
    "Which topics are on the California exam?",
    "C'est l'été à Orléans, n'est-ce pas?",
    "Москва слезам не верит",
    "我想去北京大学看看,附近有什么好吃的?",
    "東京タワーはどこですか",
    "서울에서 가장 좋은 박물관",
    "See https://example.org/a_b?c=3.14&d=1e5 or mail me@example.org",
    "<b>bold</b> & 'quoted' \"text\" \\ backslash % percent",
    "京",
]


@pytest.fixture
def said(coach: Mentor) -> Session:
    session = Session.objects.create(id=uuid.uuid4(), tenant=coach.tenant, mentor=coach)
    for sequence, text in enumerate(SAID, 1):
        ChatMessageHistory.objects.create(session=session, sequence=sequence, role="user", content=text)
    return session


def found(search: str) -> list[int]:
    rows = ChatMessageHistory.objects.filter(Says(search)).order_by("sequence")
    return [message.sequence - 1 for message in rows]


@pytest.mark.parametrize(
    ("search", "where"),
    [
        ("exam", [0]),
        ("EXAM california", [0]),
        ("exa", []),
        ("exa*", [0, 6]),
        ("exam history", []),
        ("été", [1]),
        ("ORLÉANS", [1]),
        ("москва", [2]),
        ("верит москва", [2]),
        ("北京", [3]),
        ("北京大学", [3]),
        ("京大", [3]),
        ("北大", []),
        ("京", [3, 4, 8]),
        ("看", [3]),
        ("タワー", [4]),
        ("박물관", [5]),
        ("example org", [6]),
        ("3.14", [6]),
        ("1e5", [6]),
        ("a_b", [6]),
        ("bold quoted", [7]),
        ("100%", []),
        ("'quoted' & ! | ( \\", [7]),
    ],
)
def test_words_are_found(said: Session, search: str, where: list[int]) -> None:
    assert found(search) == where
    assert [number for number, text in enumerate(SAID) if wanted(search).within(text)] == where


def test_pairs_that_stand_apart_are_not_the_word(said: Session) -> None:
    text = "北京有大学,京大不是"
    ChatMessageHistory.objects.create(session=said, sequence=99, role="user", content=text)
    assert found("北京大") == [3]


def test_an_answer_is_found_when_it_is_whole(said: Session) -> None:
    answer = ChatMessageHistory.objects.create(
        session=said, sequence=50, role="mentor", content="Halfway", status="streaming"
    )
    assert found("halfway") == []
    ChatMessageHistory.objects.filter(pk=answer.pk).update(status="complete")
    assert found("halfway") == [49]


def test_the_users_own_words_are_searched_and_not_the_block(said: Session) -> None:
    block = "Hello\n\n<CONTEXT METADATA> stateCode: CA </END CONTEXT METADATA>"
    ChatMessageHistory.objects.create(session=said, sequence=51, role="user", content=block, text="Hello")
    assert (found("hello"), found("stateCode")) == ([50], [])


def test_a_search_without_a_word_is_refused() -> None:
    with pytest.raises(InvalidFilter, match="must have a word"):
        parse([("search", " !? … ")])


def sessions(**asked: str) -> int:
    selection = Selection.of(
        parse((name.replace("since", "from"), text) for name, text in asked.items()), ALL
    )
    return selection.sessions().count()


def test_a_session_is_meant_if_one_message_says_it_all(said: Session) -> None:
    assert sessions(search="exam") == 1
    assert sessions(search="exam", role="user") == 1
    assert sessions(search="exam", role="mentor") == 0
    assert sessions(search="exam москва") == 0


def test_what_is_older_than_the_sessions_is_not_looked_at(said: Session) -> None:
    assert sessions(search="exam", since=f"{said.created_at:%Y-%m-%d}") == 1
    assert sessions(search="exam", since="2031-01-01") == 0


def test_a_very_long_message_is_stored_and_found_by_its_beginning(said: Session) -> None:
    words = " ".join(f"w{number:07d}" for number in range(150_000))
    ChatMessageHistory.objects.create(session=said, sequence=60, role="user", content=words)
    assert found("w0000007") == [59]
    assert found("w0149999") == []


@pytest.mark.services
def test_the_index_is_asked_with_the_weeks(said: Session) -> None:
    rows = ChatMessageHistory.objects.filter(Says("exam", since=datetime(2026, 1, 1, tzinfo=UTC)))
    with connection.cursor() as cursor:
        # Of so few rows any way is as good: only those by way of a bitmap are left.
        for way in ("seqscan", "indexscan", "indexonlyscan"):
            cursor.execute(f"SET LOCAL enable_{way} = off")
    assert "message_words" in rows.explain()
    assert [message.sequence for message in rows] == [1]
