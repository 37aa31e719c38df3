"""JSON Schema (2020-12) over a context: checked when it is saved, compiled once, asked at every write.

A tenant's schema is somebody's program that runs in our process: nothing in it is fetched, its patterns run in
linear time, it may not refer to itself, and what it could come to when all its references are followed is bounded.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, NoReturn
from urllib.parse import unquote

import jsonschema_rs

from .errors import ChatError, Detail
from .strict_json import parse_object, step

MOST_BYTES: Final = 64 * 1024
MOST_DEPTH: Final = 32
MOST_WORK: Final = 10_000  # subschemas, each counted as often as it is referred to
MOST_FAULTS: Final = 20
LONGEST_SENTENCE: Final = 300
UNKNOWN: Final = "This key is not in the mentor's schema."

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
# They lead out of the document, or to a place that only a running check knows.
_REFUSED: Final = ("$id", "$anchor", "$dynamicRef", "$dynamicAnchor", "$recursiveRef", "$vocabulary")
_ONE: Final = (
    *("not", "if", "then", "else", "items", "contains", "propertyNames"),
    *("additionalProperties", "unevaluatedItems", "unevaluatedProperties"),
)
_SEVERAL: Final = ("allOf", "anyOf", "oneOf", "prefixItems")
_NAMED: Final = ("properties", "patternProperties", "dependentSchemas", "$defs", "definitions")
_CLOSING: Final = ("additionalProperties", "unevaluatedProperties")
_ONLY_REFERRED_TO: Final = ("$defs", "definitions")

Step = str | int
Place = tuple[Step, ...]


class InvalidSchema(Exception):
    """The schema cannot be used; `details` has a pointer into it for each fault."""

    def __init__(self, details: list[Detail]) -> None:
        self.details = details
        super().__init__(" ".join(detail["message"] for detail in details))


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing in a context that its schema does not allow. `unknown`: it is there and no part of the schema."""

    place: Place
    message: str
    unknown: bool = False

    def detail(self, root: str) -> Detail:
        return {"pointer": pointer_of(self.place, root), "message": self.message}


def pointer_of(place: Place, root: str = "") -> str:
    return functools.reduce(lambda pointer, name: step(pointer, str(name)), place, root)


# --- when it is saved


def check(text: str) -> dict[str, Any]:
    """The schema of this text, which can be used; "" has none and is {}. Raises InvalidSchema."""
    if not text.strip():
        return {}
    try:
        schema = parse_object(text, max_bytes=MOST_BYTES, max_depth=MOST_DEPTH).value
    except ChatError as error:
        told = (error.message or "").replace("The payload", "The schema")
        raise InvalidSchema(error.details or [{"pointer": "", "message": told}]) from None
    _check_dialect(schema)
    _Walk(schema).check()
    try:
        _validator(schema)
    except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError) as error:
        place = tuple(getattr(error, "instance_path", ()))
        told = _cut(getattr(error, "message", None) or "This is not a JSON Schema.")
        raise InvalidSchema([{"pointer": pointer_of(place), "message": told}]) from None
    return schema


def _check_dialect(schema: dict[str, Any]) -> None:
    if schema.get("$schema", DIALECT).rstrip("#") != DIALECT:
        _refuse(("$schema",), f"Only {DIALECT} is known here.")


class _Walk:
    """Through all subschemas, each as often as it is referred to."""

    def __init__(self, schema: dict[str, Any]) -> None:
        self.schema = schema
        self.costs: dict[int, int] = {}
        self.open: set[int] = set()

    def check(self) -> None:
        """Raises InvalidSchema. What stands in $defs counts where it is referred to, and is looked at anyhow."""
        self._cost(self.schema, ())
        for place, one in _subschemas(self.schema, _ONLY_REFERRED_TO):
            self._cost(one, place)

    def _cost(self, schema: Any, place: Place) -> int:
        if not isinstance(schema, dict):
            return 1
        if id(schema) in self.costs:
            return self.costs[id(schema)]
        if id(schema) in self.open:
            _refuse(place, "A schema must not refer to itself.")
        self.open.add(id(schema))
        cost = 1 + sum(self._cost(one, where) for where, one in self._parts(schema, place))
        self.open.remove(id(schema))
        if cost > MOST_WORK:
            _refuse(place, f"With its references followed this comes to more than {MOST_WORK} schemas.")
        self.costs[id(schema)] = cost
        return cost

    def _parts(self, schema: dict[str, Any], place: Place) -> Iterator[tuple[Place, Any]]:
        for keyword in _REFUSED:
            if keyword in schema:
                _refuse((*place, keyword), f"{keyword} cannot be used here.")
        if "$ref" in schema:
            yield (*place, "$ref"), self._referred_to(schema["$ref"], (*place, "$ref"))
        yield from _subschemas(schema, (*_ONE, *_SEVERAL, *_NAMED[:3]), place)

    def _referred_to(self, reference: object, place: Place) -> Any:
        if not isinstance(reference, str) or not (reference == "#" or reference.startswith("#/")):
            _refuse(place, 'Only a reference within the schema is followed, such as "#/$defs/address".')
        found: Any = self.schema
        for name in unquote(reference).split("/")[1:]:
            found = _within(found, name.replace("~1", "/").replace("~0", "~"))
        if found is None:
            _refuse(place, "There is nothing here that this refers to.")
        return found


