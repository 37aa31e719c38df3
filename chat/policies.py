"""What a mentor's schema says of each key beyond its form: who sees it, who may set it, how it is shown, how long.

These are annotations of the schema's own properties, so that a key is described in one place:
`x-visible-to` (a list of READERS; absent: all of them), `x-verified-only`, `x-locked`, `x-masked` ("shown": stored
whole, shown by its last characters; "stored": nothing else is stored), `x-retention` (such as "P30D").
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from types import MappingProxyType
from typing import Any, Final, Literal

from . import schemas
from .errors import Detail
from .masks import end_of
from .placeholders import as_text
from .schemas import Fault, InvalidSchema, Place, Schema
from .secret_keys import KEEP
from .strict_json import spell, spelled

Reader = Literal["model", "operator", "export", "webhook", "user"]
READERS: Final[tuple[Reader, ...]] = ("model", "operator", "export", "webhook", "user")
MODES: Final = ("enforce", "warn", "strip")
SHOWN, STORED = "shown", "stored"

_ANNOTATIONS: Final = ("x-visible-to", "x-verified-only", "x-locked", "x-masked", "x-retention")
_DURATION: Final = re.compile(
    r"P(?=\d|T\d)(?:(\d{1,5})W)?(?:(\d{1,5})D)?(?:T(?:(\d{1,5})H)?(?:(\d{1,5})M)?)?", re.ASCII
)
_DEEPER: Final = "Only the keys of the context itself have a policy, not what is within them."


@dataclass(frozen=True, slots=True)
class View:
    """What one kind of reader sees of a context; false if that is all of it."""

    hidden: frozenset[str] = frozenset()
    masked: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.hidden or self.masked)

    def value(self, context: Mapping[str, Any]) -> dict[str, Any]:
        """An object with what this reader sees of it."""
        return {
            key: masked(value) if key in self.masked else value
            for key, value in context.items()
            if key not in self.hidden
        }

    def text(self, context: str) -> str:
        """The same of an object's JSON text."""
        return spell(self.value(spelled(context))) if self else context

    def names(self, keys: Collection[str]) -> list[str]:
        """Of the names of keys, those that this reader may know of."""
        return [key for key in keys if key not in self.hidden]

    @property
    def unseen(self) -> frozenset[str]:
        """The keys whose values this reader does not see whole."""
        return self.hidden | self.masked


EVERYTHING: Final = View()


@dataclass(frozen=True, slots=True)
class Policy:
    """A schema with its annotations, as one version of a mentor has them."""

    mode: str = "enforce"
    schema: Schema | None = None
    verified_only: frozenset[str] = frozenset()
    locked: frozenset[str] = frozenset()
    masked_when_stored: frozenset[str] = frozenset()
    retention: Mapping[str, timedelta] = field(default_factory=lambda: MappingProxyType({}))
    views: Mapping[str, View] = field(default_factory=lambda: MappingProxyType({}))
    # Of the mentor's tenant: what becomes of values that look like secrets.
    secrets: str = KEEP

    def view(self, reader: Reader) -> View:
        return self.views.get(reader, EVERYTHING)

    @property
    def judges(self) -> bool:
        """Whether a write may come to anything else than its sender wrote."""
        return (
            bool(self.schema or self.verified_only or self.locked or self.masked_when_stored) or self.guards
        )

    @property
    def guards(self) -> bool:
        """Whether secrets are not simply kept."""
        return self.secrets != KEEP

    def faults(self, context: Any) -> list[Fault]:
        return self.schema.faults(context) if self.schema else []


NONE: Final = Policy()


def masked(value: Any) -> str:
    """What is shown of a value that is masked: the last four characters of a longer text or number."""
    text = "" if isinstance(value, dict | list | bool) or value is None else as_text(value)
    return end_of(text)


