"""Where each value of a context came from: its version, and what every door keeps of whoever set it."""

from __future__ import annotations

import json

import pytest
from pytest_django import DjangoAssertNumQueries

from chat import provenance
from chat.models import ApiToken, ChatMessageHistory, Mentor, SessionContextVersion
from chat.provenance import Origin, origins, token_names

from ..clients import TalkMaker
from ..posting import make

CA = {"stateCode": "CA"}


def history(
    coach: Mentor, *texts: str, verified: tuple[str, ...] = (), after: int = 0
) -> SessionContextVersion:
    """A session whose context had these values, one version each; the last of them."""
    session = make(coach)
    for number, text in enumerate(texts, after + 1):
        keys = [key for key in verified if key in json.loads(text)]
        version = SessionContextVersion.objects.create(
            session=session, number=number, text=text, value={}, verified_keys=keys, author="a", door="ws"
        )
    return version


def numbers(found: dict[str, Origin]) -> dict[str, int]:
    return {key: origin.version.number for key, origin in found.items()}


def test_a_value_is_of_the_version_that_it_has_been_the_same_since(coach: Mentor) -> None:
    last = history(
        coach, '{"a":1,"b":1,"c":1}', '{"a":1,"b":2,"c":1}', '{"b":2,"c":2}', '{"a":1,"b":2,"c":1}'
    )
    assert numbers(origins(last)) == {"a": 4, "b": 2, "c": 4}


@pytest.mark.parametrize(
    ("before", "after", "version"),
    [
        ("1", "1.0", 1),
        ('{"x":1,"y":[1]}', '{"y":[1],"x":1}', 1),
        ("1", "true", 2),
        ('{"x":1}', '{"x":2}', 2),
        ("null", "{}", 2),
    ],
)
def test_the_same_is_as_the_context_law_has_it(coach: Mentor, before: str, after: str, version: int) -> None:
    last = history(coach, f'{{"a":{before},"n":1}}', f'{{"a":{after},"n":2}}')
    assert numbers(origins(last)) == {"a": version, "n": 2}


def test_a_value_is_of_the_version_that_verified_it(coach: Mentor) -> None:
    last = history(coach, '{"plan":"free"}', '{"plan":"free","n":1}')
    SessionContextVersion.objects.filter(number=2).update(verified_keys=["plan"])
    last.refresh_from_db()
    assert numbers(origins(last)) == {"plan": 2, "n": 2}


def test_keys_stand_in_the_order_they_were_sent_in(coach: Mentor) -> None:
    assert list(origins(history(coach, '{"z":1}', '{"b":1,"z":1,"a":1}'))) == ["b", "z", "a"]


def test_a_cleared_context_has_no_origins(coach: Mentor) -> None:
    assert origins(history(coach, '{"a":1}', "{}")) == {}


def test_a_long_history_is_read_in_parts_and_only_as_far_as_it_must(
    coach: Mentor, django_assert_num_queries: DjangoAssertNumQueries, monkeypatch: pytest.MonkeyPatch
) -> None:
    last = history(coach, *(f'{{"first":1,"n":{n}}}' for n in range(250)))
    with django_assert_num_queries(3):
        assert numbers(origins(last)) == {"first": 1, "n": 250}
    monkeypatch.setattr(provenance, "MOST_READ", 120)
    with django_assert_num_queries(2):
        found = origins(last)
    assert numbers(found) == {"first": 130, "n": 250}
    assert (found["first"].or_earlier, found["n"].or_earlier) == (True, False)
    SessionContextVersion.objects.filter(number=249).update(text='{"n":0}')
    with django_assert_num_queries(1):
        assert numbers(origins(last)) == {"first": 250, "n": 250}


def test_what_is_kept_no_more_is_not_made_up(coach: Mentor) -> None:
    last = history(coach, '{"a":1,"n":1}', '{"a":1,"n":2}', after=7)
    found = origins(last)
    assert numbers(found) == {"a": 8, "n": 9}
    assert (found["a"].or_earlier, found["n"].or_earlier) == (True, False)


def test_tokens_have_names_as_long_as_they_are_there(
    coach: Mentor, token: str, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    last = history(coach, '{"a":1}')
    with django_assert_num_queries(0):
        assert token_names([last, None]) == {}
    issued = ApiToken.objects.get()
    last.token_id = issued.pk
    with django_assert_num_queries(1):
        assert token_names([last, last]) == {issued.pk: "backend"}
    issued.delete()
    assert token_names([last]) == {}


def test_a_turn_says_where_it_came_from(talk: TalkMaker, token: str) -> None:
    talk(token=token).say("Hello?", metadata=CA)
    version = SessionContextVersion.objects.get()
    assert version.door in ("websocket", "sse")
    assert version.address_class == "loopback"
    assert version.token_id == ApiToken.objects.get().pk
    assert version.message_id == ChatMessageHistory.objects.get(role="user").pk
