"""A client_message_id is sent again: the first outcome, no second message, no second call of the model."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connections, transaction

from chat import access, cache, limits, openings, turns
from chat.models import ChatMessageHistory, Mentor, Session, SessionContextVersion
from chat.payloads import BaseConsumerPayload

from .clients import Frame, Reply, Socket, Stream, TalkMaker, is_last
from .expecting import broken_turn, refusal
from .model_server import Answer, CutAfter, ModelServer, Refuse

CA = {"stateCode": "CA"}
PACED = Answer([f"tok{n} " for n in range(20)], gap=0.02)
TOLD = "".join(PACED.tokens)


@pytest.fixture
def forget_events(settings: Any) -> Callable[[Socket | Stream], None]:
    """Wait until a session's turn has left this process, then lose its event log."""

    def forget(talk: Socket | Stream) -> None:
        answer = ChatMessageHistory.objects.filter(session=talk.session_id, role="mentor").last()
        settle(answer)
        if settings.REDIS_URL:
            from django_redis import get_redis_connection

            get_redis_connection().delete(cache.events_key(answer.id))
        else:
            cache.store()._logs.clear()  # type: ignore[attr-defined]

    return forget


def settle(answer: ChatMessageHistory) -> None:
    from chat.live import _processes

    while any(str(answer.id) in process.turns for process in _processes.values()):
        threading.Event().wait(0.02)


def counts(model: ModelServer) -> tuple[int, int, int]:
    return ChatMessageHistory.objects.count(), SessionContextVersion.objects.count(), len(model.received)


def test_after_the_end_the_same_frames_come_again(talk: TalkMaker, model: ModelServer) -> None:
    one = talk()
    first = one.say("Hello.", client_message_id="a", metadata=CA)
    again = one.say("Hello.", client_message_id="a", metadata=CA)
    assert again.frames == first.frames
    assert counts(model) == (2, 1, 1)


def test_the_start_repeats_the_clients_id(talk: TalkMaker) -> None:
    assert talk().say("Hello.", client_message_id="msg-1").start["client_message_id"] == "msg-1"


def test_without_an_id_nothing_is_taken_for_a_repetition(talk: TalkMaker, model: ModelServer) -> None:
    one = talk()
    one.say("Hello.")
    one.say("Hello.")
    assert counts(model) == (4, 0, 2)


def test_while_it_runs_the_running_turn_is_followed(live: str, coach: Mentor, model: ModelServer) -> None:
    model.enqueue(PACED)
    one = Socket(live, "demo", "coach")
    one.put(one.payload("Hello.", client_message_id="a"))
    one.session_token = one.get()["session_token"]
    for door in (Socket, Stream):
        other = door(live, "demo", "coach", session_id=one.session_id, session_token=one.session_token)
        again = other.say("Hello.", client_message_id="a")
        assert (again.text, again.end["status"]) == (TOLD, "complete")
        other.close()
    assert "".join(frame.get("data", "") for frame in one.rest()) == TOLD
    assert counts(model) == (2, 0, 1)
    one.close()


def without(frame: Frame, *keys: str) -> Frame:
    return {key: value for key, value in frame.items() if key not in keys}


def test_when_its_events_are_gone_the_stored_answer_is_told(
    talk: TalkMaker, model: ModelServer, forget_events: Callable[[Any], None]
) -> None:
    one = talk()
    first = one.say("Hello.", client_message_id="a", metadata=CA)
    forget_events(one)
    again = one.say("Hello.", client_message_id="a", metadata=CA)
    assert [frame["event"] for frame in again.frames] == [1, 2, 3]
    assert again.start == first.start
    assert again.text == first.text
    assert without(again.end, "event") == without(first.end, "event")
    assert counts(model) == (2, 1, 1)


def test_an_unchanged_context_is_told_again_as_unchanged(
    talk: TalkMaker, forget_events: Callable[[Any], None]
) -> None:
    one = talk()
    one.say("Hello.", metadata=CA)
    first = one.say("Again.", client_message_id="a", metadata=CA)
    one.say("More.", metadata={"stateCode": "NY"})
    forget_events(one)
    again = one.say("Again.", client_message_id="a", metadata=CA)
    assert (
        again.start["context"] == first.start["context"] == {"version": 1, "changed": False, "warnings": []}
    )


