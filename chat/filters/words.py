"""What a search looks for: whole words, whatever the case of their letters; of scripts without spaces, any run.

The text of a search is taken apart here, for every database; chat/migrations/0005_search.py takes a message
apart in the same way for PostgreSQL's index.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

# Han, kana and hangul, whose words are not parted by spaces: found by any two characters that stand together.
UNSPACED: Final = (
    "\u1100-\u11ff\u2e80-\u2fdf\u3005-\u3007\u3041-\u30ff\u3131-\u318e\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff"
)
# What is searched of a message: PostgreSQL's index takes no more of one text.
SEARCHED_CHARACTERS: Final = 100_000
_PART: Final = re.compile(rf"(?P<run>[{UNSPACED}]+)|(?P<word>(?:(?![{UNSPACED}])[^\W_])+)(?P<star>\*?)")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Whole words, beginnings of words (asked for as `begin*`), and runs of an unspaced script: all must be there."""

    words: frozenset[str]
    beginnings: frozenset[str]
    runs: frozenset[str]

    def __bool__(self) -> bool:
        return bool(self.words or self.beginnings or self.runs)

    def within(self, text: str) -> bool:
        """Whether a message says it all."""
        text = text[:SEARCHED_CHARACTERS].lower()
        said = {part["word"] for part in _PART.finditer(text) if part["word"]}
        return (
            self.words <= said
            and all(any(word.startswith(begin) for word in said) for begin in self.beginnings)
            and all(run in text for run in self.runs)
        )


def wanted(search: str) -> Wanted:
    """What a search asks for; false where there is no word in it."""
    parts = list(_PART.finditer(search.lower()))
    words = [part for part in parts if part["word"]]
    return Wanted(
        frozenset(part["word"] for part in words if not part["star"]),
        frozenset(part["word"] for part in words if part["star"]),
        frozenset(part["run"] for part in parts if part["run"]),
    )


def pairs(run: str) -> list[str]:
    """The characters of a run two by two, as the index has them; a single one is no pair."""
    return [run[at : at + 2] for at in range(len(run) - 1)]
