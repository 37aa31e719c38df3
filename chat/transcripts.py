"""What was said and what was known, as readers are given it: titles, messages in order, versions of a context.

Messages and versions are numbered 1, 2, 3 … within their session, without gaps. So a page of them is a range of
numbers, and the ten thousandth costs what the first does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db.models import OuterRef, Prefetch, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce, Substr

from . import cursors
from .cursors import Page
from .database import bounded
from .errors import InvalidFilter, NotFound
from .filters import Filter
from .models import ChatMessageHistory, Mentor, Session, SessionContextVersion, Tenant
from .policies import View
from .selections import Reader, Selection

LONGEST_TITLE = 80
READ_FOR_TITLE = 400
AT_ONCE = 500
Role = ChatMessageHistory.Role
QUESTIONS, ANSWERS = ("chat", "command"), ("chat", "command-response")


# --- sessions


def listed(sessions: QuerySet[Session]) -> QuerySet[Session]:
    """With their mentors and tenants: two short queries, where a join could change the plan of the list."""
    shown = ("slug", "name", "unique_id", "tenant_id", "allowed_origins", "context_schema", "schema_mode")
    mentors = Mentor.objects.only(*shown)
    tenants = Tenant.objects.only("key", "name")
    return sessions.prefetch_related(Prefetch("mentor", mentors), Prefetch("tenant", tenants))


def the_session(selection: Selection) -> Session:
    """The one session that a filter names by its id. NotFound: there is none, or it is not the reader's."""
    found = listed(selection.sessions()).first()
    if found is None:
        raise NotFound()
    return found


def check_mentor(selection: Selection) -> None:
    """NotFound where the filter names a mentor that is not there or not this reader's, alike."""
    names = selection.filter.mentor
    mentors = Mentor.objects.filter(Q(slug__in=names) | Q(unique_id__in=[n for n in names if _as_uuid(n)]))
    if selection.tenant_ids is not None:
        mentors = mentors.filter(tenant_id__in=selection.tenant_ids)
    if selection.mentor_id is not None:
        mentors = mentors.filter(id=selection.mentor_id)
    if not mentors.exists():
        raise NotFound()


def _as_uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def selected(filter: Filter, reader: Reader) -> Selection:
    """The selection, once its tenant and its mentors are known to be the reader's."""
    selection = Selection.of(filter, reader)
    if filter.mentor:
        check_mentor(selection)
    return selection


def titles(sessions: Sequence[Session]) -> dict[UUID, str]:
    """What each is called: its title, or as long as it has none, how its first prompt begins. One query."""
    unnamed = [session.pk for session in sessions if not session.title]
    opening = dict(openings(unnamed)) if unnamed else {}
    return {session.pk: session.title or title_from(opening.get(session.pk) or "") for session in sessions}


def openings(sessions: Sequence[UUID], length: int = READ_FOR_TITLE) -> Iterable[tuple[UUID, str | None]]:
    """The first thing that each session's user said and that is still there, its first characters."""
    said = ChatMessageHistory.objects.filter(session=OuterRef("pk"), role=Role.USER)
    asked = said.filter(message_type="chat", deleted_at=None).order_by("sequence")
    words = Subquery(asked.values(words=Substr(Coalesce("text", "content"), 1, length))[:1])
    return Session.objects.filter(pk__in=sessions).annotate(words=words).values_list("pk", "words")


def title_from(words: str) -> str:
    """The first words on one line, cut at a blank where there is one."""
    line = " ".join(words.split())
    if len(line) <= LONGEST_TITLE:
        return line
    cut = line[:LONGEST_TITLE]
    return f"{cut.rsplit(' ', 1)[0]}…"


def page_of(rows: QuerySet[Session], limit: int, *, cursor: str = "", number: int = 1) -> Page[Session]:
    """A page, newest first, by its cursor or, near the beginning, by its number. Raises InvalidFilter."""
    if number > 1:
        if cursor:
            raise InvalidFilter("A page is asked for by its cursor or its number.", pointer="?page")
        before = rows.order_by("-created_at", "-pk")[(number - 1) * limit - 1 : (number - 1) * limit]
        with bounded():
            last = next(iter(before), None)
        if last is None:
            return Page([], None, None)
        cursor = cursors.after(last)
    return cursors.page(listed(rows), cursor=cursor, limit=limit)


def count_up_to(sessions: QuerySet[Session], most: int) -> int | None:
    """How many there are, or None: more than that."""
    with bounded():
        counted = sessions.order_by()[: most + 1].count()
    return counted if counted <= most else None


# --- pages by number


