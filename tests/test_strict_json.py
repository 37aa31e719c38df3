"""The parser before every door: what it refuses, where it points, and how it keeps the client's spelling."""

from __future__ import annotations

import gc
import json
import time
import weakref
from typing import Any

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chat.errors import FrameTooLarge, InvalidPayload
from chat.strict_json import (
    BAD_CHARACTER,
    BAD_NUMBER,
    DUPLICATE,
    EMPTY,
    NOT_AN_OBJECT,
    NOT_UTF8,
    TOO_DEEP,
    ParsedObject,
    compact,
    dumps,
    parse_object,
    same,
    spell,
    spelled,
    step,
    too_deep,
)

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)
OBJECTS = st.dictionaries(TEXT, VALUES, max_size=6)


def parse(raw: bytes | str, max_depth: int = 64) -> ParsedObject:
    return parse_object(raw, max_bytes=1024 * 1024, max_depth=max_depth)


def refusal(raw: bytes | str, max_depth: int = 64) -> tuple[str, str]:
    """The pointer and sentence with which a document is refused."""
    with pytest.raises(InvalidPayload) as caught:
        parse(raw, max_depth)
    [detail] = caught.value.details
    return detail["pointer"], detail["message"]


def test_an_object_comes_out_as_python_values() -> None:
    raw = ' {"a": 1, "b": [1.5, null, true], "c": {"d": "\\u4f60"}}\n'
    expected = {"a": 1, "b": [1.5, None, True], "c": {"d": "你"}}
    assert parse(raw).value == expected
    assert parse(raw.encode()).value == expected


def test_a_member_s_text_keeps_the_order_of_keys_and_the_spelling_of_numbers() -> None:
    raw = (
        '{"x": 0, "metadata" :{"z": 1.10, "a": [1e5, -0, 4.826e+16, 0.0], "m": 100000000000000000001}, "y":1}'
    )
    assert parse(raw).text("metadata") == '{"z":1.10,"a":[1e5,-0,4.826e+16,0.0],"m":100000000000000000001}'


def test_a_member_s_text_loses_blanks_and_needless_escapes_only_between_tokens() -> None:
    raw = r'{"m": { "\u4f60 a" : "b  \/ \u0041 \" \\ \n \u001b \ud83d\ude00" } }'
    assert parse(raw).text("m") == r'{"你 a":"b  / A \" \\ \n \u001b 😀"}'


def test_a_key_that_is_spelled_with_escapes_is_found() -> None:
    assert parse(r'{"a": 1, "\u006detadata": {"b": 2}}').text("metadata") == '{"b":2}'


def test_a_nested_key_of_the_same_name_is_not_taken_for_the_member() -> None:
    assert parse('{"a": {"metadata": 1}, "b": "\\"metadata\\": 2", "metadata": 3}').text("metadata") == "3"


def test_a_member_that_is_not_there_has_no_text() -> None:
    assert parse('{"a": 1}').text("metadata") is None
    assert parse('{"metadata": null}').text("metadata") == "null"


@pytest.mark.parametrize(
    "raw",
    [
        "{bad",
        "{'a': 1}",
        '{"a": 1,}',
        '{"a": 1} x',
        '{"a": 1}{"b": 2}',
        '\ufeff{"a": 1}',
        '{"a": 01}',
        '{"a": .5}',
        '{"a": +1}',
        '{"a": "tab\there"}',
        '{"a": "\\x41"}',
        '{"a" 1}',
        "{1: 2}",
        '{"a": [1}',
        '{"a": 1 /* why */}',
        "nul",
        '"half',
    ],
)
def test_what_is_not_json_is_refused_with_the_place_and_not_the_text(raw: str) -> None:
    pointer, message = refusal(raw)
    assert pointer == ""
    assert message.startswith("The payload is not JSON (character ")
    assert refusal(raw.encode()) == (pointer, message)


