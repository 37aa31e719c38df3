"""`manage.py erase_user`: everything that is stored of one user, gone for good; told in counts."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from chat import erasing
from chat.errors import ChatError
from chat.models import Tenant
from exports import erasures
from exports.storage import StoreUnavailable


class Command(BaseCommand):
    help = "Erase a user of a tenant: sessions, messages, contexts, caches and files. It may be run again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--tenant", required=True, metavar="KEY")
        parser.add_argument("--user", required=True, metavar="ID")
        parser.add_argument("--dry-run", action="store_true", help="only count what there is")

    def handle(self, *, tenant: str, user: str, dry_run: bool, **_: Any) -> None:
        owner = Tenant.objects.filter(key=tenant).first()
        if owner is None:
            raise CommandError(f"There is no tenant {tenant}.")
        try:
            user_id = erasing.check_user_id(user)
            counts = erasures.count(owner.pk, user_id) if dry_run else _erased(owner, user_id)
        except (ChatError, StoreUnavailable, OSError) as error:
            # The row is there: a worker goes on with it, or whoever runs this again.
            told = (
                error.message if isinstance(error, ChatError) else "The store of exports cannot be reached."
            )
            raise CommandError(told) from None
        self.stdout.write(json.dumps(counts))


def _erased(tenant: Tenant, user_id: str) -> dict[str, int]:
    return dict(erasures.run(erasing.ask(tenant.pk, user_id, "command line").pk).counts)
