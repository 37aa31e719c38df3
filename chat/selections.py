"""Which rows a filter means to a reader: sessions and messages, as querysets.

Nobody finds out by filters what they are not shown: a condition on a key that a mentor among those that are meant
keeps from its reader is refused. So what every other filter means is the same rows for whoever asks it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.models import Exists, OuterRef, Q, QuerySet

from .access import Caller
from .errors import HiddenKey, NotFound, PermissionDenied
from .filters import Filter, written
from .filters.conditions import Path
from .models import ChatMessageHistory, Mentor, Session, Tenant
from .models.conditions import Holds
from .models.search import Says
from .policies import Reader as Kind
from .policies import View

NO_LIMIT = 2**62


@dataclass(frozen=True, slots=True)
class Reader:
    """What a proved caller may read: tenants (None: all), or one mentor of one."""

    tenant_ids: frozenset[int] | None
    mentor_id: int | None = None

    @classmethod
    def of(cls, caller: Caller) -> Reader:
        """Raises PermissionDenied for a caller who may read no more than sessions of their own."""
        if caller.kind == "anonymous":
            raise PermissionDenied("This needs a token with the scope read_all.")
        return cls(caller.tenant_ids, caller.token.mentor_id if caller.token else None)

    def tenants(self) -> QuerySet[Tenant]:
        rows = Tenant.objects.order_by("id")
        return rows if self.tenant_ids is None else rows.filter(id__in=self.tenant_ids)


@dataclass(frozen=True, slots=True)
class Selection:
    """A filter as a reader asks it. `tenant_ids` None: every tenant there is."""

    filter: Filter
    tenant_ids: tuple[int, ...] | None
    mentor_id: int | None
    zone: ZoneInfo

    @classmethod
    def of(cls, filter: Filter, reader: Reader) -> Selection:
        """Raises NotFound where the filter names a tenant that is not there or not this reader's, alike; HiddenKey.

        Days are those of the tenant's time zone; of several tenants, UTC's.
        """
        found = cls._of(filter, reader)
        found.check_conditions("operator")
        return found

    @classmethod
    def _of(cls, filter: Filter, reader: Reader) -> Selection:
        if filter.tenant is None and reader.tenant_ids is None:
            return cls(filter, None, None, ZoneInfo("UTC"))
        tenants = reader.tenants()
        if filter.tenant is not None:
            tenants = tenants.filter(key=filter.tenant)
        found = list(tenants.values_list("id", "time_zone"))
        if filter.tenant is not None and not found:
            raise NotFound()
        zone = found[0][1] if len(found) == 1 else "UTC"
        return cls(filter, tuple(key for key, _ in found), reader.mentor_id, ZoneInfo(zone))

    def sessions(self) -> QuerySet[Session]:
        """The sessions that are meant, in no order."""
        rows = self._by_themselves()
        if self.filter.search:
            # Asked once of all messages, by the index of their words: the limit, which nothing reaches, keeps
            # the planner from taking the words of a session's messages apart anew, session by session.
            said = self._as_messages_say(ChatMessageHistory.objects.all()).values("session_id")
            rows = rows.filter(pk__in=said[:NO_LIMIT])
        elif self.filter.asks_of_messages:
            one = self._as_messages_say(ChatMessageHistory.objects.filter(session_id=OuterRef("pk")))
            rows = rows.filter(Exists(one))
        return rows

    def messages(self) -> QuerySet[ChatMessageHistory]:
        """The messages that are meant, in no order."""
        sessions = self._by_themselves().values("pk")
        return self._as_messages_say(ChatMessageHistory.objects.filter(session_id__in=sessions))

    def mentor_ids(self) -> tuple[int, ...] | None:
        """The mentors that are meant, by slug or UUID, as every door takes them. None: any."""
        names, bound = self.filter.mentor, self.mentor_id
        if not names:
            return None if bound is None else (bound,)
        named = Q(slug__in=names) | Q(unique_id__in=[name for name in names if _is_uuid(name)])
        rows = Mentor.objects.filter(named)
        if self.tenant_ids is not None:
            rows = rows.filter(tenant_id__in=self.tenant_ids)
        found = rows.order_by("id").values_list("id", flat=True)
        return tuple(mentor for mentor in found if bound in (None, mentor))

    # --- what is kept from readers

    def views(self, kind: Kind) -> dict[int, View]:
        """Of the mentors that are meant, by id, what such a reader sees; without those that show it everything."""
        rows = Mentor.objects.exclude(context_schema="").filter(self._within_reach(of="id"))
        found = {one.pk: one.policy.view(kind) for one in rows.only("context_schema", "schema_mode")}
        return {key: view for key, view in found.items() if view}

    def unseen(self, kind: Kind) -> frozenset[str]:
        """The keys whose values some mentor that is meant does not show such a reader whole."""
        return frozenset[str]().union(*(view.unseen for view in self.views(kind).values()))

    def check_conditions(self, kind: Kind) -> None:
        """Raises HiddenKey for a condition on a key that such a reader is not shown."""
        self.check_keys(((one.path, written(one)[0]) for one in self.filter.conditions), kind)

    def check_keys(self, keys: Iterable[tuple[Path, str]], kind: Kind) -> None:
        """The same of paths, each with the name of its parameter."""
        asked = list(keys)
        unseen = self.unseen(kind) if asked else ()
        for path, name in asked:
            if str(path[0]) in unseen:
                raise HiddenKey(pointer=f"?{name}")

    # --- rows

    def _by_themselves(self) -> QuerySet[Session]:
        """The sessions that are as the filter says, whatever their messages are."""
        rows = Session.objects.filter(self._within_reach(), self._plainly())
        for condition in self.filter.of_sessions:
            rows = rows.filter(Holds("metadata", condition, within="client_context"))
        return rows

    def _within_reach(self, of: str = "mentor_id") -> Q:
        where = Q()
        if self.tenant_ids is not None:
            where &= _among("tenant_id", self.tenant_ids)
        mentors = self.mentor_ids()
        if mentors is not None:
            where &= _among(of, mentors)
        return where

    def _plainly(self) -> Q:
        asked, where = self.filter, Q()
        if asked.user:
            where &= Q(user_id__in=asked.user) if len(asked.user) > 1 else Q(user_id=asked.user[0])
        if asked.not_user:
            where &= ~Q(user_id__in=asked.not_user)
        if asked.session:
            where &= Q(id__in=asked.session)
        if asked.anonymous is not None:
            where &= Q(anonymous=asked.anonymous)
        if asked.since is not None:
            where &= Q(created_at__gte=asked.since.begin(self.zone))
        if asked.until is not None:
            where &= Q(created_at__lt=asked.until.end(self.zone))
        if asked.min_messages is not None:
            where &= Q(next_sequence__gt=asked.min_messages)
        if asked.max_messages is not None:
            where &= Q(next_sequence__lte=asked.max_messages + 1)
        return where

    def _as_messages_say(self, rows: QuerySet[ChatMessageHistory]) -> QuerySet[ChatMessageHistory]:
        asked = self.filter
        if asked.status:
            rows = rows.filter(status__in=asked.status)
        if asked.role:
            rows = rows.filter(role__in=asked.role)
        if asked.search:
            # No message is older than its session.
            since = asked.since.begin(self.zone) if asked.since else None
            rows = rows.filter(Says(asked.search, since))
        for condition in asked.of_messages:
            rows = rows.filter(Holds("extra__metadata", condition))
        return rows


def _among(column: str, ids: tuple[int, ...]) -> Q:
    return Q(**{column: ids[0]}) if len(ids) == 1 else Q(**{f"{column}__in": ids})


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
