"""`GET /api/v1/exports/stream.csv?…`: rows at once, without a job, a file or a manifest."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponseBase
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.views import APIView

from chat.errors import InvalidFilter, InvalidPayload
from chat.queries import Query, reader_of

from .. import asking
from ..carrying import asked, streamed
from ..models import Export
from ..sending import attachment
from . import described

_LISTS, _FLAGS = ("columns", "context_keys"), {"true": True, "false": False}


class Stream(APIView):
    """The filter's parameters, and those of an export: columns and context_keys have commas between them."""

    @described.stream_export
    def get(self, request: Request) -> HttpResponseBase:
        reader = reader_of(request)
        query = Query(request)
        told = {
            name: query.take(name) for name in asking.Wish.model_fields if name not in ("filter", "format")
        }
        selection = asking.reach(query.filter().query, reader)
        try:
            wish = asking.read(asking.Wish, _typed(told))
            question, writer = asked(Export(**wish.form()), selection)
        except InvalidPayload as error:
            place = error.details[0]["pointer"].split("/")[1]
            raise InvalidFilter(error.message, pointer=f"?{place}") from None
        name = f"{wish.grain}s-{timezone.now():%Y%m%d-%H%M%S}.csv"
        return attachment(request, lambda: streamed(question, writer), name, "csv")


def _typed(told: dict[str, str | None]) -> dict[str, Any]:
    """As the body of a POST would have it; what is no flag is left, to be refused as one."""
    given = {name: text for name, text in told.items() if text is not None}
    lists = {name: [item for item in given[name].split(",") if item] for name in _LISTS if name in given}
    return {name: _FLAGS.get(text, text) for name, text in given.items()} | lists
