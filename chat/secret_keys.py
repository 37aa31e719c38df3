"""Passwords, keys and card numbers in a context: told by the names of keys, card numbers also by their digits.

A tenant says whether they are kept, masked before anything is stored, or left out. Pure, and quick where there are
none: an ordinary context is looked at once, as text.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from itertools import pairwise
from typing import Any, Final

import orjson

from . import strict_json
from .payloads import PayloadWarning

KEEP: Final = "keep"
MASK: Final = "•••"
SHOWN: Final = 4
# Of what is shorter than this nothing is shown: four of its characters would be too many.
LONG_ENOUGH: Final = 9
MOST_WARNINGS: Final = 20

# A text with none of these has no key that is meant.
_HINTS: Final = re.compile("pass|pwd|secret|token|key|ssn|social|cvv|cvc|credential|authorization")
# ASCII that is written as an escape: a name with one is not found in the text.
_ESCAPED: Final = re.compile(r"\\u00[2-7]")
_NAMES: Final = re.compile(r'"([^"\\]*)":')
# Anywhere in a name; or as its last word, so that token_count and secret_santa_day are let be.
_ANYWHERE: Final = {"password", "passwords", "passwd", "passphrase", "passcode", "pwd", "ssn", "cvv", "cvc"}
_LAST: Final = {
    "token",
    "tokens",
    "secret",
    "secrets",
    "credential",
    "credentials",
    "authorization",
    "apikey",
}
_LAST_ENDS: Final = (
    "token",
    "secret",
    "password",
    "passwd",
    "apikey",
    "privatekey",
    "secretkey",
    "accesskey",
)
_KEYS: Final = {"api", "access", "private", "secret", "encryption", "signing", "master", "ssh"}
_PAIRS: Final = {("social", "security"), ("pass", "word"), ("pass", "phrase"), ("pass", "code")}
_WORDS: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
# Digits in one run, or in the groups that are printed on cards.
_CARD: Final = re.compile(
    # What stands before is asked after the first digit: so the search leaps from digit to digit.
    r"[2-6](?<![\w./-].)[0-9]{3}(?:[0-9]{9,15}|([ -])(?:[0-9]{4}\1[0-9]{4}\1[0-9]{1,7}|[0-9]{6}\1[0-9]{4,5}))"
    r"(?!\w|[.-][0-9])"
)
# By how it begins, of how many digits a card's number is (ISO/IEC 7812, as the networks use it).
_NETWORKS: Final = (
    (re.compile("4"), {13, 16, 19}),
    (re.compile("5[1-5]|22[2-9]|2[3-6]|27[01]|2720"), {16}),
    (re.compile("3[47]"), {15}),
    (re.compile("30[0-5]|3[689]"), {14}),
    (re.compile("6011|64[4-9]|65|62|35[2-8]"), {16, 17, 18, 19}),
)


def without_secrets(text: str, how: str) -> tuple[str, list[PayloadWarning]]:
    """An object's compact JSON text as it may be stored, and a warning for each value that is not as it was sent.

    `how` is keep, mask or refuse. What is left as it is keeps its spelling.
    """
    if how == KEEP or not _may_have(text):
        return text, []
    sweep = _Sweep(how == "refuse")
    swept = sweep.members(strict_json.spelled(text), "/metadata")
    if not sweep.warnings:
        return text, []
    return strict_json.spell(swept), sweep.warnings[:MOST_WARNINGS]


def is_card(digits: str) -> bool:
    """Whether these digits are the number of a card: of a network's length, with Luhn's check digit."""
    known = any(begin.match(digits) and len(digits) in lengths for begin, lengths in _NETWORKS)
    return known and _luhn(digits)


@lru_cache(4096)
def is_secret(name: str) -> bool:
    """Whether a key of this name is one whose values are secrets: in camelCase, snake_case, or words."""
    if len(name) > strict_json.MAX_POINTER_KEY:
        return False
    words = [word.lower() for word in _WORDS.findall(name)]
    if not words:
        return False
    pairs = set(pairwise(words))
    if _ANYWHERE & set(words) or _PAIRS & pairs:
        return True
    if any(one in _KEYS and two in ("key", "keys") for one, two in pairs):
        return True
    return words[-1] in _LAST or words[-1].endswith(_LAST_ENDS)


def _may_have(text: str) -> bool:
    if ("\\u00" in text and _ESCAPED.search(text)) or _CARD.search(text):
        return True
    return _HINTS.search(text.lower()) is not None and any(map(is_secret, _NAMES.findall(text)))


def _luhn(digits: str) -> bool:
    odd = sum(int(digit) for digit in digits[-1::-2])
    even = sum(sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2])
    return (odd + even) % 10 == 0


def _masked(value: str) -> str:
    return MASK + (value[-SHOWN:] if len(value) >= LONG_ENOUGH else "")


def _is_masked(value: str) -> bool:
    """What was read from here and is sent again."""
    return value.startswith(MASK) and len(value) <= len(MASK) + SHOWN


class _Sweep:
    """One pass over a context, and what it found."""

    def __init__(self, refuse: bool) -> None:
        self.refuse, self.warnings = refuse, list[PayloadWarning]()

    def members(self, members: dict[str, Any], pointer: str, secret: bool = False) -> dict[str, Any]:
        swept: dict[str, Any] = {}
        for key, value in members.items():
            at = strict_json.step(pointer, key)
            left, gone = self._value(value, at, secret or is_secret(key))
            if not gone:
                swept[key] = left
        return swept

    def _value(self, value: Any, pointer: str, secret: bool) -> tuple[Any, bool]:
        """What is left of it; or that it goes."""
        if isinstance(value, dict):
            return self.members(value, pointer, secret), False
        if isinstance(value, list):
            items = [self._value(item, f"{pointer}/{n}", secret) for n, item in enumerate(value)]
            return [None if gone else left for left, gone in items], False
        text = _text_of(value)
        if text is None or _is_masked(text):
            return value, False
        left = _masked(text) if secret and text else _without_cards(text)
        if left == text:
            return value, False
        self.warnings.append(_refused(pointer) if self.refuse else _kept_masked(pointer))
        return left, self.refuse


def _text_of(value: Any) -> str | None:
    """Of text and numbers; flags and null are no secrets."""
    if isinstance(value, str):
        return value
    if isinstance(value, orjson.Fragment):
        return json.dumps(json.loads(strict_json.spell(value)))
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _without_cards(text: str) -> str:
    return _CARD.sub(_card_or_not, text)


def _card_or_not(found: re.Match[str]) -> str:
    digits = re.sub("[ -]", "", found[0])
    return _masked(digits) if is_card(digits) else found[0]


def _kept_masked(pointer: str) -> PayloadWarning:
    message = "This looks like a secret: only its end was kept, if that."
    return {"code": "secret_masked", "pointer": pointer, "message": message}


def _refused(pointer: str) -> PayloadWarning:
    message = "This looks like a secret: it was left out of the context."
    return {"code": "secret_refused", "pointer": pointer, "message": message}
