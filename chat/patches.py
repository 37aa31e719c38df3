"""Patches of a context: merge patches (RFC 7396) and JSON patches (RFC 6902).

Values keep the spelling of their numbers (`strict_json.spelled`). A key's value counts as its sender's own where
it was sent whole: a part that is put into somebody else's value does not make all of it one's own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Final

from . import strict_json
from .errors import Detail, InvalidPatch, PatchTestFailed
from .limits import Limits
from .payloads import check_metadata
from .writes import Change

MOST_OPERATIONS: Final = 256
NOT_THERE: Final = "There is nothing here."
MEMBERS: Final = {
    "add": ("path", "value"),
    "remove": ("path",),
    "replace": ("path", "value"),
    "move": ("path", "from"),
    "copy": ("path", "from"),
    "test": ("path", "value"),
}
_ESCAPES: Final = re.compile(r"~(?![01])")
_INDEX: Final = re.compile(r"0|[1-9][0-9]{0,8}", re.ASCII)
Json = dict[str, Any]


# --- merge patch


def merged(now: str, patch: str, verified: frozenset[str], limits: Limits) -> Change:
    """The context with this merge patch over it; `verified` are the keys that are so before.

    Raises MetadataTooLarge.
    """
    target, changes = strict_json.spelled(now), strict_json.spelled(strict_json.compact(patch))
    vouched = set(verified)
    for key, value in changes.items():
        if value is None:
            vouched.discard(key)
        elif not (isinstance(value, dict) and isinstance(target.get(key), dict)):
            vouched.add(key)
    gone = frozenset(key for key, value in changes.items() if value is None and key in target)
    value = _merge(target, changes)
    text = strict_json.spell(value)
    check_metadata(text, value, limits, "")
    return Change(text, frozenset(vouched), gone)


def _merge(target: Any, patch: Any) -> Any:
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = _merge(result.get(key), value)
    return result


# --- JSON patch


@dataclass(frozen=True, slots=True)
class Operation:
    """One step of a JSON patch; its pointers as their parts."""

    op: str
    path: list[str]
    source: list[str]
    value: Any


class _Astray(Exception):
    """A pointer leads nowhere: its member in the operation, and why."""

    def __init__(self, member: str, message: str = NOT_THERE) -> None:
        self.member, self.message = member, message


def operations(patch: list[Any]) -> list[Operation]:
    """The steps of a patch, all of them checked. Raises InvalidPatch with a pointer for every fault."""
    if len(patch) > MOST_OPERATIONS:
        raise InvalidPatch(f"A patch has at most {MOST_OPERATIONS} operations.", pointer="")
    faults = [fault for index, step in enumerate(patch) for fault in _faults(f"/{index}", step)]
    if faults:
        raise InvalidPatch(faults[0]["message"], details=faults)
    return [_operation(step) for step in patch]


def _faults(at: str, step: Any) -> list[Detail]:
    if not isinstance(step, dict):
        return [{"pointer": at, "message": "An operation is an object."}]
    op = step.get("op")
    if not isinstance(op, str) or op not in MEMBERS:
        return [{"pointer": f"{at}/op", "message": f"op is one of {', '.join(MEMBERS)}."}]
    return [
        {"pointer": f"{at}/{member}", "message": message}
        for member in MEMBERS[op]
        if (message := _fault_of(member, step))
    ]


def _fault_of(member: str, step: Json) -> str:
    if member not in step:
        return f"{member} is required."
    pointer = step[member]
    if member != "value" and (
        not isinstance(pointer, str) or pointer[:1] not in ("", "/") or _ESCAPES.search(pointer)
    ):
        return f"{member} must be a JSON pointer."
    return ""


def _operation(step: Json) -> Operation:
    return Operation(step["op"], _parts(step["path"]), _parts(step.get("from") or ""), step.get("value"))


def _parts(pointer: Any) -> list[str]:
    """Below a root of ours, whose one member is the document: so it is replaced like any other."""
    if not isinstance(pointer, str):
        return [""]
    return [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")]


def patched(
    now: str,
    steps: list[Operation],
    verified: frozenset[str],
    limits: Limits,
    unseen: frozenset[str] = frozenset(),
) -> Change:
    """The context after all of these. Raises InvalidPatch, PatchTestFailed, MetadataTooLarge; nothing is done then.

    What is under an `unseen` key cannot be tested, copied or moved: its sender would learn what it is.
    """
    document = _Document({"": strict_json.spelled(now)}, set(verified), unseen)
    before = set(document.value)
    for index, step in enumerate(steps):
        try:
            document.take(step)
        except _Astray as astray:
            raise InvalidPatch(astray.message, pointer=f"/{index}/{astray.member}") from None
        if step.op == "test":
            if not document.passed:
                raise PatchTestFailed(pointer=f"/{index}")
        else:
            document.check(limits, f"/{index}")
    return Change(strict_json.spell(document.value), frozenset(document.verified), frozenset(before))


@dataclass(slots=True)
class _Document:
    root: Json
    verified: set[str]
    unseen: frozenset[str] = frozenset()
    passed: bool = field(default=True)

    @property
    def value(self) -> Json:
        value: Json = self.root[""]
        return value

    def take(self, step: Operation) -> None:
        match step.op:
            case "test":
                self.passed = _alike(self.read(step.path, "path"), step.value)
            case "add":
                self.put(step.path, strict_json.respelled(step.value), own=True)
            case "replace":
                self.replace(step.path, strict_json.respelled(step.value))
            case "remove":
                self.take_out(step.path, "path")
            case "copy":
                value = strict_json.respelled(self.read(step.source, "from"))
                self.put(step.path, value, own=self.is_own(step.source))
            case "move":
                self.move(step)

    def check(self, limits: Limits, pointer: str) -> None:
        """Each step keeps within the limits: copies would double a document again and again."""
        if not isinstance(self.value, dict):
            raise _no_object(pointer)
        text = strict_json.spell(self.value)
        check_metadata(text, self.value, limits, pointer)

    def at(self, parts: list[str], member: str) -> Any:
        value: Any = self.root
        for part in parts:
            value = _child(value, part, member)
        return value

    def read(self, parts: list[str], member: str) -> Any:
        """The same, for somebody who will know it then; all of the context has what is under every key."""
        if self.unseen & (set(parts[1:2]) or self.value.keys()):
            raise _Astray(member)
        return self.at(parts, member)

    def put(self, parts: list[str], value: Any, *, own: bool) -> None:
        parent, last = self.at(parts[:-1], "path"), parts[-1]
        if isinstance(parent, dict):
            parent[last] = value
        elif isinstance(parent, list):
            parent.insert(len(parent) if last == "-" else _index(last, len(parent), "path"), value)
        else:
            raise _Astray("path")
        self.note(parts, own=own)

    def replace(self, parts: list[str], value: Any) -> None:
        self.at(parts, "path")
        parent, last = self.at(parts[:-1], "path"), parts[-1]
        parent[last if isinstance(parent, dict) else int(last)] = value
        self.note(parts, own=True)

    def take_out(self, parts: list[str], member: str) -> Any:
        value = self.at(parts, member)
        if len(parts) == 1:
            raise _Astray(member, "The context itself cannot be removed.")
        parent = self.at(parts[:-1], member)
        del parent[parts[-1] if isinstance(parent, dict) else int(parts[-1])]
        if len(parts) == 2:
            self.verified.discard(parts[1])
        return value

    def move(self, step: Operation) -> None:
        self.read(step.source, "from")
        if step.path == step.source:
            return
        if step.path[: len(step.source)] == step.source:
            raise _Astray("path", "Nothing can be moved into itself.")
        own = self.is_own(step.source)
        self.put(step.path, self.take_out(step.source, "from"), own=own)

    def is_own(self, parts: list[str]) -> bool:
        """Whether all of the value there is its sender's."""
        return parts[1] in self.verified if len(parts) > 1 else self.verified >= set(self.value)

    def note(self, parts: list[str], *, own: bool) -> None:
        """The sender's own value was put there, or one that is not."""
        if len(parts) == 1:
            self.verified = set(self.value) if own and isinstance(self.value, dict) else set()
        elif len(parts) == 2 and own:
            self.verified.add(parts[1])
        elif not own:
            self.verified.discard(parts[1])


def _no_object(pointer: str) -> InvalidPatch:
    return InvalidPatch("The context must be an object.", pointer=pointer)


def _child(value: Any, part: str, member: str) -> Any:
    if isinstance(value, dict) and part in value:
        return value[part]
    if isinstance(value, list):
        return value[_index(part, len(value) - 1, member)]
    raise _Astray(member)


def _index(part: str, most: int, member: str) -> int:
    if not _INDEX.fullmatch(part) or int(part) > most:
        raise _Astray(member)
    return int(part)


def _alike(one: Any, other: Any) -> bool:
    return strict_json.same(strict_json.plain(one), strict_json.plain(other))
