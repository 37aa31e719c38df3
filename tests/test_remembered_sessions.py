"""What a process remembers of a session changes the price of its next turn and nothing else."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chat import access, turns
from chat.errors import NotFound, RateLimited
from chat.leases import Held
from chat.models import ApiToken, Mentor, Session
from chat.openings import Begun, StaleGrant

from .visits import CA, NY, Visit, elsewhere, end, held, stored, tell

pytestmark = pytest.mark.django_db(transaction=True)
needs_services = pytest.mark.services

# The remembered way


@needs_services
def test_a_remembered_session_begins_without_a_transaction(visit: Visit) -> None:
    with CaptureQueriesContext(connection) as asked:
        visit.begin(CA)
    assert asked.captured_queries == []


@needs_services
def test_a_session_without_a_context_is_remembered_too(coach: Mentor, token: str) -> None:
    visit = Visit(coach, token)
    visit.turn()
    with CaptureQueriesContext(connection) as asked:
        assert visit.turn().context.context.text == "{}"
    assert [query["sql"] for query in asked.captured_queries if "BEGIN" in query["sql"]] == []


Step = dict[str, Any]
METADATA = [None, None, CA, CA, '{ "stateCode": "CA" }', NY, "{}", '{"n":1}', '{"n":1.0}', '{"n":true}']
STEPS = st.fixed_dictionaries(
    {
        "metadata": st.sampled_from(METADATA),
        "cached": st.sampled_from(["right", "right", "none", "first"]),
        "client_id": st.sampled_from([None, None, "a", "b"]),
        "verified": st.booleans(),
        "end": st.sampled_from(
            ["complete"] * 4 + ["stopped", "failed", "interrupted", "runs on", "lost", "reaped"]
        ),
    }
)


def unverified(grant: access.Grant) -> access.Grant:
    caller = access.Caller("staff", "staff:zoe", None, frozenset({grant.mentor.tenant_id}), None)
    return dataclasses.replace(grant, caller=caller)


def play(visit: Visit, steps: list[Step], *, remembering: bool) -> list[dict[str, Any]]:
    told = []
    texts: list[str] = []
    for step in steps:
        if not remembering:
            turns._as_left.clear()
        cached = {"none": None, "right": texts[-1:], "first": texts[:1]}[step["cached"]]
        opening = visit.opening(
            step["metadata"], cached=cached[0] if cached else None, client_id=step["client_id"]
        )
        if not step["verified"]:
            opening.grant = unverified(opening.grant)
        told.append(tell(lambda opening=opening: turns.begin(opening)))  # type: ignore[misc]
        if "context" in told[-1]:
            texts.append(told[-1]["context"].context.text)
            end(Held(visit.session, opening.answer, told[-1]["fence"]), step["end"])
    return told


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEPS, min_size=2, max_size=9))
def test_remembering_leaves_the_same_rows(coach: Mentor, token: str, steps: list[Step]) -> None:
    one, other = Visit(coach, token), Visit(coach, token)
    told = play(one, steps, remembering=True)
    assert told == play(other, steps, remembering=False)
    assert stored(one.session) == stored(other.session)


# What may have happened since


def another_turn(visit: Visit) -> None:
    visit.turn(CA, "From elsewhere.")


def another_context(visit: Visit) -> None:
    visit.turn(NY, "From elsewhere.")


def another_context_and_back(visit: Visit) -> None:
    visit.turn(NY)
    visit.turn(CA)


def a_running_turn(visit: Visit) -> None:
    visit.begin(CA)


def a_lost_turn(visit: Visit) -> None:
    begun = visit.begin(CA)
    assert isinstance(begun, Begun)
    end(held(begun), "lost")


def a_reaped_turn(visit: Visit) -> None:
    begun = visit.begin(CA)
    assert isinstance(begun, Begun)
    end(held(begun), "reaped")


def the_same_message(visit: Visit) -> None:
    visit.turn(CA, client_id="again")


def a_deleted_session(visit: Visit) -> None:
    Session.objects.get(id=visit.session).delete()


def a_session_made_anew(visit: Visit) -> None:
    a_deleted_session(visit)
    visit.turn(NY)


def an_edited_mentor(visit: Visit) -> None:
    Mentor.objects.get().save()


def a_revoked_token(visit: Visit) -> None:
    ApiToken.objects.get().revoke()


def an_expired_token(visit: Visit) -> None:
    ApiToken.objects.update(expires_at=timezone.now() - timedelta(seconds=1))


EVENTS = [
    *(another_turn, another_context, another_context_and_back, a_running_turn, a_lost_turn, a_reaped_turn),
    *(
        the_same_message,
        a_deleted_session,
        a_session_made_anew,
        an_edited_mentor,
        a_revoked_token,
        an_expired_token,
    ),
]


@pytest.mark.parametrize("metadata", [None, CA], ids=["keeps", "sends"])
@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.__name__)
def test_an_old_memory_decides_nothing(
    coach: Mentor, token: str, event: Callable[[Visit], None], metadata: str | None
) -> None:
    told, rows = [], []
    for remembering in (True, False):
        visit = Visit(coach, token)
        visit.turn(CA)
        with elsewhere():
            event(visit)
        if not remembering:
            turns._as_left.clear()
        told.append(tell(lambda visit=visit: visit.begin(metadata, cached=CA, client_id="again")))  # type: ignore[misc]
        rows.append(stored(visit.session) if Session.objects.filter(id=visit.session).exists() else {})
        coach.refresh_from_db()
        ApiToken.objects.update(revoked_at=None, expires_at=None)
    assert told[0] == told[1]
    assert rows[0] == rows[1]


def test_the_prompt_of_a_session_made_anew_knows_its_own_context_only(visit: Visit) -> None:
    """As many turns and versions as the one that is remembered had: only its digest tells them apart."""
    with elsewhere():
        a_session_made_anew(visit)
    assert visit.turn(None, cached=CA).context.context.text == NY


def test_a_session_made_anew_by_another_is_not_its_old_owners(coach: Mentor) -> None:
    old, new = Visit(coach), Visit(coach)
    begun = old.turn(CA)
    new.session = old.session
    old.credentials = access.Credentials(session_token=access.session_token(begun.session_id))
    old.grant = unverified(old.fresh_grant())
    with elsewhere():
        Session.objects.get(id=old.session).delete()
        new.turn(CA)
        Session.objects.filter(id=old.session).update(anonymous=False, user_id="mallory")
    old.grant = dataclasses.replace(old.grant, caller=dataclasses.replace(old.grant.caller, user_id="alice"))
    with pytest.raises(NotFound):
        old.begin(CA)


def test_a_mentor_saved_from_two_copies_is_known_to_be_another(coach: Mentor, visit: Visit) -> None:
    copies = [Mentor.objects.get(id=coach.id) for _ in range(2)]
    copies[0].save()
    visit.grant = visit.fresh_grant()
    copies[1].system_prompt = "You coach well."
    copies[1].save()
    with pytest.raises(StaleGrant):
        visit.begin(CA)


def test_the_rate_counts_the_turns_of_all_processes(coach: Mentor, token: str) -> None:
    visit = Visit(coach, token, turns_per_minute_per_session=2)
    visit.turn(CA)
    with elsewhere():
        visit.turn(CA)
    with pytest.raises(RateLimited) as refused:
        visit.begin(CA)
    assert 58 < (refused.value.retry_after or 0) <= 60


@pytest.mark.parametrize("remembering", [True, False])
@pytest.mark.parametrize("fence", [2**15 - 1, 2**31 - 1, 2**40])
def test_counts_grow_beyond_every_width(visit: Visit, fence: int, remembering: bool) -> None:
    sequence = min(fence, 2**31 - 4)
    Session.objects.filter(id=visit.session).update(turn_fence=fence, next_sequence=sequence)
    known = dataclasses.replace(turns._as_left[visit.session], fence=fence, next_sequence=sequence)
    turns._as_left.update({visit.session: known} if remembering else {})
    begun = visit.turn(CA)
    assert (begun.fence, begun.sequence) == (fence + 1, sequence + 1)
