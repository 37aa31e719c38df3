"""JSON as rows, and what changed between two objects."""

from __future__ import annotations

import pytest

from chat.reading import differences, read, read_text


def rows(text: str) -> list[tuple[str, str, str]]:
    return [(row.label, row.text, row.kind) for row in read_text(text).rows]


def test_each_value_is_a_row_under_the_names_that_lead_to_it() -> None:
    assert rows('{"stateCode":"CA","course":{"id":17,"tags":["a","b"]},"trial":false,"x":null}') == [
        ("stateCode", "CA", "text"),
        ("course › id", "17", "number"),
        ("course › tags", '["a","b"]', "list"),
        ("trial", "false", "boolean"),
        ("x", "null", "no value"),
    ]


def test_characters_that_hide_or_turn_text_are_named() -> None:
    assert rows('{"\u202ekey":"a\u200bb\U000e0041\\u0007","ok":"می‌خواهم\\n👩‍🚀"}') == [
        ("⟨U+202E⟩key", "a⟨U+200B⟩b⟨U+E0041⟩⟨U+0007⟩", "text"),
        ("ok", "می‌خواهم\n👩‍🚀", "text"),
    ]


def test_numbers_keep_their_spelling() -> None:
    assert rows('{"a":1.00,"b":1e2,"c":12345678901234567890123}') == [
        ("a", "1.00", "number"),
        ("b", "1e2", "number"),
        ("c", "12345678901234567890123", "number"),
    ]


def test_what_is_empty_is_a_row_too() -> None:
    assert rows('{"":{},"list":[],"items":[{"sku":1},{}]}') == [
        ('""', "{}", "object"),
        ("list", "[]", "list"),
        ("items › 1 › sku", "1", "number"),
        ("items › 2", "{}", "object"),
    ]


def test_an_empty_object_has_no_rows() -> None:
    assert read({}).rows == []


def test_verified_keys_are_marked_with_all_that_is_in_them() -> None:
    reading = read_text('{"user":{"id":1},"page":"/"}', ["user"])
    assert [(row.label, row.verified) for row in reading.rows] == [("user › id", True), ("page", False)]


def test_very_many_rows_are_cut_and_the_raw_text_has_them_all() -> None:
    reading = read({f"key{number}": number for number in range(250)})
    assert (len(reading.rows), reading.more) == (200, 50)
    assert '"key249": 249' in reading.raw


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("{}", '{"a":1}', [("+", "a", "", "1")]),
        ('{"a":1}', "{}", [("−", "a", "1", "")]),
        ('{"a":"x"}', '{"a":"y"}', [("±", "a", "x", "y")]),
        ('{"a":1}', '{"a":"1"}', [("±", "a", "1", "1")]),
        ('{"a":true}', '{"a":1}', [("±", "a", "true", "1")]),
        ('{"a":1,"b":2}', '{"b":2.0,"a":1}', []),
        ('{"a":{"b":1,"c":2}}', '{"a":{"c":2}}', [("−", "a › b", "1", "")]),
        ('{"a":1}', '{"a":{"b":1}}', [("+", "a › b", "", "1"), ("−", "a", "1", "")]),
        ('{"a":{}}', '{"a":{"b":1}}', [("+", "a › b", "", "1")]),
        ('{"a":[{"b":1}]}', '{"a":[]}', [("−", "a › 1 › b", "1", "")]),
        ('{"a":[1,2]}', '{"a":[1,3]}', [("±", "a", "[1,2]", "[1,3]")]),
    ],
)
def test_what_changed(before: str, after: str, expected: list[tuple[str, ...]]) -> None:
    found = [(d.sign, d.label, d.before, d.after) for d in differences(before, after)]
    assert found == expected


def test_of_a_text_of_lines_the_changed_ones_are_told() -> None:
    (change,) = differences(r'{"p":"one\ntwo\nthree\nfour"}', r'{"p":"one\ntwo\nTHREE\nfour"}')
    assert change.lines == [("kept", "two"), ("removed", "three"), ("added", "THREE"), ("kept", "four")]
