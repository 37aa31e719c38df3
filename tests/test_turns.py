"""The rules of a turn, called directly: run again, run late, run by many at once."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import OperationalError, connection, connections

from chat import database, leases, turns
from chat.errors import ChatError, LeaseLost
from chat.leases import Outcome
from chat.models import ApiToken, ChatMessageHistory, ChatMessageHistoryExtra, Mentor
from chat.openings import Begun

from .visits import CA, NY, Visit, end, held, stored

pytestmark = pytest.mark.django_db(transaction=True)
needs_services = pytest.mark.services

# What is stored


def test_both_databases_leave_these_rows(coach: Mentor, token: str) -> None:
    visit = Visit(coach, token)
    visit.turn(CA, "Hello.", client_id="a")
    visit.turn(None, "Again.", text="More")
    rows = stored(visit.session)
    assert rows["session"] | {"tenant_id": 0, "mentor_id": 0} == {
        **{"tenant_id": 0, "mentor_id": 0, "user_id": "", "anonymous": False, "title": ""},
        **{"metadata": {"client_context": {"stateCode": "CA"}}, "context_version": 1, "next_sequence": 5},
        **{"context_digest": rows["session"]["context_digest"], "turn_id": False, "turn_fence": 2},
        **{"turn_holder": "", "turn_lease_until": False, "turn_stop": False, "delivery": ""},
        **{"signed_at": None},
    }
    assert [
        (m["sequence"], m["role"], m["text"], m["status"], m["finished_at"]) for m in rows["messages"]
    ] == [
        (1, "user", "Hi", "complete", True),
        (2, "mentor", None, "complete", True),
        (3, "user", "More", "complete", True),
        (4, "mentor", None, "complete", True),
    ]
    assert [m["content_type"] for m in rows["messages"]] == ["text/plain", "text/markdown"] * 2
    assert [m["client_message_id"] for m in rows["messages"]] == ["a", None, None, None]
    assert [m["metadata"] for m in rows["messages"]] == [{}] * 4
    assert [(x["metadata"], x["context_version"]) for x in rows["extras"]] == [({"stateCode": "CA"}, 1)] * 4
    origin = {"token_id": ApiToken.objects.get().pk, "address_class": None, "signed_by": None}
    author = {"author": "token:backend", "door": "websocket", **origin}
    version = {"number": 1, "text": CA, "value": {"stateCode": "CA"}, "verified_keys": ["stateCode"]}
    assert rows["versions"] == [{**version, **author}]


# Commits whose confirmation was lost


@pytest.mark.parametrize("metadata", [None, CA, NY])
def test_a_begin_that_is_run_again_begins_once(visit: Visit, metadata: str | None) -> None:
    opening = visit.opening(metadata, client_id="a", cached=CA)
    first, again = turns.begin(opening), turns.begin(opening)
    assert isinstance(first, Begun)
    assert isinstance(again, Begun)
    assert (again.answer, again.sequence, again.fence) == (first.answer, first.sequence, first.fence)
    assert (again.history, again.context.context.text) == (first.history, first.context.context.text)
    assert ChatMessageHistory.objects.count() == 4


def test_a_visitors_first_begin_may_be_run_again(coach: Mentor) -> None:
    opening = Visit(coach).opening(CA)
    first, again = turns.begin(opening), turns.begin(opening)
    assert isinstance(first, Begun)
    assert isinstance(again, Begun)
    assert (again.answer, again.created) == (first.answer, True)


def dies_after(work: Callable[[], Any]) -> Callable[[], Any]:
    """The rule, whose connection breaks once after it has committed and before it can say so."""
    broken: list[bool] = []

    def rule() -> Any:
        done = work()
        if not broken:
            broken.append(True)
            connection.connection.close()
            raise OperationalError("the connection is lost")
        return done

    return rule


@needs_services
def test_a_lost_confirmation_of_begin_is_made_good(visit: Visit) -> None:
    opening = visit.opening(CA, client_id="a")
    begun = database._reconnecting(dies_after(lambda: turns.begin(opening)))
    assert begun.answer == opening.answer
    assert ChatMessageHistory.objects.count() == 4


@needs_services
def test_a_lost_confirmation_of_finish_is_made_good(visit: Visit) -> None:
    begun = visit.begin(CA)
    assert isinstance(begun, Begun)
    database._reconnecting(dies_after(lambda: leases.finish(held(begun), Outcome("complete", "Hello."))))
    assert ChatMessageHistory.objects.get(id=begun.answer).status == "complete"


def test_a_finish_is_known_for_done_also_after_the_next_turn_began(visit: Visit) -> None:
    begun = visit.begin(CA)
    assert isinstance(begun, Begun)
    leases.finish(held(begun), Outcome("complete", "Hello."))
    visit.begin(CA)
    leases.finish(held(begun), Outcome("complete", "Hello."))


# The lease


def test_who_was_reaped_can_write_nothing(visit: Visit) -> None:
    begun = visit.begin(CA)
    assert isinstance(begun, Begun)
    leases.beat(held(begun), "So far.")
    end(held(begun), "reaped")
    before = stored(visit.session)
    with pytest.raises(LeaseLost):
        leases.beat(held(begun), "More.")
    with pytest.raises(LeaseLost):
        leases.finish(held(begun), Outcome("complete", "All."))
    assert stored(visit.session) == before


def test_a_lease_that_ran_out_while_the_database_was_away_still_finishes(visit: Visit) -> None:
    begun = visit.begin(CA)
    assert isinstance(begun, Begun)
    end(held(begun), "lost")
    leases.finish(held(begun), Outcome("complete", "Hello."))
    assert leases.reap() == 0
    assert ChatMessageHistory.objects.get(id=begun.answer).status == "complete"


def test_a_late_beat_does_not_undo_the_finish(visit: Visit) -> None:
    begun = visit.turn(CA, "All of it.")
    with pytest.raises(LeaseLost):
        leases.beat(held(begun), "All")
    assert ChatMessageHistory.objects.get(id=begun.answer).content == "All of it."


def test_an_outcome_is_stored_whole(visit: Visit) -> None:
    begun = visit.begin(CA)
    assert isinstance(begun, Begun)
    outcome = Outcome("interrupted", "Hel", "length", 11, 3, 1.5, 2.5, "model_cut")
    leases.finish(held(begun), outcome)
    extra = ChatMessageHistoryExtra.objects.select_related("message").get(message=begun.answer)
    found = {f: getattr(extra, f) for f in Outcome.__slots__ if f not in ("status", "content")}
    assert Outcome(extra.message.status, extra.message.content, **found) == outcome


# Many at once


def at_once(*works: Callable[[], Any]) -> list[Any]:
    """What each returned, or the error it raised, of rules run in threads of their own in the same moment."""
    barrier = threading.Barrier(len(works))
    results: list[Any] = [None] * len(works)

    def run(n: int) -> None:
        try:
            barrier.wait(10)
            results[n] = works[n]()
        except Exception as error:
            results[n] = error
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(n,)) for n in range(len(works))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return results


@pytest.mark.parametrize("remembering", [True, False])
def test_of_many_begins_at_once_one_is_taken(visit: Visit, remembering: bool) -> None:
    if not remembering:
        turns._as_left.clear()
    results = at_once(*[lambda: visit.begin(CA)] * 6)
    assert sorted(type(result).__name__ for result in results) == ["Begun", *["TurnInProgress"] * 5]
    assert ChatMessageHistory.objects.count() == 4


@pytest.mark.parametrize("remembering", [True, False])
def test_of_one_message_sent_many_times_at_once_one_begins(visit: Visit, remembering: bool) -> None:
    if not remembering:
        turns._as_left.clear()
    results = at_once(*[lambda: visit.begin(CA, client_id="a")] * 6)
    answers = {result.answer for result in results}
    assert (len(answers), [type(result) for result in results].count(Begun)) == (1, 1)


def test_begins_ends_and_reapers_at_once_leave_whole_sessions(coach: Mentor, token: str) -> None:
    visits = [Visit(coach, token) for _ in range(2)]

    def traffic(seed: int) -> None:
        dice = random.Random(seed)
        for n in range(25):
            visit = dice.choice(visits)
            try:
                begun = visit.begin(dice.choice([CA, NY, None]), client_id=f"{n % 9}", cached=CA)
                if isinstance(begun, Begun):
                    end(held(begun), dice.choice(["complete", "complete", "stopped", "lost", "reaped"]))
            except ChatError:
                leases.reap()

    assert at_once(*[lambda seed=seed: traffic(seed) for seed in range(4)]) == [None] * 4  # type: ignore[misc]
    leases.reap()
    for visit in visits:
        rows = stored(visit.session)
        count = len(rows["messages"])
        assert [m["sequence"] for m in rows["messages"]] == list(range(1, count + 1))
        assert [m["role"] for m in rows["messages"]] == ["user", "mentor"] * (count // 2)
        assert [v["number"] for v in rows["versions"]] == list(
            range(1, rows["session"]["context_version"] + 1)
        )
        values = {0: {}} | {v["number"]: v["value"] for v in rows["versions"]}
        assert all(x["metadata"] == values[x["context_version"]] for x in rows["extras"])
