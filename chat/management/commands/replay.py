"""`manage.py replay`: real conversations through a running server, and every rule checked afterwards."""

from __future__ import annotations

import asyncio
import json
import time
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from chat.replay import conversations, stage
from chat.replay.client import DoorName, Played, Player
from chat.replay.comparing import Difference, Findings, compare
from chat.replay.conversations import Conversation

SHOWN = 20
SHOWN_CHARACTERS = 300


class Command(BaseCommand):
    help = (
        "Play the user turns of recorded conversations through a running server as a network client, then "
        "compare what it stored (read through DATABASE_URL) with what the files imply. "
        "Exits with 1 on any difference or error."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("files", nargs="+", type=Path, metavar="FILE.jsonl")
        parser.add_argument("--url", default="http://127.0.0.1:8000")
        parser.add_argument("--door", choices=["ws", "sse"], default="ws")
        parser.add_argument("--concurrency", type=_positive, default=8, metavar="N")
        parser.add_argument("--limit", type=_positive, metavar="N", help="at most N of each file")
        tokens = parser.add_mutually_exclusive_group(required=True)
        tokens.add_argument("--token", help="one token for all tenants")
        tokens.add_argument("--tokens", type=Path, metavar="FILE", help='JSON: {"tenant": "token"}')
        tokens.add_argument(
            "--create",
            action="store_true",
            help="make missing tenants and mentors, and tokens that are revoked at the end, in DATABASE_URL",
        )

    def handle(self, *, files: list[Path], limit: int | None, **options: Any) -> None:
        try:
            played = list(conversations.read(files, limit=limit))
        except conversations.UnreadableFile as error:
            raise CommandError(str(error)) from None
        if not played:
            raise CommandError("There is no conversation with a user turn in these files.")
        with _tokens(played, **options) as token_of:
            runs, seconds = self._play(played, token_of, **options)
        findings = compare(runs)
        self.stdout.write(self._rendered(_summary(runs, findings, seconds)))
        for difference in findings.differences[:SHOWN]:
            self.stdout.write(_described(difference))
        if findings.differences:
            raise CommandError(_counted(len(findings.differences)))
        self.stdout.write("no difference")

    def _play(
        self,
        played: list[Conversation],
        token_of: Callable[[str], str],
        *,
        url: str,
        door: DoorName,
        concurrency: int,
        **_: Any,
    ) -> tuple[list[Played], float]:
        """The runs, and the seconds they took together."""
        with _progress(sum(len(conversation.turns) for conversation in played)) as on_turn:
            player = Player(url, door, token_of, on_turn)
            began = time.monotonic()
            runs = asyncio.run(player.play(played, concurrency))
            return runs, time.monotonic() - began

    def _rendered(self, table: Table) -> str:
        console = Console(file=StringIO(), force_terminal=self.stdout.isatty())
        with console.capture() as captured:
            console.print(table)
        return captured.get().rstrip()


def _positive(text: str) -> int:
    if text.isascii() and text.isdigit() and int(text) > 0:
        return int(text)
    raise ArgumentTypeError("must be 1 or more")


@contextmanager
def _tokens(
    played: list[Conversation],
    *,
    token: str | None,
    tokens: Path | None,
    create: bool,
    **_: Any,
) -> Iterator[Callable[[str], str]]:
    """What gives a tenant's token."""
    tenants = {conversation.tenant for conversation in played}
    if create:
        stage.make_missing(played)
        with stage.tokens_for(tenants) as made:
            yield made.__getitem__
    elif tokens:
        given = _read_tokens(tokens)
        if missing := sorted(tenants - given.keys()):
            raise CommandError(f"{tokens} has no token for {', '.join(missing)}.")
        yield given.__getitem__
    else:
        yield lambda tenant: token or ""


def _read_tokens(file: Path) -> dict[str, str]:
    try:
        given = json.loads(file.read_bytes())
    except (OSError, ValueError) as error:
        raise CommandError(f"{file} cannot be read: {error}.") from None
    if isinstance(given, dict) and all(isinstance(token, str) for token in given.values()):
        return given
    raise CommandError(f'{file} must be an object such as {{"tenant": "token"}}.')


@contextmanager
def _progress(turns: int) -> Iterator[Callable[[], None]]:
    """A bar on a terminal, silence elsewhere."""
    console = Console(stderr=True)
    columns = (TextColumn("turns"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as progress:
        task = progress.add_task("turns", total=turns)
        yield lambda: progress.advance(task)


def _summary(runs: list[Played], findings: Findings, seconds: float) -> Table:
    table = Table("conversations", "turns", "versions", "waits", "seconds", "turns/s", "differences")
    for column in table.columns:
        column.justify = "right"
    table.add_row(
        f"{len(runs)}",
        f"{findings.turns}",
        f"{findings.versions}",
        f"{sum(played.waits for played in runs)}",
        f"{seconds:.1f}",
        f"{findings.turns / seconds:.1f}",
        f"{len(findings.differences)}",
    )
    return table


def _counted(differences: int) -> str:
    return "1 difference." if differences == 1 else f"{differences} differences."


def _described(difference: Difference) -> str:
    place = f"turn {difference.turn}" if difference.turn else "whole"
    return (
        f"{difference.conversation_id}, {place}: {difference.what}\n"
        f"  expected {_short(difference.expected)}\n"
        f"  found    {_short(difference.found)}"
    )


def _short(value: Any) -> str:
    """JSON on one line; of a long one both ends, for that is where prompts differ."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    half = SHOWN_CHARACTERS // 2
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:half]} … {text[-half:]}"
