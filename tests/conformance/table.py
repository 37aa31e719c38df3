"""One table of writes of a context, and what each must leave, whichever door it came through.

`tests/conformance` performs it at the doors that speak HTTP, `tests/browser` at those that need a browser. Nothing
here knows a door: a write says what a door must be able to say for it, and a door what it cannot.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import Enum
from typing import Final

from chat.payloads import PayloadWarning


class Who(Enum):
    """Who writes."""

    TOKEN = "a tenant's server, by its token"
    BACK_END = "a tenant's back end, by what it signs and anybody carries"
    PAGE = "a visitor's page"


class Need(Enum):
    """What a door must be able to say for a write."""

    TOKEN = "a write by a tenant's token"
    PAGE = "a write by a visitor's page"
    AGAIN = "another write in a conversation that has one"
    NOTHING = "a write without metadata"
    NULL = "metadata that is null"
    TYPES = "other values than texts"
    SPELLING = "numbers as their sender spells them"
    BIG = "whole numbers over 2**53"
    NULLS = "null as the value of a key"
    TWICE = "a key twice in one object"
    HALF = "half of a surrogate pair"
    BYTES = "a metadata object of 20 KB"
    SIGNED = "a token that a back end has signed"
    CONDITION = "the version that the writer believes to be in force"


class Loss(Enum):
    """What the cache may do between two steps."""

    DELETED = "the key is gone"
    WRONG = "another value stands there"
    DEAD = "nothing listens there any more"


class Rule(Enum):
    """What the mentor makes of a context that its schema, `SCHEMA`, does not allow."""

    NONE = ""
    ENFORCE = "enforce"
    WARN = "warn"
    STRIP = "strip"


@dataclass(frozen=True, slots=True)
class Refusal:
    """As the first fault is told, its pointer from the context on. None: doors may differ."""

    code: str | None
    pointer: str | None = ""


@dataclass(frozen=True, slots=True)
class Write:
    """The metadata's JSON text byte for byte (None: none is sent), and what is to come of it.

    `signed`: what a signed token that is sent with it claims, as JSON text; or text that is no such token.
    """

    text: str | None
    stored: str | None = None  # the new version's text; None: no version is made
    shown: str = ""  # the lines of the context's block from then on
    verified: tuple[str, ...] | None = None  # None: what its writer's own write verifies
    refused: Refusal | None = None
    warned: tuple[str, ...] | None = ()  # pointers from the context on; None: doors may differ
    by: Who | None = None
    stale: bool = False
    needs: tuple[Need, ...] = ()
    signed: str | None = None


Step = Write | Loss


@dataclass(frozen=True, slots=True)
class Case:
    """Steps in one conversation; a door has performed it if one of the writes at `points` was its own.

    What a door cannot say of the rest is written by PUT: whoever else writes, the history is the same.
    """

    name: str
    steps: tuple[Step, ...]
    points: tuple[int, ...] = (-1,)
    rule: Rule = Rule.NONE

    @property
    def writes(self) -> list[Write]:
        return [step for step in self.steps if isinstance(step, Write)]

    @property
    def whos(self) -> tuple[Who, ...]:
        """Who begins the conversation, and writes where no writer is named."""
        return (Who.PAGE,) if any(write.by for write in self.writes) else (Who.TOKEN, Who.PAGE)

    @property
    def losses(self) -> set[Loss]:
        return {step for step in self.steps if isinstance(step, Loss)}


def sets(
    text: str,
    shown: str,
    *needs: Need,
    stored: str | None = None,
    by: Who | None = None,
    verified: tuple[str, ...] | None = None,
    warned: tuple[str, ...] | None = (),
) -> Write:
    return Write(text, stored or text, shown, verified, None, warned, by, needs=needs)


def keeps(text: str | None, *needs: Need, by: Who | None = None, warned: tuple[str, ...] = ()) -> Write:
    return Write(text, by=by, warned=warned, needs=needs)


def refuses(text: str, code: str | None, pointer: str | None, *needs: Need, stale: bool = False) -> Write:
    return Write(text, refused=Refusal(code, pointer), stale=stale, needs=needs)


def needs_of(write: Write, who: Who, *, first: bool) -> set[Need]:
    """All that a door must be able to say for this write."""
    whose = {Who.TOKEN: {Need.TOKEN}, Who.PAGE: {Need.PAGE}, Who.BACK_END: set[Need]()}
    needs = {*write.needs, *whose[write.by or who]}
    needs |= {Need.AGAIN} if not first else set()
    needs |= {Need.CONDITION} if write.stale else set()
    if write.signed is not None:
        return needs | {Need.SIGNED}
    if write.text is None or write.text == "null":
        return needs | {Need.NOTHING if write.text is None else Need.NULL}
    return needs if _only_texts(write.text) else needs | {Need.TYPES}


def _only_texts(text: str) -> bool:
    value = json.loads(text)
    return isinstance(value, dict) and bool(value) and all(isinstance(one, str) for one in value.values())


# --- what a case must leave


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a door told of a write. None: it does not say."""

    refused: Refusal | None = None
    version: int | None = None
    changed: bool | None = None
    warned: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Left:
    """What is kept of a conversation, as bytes where it is text, and what its model was sent."""

    versions: list[tuple[int, str, list[str]]]
    in_force: str
    snapshots: list[str]
    cached: str | None
    prompts: list[list[tuple[str, str]]]


