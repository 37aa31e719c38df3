"""Which rows a filter means to a reader."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext

from chat.access import Caller, TokenFacts, anonymous_caller, staff_caller, token_caller
from chat.errors import NotFound, PermissionDenied
from chat.models import Mentor, Tenant
from chat.selections import Reader

from .conftest import Tell, found, said, selection

CA, NY = {"stateCode": "CA"}, {"stateCode": "NY"}


@pytest.fixture
def tutor(other: Tenant) -> Mentor:
    mentor = Mentor(tenant=other, slug="tutor", name="Tutor")
    mentor.save()
    return mentor


# --- plain fields


MEANT = """mentor=coach&user=bob mentor__in=coach,x&user__in=bob,eve anonymous=false user__ne=eve&anonymous=false
min_messages=1 min_messages=2&max_messages=2 status=failed status__in=failed,stopped role=mentor search=hello
to=2026-11-20 from=2026-11-20&to=2026-11-24 to=2026-11-20T12:00:01Z context.stateCode=CA
message_context.stateCode=CA&tenant=demo"""
NOT_MEANT = """user=Bob user__ne=bob&anonymous=false mentor=tutor min_messages=3 role=operator status=stopped
to=2026-11-19 from=2026-11-26 from=2026-11-21&to=2026-11-20 to=2026-11-20T12:00:00Z search=hell context.stateCode=NY"""


def test_every_field_narrows(backend: Caller, tell: Tell, coach: Mentor) -> None:
    one = tell((CA, [("hi", {}), ("hello", {"status": "failed"})]), at="2026-11-20T12:00:00+00:00")
    tell(user_id="", anonymous=True, at="2026-11-25T12:00:00+00:00")
    by_id = [
        f"session={one.pk}",
        f"session__in={uuid.uuid4()},{one.pk}",
        f"mentor={coach.unique_id}&user=bob",
    ]
    for query in [*MEANT.split(), *by_id]:
        assert found(backend, query) == {one.pk}, query
    for query in [*NOT_MEANT.split(), f"session={uuid.uuid4()}", f"mentor={uuid.uuid4()}"]:
        assert found(backend, query) == set(), query
    assert len(found(backend, "max_messages=2")) == len(found(backend)) == 2


def test_conditions_all_hold_at_once(backend: Caller, tell: Tell) -> None:
    one = tell(({"a": 5, "b": "x"}, []))
    tell(({"a": 5, "b": "y"}, []))
    tell(({"a": 15, "b": "x"}, []))
    assert found(backend, "context.a__gte=5&context.a__lt=10&context.b=x") == {one.pk}


# --- messages


def test_what_is_asked_of_messages_is_asked_of_one_message(backend: Caller, tell: Tell) -> None:
    one = tell((CA, [("in CA", {"status": "failed"})]), (NY, [("in NY", {})]))
    assert found(backend, "message_context.stateCode=CA&status=failed") == {one.pk}
    assert found(backend, "message_context.stateCode=NY&status=complete") == {one.pk}
    assert found(backend, "message_context.stateCode=NY&status=failed") == set()
    assert found(backend, "message_context.stateCode=CA&message_context.stateCode=NY") == set()


def test_a_context_is_now_and_a_message_context_was_then(backend: Caller, tell: Tell) -> None:
    one = tell((CA, [("in CA", {}), ("answer", {})]), (NY, [("in NY", {})]))
    assert found(backend, "context.stateCode=CA") == set()
    assert found(backend, "message_context.stateCode=CA&context.stateCode=NY") == {one.pk}
    assert said(backend, "message_context.stateCode=CA") == ["in CA", "answer"]


def test_messages_are_read_of_sessions_that_are_meant(backend: Caller, tell: Tell) -> None:
    tell((CA, [("question", {}), ("answer", {})]))
    tell((NY, [("elsewhere", {})]))
    assert said(backend, "context.stateCode=CA") == ["question", "answer"]
    assert said(backend, "context.stateCode=CA&role=mentor") == ["answer"]
    assert said(backend, "context.stateCode=CA&message_context.stateCode=NY") == []


def test_a_message_without_a_snapshot_lacks_every_key(backend: Caller, tell: Tell) -> None:
    one = tell((CA, [("said", {})]))
    one.extras.all().delete()
    assert found(backend, "message_context.stateCode__ne=CA") == {one.pk}
    assert found(backend, "message_context.stateCode=CA") == set()


# --- keys that are missing


def test_not_equal_means_those_that_lack_the_key(backend: Caller, tell: Tell) -> None:
    ny, without, null = tell((NY, [])).pk, tell(({}, [])).pk, tell(({"stateCode": None}, [])).pk
    tell((CA, []))
    never = tell().pk
    assert found(backend, "context.stateCode__ne=CA") == {ny, without, null, never}
    assert found(backend, "context.stateCode__exists=false") == {without, never}
    assert found(backend, "context.stateCode=null") == {null}


# --- who reads


def test_a_tenant_reads_its_own(backend: Caller, stranger: Caller, tell: Tell, tutor: Mentor) -> None:
    ours, theirs = tell((CA, [("ours", {})])), tell((CA, [("theirs", {})]), mentor=tutor)
    for query in ("", "context.stateCode=CA", "status=complete", f"session__in={ours.pk},{theirs.pk}"):
        assert (found(backend, query), said(backend, query)) == ({ours.pk}, ["ours"])
        assert (found(stranger, query), said(stranger, query)) == ({theirs.pk}, ["theirs"])
    assert found(backend, "mentor=tutor") == found(backend, f"mentor={tutor.unique_id}") == set()


def test_anothers_tenant_is_not_found_by_the_same_queries(backend: Caller, other: Tenant) -> None:
    def refused(tenant: str) -> list[str]:
        with CaptureQueriesContext(connection) as captured, pytest.raises(NotFound):
            selection(backend, f"tenant={tenant}")
        return [query["sql"].replace(tenant, "") for query in captured]

    assert refused("other") == refused("nobody") != []


def test_anothers_mentor_is_asked_for_by_the_same_queries(backend: Caller, tutor: Mentor) -> None:
    def asked(mentor: str) -> list[str]:
        with CaptureQueriesContext(connection) as captured:
            assert found(backend, f"mentor={mentor}") == set()
        return [query["sql"].replace(mentor, "") for query in captured]

    assert asked("tutor") == asked("nobody") != []


def test_a_token_of_one_mentor_reads_that_mentors(demo: Tenant, coach: Mentor, tell: Tell) -> None:
    guide = Mentor(tenant=demo, slug="guide", name="Guide")
    guide.save()
    ours = tell((CA, [("ours", {})]))
    tell((CA, [("theirs", {})]), mentor=guide)
    bound = token_caller(TokenFacts(3, "page", demo.pk, coach.pk, "read_all"), None)
    assert (found(bound), said(bound)) == ({ours.pk}, ["ours"])
    assert found(bound, "mentor__in=coach,guide") == {ours.pk}
    assert found(bound, "mentor=guide") == set()
    assert (
        selection(bound).mentor_ids()
        == selection(bound, "mentor__in=coach,guide").mentor_ids()
        == (coach.pk,)
    )
    assert (selection(bound, "mentor=guide").mentor_ids(), selection(bound).mentor_id) == ((), coach.pk)


def test_staff_read_the_tenants_they_belong_to(
    demo: Tenant, other: Tenant, tutor: Mentor, tell: Tell
) -> None:
    ours, theirs = tell((CA, [])).pk, tell((CA, []), mentor=tutor).pk
    nobody, member = (
        User.objects.create_user("n", is_staff=True),
        User.objects.create_user("m", is_staff=True),
    )
    member.tenants.add(demo, other)
    root = User.objects.create_superuser("root")
    assert found(staff_caller(nobody)) == set()
    assert found(staff_caller(member)) == found(staff_caller(root)) == {ours, theirs}
    assert (
        found(staff_caller(member), "tenant=other") == found(staff_caller(root), "tenant=other") == {theirs}
    )
    for caller in (staff_caller(nobody), staff_caller(root)):
        with pytest.raises(NotFound):
            selection(caller, "tenant=demo2")


def test_a_session_token_reads_no_list() -> None:
    with pytest.raises(PermissionDenied, match="the scope read_all"):
        Reader.of(anonymous_caller("x"))


# --- days


@pytest.mark.parametrize(
    ("zone", "day", "first", "last"),
    [
        ("UTC", "2026-11-20", "2026-11-20T00:00:00", "2026-11-20T23:59:59.999999"),
        ("Asia/Tokyo", "2026-11-20", "2026-11-19T15:00:00", "2026-11-20T14:59:59.999999"),
        # 23 hours, 25 hours, a day that begins at one, and one that never was.
        ("Europe/Berlin", "2026-03-29", "2026-03-28T23:00:00", "2026-03-29T21:59:59.999999"),
        ("America/New_York", "2026-11-01", "2026-11-01T04:00:00", "2026-11-02T04:59:59.999999"),
        ("Africa/Cairo", "2026-04-24", "2026-04-23T22:00:00", "2026-04-24T20:59:59.999999"),
        ("Pacific/Apia", "2011-12-29", "2011-12-29T10:00:00", "2011-12-30T09:59:59.999999"),
    ],
)
def test_a_day_is_the_tenants_and_is_meant_whole(
    backend: Caller, demo: Tenant, tell: Tell, zone: str, day: str, first: str, last: str
) -> None:
    demo.time_zone = zone
    demo.save()
    within = {tell(at=f"{first}+00:00").pk, tell(at=f"{last}+00:00").pk}
    for query in (f"from={day}&to={day}", f"to={day}", f"from={day}"):
        assert found(backend, query) == within


def test_what_is_next_to_a_day_is_not_in_it(backend: Caller, demo: Tenant, tell: Tell) -> None:
    demo.time_zone = "Europe/Berlin"
    demo.save()
    before, after = tell(at="2026-03-28T22:59:59+00:00").pk, tell(at="2026-03-29T22:00:00+00:00").pk
    assert found(backend, "from=2026-03-29&to=2026-03-29") == set()
    assert found(backend, "to=2026-03-28") == {before}
    assert found(backend, "from=2026-03-30") == {after}


def test_an_instant_brings_its_zone_and_ends_before_itself(backend: Caller, tell: Tell) -> None:
    one = {tell(at="2026-11-20T12:00:00+00:00").pk}
    assert found(backend, "from=2026-11-20T13:00:00+01:00") == one
    assert found(backend, "from=2026-11-20T12:00:00") == one
    assert found(backend, "to=2026-11-20T12:00Z") == set()
    assert found(backend, "to=2026-11-20 12:00:00.000001") == one


def test_days_of_several_tenants_are_utcs(demo: Tenant, other: Tenant, tell: Tell) -> None:
    Tenant.objects.update(time_zone="Asia/Tokyo")
    root: Any = User.objects.create_superuser("root")
    assert str(selection(staff_caller(root)).zone) == "UTC"
    assert str(selection(staff_caller(root), "tenant=demo").zone) == "Asia/Tokyo"


def test_the_paths_of_a_context_lead_into_it(backend: Caller, tell: Tell) -> None:
    one = tell(({"order": {"items": [{"sku": "A 1"}]}, "a.b": {"": 1}}, []))
    for query in (
        "context.order.items.0.sku=A 1",
        'context."a.b".""=1',
        "context.order.items.0.sku__startswith=A ",
    ):
        assert found(backend, query) == {one.pk}
