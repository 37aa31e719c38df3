"""A user is erased, and what they sent is nowhere: not in a column, not in the cache, not in a file."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.utils import timezone

from chat import rollups
from chat.live import TICK_SECONDS
from chat.models import ChatMessageHistory, Erasure, Mentor, Session, Tenant
from exports import jobs
from exports.models import Export, Schedule

from ..clients import Socket, fetch
from ..exports.cast import asked
from ..model_server import Answer, ModelServer
from ..posting import Poster, bearer
from .searching import forget_earlier_tests, places

pytestmark = pytest.mark.django_db(transaction=True)
CANARY, SAFE = "canary7f3a", "safe91bd"
HELD = {
    "chat_chatmessagehistory.client_message_id",
    "chat_chatmessagehistory.content",
    "chat_chatmessagehistory.filenames",
    "chat_chatmessagehistory.metadata",
    "chat_chatmessagehistory.text",
    "chat_chatmessagehistoryextra.metadata",
    "chat_chatmessagehistoryextra.page_content",
    "chat_keptwrite.key",
    "chat_messagedebug.data",
    "chat_session.metadata",
    "chat_session.title",
    "chat_session.user_id",
    "chat_sessioncontextversion.text",
    "chat_sessioncontextversion.value",
    "exports_export.manifest",
    "exports_export.name",
    "exports_export.query",
    "exports_schedule.query",
    ".csv",
    ".jsonl",
    ".parquet",
} | ({"chat_rollup.value"} if rollups.available() else set())


class Home:
    """A tenant with two users who have used all there is."""

    def __init__(self, url: str, mentor: Mentor, token: str, model: ModelServer) -> None:
        self.url, self.mentor, self.token, self.model = url, mentor, token, model
        self.sockets: list[Socket] = []

    def socket(self, user: str) -> Socket:
        self.sockets.append(Socket(self.url, "demo", "coach", token=self.token, username=user))
        return self.sockets[-1]

    def live_in(self, word: str) -> Socket:
        """A user whose every word, id and value has this word in it."""
        self.model.enqueue(Answer([f"You said {word}."]))
        user = f"user-{word}"
        socket = self.socket(user)
        metadata = {"stateCode": "CA", f"key-{word}": {"deep": [word]}, "plan": word}
        socket.say(f"I am {word}.", metadata=metadata, page_content=f"page {word}", client_message_id=word)
        poster = Poster(self.url, socket.session_id, bearer(self.token))
        poster.post(f"A note of {word}.", metadata={"href": word, "debug": {"data": word}}, filenames=[word])
        context = f"/api/v1/sessions/{socket.session_id}/context/"
        headers = {**bearer(self.token), "Idempotency-Key": word}
        fetch(self.url, "PUT", context, {"client_context": {"plan": word, "again": word}}, headers)
        Session.objects.filter(pk=socket.session_id).update(title=f"Title {word}")
        time.sleep(3 * TICK_SECONDS)  # the last frames reach their log
        return socket


@pytest.fixture
def home(live: str, coach: Mentor, token: str, model: ModelServer) -> Iterator[Home]:
    forget_earlier_tests()
    Tenant.objects.update(pinned_keys=["plan"])
    coach.keep_page_content = True
    coach.save()
    home = Home(live, coach, token, model)
    yield home
    for socket in home.sockets:
        socket.close()


def files(tenant: Tenant) -> list[Export]:
    """Of each form one that has rows of both, one without the user's column, and one about the canary's user."""
    both = [asked(tenant, format=form) for form in ("csv", "jsonl", "parquet")]
    bare = asked(tenant, columns=["content"], format="csv")
    about = asked(
        tenant,
        query=[["tenant", "demo"], ["user", f"user-{CANARY}"]],
        purpose="user_task",
        name=f"user-{CANARY}",
    )
    for export in (*both, bare, about):
        jobs.run(export.id)
    return [*both, bare, about]


def test_nothing_is_left_of_an_erased_user_and_all_of_the_other(home: Home, demo: Tenant) -> None:
    theirs, mine = home.live_in(CANARY), home.live_in(SAFE)
    made = files(demo)
    query = [["tenant", "demo"], ["user__in", f"user-{CANARY},user-{SAFE}"]]
    Schedule.objects.create(tenant=demo, name="Both", query=query)
    Session.objects.update(created_at=timezone.now() - timedelta(days=3))
    rollups.roll_up()
    assert set(places(CANARY)) >= HELD
    before = places(SAFE)
    call_command("erase_user", tenant="demo", user=f"user-{CANARY}")
    assert places(CANARY) == []
    states = {export.pk: export.state for export in Export.objects.all()}
    assert [states[export.pk] for export in made] == [*["requested"] * 4, "expired"]
    for export in made[:4]:
        jobs.run(export.pk)
    rollups.roll_up()
    assert places(CANARY) == []
    assert places(SAFE) == before
    assert not Session.objects.filter(pk=theirs.session_id).exists()
    assert ChatMessageHistory.objects.filter(session=mine.session_id).count() == 3


def test_what_was_erased_is_told_in_counts_and_whom_by_a_hash(home: Home, demo: Tenant) -> None:
    home.live_in(CANARY)
    call_command("erase_user", tenant="demo", user=f"user-{CANARY}")
    erasure = Erasure.objects.get()
    assert erasure.user_id == ""
    assert erasure.user_digest == Erasure.digest_of(demo.pk, f"user-{CANARY}")
    assert erasure.finished_at is not None
    assert erasure.asked_by == "command line"
    assert erasure.counts == {
        "sessions": 1,
        "messages": 3,
        "snapshots": 3,
        "context_versions": 2,
        "kept_writes": 1,
        "debug_data": 1,
    }


def test_a_dry_run_erases_nothing(home: Home, capsys: Any) -> None:
    home.live_in(CANARY)
    before = places(CANARY)
    call_command("erase_user", "--dry-run", tenant="demo", user=f"user-{CANARY}")
    assert json.loads(capsys.readouterr().out) == {"sessions": 1, "messages": 3}
    assert places(CANARY) == before
    assert not Erasure.objects.exists()


def test_it_is_safe_to_run_twice(home: Home, demo: Tenant, capsys: Any) -> None:
    home.live_in(CANARY)
    home.live_in(SAFE)
    made = files(demo)
    call_command("erase_user", tenant="demo", user=f"user-{CANARY}")
    for export in made[:4]:
        jobs.run(export.pk)
    capsys.readouterr()
    call_command("erase_user", tenant="demo", user=f"user-{CANARY}")
    # The one that does not say whose its rows are is made once more: that it has none, nobody can tell.
    assert json.loads(capsys.readouterr().out) == {"exports_made_anew": 1}
    assert places(CANARY) == []


def test_a_running_turn_is_stopped_and_nothing_comes_back(home: Home) -> None:
    home.model.enqueue(Answer([f"{CANARY} "] * 400, gap=0.05))
    socket = home.socket(f"user-{CANARY}")
    socket.put(socket.payload(f"I am {CANARY}.", metadata={"plan": CANARY}))
    while "data" not in socket.get():
        pass
    until(lambda: any("redis" in place or place in ("cache", "events") for place in places(CANARY)))
    call_command("erase_user", tenant="demo", user=f"user-{CANARY}")
    assert places(CANARY) == []
    frame = socket.get()
    while "error" not in frame and "eos" not in frame:
        frame = socket.get()
    assert frame["code"] == "lease_lost"
    time.sleep(1)
    assert places(CANARY) == []
    assert not Session.objects.exists()


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)
