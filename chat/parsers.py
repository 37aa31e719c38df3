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
from .strict_json import parse_list, parse_object


class StrictJSONParser(BaseParser):
    """The same hardened parser as every other door's."""

    media_type = "application/json"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Any = None
    ) -> dict[str, Any]:
        most = limits.current().frame_bytes
        body: bytes = stream.read(most + 1)
        return parse_object(body or b"{}", max_bytes=most, max_depth=MAX_DEPTH).value


class SpelledJSONParser(BaseParser):
    """A ParsedObject: the same with its text, for what is kept as its sender spelled it."""

    media_type = "application/json"

    def parse(self, stream: IO[Any], media_type: str | None = None, parser_context: Any = None) -> Any:
        most = limits.current().frame_bytes
        return parse_object(stream.read(most + 1), max_bytes=most, max_depth=MAX_DEPTH)


class MergePatchParser(SpelledJSONParser):
    """RFC 7396."""

    media_type = "application/merge-patch+json"


class JSONPatchParser(BaseParser):
    """RFC 6902: a tuple of the operations, their values as they were spelled, and the text."""

    media_type = "application/json-patch+json"

    def parse(self, stream: IO[Any], media_type: str | None = None, parser_context: Any = None) -> Any:
        most = limits.current().frame_bytes
        return parse_list(stream.read(most + 1), max_bytes=most, max_depth=MAX_DEPTH)


class OneKind(DefaultContentNegotiation):
    """A path answers one kind, or says by a parameter which: who accepts only `text/csv` is not refused a CSV."""

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        renderer = next(iter(renderers))
        return renderer, renderer.media_type
