"""`manage.py demo`: something to chat with and somebody to sign in as, where there is none yet."""

from __future__ import annotations

import os
import secrets
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.management.base import BaseCommand

from chat import configuration
from chat.models import Tenant

DOCUMENT = Path(configuration.__file__).parent.parent / "demo.json"
TENANT = "demo"
ADMIN = "admin"


class Command(BaseCommand):
    help = "Make the demo tenant and an administrator unless there are any; say where to chat and sign in."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--url", default="http://127.0.0.1:8000", help="where the server will be")

    def handle(self, *, url: str, **options: Any) -> None:
        if not Tenant.objects.filter(key=TENANT).exists():
            configuration.apply(DOCUMENT.read_bytes(), environ={})
        base = url.rstrip("/")
        self.stdout.write(f"Chat     {base}/")
        self.stdout.write(f"Admin    {base}/admin/")
        self.stdout.write(f"Sign in  {_sign_in(settings.VAR_DIR / 'admin-password')}")


def _sign_in(file: Path) -> str:
    """How to sign in, after making an administrator where there was none."""
    if User.objects.filter(is_superuser=True).exists():
        return f"as {ADMIN}, password in {file}" if _kept(file) else "with your own superuser's account"
    if User.objects.filter(username=ADMIN).exists():
        return f"nobody can: {ADMIN} is not a superuser; run manage.py createsuperuser"
    # One file for whichever database is used next: a password that is there already is used again.
    password = _kept(file) or _keep(file, secrets.token_urlsafe(12))
    User.objects.create_superuser(ADMIN, password=password)
    return f"as {ADMIN}, password {password} (shown once, kept in {file})"


def _kept(file: Path) -> str:
    return file.read_text().strip() if file.exists() else ""


def _keep(file: Path, password: str) -> str:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as kept:
        kept.write(f"{password}\n")
    file.chmod(0o600)
    return password