def _within(value: Any, name: str) -> Any:
    if isinstance(value, list):
        return value[int(name)] if name.isdecimal() and int(name) < len(value) else None
    return value.get(name) if isinstance(value, dict) else None


def _subschemas(
    schema: dict[str, Any], keywords: Sequence[str], place: Place = ()
) -> Iterator[tuple[Place, Any]]:
    for keyword in keywords:
        found = schema.get(keyword)
        if keyword in _ONE and keyword in schema:
            yield (*place, keyword), found
        elif keyword in _SEVERAL and isinstance(found, list):
            yield from (((*place, keyword, at), one) for at, one in enumerate(found))
        elif keyword in _NAMED and isinstance(found, dict):
            yield from (((*place, keyword, name), one) for name, one in found.items())


def _refuse(place: Place, message: str) -> NoReturn:
    raise InvalidSchema([{"pointer": pointer_of(place), "message": message}])


# --- at every write


class Schema:
    """A compiled schema. Made by `compiled`."""

    def __init__(self, schema: dict[str, Any], *, closed: bool) -> None:
        is_open = "additionalProperties" not in schema and "unevaluatedProperties" not in schema
        self._validator = _validator(
            {**schema, "additionalProperties": False} if closed and is_open else schema
        )

    def faults(self, value: Any) -> list[Fault]:
        """What in a context is not allowed, in the schema's order; at most some more than MOST_FAULTS."""
        if self._validator.is_valid(value):
            return []
        found: list[Fault] = []
        for error in self._validator.iter_errors(value):
            found += _faults_of(error, value)
            if len(found) > MOST_FAULTS:
                break
        return found


@functools.lru_cache(maxsize=512)
def compiled(text: str, *, closed: bool = False) -> Schema:
    """The schema of a text that was checked; `closed`: the keys of the context are those that it names."""
    return Schema(json.loads(text), closed=closed)


def _validator(schema: dict[str, Any]) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(
        schema,
        mask="The value",
        validate_formats=True,
        retriever=_fetch_nothing,
        pattern_options=jsonschema_rs.RegexOptions(),
    )


def _fetch_nothing(uri: str) -> NoReturn:
    raise ValueError("Nothing is fetched.")


def _faults_of(error: jsonschema_rs.ValidationError, context: Any) -> list[Fault]:
    place: Place = tuple(error.instance_path)
    facts = error.kind.as_dict()
    match error.kind.name:
        case "additionalProperties" | "unevaluatedProperties":
            return [Fault((*place, key), UNKNOWN, unknown=True) for key in facts["unexpected"]]
        case "falseSchema" if error.schema_path[-1] in _CLOSING:
            # Where a schema names no key at all, the whole object is reported.
            return [Fault((*place, key), UNKNOWN, unknown=True) for key in _at(context, place)]
        case "falseSchema":
            return [Fault(place, "This key is not allowed.")]
        case "required":
            return [Fault((*place, str(facts["property"])), "This key is required.")]
    return [Fault(place, _cut(error.message))]


def _at(context: Any, place: Place) -> Any:
    return functools.reduce(lambda value, name: value[name], place, context)


def _cut(sentence: str) -> str:
    sentence = sentence.rstrip(".")
    return f"{sentence[:LONGEST_SENTENCE]}…" if len(sentence) > LONGEST_SENTENCE else f"{sentence}."


def without(value: Any, places: Sequence[Place]) -> Any:
    """A copy of an object or list without what stands at these places."""
    here = {place[0] for place in places if len(place) == 1}
    deeper: dict[Step, list[Place]] = {}
    for place in places:
        if len(place) > 1:
            deeper.setdefault(place[0], []).append(place[1:])
    members = value.items() if isinstance(value, dict) else enumerate(value)
    kept = {
        key: without(one, deeper[key]) if key in deeper else one for key, one in members if key not in here
    }
    return kept if isinstance(value, dict) else list(kept.values())
