"""The composer: its exact words."""

from __future__ import annotations

import re
from hashlib import sha256

import pytest

from chat.prompts import (
    PAGE_END,
    PAGE_START,
    compose_user_prompt,
    context_block,
    greeting_instructions,
    messages,
    page_content_stamp,
    system_prompt,
)
from chat.strict_json import dumps, spelled

from .conftest import block_of, lines_of


def test_the_seed_s_message_byte_for_byte() -> None:
    block = context_block('{"productGroup":"LICENSING","stateCode":"CA"}')
    assert compose_user_prompt("", "What are the requirements?", "", block) == (
        "What are the requirements?\n"
        "\n"
        "<CONTEXT METADATA> Here is additional context metadata for this conversation:\n"
        "productGroup: LICENSING\n"
        "stateCode: CA\n"
        "</END CONTEXT METADATA>"
    )


def test_scalars_are_plain_and_nested_values_compact_json() -> None:
    text = (
        '{"a":"x","b":null,"c":true,"d":false,"e":10,"f":{"g":[1,{"h":null}],"i":"你"},"j":[],"k":{},"l":""}'
    )
    assert lines_of(context_block(text)) == [
        "a: x",
        "b: null",
        "c: true",
        "d: false",
        "e: 10",
        'f: {"g":[1,{"h":null}],"i":"你"}',
        "j: []",
        "k: {}",
        "l: ",
    ]


def test_numbers_and_key_order_are_the_client_s() -> None:
    text = '{"z":1.10,"a":1e5,"m":-0,"n":{"y":4.826e+16,"x":[0.0,12345678901234567890123]}}'
    expected = ["z: 1.10", "a: 1e5", "m: -0", 'n: {"y":4.826e+16,"x":[0.0,12345678901234567890123]}']
    assert lines_of(context_block(text)) == expected
    hostile = text.replace('"z"', '"<s>":"\\n","z"')  # the careful path spells them no other way
    assert lines_of(context_block(hostile))[1:] == expected


def test_an_empty_context_has_no_block() -> None:
    assert context_block("{}") == ""
    assert compose_user_prompt("", "Hello", "", "") == "Hello"


def test_the_parts_stand_in_order_with_a_blank_line_between() -> None:
    greeting = greeting_instructions("proactive_response", "Welcome!")
    assert compose_user_prompt(greeting, "Hi", "The page.", block_of(a=1)) == (
        "<GREETING INSTRUCTIONS> You have already greeted the user with this text; do not greet again:\n"
        "Welcome!\n"
        "</END GREETING INSTRUCTIONS>\n"
        "\n"
        "Hi\n"
        "\n"
        "<PAGE CONTENT> This is the text of the page that the user is looking at:\n"
        "The page.\n"
        "</END PAGE CONTENT>\n"
        "\n"
        "<CONTEXT METADATA> Here is additional context metadata for this conversation:\n"
        "a: 1\n"
        "</END CONTEXT METADATA>"
    )


def test_a_proactive_prompt_tells_how_to_greet() -> None:
    assert greeting_instructions("proactive_prompt", "Be short.") == (
        "<GREETING INSTRUCTIONS> Greet the user before you answer, as these instructions say:\n"
        "Be short.\n"
        "</END GREETING INSTRUCTIONS>"
    )


def test_a_mentor_without_a_greeting_text_gives_no_instructions() -> None:
    assert greeting_instructions("proactive_response", " \n") == ""


def test_what_is_stored_has_no_page_and_what_is_rebuilt_its_stamp() -> None:
    page, block = "Text of the page ✓", block_of(a=1)
    sent = compose_user_prompt("", "Hi", page, block)
    stamp = page_content_stamp(len(page.encode()), sha256(page.encode()).hexdigest())
    assert compose_user_prompt("", "Hi", "", block) == sent.replace(
        f"{PAGE_START}\n{page}\n{PAGE_END}\n\n", ""
    )
    assert compose_user_prompt("", "Hi", stamp, block) == sent.replace(page, stamp)
    assert re.fullmatch(r"\[page content: 20 bytes, sha256 [0-9a-f]{64}\]", stamp)


@pytest.mark.parametrize(
    "text",
    [
        "Is a < b and b > c? Then a << b, a <| b, x |> y.",
        '<div class="context"><b>metadata</b></div> <br/> <page> <content>',
        '{"context": ["metadata", {"a": [1, 2]}]} [1] [instance] <contextMetadata id="1"> <Page Content="x">',
        "C# List<Context> Metadata; «Контекст» 《红楼梦》 〈注〉 ‹i›",
        "Tabs\tand\r\nlines\n\n\nand 👩‍👩‍👧 zero\u200bwidth",
        "the context metadata, the END of CONTEXT METADATA, &lt;CONTEXT METADATA&gt;",
    ],
)
def test_ordinary_text_stays_byte_for_byte(text: str) -> None:
    assert compose_user_prompt("", text, "", "") == text
    assert f"\n{text}\n" in compose_user_prompt("", "x", text, "")
    assert messages("", [("user", text)], "x")[0]["content"] == text


def test_a_system_prompt_is_filled_and_the_block_follows_a_blank_line() -> None:
    text = '{"stateCode":"CA","price":1.10,"user":{"name":"Ann"}}'
    template = "Tutor for {stateCode} at {price}: {{metadata_user.name}}, {unknown}."
    assert system_prompt(template, spelled(text)) == "Tutor for CA at 1.10: Ann, {unknown}."
    assert system_prompt("Tutor.", spelled(text), block_of(a=1)) == f"Tutor.\n\n{block_of(a=1)}"
    assert system_prompt("", {}, block_of(a=1)) == block_of(a=1)
    assert system_prompt("", {}) == ""


def test_a_placeholder_in_a_value_stays_text() -> None:
    values = spelled(dumps({"a": "{b} {{metadata_b}}", "b": "secret"}))
    assert system_prompt("{a}", values) == "{b} {{metadata_b}}"
    assert system_prompt("Hi.", values, block_of(a="{b}", b=1)).splitlines()[3] == "a: {b}"


def test_the_mentor_s_own_template_may_speak_of_the_markers() -> None:
    template = "Use what stands between <CONTEXT METADATA> and </END CONTEXT METADATA>."
    assert system_prompt(template, {}) == template


def test_messages_carry_the_model_s_roles() -> None:
    history = [
        ("user", "Hi"),
        ("mentor", "Hello"),
        ("operator", "A person here"),
        ("user", None),
        ("mentor", None),
    ]
    assert messages("Be kind.", history, "Now?") == [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello"},
        {"role": "assistant", "content": "A person here"},
        {"role": "user", "content": "[removed]"},
        {"role": "assistant", "content": "[removed]"},
        {"role": "user", "content": "Now?"},
    ]


def test_an_empty_system_prompt_service_messages_and_empty_texts_are_left_out() -> None:
    history = [("service", "Ann joined"), ("user", "Hi"), ("mentor", "")]
    assert messages("", history, "Now?") == [
        {"role": "user", "content": "Hi"},
        {"role": "user", "content": "Now?"},
    ]
