"""`/api/v1/export-schedules/`: exports that are asked for again and again."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from pydantic import Field
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from chat.errors import Detail, InvalidPayload
from chat.selections import Reader
from chat.strict_json import step

from .. import asking, shapes
from ..access import access_schedule, check_may_schedule, visible
from ..models import Schedule
from . import described
from .asked import LIST, caller_of, check_known, listing

Unit = Literal["hour", "day", "week", "month"]


class ScheduleWish(asking.Wish):
    """The body of a schedule. PATCH sends some of it, POST what it needs."""

    name: Annotated[str, Field(min_length=1, max_length=200)]
    every: Unit = "day"
    hour: Annotated[int, Field(ge=0, le=23)] = 3
    weekday: Annotated[int, Field(ge=0, le=6)] = 0
    day: Annotated[int, Field(ge=1, le=31)] = 1
    window: Unit = "day"
    active: bool = True

    def fields(self) -> dict[str, Any]:
        timed = self.model_dump(include=set(ScheduleWish.model_fields) - set(asking.Wish.model_fields))
        return {**self.form(), **timed, "query": [list(pair) for pair in self.query()]}


class Schedules(APIView):
    """POST makes one, GET lists the tenant's."""

    @described.make_schedule
    def post(self, request: Request) -> Response:
        check_known(request)
        caller = caller_of(request)
        reader = Reader.of(caller)
        check_may_schedule(caller)
        wish = asking.read(ScheduleWish, dict(request.data))
        selection = asking.reach(wish.query(), reader)
        asking.check_form(wish)
        assert selection.tenant_ids is not None
        row = Schedule(
            tenant_id=selection.tenant_ids[0],
            mentor_id=reader.mentor_id,
            asked_by=caller.label,
            **wish.fields(),
        )
        _save(row)
        return Response(shapes.schedule(row), status=201)

    @described.list_schedules
    def get(self, request: Request) -> Response:
        check_known(request, *LIST)
        rows = visible(Schedule, Reader.of(caller_of(request))).select_related("tenant").order_by()
        return Response(listing(request, rows, shapes.schedule))


class OneSchedule(APIView):
    """GET shows it with its latest windows, PATCH changes what it names, DELETE removes it, not its files."""

    @described.show_schedule
    def get(self, request: Request, schedule_id: UUID) -> Response:
        check_known(request)
        row = access_schedule(caller_of(request), schedule_id)
        windows = [
            {"start": one.start, "end": one.end, "due_at": one.due_at, "export": one.export_id}
            for one in row.windows.all()[:20]
        ]
        return Response({**shapes.schedule(row), "windows": windows})

    @described.change_schedule
    def patch(self, request: Request, schedule_id: UUID) -> Response:
        check_known(request)
        caller = caller_of(request)
        row = access_schedule(caller, schedule_id)
        check_may_schedule(caller)
        shown = {
            key: value for key, value in shapes.schedule(row).items() if key in ScheduleWish.model_fields
        }
        wish = asking.read(ScheduleWish, {**shown, **dict(request.data)})
        assert row.tenant_id is not None
        asking.reach(wish.query(), Reader(frozenset({row.tenant_id}), row.mentor_id))
        asking.check_form(wish)
        for name, value in wish.fields().items():
            setattr(row, name, value)
        _save(row)
        return Response(shapes.schedule(row))

    @described.remove_schedule
    def delete(self, request: Request, schedule_id: UUID) -> Response:
        check_known(request)
        caller = caller_of(request)
        row = access_schedule(caller, schedule_id)
        check_may_schedule(caller)
        row.delete()
        return Response(status=204)


def _save(row: Schedule) -> None:
    """Raises InvalidPayload for a window that is too long, and for a name that is taken."""
    try:
        row.clean()
        with transaction.atomic():
            row.save()
    except ValidationError as error:
        details: list[Detail] = [
            {"pointer": step("", name), "message": words[0]} for name, words in error.message_dict.items()
        ]
        raise InvalidPayload(details[0]["message"], details=details) from None
    except IntegrityError:
        raise InvalidPayload("Another schedule of this tenant has this name.", pointer="/name") from None
