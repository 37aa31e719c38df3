"""Jobs: one holder, one whole file, and nothing left of what did not come to an end."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import json
import os
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pyarrow.parquet as pq
import pytest
from django.db import connection
from django.utils import timezone

from chat.models import Mentor, Tenant
from exports import carrying, jobs, leases, storage
from exports.leases import Cancelled, Held, LeaseLost, Progress
from exports.models import Export
from exports.pulses import Pulse

from ..children import until
from .cast import asked, many, said, stored_files, work_files

pytestmark = pytest.mark.django_db(transaction=True)


def lines(export: Export) -> list[dict[str, Any]]:
    export.refresh_from_db()
    return [json.loads(line) for line in b"".join(storage.pieces(export)).splitlines()]


def state(export: Export) -> tuple[str, str]:
    export.refresh_from_db()
    return export.state, export.error


def test_it_ends_in_one_file_with_its_manifest(coach: Mentor) -> None:
    said(coach, {"stateCode": "CA"}, {"stateCode": "NY"})
    export = asked(coach.tenant)
    assert jobs.run(export.id) == "ready"
    assert [line["client_context"]["stateCode"] for line in lines(export)] == ["CA", "CA", "NY", "NY"]
    content = b"".join(storage.pieces(export))
    told = export.manifest
    assert told is not None
    assert (told["rows"], told["bytes"]) == (4, len(content))
    assert told["sha256"] == hashlib.sha256(content).hexdigest()
    assert (export.rows, export.total, export.bytes) == (4, 4, len(content))
    assert (stored_files(), work_files()) == ([f"{export.id}/1.jsonl"], [])


def test_it_is_run_once(coach: Mentor) -> None:
    export = asked(coach.tenant)
    assert [jobs.run(export.id), jobs.run(export.id)] == ["ready", None]
    export.refresh_from_db()
    assert export.fence == 1


def test_of_two_workers_at_once_one_has_it(coach: Mentor) -> None:
    export = asked(coach.tenant)
    taken: list[Any] = []

    def take() -> None:
        taken.append(leases.take(export.id))
        connection.close()

    workers = [threading.Thread(target=take) for _ in range(6)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sorted(one is None for one in taken) == [False] + [True] * 5


def test_no_more_run_at_once_than_are_permitted(coach: Mentor, settings: Any) -> None:
    exports = [asked(coach.tenant) for _ in range(3)]
    settings.EXPORTS_AT_ONCE = 2
    assert [leases.take(one.id) is not None for one in exports] == [True, True, False]


def test_one_whose_lease_ran_out_is_anothers(coach: Mentor) -> None:
    export = asked(coach.tenant)
    first = leases.take(export.id)
    assert leases.take(export.id) is None
    Export.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    second = leases.take(export.id)
    assert first is not None
    assert second is not None
    for write in (lambda: leases.renew(first, "reading", Progress(9, 9), 9), lambda: leases.complete(first)):
        with pytest.raises(LeaseLost):
            write()
    export.refresh_from_db()
    assert (export.rows, export.fence, export.state) == (0, 2, "running")


class Dying(Pulse):
    """Of a worker that dies without a word when it has written so many batches down."""

    def __init__(self, held: Held, export: Export, batches: int) -> None:
        super().__init__(held, export)
        self.left = batches

    def reached(self, progress: Progress) -> None:
        leases.renew(self._held, "reading", progress, None)
        self.left -= 1
        if self.left <= 0:
            raise KeyboardInterrupt


def interrupted(export: Export, batches: int = 2) -> Export:
    """Its worker has written so many batches of a session each, and some bytes that it did not write down."""
    held = leases.take(export.id)
    assert held is not None
    export.refresh_from_db()
    with contextlib.suppress(KeyboardInterrupt):
        carrying.carry(export, held, Dying(held, export, batches), size=1)
    with (storage.work_folder(export) / f"{held.fence}.part").open("ab") as file:
        file.write(b'{"id": "half a li')
    Export.objects.filter(id=export.id).update(lease_until=timezone.now() - timedelta(seconds=1))
    export.refresh_from_db()
    return export


def test_the_next_worker_goes_on_where_the_first_had_come_to(coach: Mentor) -> None:
    many(coach, 4, 300)
    export = interrupted(asked(coach.tenant))
    rows, had = export.rows, storage.work_folder(export) / "1.part"
    before = had.read_bytes()[: export.bytes]
    assert 0 < rows < 1200
    assert jobs.run(export.id) == "ready"
    assert len({line["message_id"] for line in lines(export)}) == 1200 == len(lines(export))
    assert b"".join(storage.pieces(export)).startswith(before)
    assert export.manifest is not None
    assert export.manifest["sha256"] == hashlib.sha256(b"".join(storage.pieces(export))).hexdigest()
    assert (stored_files(), work_files()) == ([f"{export.id}/2.jsonl"], [])


def test_parquet_is_begun_anew_and_whole(coach: Mentor) -> None:
    many(coach, 4, 300)
    export = interrupted(asked(coach.tenant, format="parquet", context_keys=["stateCode"]))
    assert export.resume is None
    assert jobs.run(export.id) == "ready"
    export.refresh_from_db()
    table = pq.read_table(io.BytesIO(b"".join(storage.pieces(export))))
    assert len(set(table["message_id"].to_pylist())) == 1200 == table.num_rows
    assert export.manifest is not None
    assert export.manifest["columns"] == table.column_names


@pytest.mark.parametrize("harm", ["gone", "short", "changed"])
def test_a_work_file_that_is_not_as_it_was_is_begun_anew(coach: Mentor, harm: str) -> None:
    many(coach, 4, 300)
    export = interrupted(asked(coach.tenant))
    path = storage.work_folder(export) / "1.part"
    content = path.read_bytes()
    if harm == "gone":
        path.unlink()
    else:
        path.write_bytes(content[:100] if harm == "short" else b"x" + content[1:])
    assert jobs.run(export.id) == "ready"
    assert len({line["message_id"] for line in lines(export)}) == 1200 == len(lines(export))


def test_a_frozen_worker_that_wakes_up_harms_nothing(coach: Mentor) -> None:
    many(coach, 4, 300)
    export = interrupted(asked(coach.tenant))
    with (storage.work_folder(export) / "1.part").open("ab") as still_open:
        assert jobs.run(export.id) == "ready"
        still_open.write(b"garbage")
    assert len(lines(export)) == 1200
    assert jobs.run(export.id) is None


def test_what_a_dead_worker_had_stored_is_removed(coach: Mentor) -> None:
    """It died between storing the file and saying so."""
    export = interrupted(asked(coach.tenant))
    (storage.work_folder(export) / "1.part").write_bytes(b"whole, but nobody knows")
    storage.put(storage.work_folder(export) / "1.part", storage.name_of(export, 1))
    assert jobs.run(export.id) == "ready"
    assert stored_files() == [f"{export.id}/2.jsonl"]


def test_one_that_ends_its_worker_each_time_is_given_up(coach: Mentor) -> None:
    export = asked(coach.tenant, attempts=jobs.MOST_ATTEMPTS)
    assert jobs.run(export.id) == "failed"
    assert state(export) == ("failed", "The worker ended 5 times before it was done.")


# --- ending


def test_one_that_waits_is_cancelled_at_once(coach: Mentor) -> None:
    export = asked(coach.tenant)
    jobs.end(export)
    assert state(export) == ("cancelled", "")
    assert jobs.run(export.id) is None


def test_one_that_runs_hears_of_it_and_leaves_nothing(coach: Mentor, pausing: Pausing) -> None:
    many(coach, 4, 300)
    export = asked(coach.tenant)
    with pausing.running(export):
        jobs.end(export)
        assert state(export)[0] == "running"
    assert state(export) == ("cancelled", "")
    assert (stored_files(), work_files()) == ([], [])


def test_a_cancellation_in_the_last_moment_counts(coach: Mentor) -> None:
    export = asked(coach.tenant)
    held = leases.take(export.id)
    assert held is not None
    jobs.end(export)
    with pytest.raises(Cancelled):
        leases.complete(held)


def test_one_whose_worker_is_dead_is_cancelled_by_the_sweep(coach: Mentor) -> None:
    export = interrupted(asked(coach.tenant))
    Export.objects.update(cancel_asked=True)
    jobs.tidy()
    assert state(export)[0] == "cancelled"
    assert work_files() == []


def test_a_ready_one_that_is_ended_has_no_file_any_more(coach: Mentor) -> None:
    export = asked(coach.tenant)
    jobs.run(export.id)
    jobs.end(export)
    assert state(export)[0] == "expired"
    assert stored_files() == []


# --- time


def test_a_file_is_removed_when_its_time_is_over(coach: Mentor) -> None:
    kept, old = asked(coach.tenant), asked(coach.tenant)
    jobs.run(kept.id)
    jobs.run(old.id)
    Export.objects.filter(id=old.id).update(expires_at=timezone.now())
    assert jobs.tidy() == 1
    assert (state(kept)[0], state(old)[0]) == ("ready", "expired")
    assert stored_files() == [f"{kept.id}/1.jsonl"]
    assert jobs.tidy() == 0


def test_what_was_exported_of_a_tenant_goes_with_it(coach: Mentor, demo: Tenant) -> None:
    export = asked(demo)
    jobs.run(export.id)
    demo.delete()
    jobs.tidy()
    assert stored_files() == []
    assert not Export.objects.exists()


def test_work_of_nobody_is_cleared_away(coach: Mentor) -> None:
    export = interrupted(asked(coach.tenant))
    folder = storage.work_folder(Export())
    (folder / "1.part").write_bytes(b"of an export that is not there")
    jobs.tidy()
    assert work_files() == [f"{export.id}/1.part"]


# --- what goes wrong


class Pausing:
    """Holds a running export before its first batch until told to go on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.reached, self.go_on = threading.Event(), threading.Event()
        self.before = carrying.batches
        monkeypatch.setattr(carrying, "batches", self.batches)

    def batches(self, *arguments: Any, **more: Any) -> Iterator[Any]:
        for batch in self.before(*arguments, **more):
            self.reached.set()
            assert self.go_on.wait(20)
            yield batch

    @contextlib.contextmanager
    def running(self, export: Export) -> Iterator[None]:
        def work() -> None:
            jobs.run(export.id)
            connection.close()

        worker = threading.Thread(target=work)
        worker.start()
        assert self.reached.wait(10)
        try:
            yield
            time.sleep(1.5)  # longer than from one beat of its pulse to the next
        finally:
            self.go_on.set()
            worker.join(20)


