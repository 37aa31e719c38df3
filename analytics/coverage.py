"""Coverage: what a mentor's prompt speaks of against what its clients send.

A prompt mentions a key by a placeholder, by the key as a word of its own, or by a word that is spelled as keys
are (`stateCode`, `state_code`). Looked at is every value that the contexts of the sessions ever had; and beside
them, what never became a value of one because it was refused, cut or kept out.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.db.models import Q, QuerySet

from chat import cursors
from chat.errors import InvalidFilter, NotFound
from chat.filters.conditions import Path
from chat.models import Mentor
from chat.placeholders import names
from chat.selections import Selection

from .facets import InUse, examples, keys_in_use
from .refused import refused

MOST_EXAMPLES: Final = 50
_WORD: Final = re.compile(r"[^\W\d]\w*")
_LIKE_A_KEY: Final = re.compile(r"[a-z]+[a-z0-9]*(?:[A-Z][a-z0-9]*)+|[a-z0-9]+(?:_[a-z0-9]+)+", re.ASCII)
_PLACEHOLDER: Final = re.compile(r"\{+[^{}]*\}+")


@dataclass(frozen=True, slots=True)
class Mention:
    """A key that the prompt names: by its path, or as a word that may be a key at any depth."""

    key: str
    how: str

    def names_any(self, keys: Collection[str]) -> bool:
        """Whether it is about one of these: whether that is ever sent is not told then."""
        return self.key in keys or (self.how == "placeholder" and self.key.split(".")[0] in keys)

    def means(self, path: Path) -> bool:
        """Whether it names this key, or one above or below it."""
        if self.how == "word":
            return self.key in path
        ours, theirs = self.key.split("."), [str(step) for step in path]
        length = min(len(ours), len(theirs))
        return ours[:length] == theirs[:length] or self.key == str(path[0])


def coverage(selection: Selection, mentor: Mentor) -> dict[str, Any]:
    """`{mentor, delivery, sessions, complete, mentioned, never_sent, never_mentioned, changing_types, refused}`"""
    sent, complete = keys_in_use(selection, "versions")
    unseen = selection.unseen("operator")
    mentions = [one for one in mentioned(mentor, sent) if not one.names_any(unseen)]
    sessions = {one: _sessions(one, sent) for one in mentions}
    return {
        "mentor": {"slug": mentor.slug, "unique_id": str(mentor.unique_id), "version": mentor.version},
        "delivery": mentor.context_delivery,
        "sessions": cursors.count(selection.sessions()),
        "complete": complete,
        "mentioned": [
            {"key": one.key, "how": one.how, "sessions": count} for one, count in sessions.items() if count
        ],
        "never_sent": [{"key": one.key, "how": one.how} for one, count in sessions.items() if not count],
        "never_mentioned": _never_mentioned(selection, sent, mentions),
        "changing_types": _changing(selection, sent),
        "refused": refused(selection, mentor),
    }


def the_mentor(selection: Selection) -> Mentor:
    """The mentor that the filter names. Raises InvalidFilter, NotFound."""
    named = selection.filter.mentor
    if len(named) != 1:
        raise InvalidFilter("Coverage is of one mentor: name it.", pointer="?mentor")
    found = list(_named(selection, named[0])[:2])
    if not found:
        raise NotFound()
    if len(found) > 1:
        raise InvalidFilter("Mentors of several tenants have this name: name the tenant.", pointer="?tenant")
    return found[0]


def _named(selection: Selection, name: str) -> QuerySet[Mentor]:
    rows = Mentor.objects.filter(Q(slug=name) | Q(unique_id=name) if _is_uuid(name) else Q(slug=name))
    if selection.tenant_ids is not None:
        rows = rows.filter(tenant_id__in=selection.tenant_ids)
    return rows.order_by("pk") if selection.mentor_id is None else rows.filter(pk=selection.mentor_id)


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def mentioned(mentor: Mentor, sent: list[InUse]) -> list[Mention]:
    """What the prompt and the greeting name, placeholders first, each key once."""
    known = {step for one in sent for step in one.path}
    filled = (mentor.system_prompt, mentor.greeting_text)
    placeholders = [Mention(key, "placeholder") for text in filled for key in names(text)]
    plain = _WORD.findall(_PLACEHOLDER.sub(" ", mentor.system_prompt))
    words = [Mention(word, "word") for word in plain if word in known or _LIKE_A_KEY.fullmatch(word)]
    found: dict[str, Mention] = {}
    for mention in [*placeholders, *words]:
        found.setdefault(mention.key, mention)
    return list(found.values())


def _sessions(mention: Mention, sent: list[InUse]) -> int:
    """In how many sessions the key was ever there: for a word, the most that any key of that name was in."""
    if mention.how == "placeholder":
        exact = [one.sessions for one in sent if mention.key in (_dotted(one.path), *one.path[:1])]
        return max(exact, default=0)
    return max((one.sessions for one in sent if one.path[-1] == mention.key), default=0)


def _dotted(path: Path) -> str:
    return ".".join(str(step) for step in path)


def _never_mentioned(
    selection: Selection, sent: list[InUse], mentions: list[Mention]
) -> list[dict[str, Any]]:
    """Keys that nothing names, without those that are within another of them."""
    strange = [one for one in sent if not any(mention.means(one.path) for mention in mentions)]
    paths = {one.path for one in strange}
    outermost = [one for one in strange if not any(one.path[:n] in paths for n in range(1, len(one.path)))]
    shown = outermost[:MOST_EXAMPLES]
    wanted = [(one.path, max(one.types, key=lambda kind: one.types[kind])) for one in shown]
    return [
        {"key": one.written("context"), "sessions": one.sessions, "example": example}
        for one, example in zip(shown, examples(selection, "versions", wanted), strict=True)
    ]


def _changing(selection: Selection, sent: list[InUse]) -> list[dict[str, Any]]:
    """Keys whose value is now of one type and now of another; null beside one type is no change."""
    changing = [one for one in sent if len(one.types.keys() - {"null"}) > 1][:MOST_EXAMPLES]
    wanted = [(one.path, kind) for one in changing for kind in sorted(one.types)]
    found = iter(examples(selection, "versions", wanted))
    return [
        {
            "key": one.written("context"),
            "types": dict(sorted(one.types.items())),
            "examples": [next(found) for _ in one.types],
        }
        for one in changing
    ]