@dataclass(frozen=True, slots=True)
class Range:
    """The numbers of one page: `first` to `last` of `count`."""

    first: int
    last: int
    count: int

    @classmethod
    def of(
        cls, count: int, limit: int, *, before: int = 0, after: int = 0, page: int = 1, from_end: bool = False
    ) -> Range:
        """Next to a number that the page begins `after` or ends `before`, or counted in pages from 1."""
        if before:
            last = min(before - 1, count)
            return cls(max(1, last - limit + 1), last, count)
        if from_end and not after:
            last = count - (page - 1) * limit
            return cls(max(1, last - limit + 1), last, count)
        first = after + (page - 1) * limit + 1
        return cls(first, min(count, first + limit - 1), count)

    @property
    def is_empty(self) -> bool:
        return self.first > self.last

    @property
    def earlier(self) -> dict[str, int] | None:
        """What asks for the page before this one."""
        return {"before": self.first} if not self.is_empty and self.first > 1 else None

    @property
    def later(self) -> dict[str, int] | None:
        return {"after": self.last} if not self.is_empty and self.last < self.count else None


# --- messages


def count_messages(session: Session) -> int:
    return session.next_sequence - 1


def messages(session: Session, span: Range) -> list[ChatMessageHistory]:
    """Oldest first, each with its snapshot and what it took."""
    if span.is_empty:
        return []
    rows = _readable(session.messages.filter(sequence__range=(span.first, span.last)))
    return list(rows.order_by("sequence"))


def has_answered(session_id: UUID, *, before: int) -> bool:
    """Whether the mentor has said anything before this sequence."""
    earlier = ChatMessageHistory.objects.filter(session_id=session_id, sequence__lt=before)
    return earlier.filter(role=Role.MENTOR).exists()


def _readable(rows: QuerySet[ChatMessageHistory]) -> QuerySet[ChatMessageHistory]:
    return rows.select_related("extra").defer("payload_digest", "extra__page_content")


def every_message(session: Session) -> Iterator[ChatMessageHistory]:
    """Oldest first, AT_ONCE at a time."""
    count, last = count_messages(session), 0
    while last < count:
        span = Range.of(count, AT_ONCE, after=last)
        yield from messages(session, span)
        last = span.last


def newest_messages(sessions: Sequence[Session], each: int) -> dict[UUID, list[ChatMessageHistory]]:
    """The last few messages of each session, newest first. One query."""
    spans = [Range.of(count_messages(session), each, from_end=True) for session in sessions]
    ranges = Q(pk__in=[])
    for session, span in zip(sessions, spans, strict=True):
        ranges |= Q(session_id=session.pk, sequence__range=(span.first, span.last))
    found: dict[UUID, list[ChatMessageHistory]] = {session.pk: [] for session in sessions}
    for message in _readable(ChatMessageHistory.objects.filter(ranges)).order_by("-sequence"):
        found[message.session_id].append(message)
    return found


@dataclass(frozen=True, slots=True)
class Pair:
    """A question with its answer; one of them may be missing."""

    question: ChatMessageHistory | None
    answer: ChatMessageHistory | None


def pairs(said: Sequence[ChatMessageHistory]) -> list[Pair]:
    """Messages, oldest first, as questions with their answers: what follows a user's message answers it.

    Unless it is the service's, or one of the two is of a type that is no part of a talk, such as a log.
    """
    found: list[Pair] = []
    for message in said:
        if message.role == Role.USER:
            found.append(Pair(message, None))
        elif found and found[-1].answer is None and _answers(found[-1].question, message):
            found[-1] = Pair(found[-1].question, message)
        else:
            found.append(Pair(None, message))
    return found


def _answers(question: ChatMessageHistory | None, message: ChatMessageHistory) -> bool:
    speaks = message.role != Role.SERVICE and message.message_type in ANSWERS
    return speaks and question is not None and question.message_type in QUESTIONS


def whole_turns(
    said: list[ChatMessageHistory], span: Range, *, backward: bool
) -> tuple[list[ChatMessageHistory], Range]:
    """Without a turn's half at the far edge of a page, and the range that is left: no page divides a pair.

    What is left out begins the next page in the same direction.
    """
    if len(said) > 1 and not backward and said[-1].role == Role.USER and span.last < span.count:
        said = said[:-1]
    elif len(said) > 1 and backward and said[0].role != Role.USER and span.first > 1:
        said = said[1:]
    if not said:
        return said, span
    return said, Range(said[0].sequence, said[-1].sequence, span.count)


# --- versions of the client context


def versions(session: Session, span: Range) -> list[SessionContextVersion]:
    """Oldest first, with the one before the first, where there is one."""
    rows = session.context_versions.filter(number__range=(span.first - 1, span.last))
    return list(rows.order_by("number"))


def verified_keys(session: Session, view: View) -> list[str]:
    """Of the context in force."""
    rows = session.context_versions.filter(number=session.context_version)
    found: list[str] | None = rows.values_list("verified_keys", flat=True).first()
    return view.names(found or [])
