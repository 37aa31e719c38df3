"""What REST paths read and answer: JSON by the hardened parser, and what the path has, whatever is accepted."""

from __future__ import annotations

from collections.abc import Iterable
from typing import IO, Any

from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

from . import limits
from .payloads import MAX_DEPTH
from .strict_json import parse_object


class StrictJSONParser(BaseParser):
    """The same hardened parser as every other door's."""

    media_type = "application/json"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Any = None
    ) -> dict[str, Any]:
        most = limits.current().frame_bytes
        body: bytes = stream.read(most + 1)
        return parse_object(body or b"{}", max_bytes=most, max_depth=MAX_DEPTH).value


class OneKind(DefaultContentNegotiation):
    """A path answers one kind, or says by a parameter which: who accepts only `text/csv` is not refused a CSV."""

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        renderer = next(iter(renderers))
        return renderer, renderer.media_type
