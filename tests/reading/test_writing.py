"""Renaming and removing: `PUT` and `DELETE …/sessions/{id}/`, `DELETE …/clear-chathistory`."""

from __future__ import annotations

import threading
import uuid
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from chat.cache import forget_contexts
from chat.models import (
    ChatMessageHistory,
    ChatMessageHistoryExtra,
    Mentor,
    Session,
    SessionContextVersion,
    Tenant,
)

from ..clients import Socket, TalkMaker, fetch
from ..expecting import SENTENCE, problem
from ..model_server import Answer, ModelServer
from .conftest import Caller, bearer, make_session, visitor

IBL = "/api/ai-mentor/orgs/demo/users/alice/sessions"
CLEAR = "/api/ai-mentor/orgs/demo/users/alice/clear-chathistory"


def run_for(session: Session, seconds: float) -> None:
    """As while a turn runs: its lease ends so many seconds from now."""
    until = timezone.now() + timedelta(seconds=seconds)
    Session.objects.filter(pk=session.pk).update(turn_id=uuid.uuid4(), turn_lease_until=until)


# --- a title


def test_a_title_is_set_and_taken_back(backend: Caller, coach: Mentor) -> None:
    path = f"{IBL}/{make_session(coach).pk}/"
    status, body = backend(path, "put", body={"title": " Fees \n in 景 "})
    assert (status, body["title"], "warnings" in body) == (200, "Fees in 景", False)
    assert backend(path)[1]["title"] == "Fees in 景"
    assert backend(path, "put", body={"title": ""})[1]["title"] == "Question 1."


def test_what_ibl_sends_beside_the_title_is_named(backend: Caller, coach: Mentor) -> None:
    sent = {"title": "Fees", "tools": [], "enable_artifacts": True, "is_shared": True}
    body = backend(f"{IBL}/{make_session(coach).pk}/", "put", body=sent)[1]
    assert (body["title"], body["is_shared"]) == ("Fees", False)
    pointers = ["/tools", "/enable_artifacts", "/is_shared"]
    told = [{"code": "unknown_key", "pointer": pointer, "message": SENTENCE} for pointer in pointers]
    assert body["warnings"] == told


@pytest.mark.parametrize("title", [None, 5, ["Fees"], "x" * 301])
def test_a_title_is_text_with_an_end(backend: Caller, coach: Mentor, title: object) -> None:
    session = make_session(coach)
    refused = (400, problem(400, "invalid_payload", "/title"))
    assert backend(f"{IBL}/{session.pk}/", "put", body={"title": title}) == refused
    assert Session.objects.get().title == ""


def test_a_new_title_loses_nothing_that_a_turn_writes(table: Socket, backend: Caller) -> None:
    before = Session.objects.values().get()
    backend(f"{IBL}/{table.session_id}/", "put", body={"title": "Fees"})
    after = Session.objects.values().get()
    assert after["updated_at"] > before["updated_at"], "by which those who listen see that there is news"
    assert after == {**before, "title": "Fees", "updated_at": after["updated_at"]}


# --- the end of a session


def test_a_session_is_removed_with_all_it_holds(table: Socket, backend: Caller) -> None:
    cache.set(f"session_{table.session_id}_metadata", '{"a":1}')
    assert backend(f"{IBL}/{table.session_id}/", "delete") == (204, None)
    for model in (Session, ChatMessageHistory, ChatMessageHistoryExtra, SessionContextVersion):
        assert not model.objects.exists()
    assert cache.get(f"session_{table.session_id}_metadata") is None
    assert backend(f"{IBL}/{table.session_id}/", "delete") == (404, problem(404, "not_found"))


def test_its_id_begins_anew(table: Socket, backend: Caller) -> None:
    backend(f"{IBL}/{table.session_id}/", "delete")
    start = table.say("Hello again.").start
    assert (start["sequence"], start["context"]["version"]) == (2, 0)
    assert ChatMessageHistory.objects.count() == 2


def test_a_running_turn_keeps_its_session(
    talk: TalkMaker, token: str, model: ModelServer, live: str, coach: Mentor
) -> None:
    model.enqueue(Answer(["Slowly "] * 20, gap=0.1))
    one = talk(token=token, username="alice")
    turn = threading.Thread(target=one.say, args=["Hello."])
    turn.start()
    while not Session.objects.filter(turn_id__isnull=False).exists():
        pass
    refused = (409, problem(409, "turn_in_progress"))
    assert fetch(live, "DELETE", f"{IBL}/{one.session_id}/", None, bearer(token)) == refused
    assert fetch(live, "DELETE", CLEAR, None, bearer(token)) == refused
    turn.join()
    assert list(ChatMessageHistory.objects.values_list("status", flat=True)) == ["complete"] * 2
    assert fetch(live, "DELETE", f"{IBL}/{one.session_id}/", None, bearer(token)) == (204, None)


