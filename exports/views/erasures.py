"""`/api/v1/erasures/`: a user is erased, and what came of it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib.auth.models import AnonymousUser, User
from django.db.models import QuerySet
from pydantic import BaseModel, ConfigDict
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from chat import erasing
from chat.access import Caller
from chat.authentication import EraserAuthentication, StaffAuthentication
from chat.errors import InvalidPayload, NotFound, PermissionDenied
from chat.models import Erasure, Tenant

from .. import asking, erasures, tasks
from . import described_erasures as described
from .asked import LIST, caller_of, check_known, listing


class Wish(BaseModel):
    """The body of a request to erase a user; `tenant` for who may in several."""

    model_config = ConfigDict(strict=True, extra="forbid")

    user_id: str
    tenant: str | None = None
    dry_run: bool = False


class Erasing(APIView):
    """Tokens of the scope erase_all, and staff who may."""

    authentication_classes = [EraserAuthentication, StaffAuthentication]


class Erasures(Erasing):
    """POST erases a user: a worker does it. GET lists what was erased, newest first, also by retention."""

    @described.erase_user
    def post(self, request: Request) -> Response:
        check_known(request)
        caller = eraser_of(request)
        wish: Wish = asking.read(Wish, dict(request.data))
        user_id, tenant = erasing.check_user_id(wish.user_id), _tenant(caller, wish.tenant)
        if wish.dry_run:
            return Response({"counts": erasures.count(tenant.pk, user_id)})
        erasure = erasing.ask(tenant.pk, user_id, caller.label)
        tasks.nudge_erasure(erasure.pk)
        return Response(shown(erasure), status=202, headers={"Location": f"/api/v1/erasures/{erasure.pk}/"})

    @described.list_erasures
    def get(self, request: Request) -> Response:
        check_known(request, *LIST)
        return Response(listing(request, _visible(eraser_of(request)), shown))


class OneErasure(Erasing):
    """GET shows one."""

    @described.show_erasure
    def get(self, request: Request, erasure_id: UUID) -> Response:
        check_known(request)
        erasure = _visible(eraser_of(request)).filter(pk=erasure_id).first()
        if erasure is None:
            raise NotFound()
        return Response(shown(erasure))


def eraser_of(request: Request) -> Caller:
    """Raises AuthenticationRequired, PermissionDenied."""
    caller = caller_of(request)
    if caller.kind == "anonymous":
        raise PermissionDenied("This needs a token with the scope erase_all.")
    if caller.token and caller.token.mentor_id is not None:
        raise PermissionDenied("A user is erased with a token of the whole tenant, not of one mentor.")
    if caller.kind == "staff" and not may_erase(request.user):
        raise PermissionDenied("This needs the permission to add erasures.")
    return caller


def may_erase(user: User | AnonymousUser) -> bool:
    return user.has_perm("chat.add_erasure")


def _visible(caller: Caller) -> QuerySet[Erasure]:
    rows = Erasure.objects.select_related("tenant").order_by("-created_at")
    return rows if caller.tenant_ids is None else rows.filter(tenant_id__in=caller.tenant_ids)


def _tenant(caller: Caller, key: str | None) -> Tenant:
    """Raises NotFound for a stranger's and a missing one alike, InvalidPayload where none is named."""
    theirs = Tenant.objects.all()
    if caller.tenant_ids is not None:
        theirs = theirs.filter(pk__in=caller.tenant_ids)
    found = list(theirs.filter(key=key.replace("\0", "")) if key is not None else theirs[:2])
    if key is None and len(found) > 1:
        raise InvalidPayload("tenant is required: you may erase in several.", pointer="/tenant")
    if not found:
        raise NotFound("There is no such tenant here.", pointer="/tenant")
    return found[0]


def shown(erasure: Erasure) -> dict[str, Any]:
    """Without the user: whoever asked knows them, and nobody else is told."""
    return {
        "id": erasure.pk,
        "tenant": erasure.tenant.key,
        "kind": erasure.kind,
        "state": "done" if erasure.finished_at else "running",
        "asked_by": erasure.asked_by,
        "created_at": erasure.created_at,
        "finished_at": erasure.finished_at,
        "counts": erasure.counts,
    }