SYSTEM: Final = "You coach."
ANSWER: Final = "tok0 tok1 tok2 "  # of the scripted model tokens-3
MODEL: Final = "tokens-3"
CLOSING: Final = "And now?"


def step_words(number: int) -> str:
    """What the user says in the turn of the nth write that was accepted."""
    return f"Step {number}."


def expected(case: Case, who: Who) -> tuple[list[Outcome], Left]:
    """What each write is told, and what is there after one more turn without metadata."""
    outcomes, left = [], Left([], "{}", [], None, [])
    text, shown, said = "{}", "", list[str]()
    for write in case.writes:
        if write.refused:
            outcomes.append(Outcome(write.refused))
            continue
        changed = write.stored is not None
        if write.stored is not None:
            text, shown = write.stored, write.shown
            left.versions.append((len(left.versions) + 1, text, _verified(write, who)))
        outcomes.append(Outcome(None, len(left.versions), changed, write.warned))
        _turn(left, said, step_words(len(said) + 1), text, shown)
    _turn(left, said, CLOSING, text, shown)
    cached = text if left.versions and Loss.DEAD not in case.losses else None
    return outcomes, Left(left.versions, text, left.snapshots, cached, left.prompts)


def _verified(write: Write, who: Who) -> list[str]:
    if write.verified is not None:
        return sorted(write.verified)
    return sorted(json.loads(write.stored or "{}")) if (write.by or who) is Who.TOKEN else []


def _turn(left: Left, said: list[str], words: str, text: str, shown: str) -> None:
    start = "<CONTEXT METADATA> Here is additional context metadata for this conversation:"
    block = f"\n\n{start}\n{shown}\n</END CONTEXT METADATA>" if shown else ""
    history = [one for before in said for one in (("user", before), ("assistant", ANSWER))]
    left.prompts.append([("system", SYSTEM), *history, ("user", words + block)])
    left.snapshots.extend([text, text])
    said.append(words)


def told_alike(told: Outcome, wanted: Outcome) -> bool:
    """Whether a door told what it should, as far as it says anything of it."""
    if (told.refused is None) != (wanted.refused is None):
        return False
    if told.refused and wanted.refused:
        return all(
            one is None or other is None or one == other
            for one, other in (
                (told.refused.code, wanted.refused.code),
                (told.refused.pointer, wanted.refused.pointer),
            )
        )
    pairs = [(told.version, wanted.version), (told.changed, wanted.changed), (told.warned, wanted.warned)]
    return all(one is None or other is None or one == other for one, other in pairs)


def pointers(warnings: list[PayloadWarning]) -> tuple[str, ...]:
    """Of what is told of single keys, from the context on: it is told below /metadata at every door."""
    return tuple(
        one["pointer"].removeprefix("/metadata")
        for one in warnings
        if one["code"] in ("verified_key_kept", "schema_violation", "key_stripped")
    )