def test_a_turn_whose_holder_died_keeps_nothing(backend: Caller, coach: Mentor) -> None:
    session = make_session(coach)
    run_for(session, 5)
    assert backend(f"{IBL}/{session.pk}/", "delete")[0] == 409
    run_for(session, -1)
    assert backend(f"{IBL}/{session.pk}/", "delete")[0] == 204


def test_a_users_history_is_cleared_and_nobody_elses(backend: Caller, coach: Mentor, tutor: Mentor) -> None:
    make_session(coach), make_session(tutor)
    kept = {make_session(coach, user="bob").pk, make_session(coach, user="").pk}
    assert backend(CLEAR, "delete") == (204, None)
    assert set(Session.objects.values_list("pk", flat=True)) == kept
    assert backend(CLEAR, "delete") == (204, None)


def test_a_history_may_be_cleared_in_part(backend: Caller, coach: Mentor, tutor: Mentor) -> None:
    kept = make_session(tutor)
    make_session(coach)
    assert backend(f"{CLEAR}/?mentor=coach", "delete")[0] == 204
    assert Session.objects.get() == kept
    refused = (400, problem(400, "invalid_filter", "?colour"))
    assert backend(f"{CLEAR}?colour=red", "delete") == refused
    assert Session.objects.get() == kept


def test_a_history_is_cleared_in_steps(
    backend: Caller, coach: Mentor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chat.removals.AT_ONCE", 2)
    for minute in range(5):
        make_session(coach, minutes=minute)
    assert backend(CLEAR, "delete")[0] == 204
    assert not Session.objects.exists()


def test_while_one_answers_nothing_is_cleared(backend: Caller, coach: Mentor) -> None:
    make_session(coach)
    run_for(make_session(coach), 5)
    assert backend(CLEAR, "delete") == (409, problem(409, "turn_in_progress"))
    assert Session.objects.count() == 2


def test_a_dead_cache_stops_no_removal(backend: Caller, coach: Mentor, settings: object) -> None:
    settings.CACHES = {  # type: ignore[attr-defined]
        "default": {
            "BACKEND": "django_redis.cache.RedisCache",
            "LOCATION": "redis://127.0.0.1:9/0",
            "OPTIONS": {"SOCKET_CONNECT_TIMEOUT": 1},
        }
    }
    assert backend(f"{IBL}/{make_session(coach).pk}/", "delete")[0] == 204
    forget_contexts([uuid.uuid4()])
    assert not Session.objects.exists()


# --- who may not


def test_only_who_may_write_renames_and_removes(
    coach: Mentor, reader: Caller, mallory: Caller, backend: Caller
) -> None:
    session = make_session(coach, user="")
    path, mine = f"/api/ai-mentor/orgs/demo/sessions/{session.pk}/", Caller(visitor(session.pk))
    for method, body in [("put", {"title": "Mine"}), ("delete", None)]:
        assert Caller({})(path, method, body=body) == (401, problem(401, "authentication_required"))
        assert mine(path, method, body=body) == (403, problem(403, "permission_denied"))
        assert reader(path, method, body=body) == (403, problem(403, "permission_denied"))
        assert mallory(path, method, body=body) == (404, problem(404, "not_found"))
        assert backend(f"{IBL}/{session.pk}/", method, body=body) == (404, problem(404, "not_found"))
    assert (reader(CLEAR, "delete")[0], mallory(CLEAR, "delete")[0]) == (403, 404)
    assert Session.objects.get().title == ""


def test_members_of_staff_write_with_their_pages_proof(coach: Mentor, demo: Tenant) -> None:
    user = User.objects.create_user("dora", is_staff=True)
    user.tenants.add(demo)
    path = f"{IBL}/{make_session(coach).pk}/"
    client = Client(enforce_csrf_checks=True)
    client.force_login(user)
    assert client.delete(path).status_code == 403
    client.get("/admin/login/")
    csrf = {"X-CSRFToken": client.cookies["csrftoken"].value} if "csrftoken" in client.cookies else {}
    client.get("/admin/password_change/")
    csrf = {"X-CSRFToken": client.cookies["csrftoken"].value}
    assert client.delete(path, headers=csrf).status_code == 204
    assert not Session.objects.exists()
