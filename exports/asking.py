"""How an export is asked for: checked once, made a row, and no more. A worker does the rest."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Literal

from django.db import transaction
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from chat import limits
from chat.access import Caller
from chat.errors import Detail, InvalidFilter, InvalidPayload, TooManyExports
from chat.filters import parse
from chat.models import Tenant
from chat.selections import Reader, Selection
from chat.strict_json import dumps, step

from .columns import choose
from .cuts import safe_cut
from .models import UNDER_WAY, Export

Scalar = str | int | float | bool
Query = list[tuple[str, str]]
_PHRASES = {
    "extra_forbidden": "is not known here.",
    "missing": "is required.",
    "literal_error": "must be one of",
}


class Wish(BaseModel):
    """The body of a request for an export: which rows, in which form."""

    model_config = ConfigDict(strict=True, extra="forbid")

    filter: dict[str, Scalar | list[Scalar]] = Field(default_factory=dict)
    grain: Literal["message", "session"] = "message"
    format: Literal["csv", "jsonl", "parquet"] = "csv"
    columns: list[str] = Field(default_factory=list, max_length=200)
    context_keys: list[str] = Field(default_factory=list, max_length=100)
    formula_safety: bool = True
    bom: bool = False

    def query(self) -> Query:
        """The filter as query parameters: true, 5 and "CA" as they would stand in an address."""
        pairs = ((name, value) for name, value in self.filter.items())
        return [(name, _text(item)) for name, value in pairs for item in _listed(value)]

    def form(self) -> dict[str, Any]:
        """In which form, as fields of a row."""
        return self.model_dump(include=set(Wish.model_fields) - {"filter"})


class ExportWish(Wish):
    """And whether it goes on where an earlier one ended."""

    incremental: bool = False
    since: str | None = None


def _text(value: Scalar) -> str:
    return value if isinstance(value, str) else dumps(value)


def _listed(value: Scalar | list[Scalar]) -> Iterable[Scalar]:
    return value if isinstance(value, list) else [value]


def read(model: type[Any], body: dict[str, Any]) -> Any:
    """The body as this model. Raises InvalidPayload with a pointer for every fault."""
    try:
        return model.model_validate(body)
    except ValidationError as error:
        told = [_detail(fault) for fault in error.errors(include_url=False)]
    # Each kind that a value might have been finds its own fault with it.
    details = [one for number, one in enumerate(told) if one not in told[:number]]
    raise InvalidPayload(details[0]["message"], details=details)


def _detail(fault: ErrorDetails) -> Detail:
    pointer = ""
    for key in fault["loc"][:2]:
        pointer = step(pointer, str(key))
    phrase = _PHRASES.get(fault["type"], "is not valid.")
    if phrase.endswith("one of"):
        phrase = f"{phrase} {fault['ctx']['expected']}."
    return {"pointer": pointer, "message": f"{fault['loc'][0] if fault['loc'] else 'The body'} {phrase}"}


# --- rows


def reach(query: Iterable[tuple[str, str]], reader: Reader) -> Selection:
    """The question, of one tenant. Raises InvalidFilter, NotFound, HiddenKey."""
    selection = Selection.of(parse(query), reader)
    selection.check_conditions("export")
    if selection.tenant_ids is None or len(selection.tenant_ids) != 1:
        raise InvalidFilter("An export is of one tenant: name it.", pointer="?tenant")
    return selection


def ask(caller: Caller, wish: Wish, query: Query, **more: Any) -> Export:
    """The row of a new export. Raises InvalidFilter, NotFound, PermissionDenied, TooManyExports."""
    reader = Reader.of(caller)
    selection = reach(query, reader)
    check_form(wish)
    assert selection.tenant_ids is not None
    return request(
        selection.tenant_ids[0],
        **wish.form(),
        **more,
        query=[list(pair) for pair in query],
        mentor_id=reader.mentor_id,
        asked_by=caller.label,
        token_id=caller.token.id if caller.token else None,
    )


@transaction.atomic
def request(tenant_id: int, **fields: Any) -> Export:
    """Write the row, if the tenant has not too many under way. Raises TooManyExports."""
    # Not FOR UPDATE: that would hold up every session that begins meanwhile.
    Tenant.objects.select_for_update(no_key=True).get(pk=tenant_id)
    most = limits.current().exports_per_tenant
    under_way = Export.objects.filter(tenant_id=tenant_id, state__in=UNDER_WAY)
    # What schedules opened waits its turn, and takes nobody else's.
    if most and under_way.exclude(purpose=Export.Purpose.SCHEDULE).count() >= most:
        raise TooManyExports(retry_after=30)
    return Export.objects.create(tenant_id=tenant_id, **fields)


def check_form(wish: Wish) -> None:
    """Raises InvalidPayload where there are no such columns."""
    choose(wish.grain, wish.columns or None, wish.context_keys)


def between(wish: ExportWish) -> tuple[datetime | None, datetime | None]:
    """From the cursor of an earlier export, or from the beginning, up to what is safely there."""
    if not wish.incremental and wish.since is None:
        return None, None
    since = None if wish.since is None else read_cursor(wish.since)
    return since, safe_cut()


def read_cursor(text: str) -> datetime:
    """Raises InvalidPayload."""
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is not None:
            return moment
    except ValueError:
        pass
    raise InvalidPayload("since is the cursor of an earlier export.", pointer="/since")


def cursor_of(export: Export) -> str | None:
    """What the next export names as `since`."""
    return None if export.until is None else export.until.isoformat()