@pytest.mark.parametrize(
    ("behaviour", "status", "code", "how"),
    [(CutAfter(2), 502, "model_cut", "interrupted"), (Refuse(401), 502, "model_unauthorized", "failed")],
)
@pytest.mark.parametrize("gone", [False, True], ids=["from the log", "from the store"])
def test_a_failure_is_an_outcome_too(
    talk: TalkMaker,
    model: ModelServer,
    forget_events: Callable[[Any], None],
    behaviour: Any,
    status: int,
    code: str,
    how: str,
    gone: bool,
) -> None:
    one = talk()
    model.enqueue(behaviour)
    first = one.say("Hello.", client_message_id="a")
    if gone:
        forget_events(one)
    again = one.say("Hello.", client_message_id="a")
    assert without(again.end, "event") == without(first.end, "event")
    assert again.end == broken_turn(status, code, how, event=len(again.frames))
    assert again.text == first.text
    assert len(model.received) == 1


def test_a_timeout_is_told_as_one_when_its_events_are_gone(
    talk: TalkMaker, forget_events: Callable[[Any], None], live: str
) -> None:
    one = talk()
    one.say("Hello.", client_message_id="a")
    forget_events(one)
    answer = ChatMessageHistory.objects.get(role="mentor")
    answer.status, answer.extra.error = "failed", "model_timeout"
    answer.save()
    answer.extra.save()
    end = one.say("Hello.", client_message_id="a").end
    assert (end["status_code"], end["code"]) == (504, "model_timeout")


@pytest.mark.parametrize(
    "other",
    [
        {"prompt": "Goodbye."},
        {"metadata": {"stateCode": "NY"}},
        {"metadata": {}},
        {"page_content": "Another page."},
        {"document_filter": {"a": 1}},
        {"file_references": [{"file_id": "1"}]},
    ],
    ids=lambda other: next(iter(other)),
)
def test_with_another_payload_it_is_a_mismatch(
    talk: TalkMaker, model: ModelServer, other: dict[str, Any]
) -> None:
    one = talk()
    one.say("Hello.", client_message_id="a", metadata=CA)
    payload = one.payload("Hello.", client_message_id="a", metadata=CA)
    one.put({**payload, **other})
    assert one.get() == refusal(422, "idempotency_mismatch", "/client_message_id")
    assert counts(model) == (2, 1, 1)
    assert Session.objects.get().client_context == CA


def test_another_payload_while_it_runs_is_a_mismatch(live: str, coach: Mentor, model: ModelServer) -> None:
    model.enqueue(PACED)
    one = Socket(live, "demo", "coach")
    one.put(one.payload("Hello.", client_message_id="a"))
    one.session_token = one.get()["session_token"]
    other = Stream(live, "demo", "coach", session_id=one.session_id, session_token=one.session_token)
    assert other.say("Bye.", client_message_id="a").end == refusal(
        422, "idempotency_mismatch", "/client_message_id"
    )
    one.close()


def test_null_metadata_is_the_same_message_as_none(talk: TalkMaker, model: ModelServer) -> None:
    one = talk()
    one.say("Hello.", client_message_id="a")
    assert one.say("Hello.", client_message_id="a", metadata=None).end["status"] == "complete"
    assert counts(model) == (2, 0, 1)


def test_it_works_from_one_door_to_the_other(live: str, coach: Mentor, model: ModelServer) -> None:
    one = Socket(live, "demo", "coach")
    first = one.say("Hello.", client_message_id="a", metadata=CA)
    same = Stream(live, "demo", "coach", session_id=one.session_id, session_token=one.session_token)
    assert same.say("Hello.", client_message_id="a", metadata=CA).frames == first.frames
    assert counts(model) == (2, 1, 1)
    one.close()


def test_the_same_id_in_another_session_is_another_message(talk: TalkMaker, model: ModelServer) -> None:
    first, second = talk().say("Hello.", client_message_id="a"), talk().say("Hello.", client_message_id="a")
    assert first.generation_id != second.generation_id
    assert counts(model) == (4, 0, 2)


def test_a_refused_payload_does_not_use_its_id_up(talk: TalkMaker, model: ModelServer) -> None:
    one = talk()
    one.put(one.payload("", client_message_id="a"))
    assert one.get()["code"] == "invalid_payload"
    assert one.say("Hello.", client_message_id="a").end["status"] == "complete"


def test_a_stranger_who_sends_it_again_learns_nothing(talk: TalkMaker, model: ModelServer) -> None:
    one = talk()
    one.say("Hello.", client_message_id="a")
    stranger = talk(session_id=one.session_id)
    assert stranger.say("Hello.", client_message_id="a").frames == [refusal(404, "not_found", "/session_id")]


