"""What a failing model comes to at the doors: its code, what is stored, and a session free again."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chat.models import ChatMessageHistory

from .clients import Reply, TalkMaker
from .expecting import broken_turn
from .model_server import (
    EMPTY,
    GARBAGE,
    HTML,
    Answer,
    Behaviour,
    CutAfter,
    Drop,
    Hang,
    ModelServer,
    Raw,
    Refuse,
    delta,
    event,
)
from .services import free_port

BROKEN_LATE = Raw([delta("Well, ") + b"data: {not json\n\n"])
ERROR_LATE = Raw([delta("Well, ") + event(error={"message": "Overloaded.", "code": 529})])

# What the model's server does; the status and code that are told; how the answer ends; its text; calls made.
FAILURES: dict[str, tuple[list[Behaviour], int, str, str, str, int]] = {
    "401": ([Refuse(401)], 502, "model_unauthorized", "failed", "", 1),
    "403": ([Refuse(403)], 502, "model_unauthorized", "failed", "", 1),
    "429": ([Refuse(429)], 503, "model_rate_limited", "failed", "", 1),
    "400": ([Refuse(400)], 502, "model_error", "failed", "", 1),
    "500, twice": ([Refuse(500)] * 2, 502, "model_error", "failed", "", 2),
    "gone without a byte, twice": ([Drop()] * 2, 502, "model_unreachable", "failed", "", 2),
    "nothing for too long": ([Hang()], 504, "model_timeout", "failed", "", 1),
    "nothing more": ([Hang(after=2)], 504, "model_timeout", "interrupted", "tok0 tok1 ", 1),
    "cut off": ([CutAfter(3)], 502, "model_cut", "interrupted", "tok0 tok1 tok2 ", 1),
    "garbage": ([GARBAGE], 502, "model_garbage", "failed", "", 1),
    "a page": ([HTML], 502, "model_garbage", "failed", "", 1),
    "garbage later": ([BROKEN_LATE], 502, "model_garbage", "interrupted", "Well, ", 1),
    "an error later": ([ERROR_LATE], 502, "model_error", "interrupted", "Well, ", 1),
    "no text": ([EMPTY], 502, "model_empty", "failed", "", 1),
}


@pytest.fixture(autouse=True)
def _impatient(settings: Any) -> None:
    settings.LLM_FIRST_TOKEN_TIMEOUT = 0.4
    settings.LLM_IDLE_TIMEOUT = 0.2


def answer() -> ChatMessageHistory:
    return ChatMessageHistory.objects.select_related("extra").get(sequence=2)


@pytest.mark.parametrize("name", FAILURES)
def test_each_failure_has_its_code(talk: TalkMaker, model: ModelServer, name: str, settings: Any) -> None:
    behaviours, status, code, how, text, calls = FAILURES[name]
    model.enqueue(*behaviours)
    one = talk()
    reply: Reply = one.say("Hello.", metadata={"a": 1})
    assert reply.end == broken_turn(status, code, how, event=len(reply.frames))
    assert (reply.text, len(model.received)) == (text, calls)
    stored = answer()
    assert (stored.status, stored.content, stored.extra.error) == (how, text, code)
    assert stored.finished_at is not None
    assert one.say("And now?").end["status"] == "complete"


def test_a_server_that_is_not_there(talk: TalkMaker, settings: Any) -> None:
    settings.LLM_BASE_URL = f"http://127.0.0.1:{free_port()}/v1"
    reply = talk().say("Hello.")
    assert reply.end == broken_turn(502, "model_unreachable", "failed")
    assert (answer().status, answer().extra.error) == ("failed", "model_unreachable")


def test_the_models_retry_after_is_handed_on(talk: TalkMaker, model: ModelServer) -> None:
    model.enqueue(Refuse(429, retry_after="7"))
    end = talk().say("Hello.").end
    assert end == {**broken_turn(503, "model_rate_limited", "failed"), "retry_after": 7.0}


def test_a_failure_that_heals_before_the_first_token_is_not_told(talk: TalkMaker, model: ModelServer) -> None:
    model.enqueue(Refuse(503), Answer(["Here I am."]))
    reply = talk().say("Hello.")
    assert (reply.text, reply.end["status"], len(model.received)) == ("Here I am.", "complete", 2)
    assert model.received[0] == model.received[1]
    assert answer().extra.error == ""


def test_after_the_first_token_nothing_is_tried_again(talk: TalkMaker, model: ModelServer) -> None:
    model.enqueue(CutAfter(1), Answer(["Again."]))
    assert talk().say("Hello.").text == "tok0 "
    assert len(model.received) == 1


def test_an_answer_has_so_much_time(talk: TalkMaker, model: ModelServer, settings: Any) -> None:
    settings.LLM_TOTAL_TIMEOUT = 0.3
    model.enqueue(Answer(["word "] * 100, gap=0.02))
    reply = talk().say("Hello.")
    assert reply.end == broken_turn(504, "model_timeout", "interrupted", event=len(reply.frames))
    assert answer().content == reply.text
    assert model.client_left()


def test_an_answer_has_so_much_room(talk: TalkMaker, model: ModelServer, settings: Any) -> None:
    settings.LIMIT_ANSWER_BYTES = 10
    model.enqueue(Answer(["中文" * 2, "more"]))
    reply = talk().say("Hello.")
    assert (reply.text, reply.end["status"]) == ("中文中", "complete")
    assert answer().extra.finish_reason == "answer_limit"


def test_the_caller_hears_nothing_of_address_key_or_the_servers_words(
    talk: TalkMaker, model: ModelServer, settings: Any
) -> None:
    settings.LLM_API_KEY = "sk-secret"
    model.enqueue(Refuse(401, message="Wrong key sk-secret for org-17"))
    told = json.dumps(talk().say("Hello.").frames) + answer().extra.error
    assert not [word for word in ("sk-secret", "org-17", "127.0.0.1", model.url) if word in told]


def test_what_arrived_is_history_and_what_failed_is_not(talk: TalkMaker, model: ModelServer) -> None:
    one = talk()
    model.enqueue(Refuse(401), CutAfter(2))
    for prompt in ("One.", "Two.", "Three."):
        one.say(prompt)
    assert [(m["role"], m["content"]) for m in json.loads(model.received[-1])["messages"]] == [
        ("system", "You coach."),
        ("user", "One."),
        ("user", "Two."),
        ("assistant", "tok0 tok1 "),
        ("user", "Three."),
    ]


def test_what_a_good_answer_cost_is_stored(talk: TalkMaker, model: ModelServer) -> None:
    model.enqueue(Answer(["Hi", "."], first=0.05, gap=0.05, reason="length", usage=(11, 5)))
    talk().say("Hello.")
    extra = answer().extra
    assert (extra.model, extra.finish_reason, extra.error) == ("scripted", "length", "")
    assert (extra.prompt_tokens, extra.completion_tokens) == (11, 5)
    assert 50 <= extra.ttft_ms <= extra.duration_ms - 50
    assert json.loads(model.received[0])["model"] == "scripted"


def test_the_models_key_goes_to_the_model(talk: TalkMaker, model: ModelServer, settings: Any) -> None:
    settings.LLM_API_KEY = "sk-secret"
    talk().say("Hello.")
    assert model.headers[0]["Authorization"] == "Bearer sk-secret"
