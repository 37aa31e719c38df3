"""A schema that is saved: what can be used, and what is refused, where."""

from __future__ import annotations

import http.server
import json
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError

from chat import policies, schemas
from chat.models import Mentor
from chat.policies import duration, policy_of
from chat.schemas import InvalidSchema


def faults(schema: Any) -> list[str]:
    """The pointers to what is refused; [] if nothing is."""
    try:
        policies.check(schema if isinstance(schema, str) else json.dumps(schema))
    except InvalidSchema as error:
        assert all(one["message"].endswith((".", "…")) for one in error.details)
        return [one["pointer"] for one in error.details]
    return []


@pytest.mark.parametrize(
    "schema",
    [
        "",
        {},
        {"type": "object", "properties": {"stateCode": {"enum": ["CA", "NY"]}}, "required": ["stateCode"]},
        {"$schema": "https://json-schema.org/draft/2020-12/schema", "additionalProperties": False},
        {
            "properties": {"a": {"$ref": "#/$defs/s"}, "b": {"$ref": "#/$defs/s"}},
            "$defs": {"s": {"type": "string"}},
        },
        {"properties": {"a b/c~": {"type": "string"}, "d": {"$ref": "#/properties/a%20b~1c~0"}}},
        {"properties": {"mail": {"format": "email", "x-visible-to": ["model"], "x-retention": "P30D"}}},
        {"properties": {"x-masked": {"type": "string"}}},
    ],
)
def test_a_schema_that_can_be_used(schema: Any) -> None:
    assert faults(schema) == []


@pytest.mark.parametrize(
    ("schema", "pointer"),
    [
        ("{", ""),
        ("[]", ""),
        ('{"type": "object", "type": "object"}', "/type"),
        ('{"minimum": NaN}', "/minimum"),
        ({"type": "strin"}, "/type"),
        ({"properties": {"a": {"type": "strin"}}}, "/properties/a/type"),
        ({"$schema": "http://json-schema.org/draft-07/schema#"}, "/$schema"),
        ({"$id": "https://example.org/x"}, "/$id"),
        ({"properties": {"a": {"$dynamicRef": "#a"}}}, "/properties/a/$dynamicRef"),
        ({"properties": {"a": {"$ref": "https://example.org/x"}}}, "/properties/a/$ref"),
        ({"properties": {"a": {"$ref": "file:///etc/passwd"}}}, "/properties/a/$ref"),
        ({"properties": {"a": {"$ref": "#/$defs/none"}}}, "/properties/a/$ref"),
        ({"properties": {"a": {"$ref": 5}}}, "/properties/a/$ref"),
        ({"$ref": "#"}, "/$ref"),
        ({"properties": {"a": {"$ref": "#"}}}, "/properties/a/$ref"),
        ({"$defs": {"a": {"anyOf": [{"$ref": "#/$defs/a"}]}}}, "/$defs/a/anyOf/0/$ref"),
        ({"properties": {"a": {"pattern": "(?=a)b"}}}, "/properties/a/pattern"),
        ({"properties": {"a": {"pattern": r"(a)\1"}}}, "/properties/a/pattern"),
        ({"properties": {"a": {"pattern": "(a{1000}){1000}"}}}, "/properties/a/pattern"),
        ({"properties": {"a": {"x-visible-to": ["modle"]}}}, "/properties/a/x-visible-to"),
        ({"properties": {"a": {"x-visible-to": "model"}}}, "/properties/a/x-visible-to"),
        ({"properties": {"a": {"x-masked": True}}}, "/properties/a/x-masked"),
        ({"properties": {"a": {"x-locked": "yes"}}}, "/properties/a/x-locked"),
        ({"properties": {"a": {"x-verified-only": 1}}}, "/properties/a/x-verified-only"),
        ({"properties": {"a": {"x-retention": "30 days"}}}, "/properties/a/x-retention"),
        ({"properties": {"a": {"x-retention": "P0D"}}}, "/properties/a/x-retention"),
        (
            {"properties": {"u": {"properties": {"a": {"x-masked": "shown"}}}}},
            "/properties/u/properties/a/x-masked",
        ),
        ({"x-locked": True}, "/x-locked"),
        ({"allOf": [{"properties": {"a": {"x-locked": True}}}]}, "/allOf/0/properties/a/x-locked"),
    ],
)
def test_a_schema_that_cannot_be_used(schema: Any, pointer: str) -> None:
    assert faults(schema) == [pointer]


def test_a_schema_has_a_size_and_a_depth() -> None:
    assert faults({"description": "x" * schemas.MOST_BYTES}) == [""]
    deep: Any = {"type": "string"}
    for _ in range(schemas.MOST_DEPTH):
        deep = {"items": deep}
    assert faults(deep) != []


def test_what_doubles_with_each_reference_is_refused_at_once() -> None:
    defs: Any = {f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(40)}
    defs["d40"] = {"type": "string"}
    began = time.monotonic()
    assert len(faults({"$ref": "#/$defs/d0", "$defs": defs})) == 1
    assert time.monotonic() - began < 1


def test_a_pattern_that_backtracks_elsewhere_takes_no_time_here() -> None:
    policy = policy_of('{"properties": {"a": {"pattern": "^(a+)+$"}}}', "enforce")
    began = time.monotonic()
    assert len(policy.faults({"a": "a" * 10_000 + "!"})) == 1
    assert time.monotonic() - began < 0.5


@pytest.fixture
def elsewhere() -> Iterator[tuple[str, list[str]]]:
    """A server that would hand out a schema, and what it was asked for."""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/schema.json", asked
    server.shutdown()
    server.server_close()


def test_nothing_is_fetched(elsewhere: tuple[str, list[str]]) -> None:
    address, asked = elsewhere
    assert faults({"properties": {"a": {"$ref": address}}}) == ["/properties/a/$ref"]
    assert faults({"$schema": address}) == ["/$schema"]
    with pytest.raises(Exception, match="Nothing is fetched"):
        schemas.Schema({"$ref": address}, closed=False)
    assert asked == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("P30D", timedelta(days=30)),
        ("P2W", timedelta(weeks=2)),
        ("P1DT12H", timedelta(days=1, hours=12)),
        ("PT90M", timedelta(minutes=90)),
    ],
)
def test_a_duration(text: str, found: timedelta) -> None:
    assert duration(text) == found


@pytest.mark.parametrize("text", ["", "P", "PT", "30D", "P1Y", "P1M", "P-1D", "P1.5D", "p1d", "P٣D"])
def test_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="duration"):
        duration(text)


def test_a_mentors_schema_is_checked_and_its_versions_are_kept(coach: Mentor) -> None:
    coach.context_schema = '{"type": "strin"}'
    with pytest.raises(ValidationError) as refused:
        coach.full_clean()
    assert list(refused.value.message_dict) == ["context_schema"]
    for text in ('{"required": ["plan"]}', '{"required": ["stateCode"]}'):
        coach.context_schema = text
        coach.full_clean()
        coach.save()
    kept = coach.versions.order_by("number").values_list("context_schema", flat=True)
    assert list(kept) == ["", '{"required": ["plan"]}', '{"required": ["stateCode"]}']
