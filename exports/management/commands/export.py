"""`manage.py export`: a tenant's rows into a file or to standard output, with the filter of every other door."""

from __future__ import annotations

import os
import sys
import tempfile
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from chat.errors import ChatError
from chat.selections import Reader
from exports import asking
from exports.carrying import asked
from exports.models import Export
from exports.rows import Question, batches, estimate
from exports.writers import WRITERS, Writer


class Command(BaseCommand):
    help = "Export a tenant's messages or sessions. The filter is that of the API: context.stateCode=CA."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "filter", nargs="*", metavar="NAME=VALUE", help="as in docs/integrators/filters.md"
        )
        parser.add_argument("--tenant", required=True, metavar="KEY")
        parser.add_argument(
            "--output", default="-", metavar="FILE", help="- is standard output (the default)"
        )
        parser.add_argument("--format", default="csv", choices=sorted(WRITERS))
        parser.add_argument("--grain", default="message", choices=["message", "session"], help="of a row")
        parser.add_argument("--columns", default="", metavar="A,B", help="the usual ones, if left out")
        parser.add_argument(
            "--context-key", action="append", default=[], metavar="PATH", help="one more column"
        )
        parser.add_argument(
            "--raw", action="store_true", help="CSV: do not quote what a spreadsheet would run"
        )
        parser.add_argument("--bom", action="store_true", help="CSV: begin with a byte order mark")

    def handle(self, *, output: str, **options: Any) -> None:
        try:
            question, writer = _question(options)
            with _opened(output) as file, _progress(question) as told:
                _write(question, writer, file, told)
        except ChatError as error:
            place = f"{error.details[0]['pointer']}: " if error.details else ""
            raise CommandError(f"{place}{error.message}") from None
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nobody reads on: no second error
        except OSError as error:
            raise CommandError(f"{output}: {error.strerror}.") from None


def _question(options: dict[str, Any]) -> tuple[Question, Writer]:
    query = [("tenant", options["tenant"]), *map(_pair, options["filter"])]
    selection = asking.reach(query, Reader(None))
    wanted = Export(
        grain=options["grain"],
        format=options["format"],
        columns=[name for name in options["columns"].split(",") if name],
        context_keys=options["context_key"],
        formula_safety=not options["raw"],
        bom=options["bom"],
    )
    return asked(wanted, selection)


def _pair(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign:
        raise CommandError(f"{text!r} is not NAME=VALUE.")
    return name, value


@contextmanager
def _opened(output: str) -> Iterator[BinaryIO]:
    """A file appears under its name when it is whole."""
    if output == "-":
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    target = Path(output)
    if target.exists() and not target.is_file():  # a pipe or a device is written to, and never replaced
        with target.open("wb") as file:
            yield file
        return
    with tempfile.NamedTemporaryFile(dir=target.parent, prefix=f".{target.name}.", delete=False) as part:
        try:
            yield part  # type: ignore[misc]
            part.flush()
            os.fsync(part.fileno())
            Path(part.name).replace(target)
        except BaseException:
            Path(part.name).unlink()
            raise


@contextmanager
def _progress(question: Question) -> Iterator[Any]:
    """Tells rows and bytes on standard error, where somebody watches."""
    console = Console(stderr=True)
    size, watched = TextColumn("{task.fields[size]}"), console.is_terminal
    columns = (TextColumn("rows"), MofNCompleteColumn(), BarColumn(), size, TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not watched) as bar:
        task = bar.add_task("", total=estimate(question) if watched else None, size="")
        yield lambda rows, size: bar.update(task, completed=rows, size=f"{size / 1e6:,.1f} MB")


def _write(question: Question, writer: Writer, file: BinaryIO, told: Any) -> None:
    size, rows = file.write(writer.begin()), 0
    for batch in batches(question):
        for block in writer.write(batch):
            size += file.write(block)
            told(rows, size)
        rows += batch.rows
        told(rows, size)
    file.write(writer.end())
