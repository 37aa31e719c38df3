"""Which files are made anew when a user is erased, which are removed, and which stay as they are."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from chat import erasing
from chat.models import Mentor, Tenant
from exports import erasures, holding, jobs, leases, storage
from exports.carrying import carry
from exports.models import Export, Schedule
from exports.pulses import Pulse

from ..exports.cast import asked, said, stored_files, work_files

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def talked(coach: Mentor) -> Tenant:
    for user in ("alice", "bob"):
        said(coach, {"stateCode": "CA"}, user=user)
    return coach.tenant


def ready(tenant: Tenant, *query: tuple[str, str], **fields: Any) -> Export:
    export = asked(tenant, query=[["tenant", tenant.key], *map(list, query)], **fields)
    assert jobs.run(export.id) == "ready"
    export.refresh_from_db()
    return export


def erase(tenant: Tenant, user_id: str = "alice") -> dict[str, int]:
    return erasures.run(erasing.ask(tenant.pk, user_id, "test").pk).counts


def users(export: Export) -> set[str]:
    export.refresh_from_db()
    lines = b"".join(storage.pieces(export)).splitlines()
    return {json.loads(line)["user"] for line in lines}


def test_a_file_with_a_row_of_theirs_is_made_anew_without_it(talked: Tenant) -> None:
    export = ready(talked)
    assert users(export) == {"alice", "bob"}
    assert erase(talked)["exports_made_anew"] == 1
    assert stored_files() == []
    export.refresh_from_db()
    assert (export.state, export.manifest, export.remade_at is not None) == ("requested", None, True)
    assert jobs.run(export.id) == "ready"
    assert users(export) == {"bob"}


@pytest.mark.parametrize(
    "query", [("user", "bob"), ("user__in", "bob,carol"), ("user__ne", "alice"), ("anonymous", "true")]
)
def test_a_file_of_others_stays(talked: Tenant, query: tuple[str, str]) -> None:
    export = ready(talked, query, columns=["content"])
    assert "exports_made_anew" not in erase(talked)
    export.refresh_from_db()
    assert export.state == "ready"
    assert len(stored_files()) == 1


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_the_file_itself_is_asked_also_where_the_rows_are_long_gone(coach: Mentor, form: str) -> None:
    gone = said(coach, {}, user="=alice\n\"'")
    said(coach, {}, user="bob")
    both = ready(coach.tenant, format=form)
    gone.delete()
    bobs = ready(coach.tenant, format=form)
    assert erase(coach.tenant, "=alice\n\"'") == {"exports_made_anew": 1}
    both.refresh_from_db()
    bobs.refresh_from_db()
    assert (both.state, bobs.state) == ("requested", "ready")


def test_a_file_that_is_missing_is_made_anew(talked: Tenant) -> None:
    export = ready(talked)
    storage.store().delete(export.stored_as)
    assert erase(talked)["exports_made_anew"] == 1


def test_a_file_about_them_alone_is_removed_and_forgets_their_name(talked: Tenant) -> None:
    export = ready(talked, ("user", "alice"), purpose="user_task", name="alice")
    assert erase(talked)["exports_removed"] == 1
    export.refresh_from_db()
    assert (export.state, export.name, export.manifest) == ("expired", "(erased)", None)
    assert export.query == [["tenant", "demo"], ["user", "(erased)"]]
    assert stored_files() == []


def test_one_of_several_named_users_is_unnamed(talked: Tenant) -> None:
    export = ready(talked, ("user__in", 'alice,bob,"a,b"'))
    erase(talked)
    export.refresh_from_db()
    assert export.query[1] == ["user__in", '"bob","a,b",(erased)']
    assert export.filter().user == ("bob", "a,b", "(erased)")
    assert jobs.run(export.id) == "ready"
    assert users(export) == {"bob"}


def test_a_running_one_begins_anew_and_its_maker_writes_nothing_more(talked: Tenant) -> None:
    export = asked(talked)
    held = leases.take(export.id)
    assert held is not None
    export.refresh_from_db()
    with Pulse(held, export) as pulse:
        carried = carry(export, held, pulse)
        assert len(work_files()) == 1
        assert erase(talked)["exports_made_anew"] == 1
        assert work_files() == []
        with pytest.raises((leases.LeaseLost, OSError)):
            jobs._store(export, held, pulse, carried)
    assert stored_files() == []
    assert jobs.run(export.id) == "ready"
    assert users(export) == {"bob"}


def test_one_that_waits_has_nothing_yet(talked: Tenant) -> None:
    asked(talked)
    assert "exports_made_anew" not in erase(talked)


def test_another_tenants_files_stay(talked: Tenant, other: Tenant) -> None:
    mentor = Mentor(tenant=other, slug="theirs", name="Theirs")
    mentor.save()
    said(mentor, {}, user="alice")
    export = ready(other)
    erase(talked)
    assert users(export) == {"alice"}


def test_where_they_spoke_in_anothers_session_every_file_is_made_anew(talked: Tenant, coach: Mentor) -> None:
    session = said(coach, {}, user="bob")
    session.messages.filter(sequence=1).update(sender_id="alice")
    export = ready(talked, ("user", "bob"))
    assert erase(talked)["exports_made_anew"] == 1
    jobs.run(export.id)
    export.refresh_from_db()
    lines = [json.loads(line) for line in b"".join(storage.pieces(export)).splitlines()]
    assert [one["content"] for one in lines if one["session_id"] == str(session.pk)] == ["", "Answer 1."]


def test_a_schedule_forgets_them_and_one_about_them_alone_ends(talked: Tenant) -> None:
    both = Schedule.objects.create(
        tenant=talked, name="Both", query=[["tenant", "demo"], ["user__in", "alice,bob"]]
    )
    theirs = Schedule.objects.create(
        tenant=talked, name="alice", query=[["tenant", "demo"], ["user", "alice"]]
    )
    assert erase(talked)["schedules_changed"] == 2
    both.refresh_from_db()
    theirs.refresh_from_db()
    assert (both.active, both.query[1]) == (True, ["user__in", '"bob",(erased)'])
    assert (theirs.active, theirs.query[1]) == (False, ["user", "(erased)"])
    assert theirs.name.startswith("(erased) ")


def test_a_store_that_is_away_leaves_the_job_for_another_try(
    talked: Tenant, settings: Any, tmp_path: Path
) -> None:
    ready(talked)
    erasure = erasing.ask(talked.pk, "alice", "test")
    home, nowhere = settings.STORAGES, tmp_path / "a file"
    nowhere.write_text("and no folder")
    options = {**home["exports"]["OPTIONS"], "location": nowhere}
    settings.STORAGES = {**home, "exports": {**home["exports"], "OPTIONS": options}}
    assert not erasures.try_to_run(erasure.pk)
    erasure.refresh_from_db()
    assert (erasure.finished_at, erasure.user_id) == (None, "alice")
    settings.STORAGES = home
    assert len(stored_files()) == 1
    assert erasures.try_to_run(erasure.pk)
    assert stored_files() == []


def test_what_there_is_is_counted_and_left(talked: Tenant) -> None:
    ready(talked)
    assert holding.count(holding.Whose(talked.pk, "alice")) == Counter(exports=1)
    assert len(stored_files()) == 1
