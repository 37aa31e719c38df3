"""How REST paths read what they are asked, and link from page to page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from rest_framework.request import Request
from rest_framework.response import Response

from .access import Caller
from .cursors import DEFAULT_LIMIT, MOST
from .errors import AuthenticationRequired, InvalidFilter, NotFound
from .filters import Filter, parse
from .selections import Reader
from .wire_names import IBL_IGNORED, IBL_PARAMETERS

PLACES = ("cursor", "before", "after", "page")
MOST_NUMBER = 999_999_999


def caller_of(request: Request) -> Caller:
    """Whoever has proved themselves. Raises AuthenticationRequired."""
    if not isinstance(request.auth, Caller):
        raise AuthenticationRequired("This needs a token or a staff session.")
    return request.auth


def reader_of(request: Request) -> Reader:
    """Raises AuthenticationRequired, and PermissionDenied for a session token."""
    return Reader.of(caller_of(request))


def uuid_of(text: str) -> UUID:
    """An id out of a path, in its usual spelling. What is no id names nothing: NotFound."""
    try:
        if len(text) == 36:
            return UUID(text)
    except ValueError:
        pass
    raise NotFound()


def check_names(*names: str) -> None:
    """Names out of a path. NotFound for one with NUL, which PostgreSQL refuses to look for."""
    if any("\0" in name for name in names):
        raise NotFound()


class Query:
    """The parameters of a GET: a path takes those that it knows, what is left is the filter's.

    With `ibl`, ibl.ai's names are understood too, and its parameters that have no meaning here are `ignored`; another
    vendor's are given by `names` and `ignoring`.
    """

    def __init__(
        self,
        request: Request,
        *,
        ibl: bool = False,
        names: Mapping[str, str] | None = None,
        ignoring: frozenset[str] = frozenset(),
    ) -> None:
        self.request = request
        self.ignored: list[str] = []
        self._left: list[tuple[str, str]] = []
        self._spelled: dict[str, str] = {}
        theirs = IBL_PARAMETERS if ibl else names or {}
        for name, values in request.query_params.lists():
            for value in values:
                self._keep(str(name), str(value), theirs, ignoring | IBL_IGNORED if ibl else ignoring)

    def _keep(self, name: str, value: str, theirs: Mapping[str, str], ignoring: frozenset[str]) -> None:
        if name in ignoring:
            self.ignored.append(name)
        elif name in theirs:
            if value:
                self._spelled[theirs[name]] = name
                self._left.append((theirs[name], value))
        else:
            self._left.append((name, value))

    def take(self, *names: str) -> str | None:
        """The one value of a parameter, under whichever of its names. Raises InvalidFilter if there are two."""
        found = [value for name, value in self._left if name in names]
        self._left = [pair for pair in self._left if pair[0] not in names]
        if len(found) > 1:
            raise InvalidFilter("This parameter is given twice.", pointer=f"?{names[0]}")
        return found[0] if found else None

    def take_all(self, name: str) -> list[str]:
        """Every value of a parameter that may be given more than once."""
        found = [value for given, value in self._left if given == name]
        self._left = [pair for pair in self._left if pair[0] != name]
        return found

    def number(self, *names: str, default: int = 0, most: int = MOST_NUMBER) -> int:
        """A whole number from 1 on. Raises InvalidFilter, by the name that was sent."""
        sent = next((name for name, _ in self._left if name in names), names[0])
        text = self.take(*names)
        if text is None:
            return default
        plain = text.isascii() and text.isdigit() and len(text) <= 9
        if not plain or not 1 <= int(text) <= most:
            raise InvalidFilter(f"{sent} is a whole number from 1 to {most}.", pointer=f"?{sent}")
        return int(text)

    def limit(self, default: int = DEFAULT_LIMIT, most: int = MOST) -> int:
        return self.number("limit", "page_size", default=default, most=most)

    def flag(self, name: str) -> bool:
        """true or false. Raises InvalidFilter."""
        text = self.take(name)
        if text not in (None, "true", "false"):
            raise InvalidFilter("This must be true or false.", pointer=f"?{name}")
        return text == "true"

    def filter(self, **path: Any) -> Filter:
        """What is left, within what the path says already. Raises InvalidFilter, by the names that were sent."""
        try:
            asked = parse(self._left)
            for field, said in path.items():
                if getattr(asked, field) not in (None, (), said):
                    raise InvalidFilter("The path says this already.", pointer=f"?{field}")
        except InvalidFilter as error:
            for detail in error.details:
                name = detail["pointer"].removeprefix("?")
                detail["pointer"] = f"?{self._spelled.get(name, name)}"
            raise
        return asked.within(**path)

    def finish(self) -> None:
        """There is nothing to filter here: what is left is refused. Raises InvalidFilter."""
        for name, _ in self._left:
            name = self._spelled.get(name, name)[:100]
            raise InvalidFilter("This path takes no such parameter.", pointer=f"?{name}")

    def link(self, place: dict[str, Any] | None) -> str | None:
        """The address of another page of the same list; None for no place."""
        if place is None:
            return None
        pairs = [
            (name, value)
            for name, values in self.request.query_params.lists()
            for value in values
            if name not in PLACES
        ]
        return self.request.build_absolute_uri(f"{self.request.path}?{urlencode([*pairs, *place.items()])}")

    def told(self, body: Any, **headers: str) -> Response:
        """The answer, which names what was asked in vain."""
        if self.ignored:
            headers["X-Ignored-Parameters"] = ", ".join(sorted(set(self.ignored)))
        return Response(body, headers=headers)
