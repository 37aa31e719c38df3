"""`POST /api/v1/sessions/{id}/preview/`: what a message would come to, and that nothing comes of it."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import User

from chat import previewing
from chat.models import ApiToken, Mentor, Session, Tenant

from ..clients import Socket, fetch
from ..expecting import problem
from ..model_server import Answer, CutAfter, Hang, ModelServer, Refuse
from .conftest import ENTERPRISE, FREE, Ask, bearer, cookies_of

Put = Callable[..., None]
CA, NY = {"stateCode": "CA"}, {"stateCode": "NY"}


def rows() -> dict[str, list[Any]]:
    """Everything that is stored."""
    models = [*apps.get_app_config("chat").get_models(), *apps.get_app_config("exports").get_models()]
    return {model.__name__: list(model._default_manager.order_by("pk").values()) for model in models}


def users_message(told: dict[str, Any]) -> str:
    content: str = told["request"]["messages"][-1]["content"]
    return content


def test_all_that_is_told_of_a_message_that_is_not_sent(
    alice: Socket, preview: Ask, model: ModelServer
) -> None:
    model.enqueue(Answer(["Hello."]))
    alice.say("One.", metadata=CA)
    status, told = preview(alice.session_id, {"metadata": NY, "prompt": "Two."})
    request = told.pop("request")
    assert status == 200
    assert json.loads(told.pop("body")) == request
    assert request["messages"][1:-1] == [
        {"role": "user", "content": "One."},
        {"role": "assistant", "content": "Hello."},
    ]
    assert told == {
        "session_id": alice.session_id,
        "message_id": None,
        "mentor_version": 1,
        "context": {
            "version": 2,
            "changed": True,
            "warnings": [],
            "client_context": NY,
            "verified_keys": ["stateCode"],
            "diff": {
                "added": [],
                "removed": [],
                "changed": [{"pointer": "/stateCode", "before": "CA", "after": "NY"}],
            },
        },
        "delivery": "user_block",
        "left_out": {},
        "answer": None,
    }


def test_it_is_byte_for_byte_what_is_then_sent(
    alice: Socket, preview: Ask, model: ModelServer, coach: Mentor
) -> None:
    coach.greeting_text, coach.system_prompt = "Hello!", "In {stateCode}, {name}."
    coach.model_parameters = {"temperature": 0.5}
    coach.save()
    alice.say("Zero.", metadata=CA)
    message = {
        "prompt": "What now?",
        "page_content": "Lesson <3>",
        "metadata": {"stateCode": 1.50, "z": [None]},
    }
    told = preview(alice.session_id, message)[1]
    alice.say(message.pop("prompt"), **message)  # type: ignore[arg-type]
    assert told["body"].encode() == model.received[-1]


def test_of_a_session_without_a_word_it_is_the_first_prompt(
    live: str, coach: Mentor, token: str, preview: Ask, model: ModelServer
) -> None:
    coach.greeting_text = "Hello!"
    coach.save()
    talk = Socket(live, "demo", "coach", token=token, username="alice")
    path = f"/api/v1/sessions/{talk.session_id}/context/"
    body = {"client_context": CA, "flow": {"name": "coach", "tenant": "demo"}, "user": "alice"}
    assert fetch(live, "PUT", path, body, bearer(token))[0] == 201
    told = preview(talk.session_id, {"prompt": "Hi."})[1]
    talk.say("Hi.")
    talk.close()
    assert "<GREETING INSTRUCTIONS>" in users_message(told)
    assert told["body"].encode() == model.received[-1]


def test_nothing_is_stored(alice: Socket, preview: Ask, model: ModelServer) -> None:
    alice.say("One.", metadata=CA)
    before = rows()
    assert preview(alice.session_id, {"metadata": NY, "prompt": "Two."}, query="?answer=true")[0] == 200
    assert preview(alice.session_id, {"metadata": {}, "prompt": "Two."})[0] == 200
    assert rows() == before
    alice.say("Three.")
    assert b"Two." not in model.received[-1] and b"stateCode: CA" in model.received[-1]


def test_nothing_that_is_not_said_changes(alice: Socket, preview: Ask) -> None:
    alice.say("One.", metadata=CA)
    for body in ({}, {"metadata": None}, {"metadata": CA}):
        context = preview(alice.session_id, body)[1]["context"]
        assert (context["version"], context["changed"], context["client_context"]) == (1, False, CA)
    cleared = preview(alice.session_id, {"metadata": {}})[1]["context"]
    assert (cleared["version"], cleared["changed"], cleared["client_context"]) == (2, True, {})


def test_what_a_page_would_be_kept_from(page: Socket, put: Put, preview: Ask) -> None:
    page.say("Hello?")
    put(page, FREE)
    as_page, as_server = (
        preview(page.session_id, {"metadata": ENTERPRISE, "verified": verified})[1]["context"]
        for verified in (False, True)
    )
    assert as_page["client_context"] == {"page": "pricing", "plan": "free"}
    assert [one["pointer"] for one in as_page["warnings"]] == ["/metadata/plan"]
    assert as_page["verified_keys"] == ["plan"]
    assert (as_server["client_context"], as_server["warnings"]) == (ENTERPRISE, [])


def test_staff_speak_as_a_page_unless_they_say_otherwise(
    page: Socket, put: Put, preview: Ask, dora: User
) -> None:
    page.say("Hello?")
    put(page, FREE)
    who = cookies_of(dora)
    for more, plan in (({}, "free"), ({"verified": True}, "enterprise")):
        told = preview(page.session_id, {"metadata": ENTERPRISE, **more}, who)[1]
        assert told["context"]["client_context"]["plan"] == plan


@pytest.mark.parametrize(
    ("include", "delivery", "where"),
    [(None, "user_block", -1), (True, "system_prompt", 0), (False, "off", None)],
)
def test_how_the_context_would_reach_the_model(
    alice: Socket, preview: Ask, include: bool | None, delivery: str, where: int | None
) -> None:
    alice.say("One.")
    told = preview(
        alice.session_id, {"metadata": CA, "prompt": "Two.", "include_metadata_in_prompt": include}
    )[1]
    assert told["delivery"] == delivery
    messages = [one["content"] for one in told["request"]["messages"]]
    holding = [number for number, content in enumerate(messages) if "stateCode: CA" in content]
    assert holding == ([] if where is None else [where % len(messages)])
    assert told["left_out"] == ({"stateCode": "off"} if where is None else {})


# --- beside an answer


def test_an_answers_own_context_gives_its_own_prompt(
    alice: Socket, preview: Ask, model: ModelServer, coach: Mentor
) -> None:
    answers = [alice.say(f"{n}?", metadata={"n": n}, page_content="Page.").generation_id for n in (1, 2, 3)]
    coach.system_prompt, coach.context_delivery = "Ahoy.", "off"
    coach.save()
    for number, answer in enumerate(answers):
        told = preview(alice.session_id, {"message_id": answer})[1]
        sent = model.received[number].decode()
        kept = "[page content: 5 bytes, sha256 "
        assert kept in told["body"]
        again = preview(alice.session_id, {"message_id": answer, "page_content": "Page."})[1]
        assert again["body"] == sent
        assert (again["message_id"], again["mentor_version"]) == (answer, 1)


def test_the_same_question_under_another_context(alice: Socket, preview: Ask) -> None:
    first = alice.say("What is on the exam?", metadata=CA).generation_id
    alice.say("And later?", metadata={"later": True})
    told = preview(alice.session_id, {"message_id": first, "metadata": NY})[1]
    assert users_message(told).startswith("What is on the exam?\n")
    assert "stateCode: NY" in users_message(told) and "later" not in told["body"]
    assert told["context"]["diff"]["changed"] == [{"pointer": "/stateCode", "before": "CA", "after": "NY"}]


def test_another_sessions_answer_is_not_there(alice: Socket, page: Socket, preview: Ask) -> None:
    alice.say("Hello?")
    foreign, question = page.say("Hello?"), alice.say("Hello?").start["user_message_id"]
    for message in (foreign.generation_id, question, str(uuid.uuid4())):
        told = preview(alice.session_id, {"message_id": message})
        assert told == (404, problem(404, "not_found", "/message_id"))


# --- the model's answer


def test_the_model_answers_what_is_not_sent(alice: Socket, preview: Ask, model: ModelServer) -> None:
    alice.say("One.", metadata=CA)
    for query, more in (("?answer=true", {}), ("", {"answer": True})):
        model.enqueue(Answer(["In ", "New York."], usage=(11, 2)))
        told = preview(alice.session_id, {"metadata": NY, "prompt": "Two.", **more}, query=query)[1]
        answer = told["answer"]
        assert answer.pop("duration_ms") > 0
        assert answer == {
            "content": "In New York.",
            "finish_reason": "stop",
            "usage": {"prompt_tokens": 11, "completion_tokens": 2, "total_tokens": 13},
        }
        assert told["body"].encode() == model.received[-1]
    preview(alice.session_id, {"metadata": NY, "prompt": "Three."})
    assert len(model.received) == 3


@pytest.mark.parametrize(
    ("behaviour", "status", "code"),
    [
        (Refuse(401), 502, "model_unauthorized"),
        (CutAfter(2), 502, "model_cut"),
        (None, 502, "model_unreachable"),
    ],
)
def test_a_model_that_fails_is_told_plainly(
    alice: Socket, preview: Ask, model: ModelServer, settings: Any, behaviour: Any, status: int, code: str
) -> None:
    alice.say("One.")
    if behaviour is None:
        settings.LLM_BASE_URL = "http://127.0.0.1:9/v1"
    else:
        model.enqueue(behaviour)
    told = preview(alice.session_id, {"prompt": "Two."}, query="?answer=true")
    assert told == (status, problem(status, code))
    assert preview(alice.session_id, {"prompt": "Two."})[0] == 200


def test_a_model_that_hangs_is_given_up(
    alice: Socket, preview: Ask, model: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice.say("One.")
    monkeypatch.setattr(previewing, "ANSWER_SECONDS", 0.5)
    model.enqueue(Hang(after=1))
    began = time.monotonic()
    told = preview(alice.session_id, {"prompt": "Two."}, query="?answer=true")
    assert told == (504, problem(504, "model_timeout"))
    assert time.monotonic() - began < 10
    assert model.client_left()


def test_an_answer_counts_as_a_turn_of_the_token(
    alice: Socket, preview: Ask, model: ModelServer, settings: Any
) -> None:
    alice.say("One.")
    settings.LIMIT_TURNS_PER_MINUTE_PER_TOKEN = 3
    asked = [preview(alice.session_id, {"prompt": "?"}, query="?answer=true")[0] for _ in range(4)]
    assert 429 in asked and asked[0] == 200
    assert preview(alice.session_id, {"prompt": "?"})[0] == 200


# --- who


def test_a_reader_sees_the_prompt_and_asks_no_model(
    alice: Socket, preview: Ask, reader: str, model: ModelServer
) -> None:
    alice.say("One.")
    assert preview(alice.session_id, {"metadata": NY}, bearer(reader))[0] == 200
    refused = preview(alice.session_id, {}, bearer(reader), "?answer=true")
    assert refused == (403, problem(403, "permission_denied"))
    assert len(model.received) == 1


def test_staff_may_ask_the_model(alice: Socket, preview: Ask, dora: User, model: ModelServer) -> None:
    alice.say("One.")
    assert preview(alice.session_id, {"prompt": "?"}, cookies_of(dora), "?answer=true")[0] == 200
    without = {name: value for name, value in cookies_of(dora).items() if name == "Cookie"}
    assert preview(alice.session_id, {}, without)[0] == 403


def test_it_is_not_there_for_strangers(
    alice: Socket, preview: Ask, others_token: str, tutor: Mentor, demo: Tenant
) -> None:
    alice.say("One.")
    eve = cookies_of(User.objects.create_user("eve", is_staff=True))
    tutors = ApiToken.issue(demo, scope="write_all", name="tutors", mentor=tutor)[1]
    for who in (bearer(others_token), bearer(tutors), eve):
        for session in (alice.session_id, str(uuid.uuid4()), "x"):
            assert preview(session, {}, who) == (404, problem(404, "not_found"))


def test_visitors_must_sign_in(page: Socket, preview: Ask) -> None:
    page.say("Hello?")
    for who in ({}, {"Authorization": f"Session {page.session_token}"}):
        told = preview(page.session_id, {"metadata": CA}, who)
        assert told == (401, problem(401, "authentication_required"))


# --- what it refuses


@pytest.mark.parametrize(
    ("body", "status", "code", "pointer"),
    [
        ({"metadata": ["CA"]}, 400, "invalid_payload", "/metadata"),
        ({"metadata": "CA"}, 400, "invalid_payload", "/metadata"),
        ({"prompt": 5}, 400, "invalid_payload", "/prompt"),
        ({"page_content": {}}, 400, "invalid_payload", "/page_content"),
        ({"include_metadata_in_prompt": "yes"}, 400, "invalid_payload", "/include_metadata_in_prompt"),
        ({"verified": 1}, 400, "invalid_payload", "/verified"),
        ({"answer": "true"}, 400, "invalid_payload", "/answer"),
        ({"message_id": "1"}, 400, "invalid_payload", "/message_id"),
        ({"metadata": {"a": "x" * 17_000}}, 413, "metadata_too_large", "/metadata"),
        ({"metadata": {str(n): n for n in range(300)}}, 413, "metadata_too_large", "/metadata"),
        ({"prompt": "x" * 33_000}, 413, "prompt_too_large", "/prompt"),
    ],
)
def test_what_no_message_may_bring(
    alice: Socket, preview: Ask, body: dict[str, Any], status: int, code: str, pointer: str
) -> None:
    alice.say("One.")
    assert preview(alice.session_id, body) == (status, problem(status, code, pointer))


def test_what_has_no_effect_is_named(alice: Socket, preview: Ask) -> None:
    alice.say("One.")
    told = preview(alice.session_id, {"colour": "green", "page_content": "word " * 60_000})[1]
    warnings = told["context"]["warnings"]
    assert [(one["code"], one["pointer"]) for one in warnings] == [
        ("unknown_key", "/colour"),
        ("page_content_cut", "/page_content"),
    ]


def test_it_takes_no_other_parameters(alice: Socket, preview: Ask) -> None:
    alice.say("One.")
    assert preview(alice.session_id, {}, query="?dry=1") == (400, problem(400, "invalid_filter", "?dry"))
    wrong = preview(alice.session_id, {}, query="?answer=yes")
    assert wrong == (400, problem(400, "invalid_filter", "?answer"))
    assert Session.objects.get().next_sequence == 3
