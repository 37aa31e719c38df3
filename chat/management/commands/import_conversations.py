"""`manage.py import_conversations`: conversations that were held elsewhere, from files, stored as our own."""

from __future__ import annotations

import time
from argparse import ArgumentParser, ArgumentTypeError, BooleanOptionalAction
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import IntegrityError
from django.utils import timezone
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from chat.configuration import Mistakes
from chat.filters.moments import Moment
from chat.importing import files, loading
from chat.importing.files import UnreadableFile
from chat.importing.loading import Content, Stored, Wish
from chat.importing.timing import Range

DAYS = 30


class Command(BaseCommand):
    help = (
        "Store recorded conversations, both sides, as if they had been held here. Times are made up, spread "
        "over a range. A conversation that is there already is left as it is. Exits with 1 where a file has "
        "mistakes; then nothing was stored."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("files", nargs="+", type=Path, metavar="FILE.jsonl")
        parser.add_argument("--tenant-prefix", default="", metavar="X", help="before the key of every tenant")
        parser.add_argument(
            "--from", dest="since", type=_moment, metavar="DATE", help=f"default: {DAYS} days before --to"
        )
        parser.add_argument(
            "--to", dest="until", type=_moment, metavar="DATE", help="that day included; default: now"
        )
        parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the made-up times")
        parser.add_argument(
            "--repeat", type=_positive, default=1, metavar="N", help="store each N times, with ids of its own"
        )
        parser.add_argument(
            "--create", action=BooleanOptionalAction, default=True, help="make missing tenants and mentors"
        )
        parser.add_argument(
            "--with-usage",
            action="store_true",
            help="give answers made-up tokens and milliseconds (default: none)",
        )

    def handle(self, *, files: list[Path], tenant_prefix: str, create: bool, **options: Any) -> None:
        wish = _wish(**options)
        began = time.monotonic()
        try:
            content, stored = _import(files, tenant_prefix, wish, create=create)
        except (UnreadableFile, Mistakes) as error:
            raise CommandError(f"{error}\nNothing was stored.") from None
        except loading.MissingMentors as error:
            raise CommandError(f"There is no mentor {error}; --create makes what is missing.") from None
        except IntegrityError:
            raise CommandError("The same conversations were stored meanwhile; run it again.") from None
        self.stdout.write(_summary(content, stored, time.monotonic() - began))


def _import(paths: list[Path], prefix: str, wish: Wish, *, create: bool) -> tuple[Content, Stored]:
    """Every line is read before the first is stored: a mistake in the last file leaves nothing half done."""
    content = loading.survey(files.read(paths, tenant_prefix=prefix))
    mentors = loading.mentors_of(content, create=create)
    with _progress(content.messages * wish.repeat) as on_messages:
        return content, loading.load(files.read(paths, tenant_prefix=prefix), mentors, wish, on_messages)


def _wish(
    *, since: Moment | None, until: Moment | None, seed: int, repeat: int, with_usage: bool, **_: Any
) -> Wish:
    end = until.end(UTC) if until else timezone.now()
    begin = since.begin(UTC) if since else end - timedelta(days=DAYS)
    if begin >= end:
        raise CommandError("--from must be before --to.")
    return Wish(Range(begin, end, seed), repeat, with_usage)


def _moment(text: str) -> Moment:
    try:
        return Moment.parse(text)
    except ValueError:
        raise ArgumentTypeError("must be a day (2026-11-20) or an instant (2026-11-20T08:00:00Z)") from None


def _positive(text: str) -> int:
    if text.isascii() and text.isdigit() and int(text) > 0:
        return int(text)
    raise ArgumentTypeError("must be 1 or more")


@contextmanager
def _progress(messages: int) -> Iterator[Callable[[int], None]]:
    """A bar on a terminal, silence elsewhere."""
    console = Console(stderr=True)
    columns = (TextColumn("messages"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as progress:
        task = progress.add_task("messages", total=messages)
        yield lambda count: progress.advance(task, count)


def _summary(content: Content, stored: Stored, seconds: float) -> str:
    rate = f"{stored.messages / seconds:,.0f} messages/s" if stored.messages else "nothing to do"
    return (
        f"{content.conversations:,} conversations of {len(content.mentors):,} mentors read; stored: "
        f"{stored.sessions:,} sessions, {stored.messages:,} messages, {stored.versions:,} context versions; "
        f"already there: {stored.there_already:,} sessions; {seconds:.1f} s, {rate}"
    )
