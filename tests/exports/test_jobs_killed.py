"""Real Celery workers that are killed or frozen in the middle of an export, and the one file that comes of it."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import signal
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from chat.models import Mentor
from exports import storage
from exports.models import Export
from mentor_project.celery import app

from ..children import Web, Worker, environment, running, until
from .cast import asked, many, stored_files, work_files

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]
MESSAGES = 24_000


@pytest.fixture
def export(coach: Mentor) -> Export:
    """One that takes seconds, in batches of 2,000 sessions: a hundred columns have to be looked for."""
    many(coach, MESSAGES // 2, 2)
    return asked(coach.tenant, context_keys=[f"key{n}" for n in range(100)])


class Yard:
    """Workers that share a queue and a folder, and what is done to them."""

    def __init__(self, folder: Path) -> None:
        self.queue = f"test-{uuid.uuid4().hex[:8]}"
        self.shared = environment(
            REDIS_URL=os.environ.get("REDIS_URL", ""),
            KEY_PREFIX=self.queue,
            EXPORTS_DIR=str(folder),
            EXPORTS_LEASE_SECONDS="3",
            LOG_LEVEL="INFO",
            PYTHONWARNINGS="ignore::RuntimeWarning",
        )

    def worker(self) -> Any:
        return running(Worker(self.shared))

    def send(self, task: str, *arguments: str) -> None:
        app.send_task(f"exports.tasks.{task}", arguments, queue=self.queue)


@pytest.fixture
def yard(settings: Any) -> Yard:
    return Yard(settings.STORAGES["exports"]["OPTIONS"]["location"])


def caught_in_the_middle(export: Export) -> list[psutil.Process]:
    """The holder's process and its worker, stopped when the file had begun to grow and was not whole.

    The holder is let run for moments only, so that it is not done before anybody looks.
    """
    assert until(lambda: Export.objects.exclude(holder="").filter(id=export.id).exists(), 60)
    export.refresh_from_db()
    child = psutil.Process(int(export.holder.split(":")[1]))
    caught = [child, child.parent()]
    send([child], signal.SIGSTOP)
    deadline = time.monotonic() + 60
    while not export.rows:
        assert time.monotonic() < deadline
        send([child], signal.SIGCONT)
        time.sleep(0.03)
        send([child], signal.SIGSTOP)
        time.sleep(0.1)
        export.refresh_from_db()
        assert export.state == "running"
    send(caught, signal.SIGSTOP)
    assert export.resume is not None
    return caught


def send(processes: list[psutil.Process], sign: int) -> None:
    for one in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            one.send_signal(sign)


def assert_one_whole_file(export: Export, fence: int) -> None:
    export.refresh_from_db()
    content = b"".join(storage.pieces(export))
    ids = [json.loads(line)["message_id"] for line in content.splitlines()]
    assert (len(ids), len(set(ids))) == (MESSAGES, MESSAGES)
    assert export.manifest is not None
    assert export.manifest["sha256"] == hashlib.sha256(content).hexdigest()
    assert stored_files() == [f"{export.id}/{fence}.jsonl"]
    assert work_files() == []


def is_ready(export: Export) -> bool:
    return Export.objects.filter(id=export.id, state="ready").exists()


def swept_until_ready(yard: Yard, export: Export) -> None:
    """As the beat does it, every second instead of every thirty."""
    deadline = time.monotonic() + 90
    while not is_ready(export):
        assert time.monotonic() < deadline, Export.objects.values().get(id=export.id)
        yard.send("sweep")
        time.sleep(1)


@pytest.mark.services
def test_a_worker_killed_in_the_middle_ends_in_one_whole_file(yard: Yard, export: Export) -> None:
    with yard.worker():
        yard.send("run_export", str(export.id))
        send(caught_in_the_middle(export), signal.SIGKILL)
    with yard.worker():
        swept_until_ready(yard, export)
    assert_one_whole_file(export, fence=2)


@pytest.mark.services
def test_a_killed_child_of_a_worker_does_the_same(yard: Yard, export: Export) -> None:
    """As the kernel does it when memory is out: the worker itself lives on."""
    with yard.worker():
        yard.send("run_export", str(export.id))
        child, parent = caught_in_the_middle(export)
        send([child], signal.SIGKILL)
        send([parent], signal.SIGCONT)
        swept_until_ready(yard, export)
    assert_one_whole_file(export, fence=2)


@pytest.mark.services
def test_a_frozen_worker_that_wakes_up_later_harms_nothing(yard: Yard, export: Export) -> None:
    with yard.worker(), yard.worker():
        yard.send("run_export", str(export.id))
        frozen = caught_in_the_middle(export)
        with contextlib.ExitStack() as stack:
            stack.callback(send, frozen, signal.SIGCONT)
            swept_until_ready(yard, export)
        time.sleep(3)  # in which the one that slept finds out
    assert_one_whole_file(export, fence=2)


@pytest.mark.services
def test_a_task_that_is_told_many_times_runs_once(yard: Yard, export: Export) -> None:
    with yard.worker(), yard.worker():
        for _ in range(10):
            yard.send("run_export", str(export.id))
        assert until(lambda: is_ready(export), 180)
    assert_one_whole_file(export, fence=1)


def test_a_server_with_its_jobs_in_it_is_killed_and_started_again(yard: Yard, export: Export) -> None:
    """Without Redis: the sweep of the next process finds the row."""
    embedded = {**yard.shared, "REDIS_URL": ""}
    with running(Web(embedded)) as first:
        folder = storage.work_folder(export)
        assert until(lambda: any(path.stat().st_size for path in folder.glob("*.part")), 60)
        first.kill()
    export.refresh_from_db()
    assert export.state == "running"
    with running(Web(embedded)):
        assert until(lambda: is_ready(export), 180)
    assert_one_whole_file(export, fence=2)


@pytest.fixture(autouse=True)
def _nothing_waits(yard: Yard) -> Iterator[None]:
    yield
    if os.environ.get("REDIS_URL"):
        with app.connection_for_write() as broker:
            broker.default_channel.queue_purge(yard.queue)