@pytest.fixture
def pausing(monkeypatch: pytest.MonkeyPatch) -> Pausing:
    return Pausing(monkeypatch)


def test_its_progress_is_told_while_it_runs(coach: Mentor, pausing: Pausing) -> None:
    many(coach, 4, 300)
    export = asked(coach.tenant)
    with pausing.running(export):
        assert until(lambda: Export.objects.filter(phase="reading", lease_until__isnull=False).exists(), 5)
    assert state(export)[0] == "ready"


def test_a_full_disk_fails_it_with_a_sentence_and_leaves_nothing(coach: Mentor) -> None:
    """The kernel's own full device stands where the work file would."""
    said(coach, {"n": 1})
    export = asked(coach.tenant)
    (storage.work_folder(export) / "1.part").symlink_to("/dev/full")
    assert jobs.run(export.id) == "failed"
    assert state(export) == ("failed", "The disk is full: nothing was kept.")
    assert (stored_files(), work_files()) == ([], [])
    assert jobs.run(asked(coach.tenant).id) == "ready"


def test_a_filter_that_is_of_nothing_fails_it(demo: Tenant, other: Tenant) -> None:
    export = asked(demo, query=[["tenant", "other"]])
    assert jobs.run(export.id) == "failed"
    assert state(export) == ("failed", "There is no such thing here.")


def test_a_store_that_is_away_is_asked_again_and_the_rows_are_not_read_twice(
    coach: Mentor, settings: Any
) -> None:
    said(coach, {"n": 1})
    good = settings.STORAGES
    keys = {"access_key": "test", "secret_key": "test", "region_name": "eu-central-1"}
    away = {"bucket_name": "carried", "endpoint_url": "http://127.0.0.1:9", **keys}
    settings.STORAGES = {**good, "exports": {"BACKEND": "storages.backends.s3.S3Storage", "OPTIONS": away}}
    export = asked(coach.tenant)
    assert jobs.run(export.id) == "requested"
    settings.STORAGES = good
    assert jobs.run(export.id) == "ready"
    assert len(lines(export)) == 2


def test_errno_names_are_those_of_a_full_disk() -> None:
    assert {os.strerror(code) for code in jobs.FULL} == {
        *("No space left on device", "Disk quota exceeded", "File too large"),
    }
    assert errno.ENOSPC in jobs.FULL
