"""The one JSON parser that stands before every door, and the text of what it let in.

It takes what RFC 8259 calls interoperable and nothing else: UTF-8, unique keys, finite numbers of a sane
length, no NUL, no lone surrogate, no depth that could exhaust the stack. jsonb, the wire and the model's
server then never meet a value that one of them refuses. A good document is parsed once, in C; only a bad
one is parsed again, slowly, to say where it is bad.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from json.decoder import JSONDecodeError
from json.encoder import encode_basestring
from math import isfinite
from typing import Any, Final, NoReturn

import orjson

from .errors import FrameTooLarge, InvalidPayload

MAX_NUMBER_DIGITS: Final = 310  # the longest integer that a double can hold has 309
MAX_POINTER_KEY: Final = 128  # characters of one key in a pointer; a longer key is named by its parent

NOT_JSON: Final = "The payload is not JSON."
NOT_UTF8: Final = "The payload is not UTF-8 text."
EMPTY: Final = "The payload is empty."
NOT_AN_OBJECT: Final = "The payload must be a JSON object."
NOT_A_LIST: Final = "The payload must be a JSON list."
TOO_DEEP: Final = "The payload is nested too deeply."
DUPLICATE: Final = "This key occurs twice in its object."
BAD_NUMBER: Final = "A number must be finite and of at most 310 digits."
BAD_CHARACTER: Final = "Text must not contain NUL or half of a surrogate pair."

_NOT_BRACKETS: Final = re.compile(r'[^\[\]{}"]++|"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_STRING_OR_BLANK: Final = re.compile(r'"([^"\\]*+(?:\\.[^"\\]*+)*+)"|[ \t\n\r]++')
_MEMBER: Final = re.compile(r'[ \t\n\r]*+[{,][ \t\n\r]*+("[^"\\]*+(?:\\.[^"\\]*+)*+")[ \t\n\r]*+:[ \t\n\r]*+')
_ESCAPE: Final = re.compile(r"\\(?:u[dD][89abAB]..\\u[dD][c-fC-F]..|u(0000|[dD][89a-fA-F])|.)", re.DOTALL)
_BAD_CHARACTERS: Final = re.compile("[\0\ud800-\udfff]")
_LONG_EXPONENT: Final = re.compile(r"[eE][+-]?0*[1-9]\d{3}")


@dataclass(frozen=True, slots=True)
class ParsedObject:
    """A JSON object that passed, with the text it came from."""

    value: dict[str, Any]
    source: str

    def text(self, key: str) -> str | None:
        """The compact text of a top-level member as the client spelled it; None if there is none."""
        if key not in self.value:
            return None
        at, plain = 0, dumps(key)
        while member := _MEMBER.match(self.source, at):
            start, name = member.end(), member[1]
            at = _KNOWN_GOOD_SCAN(self.source, start)[1]
            if name == plain or ("\\" in name and json.loads(name) == key):
                return compact(self.source[start:at])
        return None


def parse_object(raw: bytes | str, *, max_bytes: int, max_depth: int) -> ParsedObject:
    """Parse one JSON object of at most `max_bytes` UTF-8 bytes and `max_depth` levels (the object is one).

    Raises FrameTooLarge, or InvalidPayload with an RFC 6901 pointer to the fault ("" is the document), and in
    `sent` the members of an object whose fault is in a value, of which `sound` makes something.
    """
    value, text = _parsed(raw, max_bytes, max_depth)
    if not isinstance(value, dict):
        _refuse(NOT_AN_OBJECT)
    return ParsedObject(value, text)


def parse_list(raw: bytes | str, *, max_bytes: int, max_depth: int) -> tuple[list[Any], str]:
    """The same for a list: its items, their numbers as fragments that keep their spelling, and its compact text."""
    value, text = _parsed(raw, max_bytes, max_depth)
    if not isinstance(value, list):
        _refuse(NOT_A_LIST)
    text = compact(text)
    return _SPELLING_SCAN(text, 0)[0], text


def _parsed(raw: bytes | str, max_bytes: int, max_depth: int) -> tuple[Any, str]:
    text = _decoded(raw, max_bytes)
    if too_deep(text, max_depth):
        _refuse(TOO_DEEP)
    try:
        value = _whole(text, _SCAN)
    except ValueError:
        _explain(text)
    if "\\u" in text and any(_ESCAPE.findall(text)):
        _explain(text)
    return value, text


def too_deep(text: str, max_depth: int) -> bool:
    """Whether brackets outside strings nest deeper than `max_depth`, in linear time and without recursion.

    Exact for JSON; text whose brackets do not match may pass with up to twice the depth.
    """
    if text.count("[") + text.count("{") <= max_depth:
        return False
    brackets = _NOT_BRACKETS.sub("", text).replace("{", "[").replace("}", "]")
    if "[" * (max_depth + 1) in brackets:
        return True
    for _ in range(max_depth):  # each round takes the innermost level away
        brackets = brackets.replace("[]", "")
    return _reaches(brackets, max_depth)


def compact(text: str) -> str:
    """Valid JSON text without blanks between tokens and without needless escapes; the rest is kept."""
    if "\\" in text:
        return _STRING_OR_BLANK.sub(_respell, text)
    pieces = text.split('"')  # without escapes every second piece is a string
    pieces[::2] = ["".join(piece.split()) for piece in pieces[::2]]
    return '"'.join(pieces)


def dumps(value: Any) -> str:
    """Compact JSON text of a Python value; ValueError for what JSON cannot hold."""
    return _ENCODER.encode(value)


def same(one: Any, other: Any) -> bool:
    """JSON equality: a boolean is not a number, 1 is 1.0, the order of keys does not count."""
    return bool(one == other) and _same_booleans(one, other)


def spelled(text: str) -> dict[str, Any]:
    """The members of an object's valid JSON text, its numbers (at any depth) as fragments that keep
    their spelling; `spell` turns a member back into text."""
    members: dict[str, Any] = _SPELLING_SCAN(text, 0)[0]
    return members


def spell(value: Any) -> str:
    """Compact JSON text of a value that may hold fragments from `spelled`."""
    try:
        return orjson.dumps(value).decode()
    except TypeError:  # an integer over 64 bits: then it is no fragment, and plain JSON holds it
        return dumps(value)


def respelled(value: Any) -> Any:
    """A copy of a value that may hold fragments."""
    return _SPELLING_SCAN(spell(value), 0)[0]


def plain(value: Any) -> Any:
    """The same with numbers for its fragments."""
    return json.loads(spell(value))


def step(pointer: str, key: str) -> str:
    """The RFC 6901 pointer to a member; to its object when the key is too long to repeat."""
    if len(key) > MAX_POINTER_KEY:
        return pointer
    return f"{pointer}/{key.replace('~', '~0').replace('/', '~1')}"


def sound(members: dict[str, Any]) -> dict[str, Any] | None:
    """Members of a faulty document, as InvalidPayload.sent has them; None where there is a fault in them too."""
    if any(_fault(member, "") for member in members.values()):
        return None
    return {key: dict(item) if isinstance(item, _Pairs) else item for key, item in members.items()}


class _Fault(ValueError):
    """Something that JSON's grammar allows and we do not."""


