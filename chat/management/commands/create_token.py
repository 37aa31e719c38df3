"""`manage.py create_token`: a new API token on standard output, and nothing else."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import datetime, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from chat.models import ApiToken, Mentor, Tenant


class Command(BaseCommand):
    help = "Print a new API token of a tenant, and nothing else; only its hash is stored."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--tenant", required=True, metavar="KEY")
        parser.add_argument("--scope", required=True, choices=ApiToken.Scope.values)
        parser.add_argument("--name", default="command line", help="how lists show it")
        parser.add_argument("--mentor", metavar="SLUG", help="good for this mentor only")
        parser.add_argument("--expires-in-days", type=int, metavar="N", help="never, if left out")

    def handle(
        self, *, tenant: str, scope: str, name: str, mentor: str | None, expires_in_days: int | None, **_: Any
    ) -> None:
        owner = _tenant(tenant)
        issued = ApiToken.issue(
            owner,
            scope=scope,
            name=_checked(name),
            mentor=_mentor(owner, mentor),
            expires_at=_expiry(expires_in_days),
        )
        self.stdout.write(issued[1])


def _tenant(key: str) -> Tenant:
    if tenant := Tenant.objects.filter(key=key).first():
        return tenant
    raise CommandError(f"There is no tenant {key}.")


def _mentor(tenant: Tenant, slug: str | None) -> Mentor | None:
    if slug is None:
        return None
    if mentor := tenant.mentors.filter(slug=slug).first():
        return mentor
    raise CommandError(f"{tenant.key} has no mentor {slug}.")


def _checked(name: str) -> str:
    if 1 <= len(name) <= 200:
        return name
    raise CommandError("--name must have 1 to 200 characters.")


def _expiry(days: int | None) -> datetime | None:
    if days is None:
        return None
    if 1 <= days <= 36_500:
        return timezone.now() + timedelta(days=days)
    raise CommandError("--expires-in-days must be from 1 to 36500.")
