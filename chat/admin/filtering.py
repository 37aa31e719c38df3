"""The one filter grammar in a search box: `context.stateCode=CA & status=failed`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest

from ..database import bounded
from ..errors import ChatError, InvalidFilter
from ..filters import FIELDS, parse
from ..selections import Reader, Selection
from ..walks import first
from .scope import tenant_ids

_QUOTED: Final = r'"(?:[^"\\]|\\.)*+"'
_PIECE: Final = re.compile(rf"(?:{_QUOTED}|[^&])++", re.DOTALL)
_PARAMETER: Final = re.compile(rf"((?:{_QUOTED}|[^=])++)=(.*)", re.DOTALL)
_FILTER: Final = re.compile(rf"\s*(?:(?:message_)?context\.|(?:{'|'.join(FIELDS)})\s*=)")


def is_filter(term: str) -> bool:
    """Whether a search term is one, and not an id that happens to look a little like it."""
    return _FILTER.match(term) is not None


def meant(request: HttpRequest, sessions: QuerySet[Any], term: str, most: int) -> QuerySet[Any]:
    """The newest of the sessions that the filter means; none, and a sentence on the page, where it cannot be asked."""
    try:
        selection = Selection.of(parse(parameters(term)), Reader(tenant_ids(request)))
        rows = (sessions & selection.sessions()).values_list("pk", flat=True)
        with bounded():
            return sessions.filter(pk__in=first(rows, by="created_at", falling=True, limit=most))
    except ChatError as error:
        where = [f"{detail['pointer'].lstrip('?')}: " for detail in error.details]
        messages.error(request, "".join(where) + error.message)
        return sessions.none()


def parameters(term: str) -> Iterator[tuple[str, str]]:
    """Names and texts; within double quotes neither & nor = divides. Raises InvalidFilter."""
    for piece in _PIECE.findall(term):
        parameter = _PARAMETER.fullmatch(piece)
        if parameter is None:
            sentence = 'A filter is written as context.KEY=VALUE; several have "&" between them.'
            raise InvalidFilter(sentence, pointer=f"?{piece.strip()[:100]}")
        yield parameter[1].strip(), parameter[2].strip()