class _BadNumber:
    """Stands for a refused number while a fault is looked for."""


class _Pairs(list[tuple[str, Any]]):
    """An object as it was written, duplicate keys included, while a fault is looked for."""


def _decoded(raw: bytes | str, max_bytes: int) -> str:
    if len(raw) > max_bytes:
        _refuse_size(max_bytes)
    try:
        if isinstance(raw, bytes):
            text = raw.decode()
        else:
            text = raw
            if not raw.isascii() and len(raw.encode()) > max_bytes:
                _refuse_size(max_bytes)
    except UnicodeError:
        _refuse(NOT_UTF8)
    return text


def _refuse_size(max_bytes: int) -> NoReturn:
    raise FrameTooLarge(f"The payload is over {max_bytes} bytes.", pointer="")


def _refuse(message: str, pointer: str = "", sent: dict[str, Any] | None = None) -> NoReturn:
    error = InvalidPayload(message, pointer=pointer)
    error.sent = sent
    try:
        # `from None`: the cause may quote the payload, which must not reach a log.
        raise error from None
    finally:
        del error  # else it is in a circle with its traceback, and the document stays in memory with both


def _reaches(brackets: str, max_depth: int) -> bool:
    depth = 0
    for bracket in brackets:
        depth += 1 if bracket == "[" else -1
        if depth > max_depth:
            return True
        if depth < 0:
            return False  # unbalanced: the scanner stops here by itself
    return False


