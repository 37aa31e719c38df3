"""`x-retention`: a key's value goes when its time has passed, from wherever it stands, and a mark is left of it."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from chat import lapses, tasks
from chat.models import (
    ChatMessageHistory,
    ChatMessageHistoryExtra,
    Erasure,
    Mentor,
    MessageDebug,
    Session,
    SessionContextVersion,
)

from ..clients import Socket, fetch
from ..model_server import ModelServer
from ..posting import Poster, bearer
from .searching import forget_earlier_tests, places

pytestmark = pytest.mark.django_db(transaction=True)
CANARY = "canary7f3a"
SCHEMA = {"properties": {"diagnosis": {"x-retention": "P30D"}, "2026": {"x-retention": "PT1H"}}}
SENT = {"stateCode": "CA", "diagnosis": CANARY, "n": 1.50}


@pytest.fixture
def keeping(coach: Mentor) -> Mentor:
    forget_earlier_tests()
    coach.context_schema = json.dumps(SCHEMA)
    coach.greeting_text = "Speak of {{metadata_diagnosis}}."
    coach.save()
    return coach


def age(days: float) -> None:
    """Everything was so many days ago."""
    then = timezone.now() - timedelta(days=days)
    Session.objects.update(created_at=then, updated_at=then)
    SessionContextVersion.objects.update(created_at=then)
    ChatMessageHistory.objects.update(created_at=then)


def test_it_is_gone_from_every_place(keeping: Mentor, alice: Socket, token: str) -> None:
    alice.say("Hello.", metadata=SENT)
    debug = {"debug": {"sent": {"diagnosis": CANARY, "stateCode": "CA"}}}
    Poster(alice.url, alice.session_id, bearer(token)).post("A note.", metadata=debug)
    age(31)
    assert tasks.lapse() == 1
    assert places(CANARY) == []
    assert MessageDebug.objects.get().data == {"sent": {"stateCode": "CA"}}
    assert Erasure.objects.get().kind == "keys"
    assert Erasure.objects.get().counts == {
        "context_versions": 1,
        "snapshots": 3,
        "messages": 1,
        "debug_data": 1,
    }


def test_the_context_goes_on_without_it_and_the_past_has_a_mark(keeping: Mentor, alice: Socket) -> None:
    alice.say("Hello.", metadata=SENT)
    age(31)
    lapses.lapse()
    first, second = SessionContextVersion.objects.order_by("number")
    assert first.text == '{"stateCode":"CA","diagnosis":"[removed]","n":1.5}'
    assert first.value == {"stateCode": "CA", "diagnosis": "[removed]", "n": 1.5}
    assert (second.text, second.author, second.door) == ('{"stateCode":"CA","n":1.5}', *["retention"] * 2)
    assert set(second.verified_keys) == {"stateCode", "n"}
    assert Session.objects.get().client_context == {"stateCode": "CA", "n": 1.5}
    extras = ChatMessageHistoryExtra.objects.values_list("metadata", "context_version")
    assert list(extras) == [({"stateCode": "CA", "n": 1.5}, 1)] * 2


def test_it_keeps_no_session_for_longer(keeping: Mentor, alice: Socket) -> None:
    alice.say("Hello.", metadata=SENT)
    age(31)
    before = Session.objects.get().updated_at
    lapses.lapse()
    assert Session.objects.get().updated_at == before


def test_the_next_turn_knows_nothing_of_it(keeping: Mentor, alice: Socket, model: ModelServer) -> None:
    alice.say("Hello.", metadata=SENT)
    age(31)
    lapses.lapse()
    reply = alice.say("Do you remember?")
    assert reply.version == 2
    assert CANARY not in str(model.received[-1])


def test_a_rebuilt_prompt_shows_the_mark(keeping: Mentor, alice: Socket, token: str) -> None:
    reply = alice.say("Hello.", metadata=SENT)
    path = f"/api/v1/messages/{reply.start['message_id']}/prompt/"
    before = fetch(alice.url, "GET", path, None, bearer(token))[1]
    assert (CANARY in json.dumps(before), before["complete"]) == (True, True)
    age(31)
    lapses.lapse()
    after = fetch(alice.url, "GET", path, None, bearer(token))[1]
    assert json.dumps(after) == json.dumps({**before, "complete": False}).replace(CANARY, "[removed]")


def test_the_stored_content_is_what_is_rebuilt(keeping: Mentor, alice: Socket) -> None:
    alice.say("Hello.", metadata=SENT)
    content = ChatMessageHistory.objects.get(sequence=1).content
    age(31)
    lapses.lapse()
    assert ChatMessageHistory.objects.get(sequence=1).content == content.replace(CANARY, "[removed]")


def test_what_is_younger_stays_and_what_was_sent_again_is_young(keeping: Mentor, alice: Socket) -> None:
    alice.say("Hello.", metadata=SENT)
    age(29)
    assert lapses.lapse() == {}
    age(31)
    alice.say("Again.", metadata={**SENT, "stateCode": "NY"})
    assert lapses.lapse()["context_versions"] == 1
    assert Session.objects.get().client_context == {**SENT, "stateCode": "NY"}
    assert Session.objects.get().context_version == 2


def test_twice_is_once_also_for_keys_that_look_like_numbers(keeping: Mentor, alice: Socket) -> None:
    alice.say("Hello.", metadata={"2026": CANARY, "diagnosis": None})
    age(31)
    # The second key's value stands in the version that went on without the first, too.
    assert lapses.lapse()["context_versions"] == 3
    assert lapses.lapse() == {}
    assert places(CANARY) == []
    assert Session.objects.get().client_context == {}


def test_other_mentors_keep_theirs(keeping: Mentor, tutor: Mentor, live: str, token: str) -> None:
    with closing(Socket(live, "demo", "tutor", token=token, username="alice")) as talk:
        talk.say("Hello.", metadata=SENT)
    age(31)
    assert lapses.lapse() == {}


def test_out_of_time_it_goes_on_with_the_next_call(keeping: Mentor, alice: Socket) -> None:
    alice.say("Hello.", metadata=SENT)
    age(31)
    assert lapses.lapse(budget=-1) == {}
    counts: Any = lapses.lapse()
    assert counts["context_versions"] == 1
