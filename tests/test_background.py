"""Background jobs: in the server's own process, or in Celery's where there is Redis."""

from __future__ import annotations

import os
import signal
import time
import uuid
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from kombu import Connection

from chat.models import ChatMessageHistory, ChatMessageHistoryExtra, Mentor, Session
from mentor_project.celery import app

from .children import Beat, Web, Worker, environment, events, running, until
from .clients import Socket
from .model_server import ModelServer

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]
REAP = "chat.tasks.reap_turns"


@pytest.fixture
def deserted(coach: Mentor) -> ChatMessageHistory:
    """An answer whose process has died: nobody renews its lease."""
    answer_id = uuid.uuid4()
    session = Session.objects.create(
        id=uuid.uuid4(),
        tenant=coach.tenant,
        mentor=coach,
        next_sequence=3,
        turn_id=answer_id,
        turn_fence=1,
        turn_holder="process.gone",
        turn_lease_until=timezone.now() - timedelta(seconds=1),
    )
    ChatMessageHistory.objects.create(session=session, sequence=1, role="user", content="Hello?")
    answer = ChatMessageHistory(
        id=answer_id, session=session, sequence=2, role="mentor", content="Half an", status="streaming"
    )
    answer.save()
    ChatMessageHistoryExtra.objects.create(message=answer)
    return answer


def is_interrupted(answer: ChatMessageHistory) -> bool:
    answer.refresh_from_db()
    return answer.status == "interrupted"


@pytest.fixture
def web(model: ModelServer) -> Iterator[Web]:
    """A server without Redis, so with its jobs in process."""
    child = Web(environment(LLM_BASE_URL=model.url, LLM_MODEL="paced-50ms-40", LOG_LEVEL="INFO"))
    with running(child):
        yield child


def queue(child: Web) -> Path:
    return child.folder / "jobs" / "queue"


def test_the_server_itself_marks_a_turn_whose_process_died(web: Web, deserted: ChatMessageHistory) -> None:
    assert until(lambda: is_interrupted(deserted), seconds=15)
    assert deserted.content == "Half an"
    assert Session.objects.get(id=deserted.session_id).turn_id is None
    assert until(lambda: not list(queue(web).iterdir()), seconds=2)


def test_the_jobs_start_without_a_word(coach: Mentor) -> None:
    with running(Web(environment())) as web:
        assert until(lambda: (web.folder / "jobs" / "control" / "mentor.exchange").exists(), seconds=10)
        time.sleep(1)
        assert web.log() == ""


def test_the_server_still_drains_with_jobs_in_its_process(web: Web, coach: Mentor) -> None:
    talk = Socket(web.url, tenant="demo", mentor="coach")
    talk.put(talk.payload("Count to forty."))
    talk.get()
    web.process.send_signal(signal.SIGTERM)
    frames = talk.rest()
    assert (len(frames), frames[-1]["status"]) == (41, "complete")
    assert web.seconds_to_exit() < 10
    assert web.process.returncode == -signal.SIGTERM


def test_what_waited_for_a_stopped_worker_has_expired(coach: Mentor, tmp_path: Path) -> None:
    child = Web(environment(LOG_LEVEL="INFO"))
    queue(child).mkdir(parents=True)
    (child.folder / "jobs" / "control").mkdir()
    folders = {"data_folder_in": str(queue(child)), "data_folder_out": str(queue(child))}
    folders["control_folder"] = str(child.folder / "jobs" / "control")
    with Connection("filesystem://localhost", transport_options=folders) as spool:
        for _ in range(20):
            app.send_task(REAP, connection=spool, expires=0.01, queue="mentor")
    assert len(list(queue(child).iterdir())) == 20
    with running(child):
        assert until(lambda: not list(queue(child).iterdir()), seconds=10)
        assert said(child, "Discarding") == 20
        assert said(child, "succeeded") == 0


def said(child: Any, word: str) -> int:
    return sum(word in line["event"] for line in events(child))


def test_every_message_of_the_beat_expires_before_the_next() -> None:
    entries = app.conf.beat_schedule.values()
    assert [entry["task"] for entry in entries if entry["options"]["expires"] > entry["schedule"]] == []


@pytest.mark.services
def test_with_redis_a_worker_and_a_beat_of_their_own_do_it(deserted: ChatMessageHistory) -> None:
    shared = environment(
        REDIS_URL=os.environ["REDIS_URL"],
        KEY_PREFIX=f"test-{uuid.uuid4().hex[:8]}",
        PYTHONWARNINGS="ignore::RuntimeWarning",  # what Celery says of root comes before any logging
    )
    with running(Worker(shared)) as worker, running(Beat(shared)):
        assert until(lambda: is_interrupted(deserted), seconds=30)
        assert until(lambda: said(worker, "turns_reaped") == 1, seconds=5)
        assert not list(worker.folder.glob("*schedule*"))
