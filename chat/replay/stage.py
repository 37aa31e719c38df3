"""What a replay needs before it can start: tenants, mentors and one token per tenant.

Written straight to the database, so that any server which reads the same one can be played.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from django.utils import timezone

from chat import configuration
from chat.models import ApiToken, Tenant
from chat.replay.conversations import Conversation

TOKEN_NAME = "replay"  # noqa: S105  # a name, not a secret
TOKEN_LIFE = timedelta(days=1)  # of a run that was killed before it could revoke its tokens


def make_missing(conversations: Iterable[Conversation]) -> None:
    """Tenants and mentors that are not there yet; those that are stay as they are."""
    mentors: dict[str, set[str]] = {}
    for conversation in conversations:
        mentors.setdefault(conversation.tenant, set()).add(conversation.mentor)
    tenants = [
        {"key": key, "mentors": [{"slug": slug} for slug in sorted(slugs)]}
        for key, slugs in sorted(mentors.items())
    ]
    configuration.apply(json.dumps({"tenants": tenants}), environ={})


@contextmanager
def tokens_for(keys: Iterable[str]) -> Iterator[dict[str, str]]:
    """The secret of a new token for each tenant, by its key; revoked at the end."""
    until = timezone.now() + TOKEN_LIFE
    issued = [_issue(tenant, until) for tenant in Tenant.objects.filter(key__in=list(keys))]
    try:
        yield {token.tenant.key: secret for token, secret in issued}
    finally:
        ids = [token.pk for token, _ in issued]
        ApiToken.objects.filter(pk__in=ids).update(revoked_at=timezone.now())


def _issue(tenant: Tenant, until: datetime) -> tuple[ApiToken, str]:
    scope = ApiToken.Scope.WRITE_ALL
    return ApiToken.issue(tenant, scope=scope, name=TOKEN_NAME, expires_at=until)
