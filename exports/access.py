"""Which exports and schedules are whose. A stranger's is not found, by the query that finds one's own."""

from __future__ import annotations

from typing import TypeVar
from uuid import UUID

from django.conf import settings
from django.core.signing import BadSignature, SignatureExpired, TimestampSigner
from django.db.models import QuerySet

from chat.access import Caller
from chat.errors import NotFound, PermissionDenied
from chat.models import ApiToken
from chat.selections import Reader

from .models import Export, Schedule, Wanted

W = TypeVar("W", bound=Wanted)
_SALT = "exports.link"


def visible(model: type[W], reader: Reader) -> QuerySet[W]:
    """A tenant's own; for a token of one mentor, what such tokens asked for."""
    rows: QuerySet[W] = model._default_manager.filter(tenant__isnull=False)
    if reader.tenant_ids is not None:
        rows = rows.filter(tenant_id__in=reader.tenant_ids)
    return rows if reader.mentor_id is None else rows.filter(mentor_id=reader.mentor_id)


def access_export(caller: Caller, export_id: UUID) -> Export:
    """Raises PermissionDenied for a session token, NotFound for a stranger's."""
    return _found(visible(Export, Reader.of(caller)), export_id)


def access_schedule(caller: Caller, schedule_id: UUID) -> Schedule:
    return _found(visible(Schedule, Reader.of(caller)), schedule_id)


def _found(rows: QuerySet[W], key: UUID) -> W:
    row = rows.select_related("tenant").filter(pk=key).first()
    if row is None:
        raise NotFound()
    return row


def check_may_end(caller: Caller, export: Export) -> None:
    """Whoever asked for an export may end it; another's takes the scope write_all. Raises PermissionDenied."""
    token = caller.token
    if token and token.scope != ApiToken.Scope.WRITE_ALL and export.token_id != token.id:
        raise PermissionDenied("Another's export is ended with the scope write_all.")


def check_may_schedule(caller: Caller) -> None:
    """Raises PermissionDenied."""
    if caller.token and caller.token.scope != ApiToken.Scope.WRITE_ALL:
        raise PermissionDenied("This needs a token with the scope write_all.")


# --- links that a browser opens without a header


def link_signature(export: Export) -> str:
    """Good for this one file, for EXPORTS_LINK_SECONDS; nothing is stored."""
    return TimestampSigner(salt=_SALT).sign(str(export.id)).partition(":")[2]


def access_by_link(export_id: UUID, signature: str) -> Export:
    """Raises NotFound for a signature that is wrong, too old, or of another file, all alike."""
    try:
        TimestampSigner(salt=_SALT).unsign(f"{export_id}:{signature}", max_age=settings.EXPORTS_LINK_SECONDS)
    except (BadSignature, SignatureExpired):
        raise NotFound() from None
    return _found(Export.objects.filter(tenant__isnull=False), export_id)