def _whole(text: str, scan: Any) -> Any:
    start = len(text) - len(text.lstrip(" \t\n\r"))
    try:
        value, end = scan(text, start)
    except StopIteration as stop:
        raise JSONDecodeError("No value", "", stop.value) from None
    if end != len(text) and text[end:].strip(" \t\n\r"):
        raise JSONDecodeError("Trailing text", "", end)
    return value


def _respell(token: re.Match[str]) -> str:
    if token[1] is None:
        return ""
    return token[0] if "\\" not in token[1] else str(encode_basestring(json.loads(token[0])))


def _same_booleans(one: Any, other: Any) -> bool:
    # Only for values that Python calls equal: what is left to tell apart is True from 1.
    if isinstance(one, dict):
        return all(_same_booleans(value, other[key]) for key, value in one.items())
    if isinstance(one, list):
        return all(map(_same_booleans, one, other))
    return isinstance(one, bool) == isinstance(other, bool)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise _Fault
    return value


def _integer(text: str) -> int:
    if len(text) > MAX_NUMBER_DIGITS and len(text.lstrip("-")) > MAX_NUMBER_DIGITS:
        raise _Fault
    return int(text)


def _real(text: str) -> float:
    value = float(text)
    if not isfinite(value) or len(text) > MAX_NUMBER_DIGITS:
        raise _Fault
    if not value and _LONG_EXPONENT.search(text):  # 0.0 to us, but more digits than jsonb's numeric holds
        raise _Fault
    return value


def _no_constant(_: str) -> NoReturn:
    raise _Fault


def _explain(text: str) -> NoReturn:
    """Refuse a document that is known to be bad, naming its first fault."""
    if not text.strip(" \t\n\r"):
        _refuse(EMPTY)
    try:
        value = _whole(text, _LENIENT_SCAN)
    except JSONDecodeError as error:
        _refuse(f"{NOT_JSON[:-1]} (character {error.pos + 1}).")
    pointer, message = _fault(value, "") or ("", NOT_JSON)
    _refuse(message, pointer, dict(value) if isinstance(value, _Pairs) else None)


def _fault(value: Any, pointer: str) -> tuple[str, str] | None:
    """The first fault in document order as (pointer, sentence)."""
    if isinstance(value, _Pairs):
        return _fault_in_object(value, pointer)
    if isinstance(value, list):
        faults = (_fault(item, f"{pointer}/{index}") for index, item in enumerate(value))
        return next((fault for fault in faults if fault), None)
    if isinstance(value, _BadNumber):
        return pointer, BAD_NUMBER
    if isinstance(value, str) and _is_bad(value):
        return pointer, BAD_CHARACTER
    return None


def _fault_in_object(pairs: _Pairs, pointer: str) -> tuple[str, str] | None:
    seen: set[str] = set()
    for key, item in pairs:
        if _is_bad(key):
            return pointer, BAD_CHARACTER
        if key in seen:
            return step(pointer, key), DUPLICATE
        seen.add(key)
        if fault := _fault(item, step(pointer, key)):
            return fault
    return None


def _is_bad(text: str) -> bool:
    return _BAD_CHARACTERS.search(text) is not None


def _lenient(parse: Any) -> Any:
    def parsed(text: str) -> Any:
        try:
            return parse(text)
        except _Fault:
            return _BadNumber()

    return parsed


_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)
_SCAN: Final = json.JSONDecoder(
    object_pairs_hook=_unique, parse_int=_integer, parse_float=_real, parse_constant=_no_constant
).scan_once  # type: ignore[attr-defined]
_KNOWN_GOOD_SCAN: Final = json.JSONDecoder().scan_once  # type: ignore[attr-defined]
_LENIENT_SCAN: Final = json.JSONDecoder(
    object_pairs_hook=_Pairs,
    parse_int=_lenient(_integer),
    parse_float=_lenient(_real),
    parse_constant=_lenient(_no_constant),
).scan_once  # type: ignore[attr-defined]
_SPELLING_SCAN: Final = json.JSONDecoder(parse_int=orjson.Fragment, parse_float=orjson.Fragment).scan_once  # type: ignore[attr-defined]
