"""`manage.py check_contexts`: how many of a mentor's contexts a schema would refuse, before it is saved."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db.models import F

from chat import policies
from chat.models import Mentor, Session, SessionContextVersion
from chat.policies import policy_of
from chat.schemas import InvalidSchema, pointer_of

AT_ONCE = 500
EXAMPLES = 3  # sessions that are named of each fault


class Command(BaseCommand):
    help = "Tell how many of the contexts in force a schema would refuse. Nothing is changed."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--mentor", required=True, metavar="TENANT/SLUG")
        parser.add_argument("--schema", type=Path, metavar="FILE", help="the mentor's own, if left out")
        parser.add_argument("--mode", choices=policies.MODES, help="the mentor's own, if left out")

    def handle(self, *, mentor: str, schema: Path | None, mode: str | None, **_: Any) -> None:
        """Exits with 1 where any would be refused."""
        found = _mentor(mentor)
        text = found.context_schema if schema is None else _read(schema)
        tally = _Tally()
        policy = policy_of(text, mode or found.schema_mode)
        for session, context in _contexts(found):
            tally.add(session, {(fault.place, fault.message) for fault in policy.faults(json.loads(context))})
        self.stdout.write(tally.told(policy.mode))
        if tally.refused and policy.mode != "warn":
            raise CommandError("Some would be refused.")


class _Tally:
    def __init__(self) -> None:
        self.count = self.refused = 0
        self.faults: Counter[tuple[str, str]] = Counter()
        self.examples: dict[tuple[str, str], list[str]] = {}

    def add(self, session: str, faults: set[tuple[Any, str]]) -> None:
        self.count += 1
        self.refused += bool(faults)
        for place, message in faults:
            fault = (pointer_of(place, "/metadata"), message)
            self.faults[fault] += 1
            named = self.examples.setdefault(fault, [])
            if len(named) < EXAMPLES:
                named.append(session)

    def told(self, mode: str) -> str:
        verb = "would not fit" if mode == "warn" else "would be refused or stripped"
        lines = [f"{self.refused} of {self.count} contexts in force {verb}."]
        for fault, times in self.faults.most_common():
            lines.append(
                f"{times:8}  {fault[0] or '/'}  {fault[1]}  such as {', '.join(self.examples[fault])}"
            )
        return "\n".join(lines)


def _mentor(name: str) -> Mentor:
    tenant, _, slug = name.partition("/")
    found = Mentor.objects.filter(tenant__key=tenant, slug=slug).first()
    if found is None:
        raise CommandError(f"There is no mentor {name}: name it as TENANT/SLUG.")
    return found


def _read(path: Path) -> str:
    try:
        text = path.read_text()
        policies.check(text)
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{path} cannot be read: {error}") from None
    except InvalidSchema as error:
        told = "\n".join(f"{one['pointer'] or '/'}: {one['message']}" for one in error.details)
        raise CommandError(f"The schema cannot be used.\n{told}") from None
    return text


def _contexts(mentor: Mentor) -> Iterator[tuple[str, str]]:
    """(session, its context's text) of all that were ever given one."""
    last = None
    sessions = Session.objects.filter(mentor=mentor, context_version__gt=0).order_by("pk")
    while page := list((sessions.filter(pk__gt=last) if last else sessions)[:AT_ONCE]):
        in_force = SessionContextVersion.objects.filter(
            session__in=page, number=F("session__context_version")
        )
        texts = dict(in_force.values_list("session_id", "text"))
        yield from ((str(one.pk), texts[one.pk]) for one in page)
        last = page[-1].pk
