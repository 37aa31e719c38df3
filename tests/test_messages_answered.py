"""`POST …/messages/?respond=true`: a message that the mentor answers, by the same turn as at every door."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from chat.models import ChatMessageHistory, Mentor, MessageDebug, Session

from .clients import Socket, Stream, fetch
from .conftest import ThreadedServer
from .expecting import AN_ID, problem
from .model_server import Answer, ModelServer
from .posting import CA, Poster, bearer, make, message, said_to, signed

ASKED = "?respond=true"


@pytest.fixture
def session(coach: Mentor) -> Session:
    return make(coach, context=CA)


@pytest.fixture
def backend(live: str, session: Session, token: str, model: ModelServer) -> Poster:
    return Poster(live, session.pk, bearer(token))


def wait_for(answer: str, *, status: str = "complete") -> ChatMessageHistory:
    until = time.monotonic() + 10
    while time.monotonic() < until:
        found = ChatMessageHistory.objects.get(pk=answer)
        if found.status == status:
            return found
        time.sleep(0.02)
    raise AssertionError(found.status)


def test_a_message_is_answered(backend: Poster, model: ModelServer) -> None:
    model.enqueue(Answer(["Hi, ", "Alice."], gap=0.2, usage=(1100, 87)))
    told = backend.post(query=ASKED, id="1")
    expected = message(client_message_id="1", client_context=CA, context_version=1)
    assert told == {
        **expected,
        "warnings": [],
        "answer": {"id": AN_ID, "status": "streaming", "sequence": 2},
    }
    assert wait_for(told["answer"]["id"]).content == "Hi, Alice."
    assert backend.contents() == ["Hello.", "Hi, Alice."]
    assert backend.list()[1]["metadata"] == {"footer_items": ["1.2k tokens used (1.1k asked, 87 answered)"]}


def test_what_goes_with_it_is_stored_with_it(backend: Poster) -> None:
    sent = {"metadata": {"a": 1, "debug": {"b": 2}}, "filenames": ["a.pdf"], "content_type": "text/markdown"}
    told = backend.post(query=ASKED, sender={"participant_id": "al"}, **sent)
    shown = backend.show(told["id"])
    assert (shown["metadata"], shown["filenames"]) == ({"a": 1}, ["a.pdf"])
    assert (shown["content_type"], shown["sender"]["participant_id"]) == ("text/markdown", "al")
    assert backend.debug(told["id"]) == {"b": 2}
    wait_for(told["answer"]["id"])


def test_the_turn_lives_in_the_servers_loop(
    backend: Poster, model: ModelServer, server: ThreadedServer
) -> None:
    """The request is over long before the answer is."""
    model.enqueue(Answer(["one ", "two "], gap=0.5))
    answer = backend.post(query=ASKED)["answer"]["id"]

    async def task() -> tuple[bool, bool]:
        from chat.live import process

        turn = process().turns[answer]
        assert turn.task is not None
        return turn.task.get_loop() is asyncio.get_running_loop(), turn.done

    assert asyncio.run_coroutine_threadsafe(task(), server.loop).result(5) == (True, False)
    assert wait_for(answer).content == "one two "


def test_it_is_followed_at_the_other_doors(backend: Poster, model: ModelServer, token: str) -> None:
    model.enqueue(Answer(["one ", "two "], gap=0.3))
    answer = backend.post(query=ASKED)["answer"]["id"]
    socket = Socket(backend.url, "demo", "coach", token=token)
    socket.put({"action": "resume", "generation_id": answer, "after": 0, "token": token})
    frames = socket.rest()
    assert "".join(frame.get("data", "") for frame in frames) == "one two "
    socket.close()


def test_a_visitors_page_is_answered(live: str, coach: Mentor, model: ModelServer) -> None:
    session = make(coach, user="")
    page = Poster(live, session.pk, signed(session))
    told = page.post(query=ASKED, metadata={"href": "/x", "mine": 1})
    assert (told["metadata"], told["warnings"][0]["pointer"]) == ({"mine": 1}, "/metadata/href")
    assert ChatMessageHistory.objects.get(sequence=1).rejected_metadata == {"href": "/x"}
    wait_for(told["answer"]["id"])


def test_the_same_id_asks_nobody_twice(backend: Poster, model: ModelServer) -> None:
    wait_for(backend.post(query=ASKED, id="1")["answer"]["id"])
    for content in ("Hello.", "Something else."):
        for query in (ASKED, ""):
            told = backend.at("POST", query, {"content": content, "id": "1"})
            assert told == (409, problem(409, "message_exists", "/id"))
    assert len(model.received) == 1


def test_one_turn_at_a_time(backend: Poster, model: ModelServer) -> None:
    model.enqueue(Answer(["one ", "two "], gap=0.5))
    answer = backend.post(query=ASKED)["answer"]["id"]
    assert backend.at("POST", ASKED, {"content": "And?"}) == (409, problem(409, "turn_in_progress"))
    assert backend.post("A note.", message_type="note")["sequence"] == 3
    wait_for(answer)
    assert backend.post("And?", query=ASKED)["sequence"] == 4


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"sender": {"participant_role": "assistant"}}, "/sender/participant_role"),
        ({"message_type": "note"}, "/message_type"),
        ({"content": " \n"}, "/content"),
    ],
)
def test_only_a_users_words_are_answered(backend: Poster, body: dict[str, Any], pointer: str) -> None:
    told = backend.at("POST", ASKED, {"content": "Hello.", **body})
    assert told == (422, problem(422, "invalid_message", pointer))
    assert not ChatMessageHistory.objects.exists()


def test_a_session_that_is_not_there_is_not_made(backend: Poster, coach: Mentor) -> None:
    nowhere = backend.elsewhere("7d1c1b5e-93a4-4f0e-8a35-6b9a2f1c0d42")
    assert nowhere.at("POST", ASKED, {"content": "Hello."})[0] == 404
    assert backend.at("POST", "?respond=yes", {"content": "Hello."})[0] == 400
    assert Session.objects.count() == 1


# --- what the model sees of posted messages


def test_the_model_sees_chat_and_notices_only(backend: Poster, model: ModelServer, alice: Socket) -> None:
    there = backend.elsewhere(alice.session_id)
    alice.say("One.")
    for kind in ("chat", "log", "note", "notice", "command", "command-response"):
        there.post(f"A {kind}.", message_type=kind, sender={"participant_role": "assistant"})
    there.post("/a chat of the user's")
    there.post("The service speaks.", message_type="notice", sender={"participant_role": "service"})
    answer = alice.say("Two.").generation_id
    heard = ["One.", "You said: One.", "A chat.", "A notice.", "/a chat of the user's", "Two."]
    assert said_to(model.received[-1]) == heard
    assert said_to(json.dumps(there.debug(answer)["request"]).encode()) == heard


@pytest.mark.parametrize("greeting", ["", "Say ahoy."])
def test_the_rebuilt_prompt_is_what_was_sent(
    backend: Poster, model: ModelServer, alice: Socket, coach: Mentor, greeting: str
) -> None:
    """And the mentor greets at its first turn, whatever was posted before."""
    coach.greeting_text = greeting
    coach.save()
    there = backend.elsewhere(make(coach).pk)
    alice.session_id = there.session_id
    there.post("Before.")
    answers = [alice.say("One.", metadata=CA).generation_id]
    there.post("Between.", sender={"participant_role": "assistant"})
    answers.append(alice.say("Two.").generation_id)
    there.post("After.", message_type="notice")
    for answer, sent in zip(answers, model.received, strict=True):
        assert there.debug(answer)["request"] == json.loads(sent)
    assert ["Say ahoy." in said_to(sent)[-1] for sent in model.received] == [bool(greeting), False]
    assert said_to(model.received[0])[:-1] == ["Before."]


def test_an_answers_debug_data_are_what_it_was_made_from(
    backend: Poster, model: ModelServer, alice: Socket
) -> None:
    there = backend.elsewhere(alice.session_id)
    model.enqueue(Answer(["Hi."], usage=(6000, 800)))
    answer = alice.say("One.").generation_id
    told = there.debug(answer)
    assert told["request"] == json.loads(model.received[0])
    assert {**told["response"], "ttft_ms": 0, "duration_ms": 0} == {
        "content": "Hi.",
        "status": "complete",
        "model": "scripted",
        "finish_reason": "stop",
        "error": None,
        "usage": {"prompt_tokens": 6000, "completion_tokens": 800, "total_tokens": 6800},
        "ttft_ms": 0,
        "duration_ms": 0,
    }
    assert there.show(answer)["has_debug_data"]
    assert not MessageDebug.objects.exists()


def test_an_answer_says_how_much_of_the_window_it_took(
    backend: Poster, model: ModelServer, alice: Socket, settings: Any
) -> None:
    settings.LLM_CONTEXT_WINDOW = 50_000
    model.enqueue(Answer(["Hi."], usage=(6000, 800)))
    answer = alice.say("One.").generation_id
    shown = backend.elsewhere(alice.session_id).show(answer)
    assert shown["metadata"] == {"footer_items": ["6.8k of 50k (13%) tokens used for request"]}
    assert shown["sender"] == {"participant_id": AN_ID, "participant_role": "assistant"}


def test_an_answer_that_was_posted_was_made_from_nothing(backend: Poster) -> None:
    backend.post("Question.")
    told = backend.post("Answer.", sender={"participant_role": "assistant"})
    assert (told["has_debug_data"], backend.debug(told["id"])) == (False, {})
    path = f"/api/v1/messages/{told['id']}/prompt/"
    assert fetch(backend.url, "GET", path, headers=backend.headers)[0] == 404


# --- sending again


@pytest.fixture(params=[Socket, Stream], ids=["ws", "sse"])
def door(request: pytest.FixtureRequest) -> Callable[..., Socket | Stream]:
    made: Callable[..., Socket | Stream] = request.param
    return made


def test_an_id_that_was_posted_is_nobodys_prompt(
    backend: Poster, door: Callable[..., Socket | Stream], token: str, model: ModelServer
) -> None:
    """What follows a posted message is not its answer."""
    backend.post("Hello.", id="1")
    backend.post("Not an answer.", sender={"participant_role": "assistant"})
    talk = door(url=backend.url, tenant="demo", mentor="coach", token=token, session_id=backend.session_id)
    told = talk.say("Hello.", client_message_id="1").end
    assert (told["status_code"], told["code"]) == (422, "idempotency_mismatch")
    assert model.received == []
    talk.close()


def test_posts_do_not_count_as_turns(backend: Poster, alice: Socket, settings: Any) -> None:
    settings.LIMIT_TURNS_PER_MINUTE_PER_SESSION = 3
    there = backend.elsewhere(alice.session_id)
    alice.say("One.")
    for _ in range(8):
        there.post("A log.", message_type="log")
    assert [alice.say(text).end.get("status") for text in ("Two.", "Three.")] == ["complete"] * 2
    assert alice.say("Four.").end["code"] == "rate_limited"


def test_without_a_server_a_message_is_answered_as_far_as_the_request_goes(
    backend: Poster, token: str, model: ModelServer
) -> None:
    """Under WSGI there is no loop to live in: the answer ends with the request, and says so."""
    model.enqueue(Answer(["one ", "two "], gap=0.5))
    client = Client(headers={"Authorization": f"Api-Token {token}"})
    told = client.post(f"{backend.path}{ASKED}", {"content": "Hello."}, content_type="application/json")
    assert told.status_code == 201
    wait_for(told.json()["answer"]["id"], status="interrupted")
