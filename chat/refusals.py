"""What is refused of payloads because of their metadata or page content, and what is cut or kept out of them.

It is counted for the mentor that it was meant for, so that its owner hears of it: by day, code, pointer and door,
with the sentence that the client was told, and never with a value. Of strangers nothing is counted.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Annotated, Final, NamedTuple, cast
from uuid import UUID

from django.db import DataError, transaction
from django.utils import timezone
from pydantic import BaseModel, ConfigDict, ValidationError, ValidatorFunctionWrapHandler, WrapValidator

from . import access
from .errors import ChatError
from .models import Refusal, Session
from .models.refusals import LONGEST_MESSAGE, LONGEST_POINTER, add
from .payloads import Flow, PayloadWarning, Secret, Uuid4

KEEP_DAYS: Final = 180
# Of a mentor, codes with pointers in one day: a pointer has keys, which are what somebody sends.
MOST_PLACES: Final = 200
REFUSED: Final = (
    *("metadata_too_large", "invalid_payload", "schema_violation"),
    *("token_invalid", "token_expired", "token_foreign", "token_replayed", "token_superseded"),
)
# Warnings that are about a value.
WITHHELD: Final = (
    *("page_content_cut", "verified_key_kept"),
    *("verified_only", "locked_key_kept", "key_stripped", "schema_violation"),
)
ROOTS: Final = ("metadata", "page_content", "metadata_token")


class Home(NamedTuple):
    """A mentor that the sender is known to be let in to."""

    tenant_id: int
    mentor_id: int


@dataclass(frozen=True, slots=True)
class Sender:
    """Whom a payload was from and for, by its own account."""

    credentials: access.Credentials
    staff_key: str | None
    tenant: str
    name: str


class Kind(NamedTuple):
    """What is counted as one."""

    code: str
    pointer: str
    door: str

    def at_root(self) -> Kind:
        """With the pointer to all of the metadata, or of the page content."""
        return self._replace(pointer=f"/{_root(self.pointer)}")


@dataclass(frozen=True, slots=True)
class Times:
    """How often it happened, and when, with which words and in which session last."""

    count: int
    last_at: datetime
    message: str
    session: UUID | None

    def then(self, later: Times) -> Times:
        return replace(later, count=self.count + later.count, session=later.session or self.session)


Kinds = dict[Kind, Times]
Counted = dict[Home | Sender, Kinds]


# --- at the doors


def _or_none(value: object, read: ValidatorFunctionWrapHandler) -> UUID | None:
    try:
        return cast(UUID, read(value))
    except ValidationError:
        return None


class Sent(BaseModel):
    """Of a refused payload, what says whom it was from and for."""

    model_config = ConfigDict(strict=True, extra="ignore")

    flow: Flow
    token: Secret = None
    session_id: Annotated[Uuid4 | None, WrapValidator(_or_none)] = None

    @classmethod
    def of(cls, error: ChatError) -> Sent | None:
        """None: nobody can tell."""
        try:
            return cls.model_validate(error.sent)
        except ValidationError:
            return None


def of_error(error: ChatError) -> list[PayloadWarning]:
    """What a payload was refused for, as far as that is its metadata or page content."""
    if error.code not in REFUSED:
        return []
    found = [one for one in error.details if _root(one["pointer"]) in ROOTS]
    return [{"code": error.code, **one} for one in found]


def of_warnings(warnings: list[PayloadWarning]) -> list[PayloadWarning]:
    return [one for one in warnings if one["code"] in WITHHELD]


def count(kinds: Kinds, kind: Kind, times: Times) -> None:
    kinds[kind] = kinds[kind].then(times) if kind in kinds else times


def kind_of(told: PayloadWarning, door: str) -> Kind:
    pointer = told["pointer"]
    if len(pointer) > LONGEST_POINTER:
        pointer = pointer[: LONGEST_POINTER + 1].rpartition("/")[0]  # the longest part that is whole steps
    return Kind(told["code"], pointer, door)


def _root(pointer: str) -> str:
    return pointer.split("/", 2)[1] if pointer else ""


# --- in the database


def record(counted: Counted) -> None:
    """Store what was counted of those who are let in. Synchronous: run it with database.in_database."""
    homes = _at_home(counted)
    if not homes:
        return
    day = timezone.now().date()
    elsewhere = _sessions_elsewhere(homes)
    rows = [
        Refusal(
            tenant_id=home.tenant_id,
            mentor_id=home.mentor_id,
            day=day,
            code=kind.code,
            pointer=kind.pointer,
            door=kind.door,
            count=times.count,
            last_at=times.last_at,
            last_message=times.message[:LONGEST_MESSAGE],
            last_session=None if (home.mentor_id, times.session) in elsewhere else times.session,
        )
        for home, kinds in _bounded(homes, day).items()
        for kind, times in kinds.items()
    ]
    with transaction.atomic():
        add(rows)


def forget() -> int:
    """Remove what is past its time; how many rows that were."""
    until = timezone.now().date() - timedelta(days=KEEP_DAYS)
    return Refusal.objects.filter(day__lt=until).delete()[0]


def _at_home(counted: Counted) -> dict[Home, Kinds]:
    homes: dict[Home, Kinds] = {}
    for whose, kinds in counted.items():
        home = _home(whose) if isinstance(whose, Sender) else whose
        if home is not None:
            for kind, times in kinds.items():
                count(homes.setdefault(home, {}), kind, times)
    return homes


def _home(sender: Sender) -> Home | None:
    """By fresh rows: what a process remembers of tokens and mentors is held against them in a turn, here is none."""
    staff = access.staff_of_session(sender.staff_key) if sender.staff_key else None
    credentials = replace(sender.credentials, staff=staff)
    try:
        mentor = access.access_mentor(credentials, sender.tenant, sender.name, "").mentor
    except (ChatError, DataError):  # nothing that one sends may cost what others are counted for
        return None
    return Home(mentor.tenant_id, mentor.id)


def _bounded(homes: dict[Home, Kinds], day: date) -> dict[Home, Kinds]:
    """With the root in place of the pointers that are too many for one day."""
    known: dict[int, set[tuple[str, str]]] = {home.mentor_id: set() for home in homes}
    stored = Refusal.objects.filter(mentor__in=known, day=day).values_list("mentor_id", "code", "pointer")
    for mentor_id, *place in stored.distinct():
        known[mentor_id].add((place[0], place[1]))
    found: dict[Home, Kinds] = {}
    for home, kinds in homes.items():
        places = known[home.mentor_id]
        for kind, times in kinds.items():
            if kind[:2] in places or len(places) < MOST_PLACES:
                places.add(kind[:2])
            else:
                kind = kind.at_root()
            count(found.setdefault(home, {}), kind, times)
    return found


def _sessions_elsewhere(homes: dict[Home, Kinds]) -> set[tuple[int, UUID | None]]:
    """Mentors with ids that clients named and that are sessions of other mentors: an id is not authority."""
    named = [
        (home.mentor_id, times.session)
        for home, kinds in homes.items()
        for times in kinds.values()
        if times.session
    ]
    theirs = dict(Session.objects.filter(pk__in={id for _, id in named}).values_list("pk", "mentor_id"))
    return {(mentor, id) for mentor, id in named if theirs.get(id, mentor) != mentor}
