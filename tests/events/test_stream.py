"""What happens in a session is told in order, and from any place on."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.utils import timezone

from chat import happened, leases, news, removals
from chat.models import ChatMessageHistory, Session
from tests.clients import Socket, fetch
from tests.ears import Ear
from tests.expecting import AN_ID, refusal
from tests.model_server import Answer, CutAfter, ModelServer
from tests.test_stop_and_resume import PACED, until_detail

from .doing import CA, NY, TURN, Listen, take_out, the_session, write

# --- what is told


def test_a_turn_is_told_as_it_begins_and_as_it_ends(alice: Socket, ear: Ear, model: ModelServer) -> None:
    model.enqueue(Answer(["Forty ", "hours."], gap=0.8))
    alice.say("And here?", metadata=NY)
    told = ear.until("idle")
    assert [one.short for one in told] == ["context 2", *TURN]
    assert told[1].data["message"]["content"] == "And here?"
    assert told[3].data["message"]["content"] == "Forty hours."


def test_a_context_is_told_with_what_it_changed_and_who_did(alice: Socket, ear: Ear) -> None:
    alice.say("And here?", metadata=NY)
    told = ear.next()
    assert told.body["data"] == {
        "version": 2,
        "client_context": NY,
        "diff": {
            "added": [{"pointer": "/level", "value": 2}],
            "removed": [],
            "changed": [{"pointer": "/stateCode", "before": "CA", "after": "NY"}],
        },
        "author": "token:backend",
        "door": "websocket",
        "verified_keys": ["stateCode", "level"],
    }
    assert set(told.body) == {"timestamp", "data"}


def test_the_session_is_told_first_as_it_is(alice: Socket, listen: Listen, token: str) -> None:
    alice.say("Hello.", metadata=CA)
    ear = listen()
    told = ear.next()
    detail = fetch(
        alice.url, "GET", f"/api/v1/sessions/{alice.session_id}/", None, {"Authorization": f"Token {token}"}
    )[1]
    assert told.data == {name: detail[name] for name in told.data}
    assert (told.data["running"], told.data["client_context"], told.data["messages"]) == (False, CA, 2)
    assert ear.lines[0] == "retry: 1000"
    assert ear.response.headers["Content-Type"] == "text/event-stream; charset=utf-8"


@pytest.mark.parametrize("slash", ["", "/"])
def test_the_last_slash_may_be_left_out(alice: Socket, listen: Listen, slash: str) -> None:
    alice.say("Hello.")
    assert listen(path=f"/api/v1/sessions/{alice.session_id}/events{slash}").hear(1) == ["idle"]


def test_an_answer_that_breaks_off_is_told_with_its_status(
    alice: Socket, ear: Ear, model: ModelServer
) -> None:
    model.enqueue(CutAfter(1))
    alice.say("And here?")
    assert ear.lasting(2) == ["user 3 complete", "mentor 4 interrupted"]


def test_an_answer_that_is_stopped_is_told_with_its_status(
    alice: Socket, ear: Ear, model: ModelServer
) -> None:
    model.enqueue(PACED)
    alice.put(alice.payload("Hello."))
    generation = alice.get()["generation_id"]
    assert ear.hear(2) == ["user 3 complete", "running"]
    assert ear.is_quiet()
    alice.put({"action": "stop", "generation_id": generation})
    until_detail(alice)
    assert ear.hear(2) == ["mentor 4 stopped", "idle"]


def test_an_answer_whose_holder_is_gone_is_told_when_it_is_reaped(alice: Socket, ear: Ear) -> None:
    session = the_session(alice)
    answer = ChatMessageHistory.objects.create(session=session, role="mentor", status="streaming", sequence=3)
    Session.objects.filter(pk=session.pk).update(
        next_sequence=4, turn_id=answer.pk, turn_lease_until=timezone.now(), updated_at=timezone.now()
    )
    news.changed(session.pk)
    assert ear.hear(1) == ["running"]
    assert leases.reap() == 1
    assert ear.hear(2) == ["mentor 3 interrupted", "idle"]


def test_what_is_written_while_an_answer_runs_is_told_before_it(
    alice: Socket, ear: Ear, model: ModelServer
) -> None:
    model.enqueue(Answer(["One ", "two."], gap=1))
    alice.put(alice.payload("Hello."))
    assert ear.hear(2) == ["user 3 complete", "running"]
    write(alice)
    assert ear.hear(4) == ["service 5 complete", "running", "mentor 4 complete", "idle"]
    alice.rest()


def test_a_message_that_is_taken_out_is_told(alice: Socket, ear: Ear) -> None:
    take_out(alice, 1)
    told = ear.next()
    assert (told.name, told.data) == ("message.deleted", {"message_id": AN_ID, "sequence": 1})


def test_a_title_is_told_once_for_all_changes(alice: Socket, ear: Ear, token: str) -> None:
    path = f"/api/ai-mentor/orgs/demo/users/alice/sessions/{alice.session_id}/"
    fetch(alice.url, "PUT", path, {"title": "Licences"}, {"Authorization": f"Token {token}"})
    told = ear.next()
    assert (told.name, told.data["title"]) == ("session.updated", "Licences")
    assert ear.is_quiet()


def test_a_big_number_of_a_context_is_told_as_it_is(alice: Socket, ear: Ear) -> None:
    alice.say("Hello.", metadata={"n": 2**70})
    assert ear.next().data["client_context"] == {"n": 2**70}


# --- leaving and coming back


def test_whoever_comes_back_at_any_event_hears_exactly_the_rest(
    alice: Socket, ear: Ear, listen: Listen, model: ModelServer
) -> None:
    model.enqueue(Answer(["Forty ", "hours."], gap=0.2))
    alice.say("And here?", metadata=NY)
    take_out(alice, 1)
    told = ear.until("deleted 1")
    lasting = [one for one in told if one.name != "session.updated"]
    for one in told[:-1]:
        again = listen(one.id)
        heard = [later.short for later in again.until("deleted 1") if later.name != "session.updated"]
        assert heard == [later.short for later in lasting if told.index(later) > told.index(one)]
        again.close()


def test_at_every_point_of_a_turn_nothing_is_lost_or_told_twice(
    alice: Socket, ear: Ear, listen: Listen, model: ModelServer
) -> None:
    """One who is cut off after each single event, and comes back with its id."""
    model.enqueue(Answer(["Forty ", "hours."], gap=0.3), Answer(["Yes."], gap=0.1))
    with ThreadPoolExecutor() as pool:
        talking = pool.submit(lambda: [alice.say("And here?", metadata=NY), alice.say("Sure?")])
        heard, at = [], ear.next()
        heard.append(at.short)
        while heard[-1] != "mentor 6 complete":
            again = listen(at.id)
            at = again.next()
            heard.append(at.short)
            again.close()
        talking.result()
    messages = [short for short in heard if short not in ("idle", "running")]
    assert messages == ["context 2", *TURN[::2], "user 5 complete", "mentor 6 complete"]


def test_a_client_that_was_away_for_long_is_told_in_pages(
    alice: Socket, ear: Ear, listen: Listen, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice.say("Mark this.")
    at = ear.until("idle")[-1].id
    session, count = the_session(alice), 3 * happened.AT_ONCE + 7
    ChatMessageHistory.objects.bulk_create(
        ChatMessageHistory(session=session, role="service", sequence=n) for n in range(5, 5 + count)
    )
    Session.objects.filter(pk=session.pk).update(next_sequence=5 + count, updated_at=timezone.now())
    heard = listen(at).until("idle")
    assert [one.short for one in heard[:-1]] == [f"service {n} complete" for n in range(5, 5 + count)]


def test_a_session_that_was_made_anew_is_told_from_its_beginning(
    alice: Socket, ear: Ear, listen: Listen
) -> None:
    alice.say("And here?")
    at = ear.until("idle")[-1].id
    removals.remove(uuid.UUID(alice.session_id))
    assert ear.has_ended()
    alice.say("Is it a new one?")
    assert listen(at).lasting(2) == ["user 1 complete", "mentor 2 complete"]


@pytest.mark.parametrize("after", ["7", "m1", "s1.m1.a0.c0.d0-0.u0 ", "s1.m9999999999.a0.c0.d0-0.u0", "é"])
def test_a_last_event_id_is_one_of_ours(alice: Socket, listen: Listen, after: str) -> None:
    alice.say("Hello.")
    ear = listen(after.encode("latin-1") if after == "é" else f"{after}x")
    assert ear.refusal() == (400, refusal(400, "invalid_payload", ""))