def test_a_byte_order_mark_is_refused() -> None:
    assert refusal(b'\xef\xbb\xbf{"a": 1}') == ("", "The payload is not JSON (character 1).")


@pytest.mark.parametrize("raw", ["", " \n", b"", b"\t"])
def test_an_empty_payload_is_called_empty(raw: bytes | str) -> None:
    assert refusal(raw) == ("", EMPTY)


@pytest.mark.parametrize("raw", ["[]", '[{"a": 1}]', '"text"', "1", "1.5", "null", "true"])
def test_what_is_not_an_object_is_refused(raw: str) -> None:
    assert refusal(raw) == ("", NOT_AN_OBJECT)


@pytest.mark.parametrize(
    "number", ["NaN", "Infinity", "-Infinity", "1e400", "-1e400", "1e131000", "1" * 400 + ".0"]
)
def test_a_number_that_is_not_finite_is_refused_where_it_stands(number: str) -> None:
    assert refusal(f'{{"metadata": {{"a": [0, {number}]}}}}') == ("/metadata/a/1", BAD_NUMBER)


@pytest.mark.parametrize(
    "number", ["1" * 311, "-" + "1" * 311, "1" * 5000, "0." + "1" * 310, "1e-20000", "0e-9999"]
)
def test_a_number_of_too_many_digits_is_refused_where_it_stands(number: str) -> None:
    assert refusal(f'{{"a": {{"b": {number}}}}}') == ("/a/b", BAD_NUMBER)


@pytest.mark.parametrize("number", ["1" * 310, "-" + "1" * 310, str(2**53 + 1), str(10**300)])
def test_a_long_integer_is_exact(number: str) -> None:
    assert parse(f'{{"a": {number}}}').value == {"a": int(number)}


@pytest.mark.parametrize("number", ["1e308", "5e-324", "1e-400", "0.0", "-0.0", "1E+2", "0e0"])
def test_an_unusual_real_is_let_in(number: str) -> None:
    parsed = parse(f'{{"a": {number}}}')
    assert parsed.value == {"a": float(number)}
    assert parsed.text("a") == number


@pytest.mark.parametrize(
    "escape", [r"\u0000", r"\ud83d", r"\ude00", r"\ude00\ud83d", r"\ud83d\ud83d\ude00", r"\\\ud83d"]
)
def test_nul_and_half_a_surrogate_pair_are_refused_in_values(escape: str) -> None:
    assert refusal(f'{{"a": {{"b": ["", "x{escape}y"]}}}}') == ("/a/b/1", BAD_CHARACTER)


@pytest.mark.parametrize("escape", [r"\u0000", r"\uDFFF"])
def test_in_a_key_they_are_refused_at_the_object_that_holds_it(escape: str) -> None:
    assert refusal(f'{{"a": {{"k{escape}": 1}}}}') == ("/a", BAD_CHARACTER)


@pytest.mark.parametrize(
    "text", ["\\ud83d\\ude00", "\\\\u0000", "\\\\ud83d", "\\\\\\\\ude00", "\\u4f60", "😀"]
)
def test_whole_pairs_and_escaped_backslashes_are_let_in(text: str) -> None:
    assert parse(f'{{"a": "{text}"}}').value == {"a": json.loads(f'"{text}"')}


def test_a_raw_surrogate_in_a_string_is_refused() -> None:
    assert refusal('{"a": "\ud83d"}') == ("", NOT_UTF8)


@pytest.mark.parametrize(
    "raw", [b'{"a": "\xff"}', b'{"a": "\xed\xa0\x80"}', b'{"a": "\xc0\x80"}', b"\xff\xfe{\0}\0"]
)
def test_bytes_that_are_not_utf8_are_refused(raw: bytes) -> None:
    assert refusal(raw) == ("", NOT_UTF8)