def policy_of(schema: str, mode: str, secrets: str = KEEP) -> Policy:
    """The policy of a schema's text that was checked ("" has none), with what the tenant says of secrets."""
    if secrets != KEEP:
        return _guarded(schema, mode, secrets)
    return _policy(schema, mode) if schema.strip() else NONE


@functools.lru_cache(maxsize=512)
def _guarded(schema: str, mode: str, secrets: str) -> Policy:
    return replace(policy_of(schema, mode), secrets=secrets)


@functools.lru_cache(maxsize=512)
def _policy(text: str, mode: str) -> Policy:
    properties = _properties(json.loads(text))
    shown = _keys(properties, "x-masked", SHOWN)
    views: dict[str, View] = {reader: View(_hidden_from(properties, reader), shown) for reader in READERS}
    return Policy(
        mode=mode,
        schema=schemas.compiled(text, closed=mode == "strip"),
        verified_only=_keys(properties, "x-verified-only", True),
        locked=_keys(properties, "x-locked", True),
        masked_when_stored=_keys(properties, "x-masked", STORED),
        retention=MappingProxyType(
            {key: duration(one["x-retention"]) for key, one in properties.items() if "x-retention" in one}
        ),
        views=MappingProxyType(views),
    )


def _properties(schema: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {key: one for key, one in schema.get("properties", {}).items() if isinstance(one, dict)}


def _keys(properties: dict[str, dict[str, Any]], annotation: str, value: object) -> frozenset[str]:
    return frozenset(key for key, one in properties.items() if one.get(annotation) == value)


def _hidden_from(properties: dict[str, dict[str, Any]], reader: Reader) -> frozenset[str]:
    return frozenset(key for key, one in properties.items() if reader not in one.get("x-visible-to", READERS))


def duration(text: str) -> timedelta:
    """An ISO 8601 duration of weeks, days, hours and minutes. Raises ValueError."""
    found = _DURATION.fullmatch(text)
    if found is None:
        raise ValueError("not a duration")
    weeks, days, hours, minutes = (int(part or 0) for part in found.groups())
    return timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes)


# --- when it is saved


def check(text: str) -> None:
    """Raises InvalidSchema, with a pointer to every annotation that says nothing."""
    schema = schemas.check(text)
    details = [*_faults(schema), *_misplaced(schema, ())]
    if details:
        raise InvalidSchema(details)


def _faults(schema: dict[str, Any]) -> Iterator[Detail]:
    for key, one in _properties(schema).items():
        for annotation in _ANNOTATIONS:
            told = _sentence(annotation, one[annotation]) if annotation in one else ""
            if told:
                yield {"pointer": schemas.pointer_of(("properties", key, annotation)), "message": told}


def _sentence(annotation: str, value: Any) -> str:
    match annotation:
        case "x-visible-to":
            known = isinstance(value, list) and all(one in READERS for one in value)
            return "" if known else f"must be a list of {', '.join(READERS)}."
        case "x-masked":
            return "" if value in (SHOWN, STORED) else f'must be "{SHOWN}" or "{STORED}".'
        case "x-retention":
            return "" if _is_duration(value) else "must be a duration such as P30D or PT12H."
    return "" if isinstance(value, bool) else "must be true or false."


def _is_duration(value: object) -> bool:
    return isinstance(value, str) and _DURATION.fullmatch(value) is not None and bool(duration(value))


def _misplaced(value: Any, place: Place) -> Iterator[Detail]:
    """Annotations that would have no effect where they stand."""
    if isinstance(value, dict):
        at_home = len(place) == 2 and place[0] == "properties"
        if not at_home:
            for annotation in _ANNOTATIONS:
                if annotation in value and place[-1:] != ("properties",):
                    yield {"pointer": schemas.pointer_of((*place, annotation)), "message": _DEEPER}
        for key, one in value.items():
            yield from _misplaced(one, (*place, key))
    elif isinstance(value, list):
        for at, one in enumerate(value):
            yield from _misplaced(one, (*place, at))
