"""`manage.py apply FILE.json`: tenants, mentors and tokens as a file declares them."""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import IntegrityError

from chat import configuration


class Command(BaseCommand):
    help = (
        "Create or update tenants, mentors and tokens as a JSON file declares them, all or nothing. "
        "What the file leaves out stays as it is. Exits with 1 where the file has mistakes."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", help="the JSON file; - reads standard input")
        parser.add_argument("--check", action="store_true", help="say what would be done and write nothing")

    def handle(self, *, file: str, check: bool, **options: Any) -> None:
        try:
            outcome = configuration.apply(_read(file), environ=os.environ, check=check)
        except configuration.Mistakes as mistakes:
            raise CommandError(f"{file} has mistakes; nothing was written.\n{mistakes}") from None
        except IntegrityError:
            raise CommandError("Somebody changed the same records meanwhile; run it again.") from None
        self._report(outcome, check=check)

    def _report(self, outcome: configuration.Outcome, *, check: bool) -> None:
        for change in outcome.changes:
            self.stdout.write(str(change))
        if not outcome.changed:
            self.stdout.write("nothing to change")
        elif check:
            self.stdout.write("checked only: nothing was written")
        else:
            for name, secret in outcome.secrets.items():
                self.stdout.write(f"secret of {name}, shown only now: {secret}")


def _read(file: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        raise CommandError(f"{file} cannot be read: {error.strerror}.") from None
