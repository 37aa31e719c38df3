"""The whole of erasing a user: what the chat holds, then what was carried away. A job: safe to run twice."""

from __future__ import annotations

from collections import Counter
from uuid import UUID

import structlog
from django.db import Error

from chat import erasing
from chat.errors import Unavailable
from chat.models import Erasure

from . import holding
from .holding import Whose
from .storage import StoreUnavailable

log = structlog.get_logger(__name__)


def run(erasure_id: UUID) -> Erasure:
    """Erase what there is, and say in the row how much that was.

    Raises Unavailable, StoreUnavailable, OSError and database errors: the row then waits for another try.
    """
    erasure = Erasure.objects.get(pk=erasure_id, kind=Erasure.Kind.USER)
    if erasure.finished_at is not None:
        return erasure
    while erasing.step(erasure_id):
        pass
    # Not before: an export that begins from now on finds no row of theirs.
    erasure.refresh_from_db()
    elsewhere = "messages_elsewhere" in erasure.counts
    whose = Whose(erasure.tenant_id, erasure.user_id, elsewhere=elsewhere)
    holding.erase(whose, lambda counts: erasing.add(erasure_id, counts))
    erasing.finish(erasure_id)
    erasure.refresh_from_db()
    return erasure


def try_to_run(erasure_id: UUID) -> bool:
    """The same for a worker; whether it is done."""
    try:
        done = run(erasure_id)
    except (Unavailable, StoreUnavailable, OSError, Error) as error:
        log.warning("erasure_interrupted", erasure=str(erasure_id), error=type(error).__name__)
        return False
    log.info("user_erased", erasure=str(erasure_id), **done.counts)
    return True


def count(tenant_id: int, user_id: str) -> dict[str, int]:
    """What there is to erase, without erasing it."""
    found = Counter(erasing.count(tenant_id, user_id))
    return dict(found + holding.count(Whose(tenant_id, user_id, elsewhere="messages_elsewhere" in found)))
