"""What cannot be written is refused by name, in a sentence that repeats no value."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chat.access import Caller
from chat.errors import InvalidFilter
from chat.filters import FIELDS, parse
from chat.filters.conditions import OPERATORS
from chat.selections import Reader, Selection

from .jsons import KEYS, number, text, value

QUOTE = (
    'A path is keys with dots between them; a key with a dot, a quote or "__" in it is written in double '
    'quotes, as in context."a.b".'
)
OPERATOR = (
    "There is no such operator: there are eq, ne, in, gt, gte, lt, lte, contains, startswith, exists, type. "
)
JSON = 'This is not JSON: text that begins with a bracket or a quote is written as in "[text".'
MOMENT = "This must be a day (2026-11-20) or an instant (2026-11-20T08:00:00Z; the plus of a time zone is written %2B)."
LIST = (
    "Values have commas between them; one that is empty, begins with a quote, or has a comma in it or a blank "
    "around it is written in double quotes."
)
MANY = "This must be 1 to 100 values with commas between them."
WRONG = {
    "There is no such parameter here. A key of the context is asked for as context.KEY.": [
        *(
            ("state", "CA"),
            ("context", "CA"),
            ("context.", "CA"),
            ("Context.a", "1"),
            ("page", "2"),
            ("", ""),
        ),
        *(("tenant__ne", "x"), ("status__ne", "failed"), (" user", "bob"), ("a" * 200, "x")),
    ],
    OPERATOR + QUOTE: [
        *(("context.a__like", "x"), ("context.a__", "x"), ("context.a__GT", "1"), ("context.a__b__gt", "1")),
        *(
            ("context.a__b.c", "1"),
            ("context.a__gt\n", "1"),
            ("context.a__regex", "x"),
            ('context."a"__', "1"),
        ),
    ],
    QUOTE: [
        *(
            ("context..a", "1"),
            ("context.a.", "1"),
            ("context.a..b", "1"),
            ('context.a"b', "1"),
            ('context."a', "1"),
        ),
        *(('context."a"b', "1"), ('context."a""b"', "1"), ("context.__gt", "1"), ("context.__proto__", "1")),
        ('context."a"\n', "1"),
    ],
    "A quoted key must be a JSON string.": [
        *(
            ('context."\\q"', "1"),
            ('context."\\u0000"', "1"),
            ('context."\\ud800"', "1"),
            ('context."\n"', "1"),
        ),
    ],
    "A path has at most 32 keys.": [("context" + ".a" * 33, "1")],
    JSON: [
        *(("context.a", '"open'), ("context.a", "[1,"), ("context.a", "{a:1}"), ("context.a", '"a"b')),
        # What would be JSON in the middle of ours, and what our parser lets nobody send.
        *(("context.a", '[1],"w":[2]'), ("context.a", '"a"},{"v":"b"'), ("context.a", '"a","v":"b"')),
        *(
            ("context.a", "[NaN]"),
            ("context.a", '"\\u0000"'),
            ("context.a", '"\\ud800"'),
            ("context.a", "[1e400]"),
        ),
        *(("context.a", '{"b":1,"b":2}'), ("context.a", "[" * 65 + "]" * 65)),
        *(("context.a__in", "[1,2],3"), ("context.a__in", "a,[1,2]")),
    ],
    "A number must be finite and of at most 310 digits.": [
        *(("context.a", "1e400"), ("context.a", "-1e999999999"), ("context.a", "1" * 311)),
        *(("context.a", "0e-99999"), ("context.a__in", "1,1e400"), ("context.a__gt", "1e400")),
    ],
    LIST: [
        *(("context.a__in", ""), ("context.a__in", "a,"), ("context.a__in", "a,,b"), ("context.a__in", ",")),
        *(("context.a__in", 'a,"b'), ("context.a__in", '"a"b'), ("context.a__in", " ")),
    ],
    "There may be at most 100 values.": [
        ("context.a__in", ",".join("a" * 101)),
        ("context.a__in", f"[{','.join('1' * 101)}]"),
    ],
    "An order is of numbers or of text.": [
        *(
            ("context.a__gt", "true"),
            ("context.a__lte", "[1]"),
            ("context.a__lt", "null"),
            ("context.a__gte", "{}"),
        ),
    ],
    "This must be true or false.": [
        *(("context.a__exists", "1"), ("context.a__exists", ""), ("context.a__exists", '"true"')),
        *(("anonymous", "1"), ("anonymous", "TRUE"), ("anonymous", "")),
    ],
    'This must be text: write a number as "2026".': [
        *(("context.a__startswith", "2026"), ("context.a__startswith", "null")),
    ],
    "This must be one of string, number, boolean, null, array, object.": [
        *(("context.a__type", "integer"), ("context.a__type", '"string"'), ("context.a__type", "")),
    ],
    "A parameter has at most 4096 characters, and neither NUL nor half a surrogate pair.": [
        *(
            ("context.a", "\0"),
            ("context.\0", "a"),
            ("user", "a\ud800"),
            ("context.a", "a" * 4096),
            ("x" * 4097, ""),
        ),
    ],
    "This must not be empty.": [
        ("tenant", ""),
        ("user", ""),
        ("user__ne", ""),
        ("mentor", ""),
    ],
    "This must have a word in it, which is letters or digits.": [("search", ""), ("search", "?! …")],
    MANY: [
        *(("user__in", ""), ("user__in", "a,"), ("user__in", '"\\u0000"'), ("user__in", '"a')),
        ("mentor__in", ",".join("a" * 101)),
    ],
    "This must be among complete, streaming, stopped, interrupted, failed.": [
        *(("status", "done"), ("status__in", "failed,done"), ("status", ""), ("status", "failed,")),
    ],
    "This must be among user, mentor, operator, service.": [("role", "ai"), ("role__in", "user,human")],
    "This must be a session's UUID, or several with commas between them.": [
        ("session", "1"),
        ("session__in", ""),
    ],
    "This must be a whole number.": [
        *(
            ("min_messages", "-1"),
            ("max_messages", "1234567890"),
            ("max_messages", "１"),
            ("min_messages", "1.0"),
        ),
    ],
    MOMENT: [
        *(
            ("from", "yesterday"),
            ("to", ""),
            ("from", "2026-02-30"),
            ("from", "20261120"),
            ("from", "2026-W47-5"),
        ),
        *(("from", "2026-11-20T08:00:00 01:00"), ("from", "2026-11-20T25:00"), ("to", "1795392000")),
        *(("from", "0001-01-01"), ("to", "9999-12-31"), ("from", "0001-01-01T00:00:00+14:00")),
        *(("from", "2026-11-20T08:00:00+25:00"), ("from", "２０２６-11-20"), ("from", "2026-11-20\n")),
    ],
}


def refused(*parameters: tuple[str, str]) -> tuple[str, str]:
    with pytest.raises(InvalidFilter) as caught:
        parse(parameters)
    (detail,) = caught.value.details
    assert detail["message"] == caught.value.message
    assert (caught.value.status, caught.value.code) == (400, "invalid_filter")
    return detail["pointer"], detail["message"]


@pytest.mark.parametrize(
    ("name", "sent", "sentence"),
    [(*parameter, sentence) for sentence, all in WRONG.items() for parameter in all],
)
def test_what_is_wrong_is_refused_by_name(name: str, sent: str, sentence: str) -> None:
    assert refused(("max_messages" if name == "min_messages" else "min_messages", "1"), (name, sent)) == (
        f"?{name[:100]}",
        sentence,
    )


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("user", "user"),
        ("user", "user__in"),
        ("status__in", "status"),
        ("session", "session__in"),
        ("from", "from"),
    ],
)
def test_a_field_is_given_once(first: str, second: str) -> None:
    good = {"status": "failed", "session": "f47ac10b-58cc-4372-a567-0e02b2c3d479", "from": "2026-11-20"}
    sent = good.get(first.removesuffix("__in"), "bob")
    sentence = "What this says is said already: a field is given once."
    assert refused((first, sent), (second, sent)) == (f"?{second}", sentence)


def test_a_filter_has_at_most_twenty_conditions() -> None:
    conditions = [(f"context.k{number}", "1") for number in range(21)]
    assert len(parse(conditions[:20]).conditions) == 20
    assert refused(*conditions) == ("?context.k20", "A filter has at most 20 conditions on keys.")


def test_a_pointer_is_always_text_that_can_be_sent() -> None:
    assert refused(("\ud800" + "a" * 200, "1"))[0] == "?" + "?" + "a" * 99


secret = st.text("sesame", min_size=8).map(lambda text: f"open{text}")


@given(st.sampled_from([*FIELDS, *(f"context.k__{one}" for one in OPERATORS), "context.k__sort"]), secret)
def test_a_sentence_never_repeats_a_value(name: str, sent: str) -> None:
    for spelled in (sent, f'"{sent}', f"[{sent}", f"1e400,{sent}"):
        try:
            parse([(name, spelled)])
        except InvalidFilter as error:
            assert sent not in str(error) + str(error.details)


names = st.builds(
    lambda path, operator: f"context.{path}{operator}",
    st.lists(st.sampled_from([*KEYS, '"a b"', '"\\u0041"', ".", "__"]) | text, max_size=4).map(".".join),
    st.sampled_from(["", "__", *(f"__{one}" for one in OPERATORS)]),
)
anything = text | number | value | st.lists(text, max_size=3).map(",".join)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=names | st.sampled_from([*FIELDS]), sent=anything)
def test_whatever_is_sent_is_answered_or_refused(backend: Caller, name: str, sent: str) -> None:
    try:
        asked = parse([(name, sent)]).within(tenant=None)
    except InvalidFilter as error:
        assert error.details[0]["pointer"].startswith("?")
    else:
        assert list(Selection.of(asked, Reader.of(backend)).sessions()) == []
