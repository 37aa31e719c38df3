"""The address of a page is all of its state: the filter in its one grammar, and what is shown of it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import urlencode

from django.http import HttpRequest

from chat.errors import InvalidFilter
from chat.filters import FIELDS

Pair = tuple[str, str]
SHOWN: Final = ("metric", "interval", "by", "cursor", "add", "key")
# A condition as it is typed: the first equals sign that is not within a quoted key parts it.
_TYPED: Final = re.compile(r'\s*((?:"(?:[^"\\]|\\.)*"|[^"=])+?)\s*=\s*(.*?)\s*', re.DOTALL)
# Conditions on one key that may hold together; of the others, a new one takes the place of the old.
_SEVERAL: Final = re.compile(r"__(?:ne|contains)\Z")


@dataclass(frozen=True, slots=True)
class Address:
    """A path with its query: the filter's pairs in their order, and the rest by name."""

    path: str
    asked: tuple[Pair, ...]
    shown: tuple[Pair, ...] = ()
    is_untidy: bool = False

    @classmethod
    def of(cls, request: HttpRequest) -> Address:
        """A form sends its empty fields too: they say nothing. An empty value of a key is a value."""
        pairs = [(name, text) for name, texts in request.GET.lists() for text in texts]
        said = [pair for pair in pairs if pair[1] or pair[0] not in {*SHOWN, *FIELDS}]
        return cls(
            request.path,
            tuple(pair for pair in said if pair[0] not in SHOWN),
            tuple(pair for pair in said if pair[0] in SHOWN),
            len(said) < len(pairs),
        )

    def get(self, name: str) -> str | None:
        """What is shown, by its name. Raises InvalidFilter where it is said twice."""
        found = [text for given, text in self.shown if given == name]
        if len(found) > 1:
            raise InvalidFilter("This parameter is given twice.", pointer=f"?{name}")
        return found[0] if found else None

    def link(self, **shown: str | None) -> str:
        """This page with something else shown; another page of the list is not kept."""
        changed = {"cursor": None, "add": None, "key": None, **shown}
        kept = [pair for pair in self.shown if pair[0] not in changed]
        new = [(name, text) for name, text in changed.items() if text is not None]
        # No query at all is the newest days: what asks for nothing asks for everything.
        return f"{self.path}?{urlencode([*self.asked, *kept, *new]) or 'metric=sessions'}"

    def narrowed(self, *pairs: Pair) -> Address:
        """With more conditions. One on a name that is asked already takes its place."""
        names = {name for name, _ in pairs if not _SEVERAL.search(name)}
        kept = [pair for pair in self.asked if pair[0] not in names and pair not in pairs]
        return replace(self, asked=(*kept, *pairs))

    def without(self, *names: str) -> Address:
        return replace(self, asked=tuple(pair for pair in self.asked if pair[0] not in names))

    def without_one(self, number: int) -> Address:
        return replace(self, asked=self.asked[:number] + self.asked[number + 1 :])

    def at(self, path: str) -> Address:
        """The same filter on another page."""
        return Address(path, self.asked)


def typed(text: str) -> Pair:
    """`context.stateCode=CA` as its name and its value. Raises InvalidFilter."""
    found = _TYPED.fullmatch(text)
    if found is None:
        message = "A filter is a name, an equals sign and a value, such as context.stateCode=CA."
        raise InvalidFilter(message, pointer="?add")
    return found[1], found[2]
