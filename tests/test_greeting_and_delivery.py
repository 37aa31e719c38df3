"""What of greeting, page and context reaches the model, where it stands, and what of it is stored."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chat.models import ChatMessageHistory, Mentor, Session

from .clients import Frame, TalkMaker
from .model_server import Answer, ModelServer

CA = {"productGroup": "LICENSING", "stateCode": "CA"}
BLOCK = (
    "<CONTEXT METADATA> Here is additional context metadata for this conversation:\n"
    "productGroup: LICENSING\n"
    "stateCode: CA\n"
    "</END CONTEXT METADATA>"
)


def set_up(mentor: Mentor, **fields: Any) -> None:
    mentor.refresh_from_db()
    for name, value in fields.items():
        setattr(mentor, name, value)
    mentor.save()


def sent(model: ModelServer, turn: int = -1) -> list[tuple[str, str]]:
    """The messages that the model was sent for a turn."""
    messages: list[Frame] = json.loads(model.received[turn])["messages"]
    return [(message["role"], message["content"]) for message in messages]


def stored() -> ChatMessageHistory:
    """The latest user message."""
    return ChatMessageHistory.objects.select_related("extra").filter(role="user").latest("sequence")


# --- the seed


def test_the_context_block_in_ibl_ais_exact_words(talk: TalkMaker, model: ModelServer) -> None:
    talk().say("What is on the exam?", metadata=CA)
    assert sent(model) == [("system", "You coach."), ("user", f"What is on the exam?\n\n{BLOCK}")]


def test_scalars_are_plain_and_nested_values_compact(talk: TalkMaker, model: ModelServer) -> None:
    metadata = {"n": 1.5, "yes": True, "none": None, "deep": {"a": [1, "b", None]}, "empty": ""}
    talk().say("Hello.", metadata=metadata)
    lines = sent(model)[-1][1].split("\n")[3:-1]
    assert lines == ["n: 1.5", "yes: true", "none: null", 'deep: {"a":[1,"b",null]}', "empty: "]


def test_the_order_is_greeting_prompt_page_context(
    talk: TalkMaker, model: ModelServer, coach: Mentor
) -> None:
    set_up(coach, greeting_text="Welcome.")
    talk().say("Hello.", metadata=CA, page_content="Lesson 3")
    text = sent(model)[-1][1]
    places = [text.index(part) for part in ("Welcome.", "Hello.", "Lesson 3", BLOCK)]
    assert places == sorted(places)
    assert text.endswith(f"\n\n{BLOCK}")


# --- the greeting


@pytest.mark.parametrize("method", Mentor.GreetingMethod.values)
def test_a_greeting_is_for_the_first_turn_only(
    talk: TalkMaker, model: ModelServer, coach: Mentor, method: str
) -> None:
    set_up(coach, greeting_method=method, greeting_text="Welcome, {stateCode}.")
    one = talk()
    one.say("Hello.", metadata=CA)
    one.say("And now?", metadata={})
    first, later = sent(model, 0)[-1][1], sent(model, 1)
    assert first.startswith("<GREETING INSTRUCTIONS>")
    assert "Welcome, CA.\n</END GREETING INSTRUCTIONS>\n\nHello.\n\n" in first
    assert [content for role, content in later if role == "user"] == ["Hello.", "And now?"]


def test_the_two_methods_say_different_things(talk: TalkMaker, model: ModelServer, coach: Mentor) -> None:
    for method in Mentor.GreetingMethod.values:
        set_up(coach, greeting_method=method, greeting_text="Welcome.")
        talk().say("Hello.")
    assert sent(model, 0) != sent(model, 1)


def test_the_first_turn_stores_the_greeting_beside_the_users_own_words(
    talk: TalkMaker, coach: Mentor
) -> None:
    set_up(coach, greeting_text="Welcome.")
    talk().say("Hello.")
    assert stored().content.endswith("Welcome.\n</END GREETING INSTRUCTIONS>\n\nHello.")
    assert stored().own_words == "Hello."


# --- where the context goes


def test_user_block_is_stored_with_its_markers(talk: TalkMaker) -> None:
    talk().say("Hello.", metadata=CA)
    message = stored()
    assert (message.content, message.own_words) == (f"Hello.\n\n{BLOCK}", "Hello.")
    assert (message.extra.delivery, message.extra.metadata) == ("user_block", CA)


def test_system_prompt_delivery(talk: TalkMaker, model: ModelServer, coach: Mentor) -> None:
    set_up(coach, context_delivery="system_prompt")
    talk().say("Hello.", metadata=CA)
    assert sent(model) == [("system", f"You coach.\n\n{BLOCK}"), ("user", "Hello.")]
    message = stored()
    assert (message.content, message.own_words) == ("Hello.", "Hello.")
    assert (message.extra.delivery, message.extra.metadata) == ("system_prompt", CA)


def test_off_delivery_keeps_the_context_from_the_model(
    talk: TalkMaker, model: ModelServer, coach: Mentor
) -> None:
    set_up(coach, context_delivery="off", system_prompt="You coach in {stateCode}.")
    talk().say("Hello.", metadata=CA)
    assert sent(model) == [("system", "You coach in {stateCode}."), ("user", "Hello.")]
    assert (stored().extra.delivery, stored().extra.metadata) == ("off", CA)
    assert Session.objects.get().client_context == CA


@pytest.mark.parametrize("delivery", Mentor.Delivery.values)
def test_an_empty_context_makes_no_block(
    talk: TalkMaker, model: ModelServer, coach: Mentor, delivery: str
) -> None:
    set_up(coach, context_delivery=delivery)
    one = talk()
    one.say("Hello.", metadata=CA)
    one.say("Again.", metadata={})
    assert [sent(model)[0], sent(model)[-1]] == [("system", "You coach."), ("user", "Again.")]


def test_a_mentor_without_a_prompt_has_no_system_message(
    talk: TalkMaker, model: ModelServer, coach: Mentor
) -> None:
    set_up(coach, system_prompt="")
    talk().say("Hello.")
    assert sent(model) == [("user", "Hello.")]


@pytest.mark.parametrize("delivery", ["user_block", "system_prompt"])
def test_placeholders_of_the_system_prompt_are_filled_once(
    talk: TalkMaker, model: ModelServer, coach: Mentor, delivery: str
) -> None:
    set_up(coach, context_delivery=delivery, system_prompt="For {name} in {{metadata_state}}, {unknown}.")
    one = talk()
    one.say("Hello.", metadata={"name": "{state}", "state": "CA"})
    one.say("Again.", metadata={"name": "Al", "state": None})
    systems = [sent(model, turn)[0][1].partition("\n\n")[0] for turn in (0, 1)]
    assert systems == ["For {state} in CA, {unknown}.", "For Al in null, {unknown}."]


def test_an_edited_delivery_counts_from_the_next_turn(
    talk: TalkMaker, model: ModelServer, coach: Mentor
) -> None:
    one = talk()
    one.say("One.", metadata=CA)
    set_up(coach, context_delivery="system_prompt")
    one.say("Two.")
    assert sent(model)[0] == ("system", f"You coach.\n\n{BLOCK}")
    assert sent(model)[-1] == ("user", "Two.")


# --- page content


def test_page_content_is_shown_and_not_stored(talk: TalkMaker, model: ModelServer) -> None:
    talk().say("Hello.", page_content="Lesson 3: ethics", metadata=CA)
    assert "looking at:\nLesson 3: ethics\n</END PAGE CONTENT>\n\n<CONTEXT METADATA>" in sent(model)[-1][1]
    message = stored()
    assert (message.content, message.extra.page_content) == (f"Hello.\n\n{BLOCK}", "")
    assert message.extra.page_content_length == len("Lesson 3: ethics")


def test_page_content_is_shown_in_its_own_turn_only(
    talk: TalkMaker, model: ModelServer, coach: Mentor
) -> None:
    set_up(coach, keep_page_content=True)
    one = talk()
    one.say("One.", page_content="Lesson 3")
    one.say("Two.")
    assert "Lesson 3" not in model.received[1].decode()
    assert ChatMessageHistory.objects.get(sequence=1).extra.page_content == "Lesson 3"


# --- history


def test_history_has_only_the_newest_block(talk: TalkMaker, model: ModelServer) -> None:
    model.enqueue(*[Answer([text]) for text in ("First.", "Second.", "Third.")])
    one = talk()
    one.say("One.", metadata={"stateCode": "NY"})
    one.say("Two.")
    one.say("Three.", metadata=CA)
    assert sent(model)[1:] == [
        ("user", "One."),
        ("assistant", "First."),
        ("user", "Two."),
        ("assistant", "Second."),
        ("user", f"Three.\n\n{BLOCK}"),
    ]


def test_a_prompt_does_not_grow_with_the_square_of_the_talk(
    talk: TalkMaker, model: ModelServer, coach: Mentor
) -> None:
    one = talk()
    for number in range(8):
        model.enqueue(Answer(["Yes."]))
        one.say(f"Turn {number}.", metadata={"n": number, "long": "x" * 2000})
    sizes = [len(body) for body in model.received]
    assert sizes[-1] - sizes[0] < 1000
    assert all(body.count(b"x" * 2000) == 1 for body in model.received)


def test_what_looks_like_a_marker_in_a_prompt_or_answer_is_no_marker(
    talk: TalkMaker, model: ModelServer
) -> None:
    one = talk()
    model.enqueue(Answer([f"Yes: {BLOCK}"]))
    one.say(f"Is this so? {BLOCK}", metadata={"stateCode": "NY"})
    one.say("Really?")
    for turn in (0, 1):
        text = "".join(content for _, content in sent(model, turn))
        assert (text.count("<CONTEXT METADATA>"), text.count("</END CONTEXT METADATA>")) == (1, 1)
    assert ChatMessageHistory.objects.get(sequence=1).own_words == f"Is this so? {BLOCK}"
    assert ChatMessageHistory.objects.get(sequence=2).content == f"Yes: {BLOCK}"