def test_a_key_twice_is_refused_at_any_depth() -> None:
    assert refusal('{"a": 1, "a": 1}') == ("/a", DUPLICATE)
    assert refusal('{"metadata": {"a": [{"b": 1, "\\u0062": 2}]}}') == ("/metadata/a/0/b", DUPLICATE)


def test_a_pointer_escapes_slash_and_tilde() -> None:
    assert refusal('{"a/b": {"m~n": NaN}}') == ("/a~1b/m~0n", BAD_NUMBER)
    assert step("/a", "~1/") == "/a/~01~1"


def test_a_key_too_long_to_repeat_is_named_by_its_parent() -> None:
    assert refusal(f'{{"a": {{"{"k" * 200}": NaN}}}}') == ("/a", BAD_NUMBER)


def test_the_first_fault_is_the_one_that_is_named() -> None:
    assert refusal('{"a": "\\u0000", "b": NaN, "b": 1}') == ("/a", BAD_CHARACTER)


def test_depth_is_counted_with_the_object_itself() -> None:
    assert parse('{"a": [[]]}', max_depth=3).value == {"a": [[]]}
    assert refusal('{"a": [[]]}', max_depth=2) == ("", TOO_DEEP)


def test_brackets_in_strings_and_side_by_side_are_not_depth() -> None:
    value = {"a": '[[[{{{"\\[[[', "b": [[], {}, [], {}]}
    assert parse(json.dumps(value), max_depth=3).value == value


@pytest.mark.parametrize(
    "raw",
    [
        "[" * 100_000,
        '{"a":' * 100_000,
        '{"a":' + "[" * 100_000 + "]" * 100_000 + "}",
        '{"a":' * 50_000 + "1" + "}" * 50_000,
        "[[],[]," * 30_000,
    ],
)
def test_100_000_levels_are_refused_at_once(raw: str) -> None:
    start = time.thread_time()
    assert refusal(raw) == ("", TOO_DEEP)
    assert time.thread_time() - start < 3


@pytest.mark.parametrize(
    "raw", ['{"a":"' + '\\"[' * 100_000, "{" + "]" * 100_000, '{"a":[' + "[]," * 100_000]
)
def test_hostile_brackets_and_quotes_take_linear_time(raw: str) -> None:
    start = time.thread_time()
    assert refusal(raw)[0] == ""
    assert time.thread_time() - start < 3


def test_size_is_counted_in_utf8_bytes() -> None:
    raw = '{"a":"你"}'  # 9 characters, 11 bytes
    assert parse_object(raw, max_bytes=11, max_depth=1).value == {"a": "你"}
    for text in (raw, raw.encode()):
        with pytest.raises(FrameTooLarge) as caught:
            parse_object(text, max_bytes=10, max_depth=1)
        assert caught.value.as_frame()["code"] == "frame_too_large"


@pytest.mark.parametrize(
    "raw", ['{"secret-9f3" x}', '{"a": "secret-9f3\\u0000"}', '{"a": secret-9f3}', b'{"a": "secret-9f3\xff"}']
)
def test_a_refusal_never_repeats_what_was_sent(raw: bytes | str) -> None:
    with pytest.raises(InvalidPayload) as caught:
        parse(raw)
    assert "9f3" not in json.dumps(caught.value.as_frame())
    assert caught.value.__suppress_context__


@given(OBJECTS)
def test_what_json_can_say_is_let_in_unchanged(value: dict[str, Any]) -> None:
    for raw in (json.dumps(value), json.dumps(value, ensure_ascii=False, indent=1), dumps(value).encode()):
        parsed = parse(raw)
        assert same(parsed.value, value)
        for key in value:
            assert parsed.text(key) == dumps(value[key])


@given(st.text(alphabet='{}[]",:\\u0d8e1-.+ eE\ntrufalsn') | st.text())
@example("{" * 1000)
@example('{"a":1}')
def test_any_text_gives_an_object_or_a_refusal(raw: str) -> None:
    try:
        parsed = parse(raw)
    except InvalidPayload:
        return
    assert parsed.value == json.loads(raw)


