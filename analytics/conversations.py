"""Lists of sessions with what they know: the full metadata, counts by who spoke, the model that answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db.models import Count, OuterRef, Subquery, Sum

from chat import shapes, transcripts
from chat.database import bounded
from chat.models import ChatMessageHistory, Session
from chat.selections import Selection
from chat.wire_names import ROLES

Json = dict[str, Any]
READ_OF_FIRST = 2_000


@dataclass
class Told:
    """A session, and what is told of it beside its own row."""

    session: Session
    first_words: str = ""
    model: str = ""
    by_role: dict[str, int] = field(default_factory=dict)

    @property
    def title(self) -> str:
        return self.session.title or transcripts.title_from(self.first_words)

    def count(self, ibl_role: str) -> int:
        """Messages of everybody whom ibl.ai's clients call so."""
        return sum(count for role, count in self.by_role.items() if ROLES["ibl"][role] == ibl_role)


def told(sessions: Sequence[Session]) -> list[Told]:
    """Three queries, however many sessions."""
    ids = [session.pk for session in sessions]
    found = {session.pk: Told(session) for session in sessions}
    for pk, words in transcripts.openings(ids, READ_OF_FIRST) if ids else ():
        found[pk].first_words = words or ""
    for pk, model in _models(ids):
        found[pk].model = model or ""
    counted = ChatMessageHistory.objects.filter(session__in=ids).order_by().values_list("session_id", "role")
    for pk, role, count in counted.annotate(Count("pk")):
        found[pk].by_role[role] = count
    return list(found.values())


def _models(ids: list[UUID]) -> list[tuple[UUID, str | None]]:
    """The model of each session's latest answer."""
    answers = ChatMessageHistory.objects.filter(session=OuterRef("pk"), extra__model__gt="")
    latest = Subquery(answers.order_by("-sequence").values("extra__model")[:1])
    return list(Session.objects.filter(pk__in=ids).annotate(latest=latest).values_list("pk", "latest"))


# --- ours


def row(one: Told) -> Json:
    ours = shapes.session(one.session, one.title, "operator")
    # It is in the metadata, which is given whole.
    del ours["client_context"]
    return {
        **ours,
        "messages_by_role": {role: one.by_role.get(role, 0) for role in ROLES["ibl"]},
        "model": one.model or None,
        "metadata": shapes.metadata(one.session, "operator"),
    }


# --- ibl.ai's


def ibl_item(one: Told) -> Json:
    """Its ConversationListItem. What we do not measure is null; a cost is not known here."""
    session = one.session
    return {
        "platform_name": session.tenant.name,
        "platform_key": session.tenant.key,
        "mentor": session.mentor.name,
        "mentor_unique_id": str(session.mentor.unique_id),
        "model": one.model,
        "cost": "0",
        "username": session.user_id or None,
        "name": session.user_id,
        "first_user_message": one.first_words or None,
        "topics": None,
        "message_count": transcripts.count_messages(session),
        "user_queries": one.count("human"),
        "assistant_responses": one.count("ai"),
        "average_sentiment": None,
        "sentiment": None,
        "created_at": session.created_at,
        "platform": session.tenant_id,
        "session": str(session.pk),
        "user": None,
    }


def ibl_history(one: Told) -> Json:
    """A row of its chat history."""
    session = one.session
    return {
        "id": str(session.pk),
        "mentor": session.mentor.name,
        "student": session.user_id or None,
        "model": one.model,
        "platform": session.tenant.key,
        "inserted_at": session.created_at,
        "is_authenticated": not session.anonymous,
        "is_conversation": True,
        "llm_name": one.model,
        "metadata": shapes.metadata(session, "operator"),
        "title": one.title,
        "message_count_human": one.count("human"),
        "message_count_ai": one.count("ai"),
        "sentiment": None,
        "topics": None,
        "rating": None,
        "tools": [],
    }


def numbered(selection: Selection, page: int, size: int) -> list[Told]:
    """A page by its number, the newest sessions first."""
    rows = transcripts.listed(selection.sessions().order_by("-created_at", "-pk"))
    with bounded():
        return told(list(rows[(page - 1) * size : page * size]))


def summary(selection: Selection) -> Json:
    """How many sessions are meant, and how many messages are in them."""
    with bounded():
        found = selection.sessions().aggregate(sessions=Count("pk"), ever=Sum("next_sequence"))
    return {"conversations": found["sessions"], "messages": (found["ever"] or 0) - found["sessions"]}
