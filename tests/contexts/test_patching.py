"""`PATCH …/context/`: merge patches (RFC 7396) and JSON patches (RFC 6902), by the context law."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat.errors import ChatError
from chat.limits import Limits
from chat.models import Session, SessionContextVersion
from chat.patches import merged, operations, patched
from chat.strict_json import parse_list

from ..expecting import SENTENCE, problem
from .conftest import CA, STEPS, Writer, is_kept_alike, written

NONE = frozenset[str]()


def merge(now: str, patch: str, verified: frozenset[str] = NONE) -> Any:
    return merged(now, patch, verified, Limits())


def step(now: str, *steps: Any, verified: frozenset[str] = NONE) -> Any:
    text = json.dumps(list(steps))
    found, _ = parse_list(text, max_bytes=10_000, max_depth=64)
    return patched(now, operations(found), verified, Limits())


# The RFC's own table, of which those are left out that are no objects.
@pytest.mark.parametrize(
    ("now", "patch", "result"),
    [
        ('{"a":"b"}', '{"a":"c"}', '{"a":"c"}'),
        ('{"a":"b"}', '{"b":"c"}', '{"a":"b","b":"c"}'),
        ('{"a":"b"}', '{"a":null}', "{}"),
        ('{"a":"b","b":"c"}', '{"a":null}', '{"b":"c"}'),
        ('{"a":["b"]}', '{"a":"c"}', '{"a":"c"}'),
        ('{"a":"c"}', '{"a":["b"]}', '{"a":["b"]}'),
        ('{"a":{"b":"c"}}', '{"a":{"b":"d","c":null}}', '{"a":{"b":"d"}}'),
        ('{"a":[{"b":"c"}]}', '{"a":[1]}', '{"a":[1]}'),
        ('{"e":null}', '{"a":1}', '{"e":null,"a":1}'),
        ("{}", '{"a":{"bb":{"ccc":null}}}', '{"a":{"bb":{}}}'),
        ('{"n":1.50}', '{ "m" : 2e1 }', '{"n":1.50,"m":2e1}'),
    ],
)
def test_a_merge_patch(now: str, patch: str, result: str) -> None:
    assert merge(now, patch).text == result


# Out of the appendix of RFC 6902, and what its sections say beside.
@pytest.mark.parametrize(
    ("now", "steps", "result"),
    [
        ('{"foo":"bar"}', [{"op": "add", "path": "/baz", "value": "qux"}], '{"foo":"bar","baz":"qux"}'),
        ('{"foo":[1,2]}', [{"op": "add", "path": "/foo/1", "value": 3}], '{"foo":[1,3,2]}'),
        ('{"foo":[1]}', [{"op": "add", "path": "/foo/-", "value": [2]}], '{"foo":[1,[2]]}'),
        ('{"baz":1,"foo":2}', [{"op": "remove", "path": "/baz"}], '{"foo":2}'),
        ('{"foo":[1,2,3]}', [{"op": "remove", "path": "/foo/1"}], '{"foo":[1,3]}'),
        ('{"baz":1,"foo":2}', [{"op": "replace", "path": "/baz", "value": "x"}], '{"baz":"x","foo":2}'),
        (
            '{"foo":{"bar":"baz","waldo":"fred"},"qux":{"corge":"grault"}}',
            [{"op": "move", "from": "/foo/waldo", "path": "/qux/thud"}],
            '{"foo":{"bar":"baz"},"qux":{"corge":"grault","thud":"fred"}}',
        ),
        ('{"foo":[1,2,3,4]}', [{"op": "move", "from": "/foo/1", "path": "/foo/3"}], '{"foo":[1,3,4,2]}'),
        ('{"a":{"b":1.50}}', [{"op": "copy", "from": "/a", "path": "/c"}], '{"a":{"b":1.50},"c":{"b":1.50}}'),
        ('{"a":1}', [{"op": "add", "path": "", "value": {"b": 2}}], '{"b":2}'),
        ('{"a":1}', [{"op": "replace", "path": "", "value": {}}], "{}"),
        ('{"a":1}', [{"op": "move", "from": "/a", "path": "/a"}], '{"a":1}'),
        ('{"a":1.0}', [{"op": "test", "path": "/a", "value": 1}], '{"a":1.0}'),
        ('{"/":9,"~1":10}', [{"op": "test", "path": "/~01", "value": 10}], '{"/":9,"~1":10}'),
        ('{"":0}', [{"op": "replace", "path": "/", "value": 1}], '{"":1}'),
        ('{"a":null}', [{"op": "test", "path": "/a", "value": None}], '{"a":null}'),
        ("{}", [], "{}"),
    ],
)
def test_a_json_patch(now: str, steps: Any, result: str) -> None:
    assert step(now, *steps).text == result


def test_a_copy_is_no_second_name_of_the_same() -> None:
    copied = [{"op": "copy", "from": "/a", "path": "/c"}, {"op": "add", "path": "/c/x", "value": 1}]
    assert step('{"a":{}}', *copied).text == '{"a":{},"c":{"x":1}}'


PATHS = st.sampled_from(
    ["", "/", "/a", "/a/b", "/a/0", "/a/-", "/l", "/l/0", "/l/-", "/l/1/b", "/~1", "a", "/~"]
)
VALUES = st.sampled_from([None, 1, 1.5, "x", {}, [], {"a": 1}, {"b": {"c": [1]}}, [1, {"b": 2}]])
STEP = st.fixed_dictionaries(
    {"op": st.sampled_from(["add", "remove", "replace", "move", "copy", "test"]), "path": PATHS},
    optional={"from": PATHS, "value": VALUES},
)


@given(steps=st.lists(STEP, max_size=6), verified=st.frozensets(st.sampled_from(["a", "l"])))
def test_whatever_is_asked_for_it_is_done_whole_or_refused(steps: Any, verified: frozenset[str]) -> None:
    now = '{"a":{"b":1.50},"l":[1,{"b":2}],"/":0}'
    try:
        change = step(now, *steps, verified=verified)
    except ChatError as error:
        assert error.details
        return
    value = json.loads(change.text)
    assert isinstance(value, dict)
    if all(one["op"] == "test" for one in steps):
        assert (change.text, change.vouched) == (now, verified)


def patch(writer: Writer, *steps: Any) -> tuple[int, Any]:
    return writer.patch(list(steps), STEPS)


def test_both_kinds_make_a_version(backend: Writer, session: Session) -> None:
    backend.put({"a": 1, "b": 2})
    assert backend.patch({"b": None, "c": {"d": 1}}) == (
        200,
        written(client_context={"a": 1, "c": {"d": 1}}, version=2, verified_keys=["a", "c"]),
    )
    told = patch(backend, {"op": "remove", "path": "/a"}, {"op": "add", "path": "/c/d", "value": 2})
    assert told == (200, written(client_context={"c": {"d": 2}}, version=3, verified_keys=["c"]))
    assert is_kept_alike(session.pk)


@pytest.mark.parametrize("body", [{}, {"stateCode": "CA"}, {"gone": None}])
def test_what_changes_nothing_makes_no_version(backend: Writer, body: Any) -> None:
    backend.put(CA)
    assert backend.patch(body)[1] == written(changed=False)


@pytest.mark.parametrize(
    ("steps", "pointers"),
    [
        ([5], ["/0"]),
        ([{}], ["/0/op"]),
        ([{"op": "remove", "path": "/a"}, {"op": "append", "path": "/b"}], ["/1/op"]),
        ([{"op": ["add"], "path": "/b"}], ["/0/op"]),
        (
            [{"op": "add", "path": "a"}, {"op": "move", "path": "/~2"}],
            ["/0/path", "/0/value", "/1/path", "/1/from"],
        ),
        ([{"op": "test", "path": 5, "value": 1}], ["/0/path"]),
        ([{"op": "remove", "path": "/b"}], ["/0/path"]),
        ([{"op": "add", "path": "/b/c", "value": 1}], ["/0/path"]),
        ([{"op": "add", "path": "/a/c", "value": 1}], ["/0/path"]),
        ([{"op": "replace", "path": "/b", "value": 1}], ["/0/path"]),
        ([{"op": "add", "path": "/l/3", "value": 1}], ["/0/path"]),
        ([{"op": "add", "path": "/l/01", "value": 1}], ["/0/path"]),
        ([{"op": "remove", "path": "/l/-"}], ["/0/path"]),
        ([{"op": "test", "path": "/a", "value": 1}, {"op": "copy", "from": "/x", "path": "/y"}], ["/1/from"]),
        ([{"op": "move", "from": "/o", "path": "/o/p"}], ["/0/path"]),
        ([{"op": "remove", "path": ""}], ["/0/path"]),
        ([{"op": "move", "from": "", "path": "/a"}], ["/0/path"]),
        ([{"op": "replace", "path": "", "value": [1]}], ["/0"]),
        ([{"op": "test", "path": "/a", "value": 1}] * 257, [""]),
    ],
)
def test_a_patch_that_is_none_is_pointed_at(backend: Writer, steps: Any, pointers: list[str]) -> None:
    backend.put({"a": 1, "l": [1, 2], "o": {"p": 1}})
    assert patch(backend, *steps) == (422, problem(422, "invalid_patch", *pointers))
    assert backend.show()["version"] == 1


@pytest.mark.parametrize("value", [2, True, "1", None, {"a": 1}])
def test_a_test_that_fails_leaves_all_as_it_was(backend: Writer, value: Any) -> None:
    backend.put({"a": 1})
    steps = {"op": "add", "path": "/b", "value": 1}, {"op": "test", "path": "/a", "value": value}
    assert patch(backend, *steps) == (409, problem(409, "patch_test_failed", "/1"))
    assert backend.show()["client_context"] == {"a": 1}


@pytest.mark.parametrize(
    ("kind", "body", "pointer"),
    [
        (STEPS, b'[{"op":"add","path":"/a","value":"\\u0000"}]', "/0/value"),
        (STEPS, b'{"op":"add"}', ""),
        (STEPS, b"[", ""),
        (STEPS, b"", ""),
        ("application/merge-patch+json", b'{"a":1,"a":2}', "/a"),
        ("application/merge-patch+json", b"[]", ""),
        ("application/merge-patch+json", b"", ""),
    ],
)
def test_what_is_no_sound_json_is_refused(backend: Writer, kind: str, body: bytes, pointer: str) -> None:
    assert backend.patch(body, kind) == (400, problem(400, "invalid_payload", pointer))


def test_no_patch_leads_over_the_limits(backend: Writer) -> None:
    backend.put({"a": ["x" * 100]})
    doubling = [{"op": "copy", "from": "/a", "path": "/a/-"}] * 200
    status, told = patch(backend, *doubling)
    assert (status, told["code"]) == (413, "metadata_too_large")
    deep = [{"op": "add", "path": "/a" * n, "value": {}} for n in range(1, 40)]
    assert patch(backend, *deep)[0] == 413
    assert backend.patch({"b": "x" * 17_000}) == (413, problem(413, "metadata_too_large", ""))
    assert SessionContextVersion.objects.count() == 1


# --- two layers


def test_a_page_patches_below_what_is_verified(backend: Writer, page: Writer) -> None:
    backend.put({"plan": "pro"})
    status, told = page.patch({"plan": None, "page": "/exam"})
    assert (status, told["client_context"]) == (200, {"page": "/exam", "plan": "pro"})
    kept = [{"code": "verified_key_kept", "pointer": "/metadata/plan", "message": SENTENCE}]
    assert told["warnings"] == kept
    assert patch(page, {"op": "remove", "path": "/plan"})[1]["warnings"] == kept
    assert patch(page, {"op": "replace", "path": "/plan", "value": 1})[1]["warnings"] == kept
    assert page.patch({"page": None})[1]["warnings"] == []


def test_a_tokens_patch_vouches_for_what_it_says_only(backend: Writer, page: Writer) -> None:
    page.put({"page": "/exam", "form": {"name": "Al"}})
    told = backend.patch({"plan": "pro", "form": {"id": 7}})[1]
    assert (told["client_context"]["form"], told["verified_keys"]) == ({"name": "Al", "id": 7}, ["plan"])
    assert backend.patch({"page": "/start"})[1]["verified_keys"] == ["page", "plan"]


@pytest.mark.parametrize(
    ("steps", "verified"),
    [
        ([{"op": "add", "path": "/new", "value": 1}], ["mine", "new"]),
        ([{"op": "add", "path": "/theirs/x", "value": 1}], ["mine"]),
        ([{"op": "add", "path": "/mine/x", "value": 1}], ["mine"]),
        ([{"op": "copy", "from": "/theirs", "path": "/new"}], ["mine"]),
        ([{"op": "copy", "from": "/theirs", "path": "/mine/x"}], []),
        ([{"op": "copy", "from": "/mine", "path": "/new"}], ["mine", "new"]),
        ([{"op": "move", "from": "/mine", "path": "/theirs"}], ["theirs"]),
        ([{"op": "move", "from": "/theirs", "path": "/mine"}], []),
        ([{"op": "copy", "from": "", "path": "/new"}], ["mine"]),
        ([{"op": "replace", "path": "", "value": {"a": 1, "b": 2}}], ["a", "b"]),
        ([{"op": "test", "path": "/theirs", "value": {}}], ["mine"]),
    ],
)
def test_which_keys_are_verified_after_a_patch(steps: Any, verified: list[str]) -> None:
    change = step('{"mine":{},"theirs":{}}', *steps, verified=frozenset({"mine"}))
    left = json.loads(change.text)
    assert sorted(key for key in left if key in change.vouched) == verified