@given(st.binary())
def test_any_bytes_give_an_object_or_a_refusal(raw: bytes) -> None:
    try:
        assert isinstance(parse(raw).value, dict)
    except InvalidPayload as refused:
        assert refused.details


@given(st.lists(st.sampled_from(["\\", '"', "[", "]", "{", "}", "a", ",", "\\\\", '\\"']), max_size=14))
def test_depth_is_told_as_a_slow_reader_would(pieces: list[str]) -> None:
    text = "".join(pieces)
    depth = deepest = 0
    inside = escaped = False
    for character in text:
        if inside:
            inside = escaped or character != '"'
            escaped = character == "\\" and not escaped
        elif character == '"':
            inside = True
        elif character in "[]{}":
            depth += 1 if character in "[{" else -1
            deepest = max(deepest, depth)
            if depth < 0:
                break  # no longer JSON
    if depth == 0:
        assert too_deep(text, 2) == (deepest > 2)
    elif depth > 0:  # no JSON, but it must not reach the scanner with any depth it likes
        assert too_deep(text, 2) or deepest <= 4


@given(VALUES)
def test_compact_text_is_a_fixed_point(value: Any) -> None:
    assert compact(json.dumps(value, indent=2)) == dumps(value)
    assert compact(dumps(value)) == dumps(value)


def test_dumps_is_compact_and_readable() -> None:
    assert dumps({"b": [1, None], "a": "你 <&>"}) == '{"b":[1,null],"a":"你 <&>"}'
    with pytest.raises(ValueError, match="not JSON compliant"):
        dumps(float("nan"))


def test_spelled_members_give_back_their_text() -> None:
    text = '{"a":1.10,"b":{"c":[1e5,-0,"x"],"d":12345678901234567890123},"e":"1.10"}'
    members = spelled(text)
    assert [spell(member) for member in members.values()] == [
        "1.10",
        '{"c":[1e5,-0,"x"],"d":12345678901234567890123}',
        '"1.10"',
    ]
    assert members["e"] == "1.10"


@given(OBJECTS)
def test_spelling_a_text_again_changes_nothing(value: dict[str, Any]) -> None:
    assert spell(spelled(dumps(value))) == dumps(value)


def test_plain_values_are_spelled_too_even_the_longest_integers() -> None:
    assert spell([10**30, 1.5, None, True, "x"]) == '[1000000000000000000000000000000,1.5,null,true,"x"]'
    assert spell(orjson.Fragment("1.50")) == "1.50"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, 1.0),
        (0, -0.0),
        ({"a": 1, "b": [1, {"c": None}]}, {"b": [1.0, {"c": None}], "a": 1}),
        ([], []),
        (True, True),
    ],
)
def test_values_that_are_the_same_json(one: Any, other: Any) -> None:
    assert same(one, other)
    assert same(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (True, 1),
        (False, 0),
        ({"a": [True]}, {"a": [1]}),
        ([0], [False]),
        ([1, 2], [2, 1]),
        (2**53 + 1, float(2**53)),
        (10**300, 10**300 + 1),
        (None, False),
        ("1", 1),
        ({}, []),
        ({"a": None}, {}),
    ],
)
def test_values_that_are_not_the_same_json(one: Any, other: Any) -> None:
    assert not same(one, other)
    assert not same(other, one)


def test_a_document_that_is_refused_does_not_stay() -> None:
    """Not even until the collector comes, which is seldom let run where turns are served."""

    def refused() -> weakref.ref[InvalidPayload]:
        try:  # what pytest.raises() gives is in a circle itself
            parse_object('{"card": "4111", "n": NaN}', max_bytes=100, max_depth=8)
        except InvalidPayload as error:
            return weakref.ref(error)
        raise AssertionError("it was let in")

    gc.disable()
    try:
        assert refused()() is None
    finally:
        gc.enable()
