"""Passwords, keys and card numbers in a context: told by the names of keys, card numbers also by their digits.

A tenant says whether they are kept, masked before anything is stored, or left out. Pure, and quick where there are
none: an ordinary context is looked at as text, and not taken apart.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import pairwise
from typing import Any, Final

import orjson

from . import strict_json
from .masks import MASK, end_of, is_masked
from .payloads import PayloadWarning

KEEP: Final = "keep"
MOST_WARNINGS: Final = 20
# How much may be seen of a key's values.
NOTHING, THE_END, ALL = 0, 1, 2

# Chosen by people, and so short that the end gives much of it away.
_CHOSEN: Final = {"password", "passwords", "passwd", "passphrase", "passcode", "pwd"}
_CHOSEN_PAIRS: Final = {("pass", "word"), ("pass", "phrase"), ("pass", "code")}
_CHOSEN_ENDS: Final = ("password", "passwd")
_ANYWHERE: Final = {"ssn", "cvv", "cvc"}
# Only as the last word of a name: token_count and secret_santa_day are let be.
_LAST: Final = {"tokens", "secrets", "credential", "credentials", "authorization"}
_LAST_ENDS: Final = ("token", "secret", "apikey", "privatekey", "secretkey", "accesskey")
_KEYS: Final = {"api", "access", "private", "secret", "encryption", "signing", "master", "ssh"}
_WORDS: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
# A text with none of these has no name that is meant.
_HINTS: Final = re.compile("pass|pwd|secret|token|key|ssn|social|cvv|cvc|credential|authorization")
_NAMES: Final = re.compile(r'"([^"\\]*)":')
# ASCII that is written as an escape: a name with one is not found in the text.
_ESCAPED: Final = re.compile(r"\\u00[2-7]")
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
    swept = sweep.members(strict_json.spelled(text), "/metadata", ALL)
    if not sweep.warnings:
        return text, []
    return strict_json.spell(swept), sweep.warnings[:MOST_WARNINGS]


@lru_cache(4096)
def seen_of(name: str) -> int:
    """How much may be seen of the values of a key of this name, in camelCase, in snake_case, or in words."""
    words = [word.lower() for word in _WORDS.findall(name[: strict_json.MAX_POINTER_KEY])]
    if not words:
        return ALL
    pairs, last = set(pairwise(words)), words[-1]
    if _CHOSEN & set(words) or _CHOSEN_PAIRS & pairs or last.endswith(_CHOSEN_ENDS):
        return NOTHING
    key = any(one in _KEYS and two in ("key", "keys") for one, two in pairs)
    if key or _ANYWHERE & set(words) or ("social", "security") in pairs:
        return THE_END
    return THE_END if last in _LAST or last.endswith(_LAST_ENDS) else ALL


def is_card(digits: str) -> bool:
    """Whether these digits are the number of a card: of a network's length, with Luhn's check digit."""
    known = any(begin.match(digits) and len(digits) in lengths for begin, lengths in _NETWORKS)
    return known and _luhn(digits)


def _luhn(digits: str) -> bool:
    odd = sum(int(digit) for digit in digits[-1::-2])
    even = sum(sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2])
    return (odd + even) % 10 == 0


def _may_have(text: str) -> bool:
    if _CARD.search(text) or ("\\u00" in text and _ESCAPED.search(text)):
        return True
    if not _HINTS.search(text.lower()):
        return False
    return any(seen_of(name) != ALL for name in _NAMES.findall(text))


class _Sweep:
    """One pass over a context, and what it found."""

    def __init__(self, refuse: bool) -> None:
        self.refuse, self.warnings = refuse, list[PayloadWarning]()

    def members(self, members: dict[str, Any], pointer: str, seen: int) -> dict[str, Any]:
        swept: dict[str, Any] = {}
        for key, value in members.items():
            at = strict_json.step(pointer, key)
            left, gone = self._value(value, at, min(seen, seen_of(key)))
            if not gone:
                swept[key] = left
        return swept

    def _value(self, value: Any, pointer: str, seen: int) -> tuple[Any, bool]:
        """What is left of it; or that it goes."""
        if isinstance(value, dict):
            return self.members(value, pointer, seen), False
        if isinstance(value, list):
            items = [self._value(item, f"{pointer}/{at}", seen) for at, item in enumerate(value)]
            # An item that goes leaves its place: the others keep theirs.
            return [None if gone else left for left, gone in items], False
        text = _text_of(value)
        left = text if not text or is_masked(text) else _guarded(text, seen)
        if left == text:
            return value, False
        self.warnings.append(_left_out(pointer) if self.refuse else _masked(pointer))
        return left, self.refuse


def _text_of(value: Any) -> str | None:
    """Of text and numbers, as they were spelled; flags and null are no secrets."""
    if isinstance(value, orjson.Fragment):
        return strict_json.spell(value)
    return value if isinstance(value, str) else None


def _guarded(text: str, seen: int) -> str:
    if seen == ALL:
        return _CARD.sub(_card_or_not, text)
    return end_of(text) if seen == THE_END else MASK


def _card_or_not(found: re.Match[str]) -> str:
    digits = re.sub("[ -]", "", found[0])
    return end_of(digits) if is_card(digits) else found[0]


def _masked(pointer: str) -> PayloadWarning:
    message = "This looks like a secret: no more than its end is stored."
    return {"code": "secret_masked", "pointer": pointer, "message": message}


def _left_out(pointer: str) -> PayloadWarning:
    message = "This looks like a secret: it is left out of the context."
    return {"code": "secret_refused", "pointer": pointer, "message": message}