def at_once(talks: list[Socket | Stream], **more: Any) -> list[Reply]:
    """What each is told of the same payload, all sent in the same moment."""
    barrier = threading.Barrier(len(talks))
    told: list[Reply] = []

    def say(talk: Socket | Stream) -> None:
        barrier.wait()
        told.append(talk.say("Hello.", **more))

    threads = [threading.Thread(target=say, args=(talk,)) for talk in talks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    return told


@pytest.mark.parametrize("first_turn", [True, False], ids=["new session", "old session"])
def test_many_at_once_are_one(
    live: str, coach: Mentor, model: ModelServer, token: str, first_turn: bool
) -> None:
    session_id = str(uuid.uuid4())
    talks = [
        door(live, "demo", "coach", session_id=session_id, token=token, username="alice")
        for door in (Socket, Stream) * 4
    ]
    if not first_turn:
        talks[0].say("Good morning.")
        model.forget()
    told = at_once(talks, client_message_id="a", metadata=CA)
    assert len({reply.generation_id for reply in told}) == 1
    assert {(reply.text[:16], reply.end["status"]) for reply in told} == {("You said: Hello.", "complete")}
    assert len(model.received) == 1
    for talk in talks:
        talk.close()


def test_of_many_different_ones_at_once_one_runs(
    live: str, coach: Mentor, model: ModelServer, token: str
) -> None:
    model.enqueue(PACED)
    session_id = str(uuid.uuid4())
    talks = [Stream(live, "demo", "coach", session_id=session_id, token=token) for _ in range(6)]
    told = at_once(list(talks))
    busy = [reply.frames for reply in told if "error" in reply.end]
    assert busy == [[refusal(409, "turn_in_progress")]] * 5
    assert counts(model) == (2, 0, 1)


def begun(url: str, token: str, session_id: str) -> Callable[[], Any]:
    """Begin the same turn as another process would: past the doors, on a connection of its own."""
    payload = BaseConsumerPayload.parse(
        json.dumps(
            Socket(url, "demo", "coach", session_id=session_id).payload("Hello.", client_message_id="a")
        ),
        limits.current(),
    )
    grant = access.access_mentor(access.Credentials(token=token), "demo", "coach", "")

    def begin() -> Any:
        try:
            return turns.begin(openings.Opening(grant, payload, "test", "nobody", limits.current()))
        finally:
            connections.close_all()

    return begin


def test_processes_that_race_for_a_message_make_one(live: str, coach: Mentor, token: str) -> None:
    """All of them wait for the session's lock with a question that was asked before the message was there."""
    session_id = str(uuid.uuid4())
    Session.objects.create(id=session_id, tenant=coach.tenant, mentor=coach)
    begin = begun(live, token, session_id)
    with ThreadPoolExecutor(8) as threads:
        with transaction.atomic():
            Session.objects.select_for_update().get(id=session_id)
            waiting = [threads.submit(begin) for _ in range(8)]
            time.sleep(0.2)
        made = [future.result() for future in waiting]
    assert sorted(type(outcome).__name__ for outcome in made) == ["Begun"] + ["SentBefore"] * 7
    assert ChatMessageHistory.objects.count() == 2


def test_a_visitor_whose_first_answer_was_lost_sends_again_and_gets_it(talk: TalkMaker) -> None:
    one = talk()
    sent = one.payload("Hello", client_message_id="0f7a2a6c-4f9d-4d55")
    first = say_again(one, sent)
    second = say_again(one, sent)
    assert second.start["session_token"] == first.start["session_token"]
    assert (second.text, ChatMessageHistory.objects.count()) == (first.text, 2)


@pytest.mark.parametrize("changed", [{"prompt": "Hallo"}, {"client_message_id": "0f7a2a6c-4f9d-4d56"}])
def test_who_does_not_know_the_first_message_is_a_stranger(talk: TalkMaker, changed: dict[str, str]) -> None:
    one = talk()
    sent = one.payload("Hello", client_message_id="0f7a2a6c-4f9d-4d55")
    say_again(one, sent)
    assert say_again(one, {**sent, **changed}).end["code"] == "not_found"


def test_a_session_with_a_second_message_is_continued_with_its_token_only(talk: TalkMaker) -> None:
    one = talk()
    sent = one.payload("Hello", client_message_id="0f7a2a6c-4f9d-4d55")
    one.keep(say_again(one, sent))
    one.say("And now?")
    assert say_again(one, sent).end["code"] == "not_found"


def say_again(talk: Any, sent: dict[str, Any]) -> Reply:
    talk.put(sent)
    frames = [talk.get()]
    while not is_last(frames[-1]):
        frames.append(talk.get())
    return Reply(frames)
