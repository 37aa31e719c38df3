"""Where the table is performed: a server, who writes there, and what is kept of it afterwards."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Protocol
from uuid import UUID

from tests.clients import Stream, fetch, new_session
from tests.model_server import ModelServer

from .table import CLOSING, Left, Loss, Rule, Who, step_words


def slug(mentor: str, rule: Rule) -> str:
    return f"{mentor}-{rule.value}" if rule.value else mentor


Rows = Callable[..., list[tuple[Any, ...]]]


class Cached(Protocol):
    """The cache of contexts, as somebody else may get at it."""

    def get(self, session_id: str) -> str | None: ...
    def lose(self, session_id: str, loss: Loss) -> None: ...
    def revive(self) -> None: ...


@dataclass
class Visit:
    """One conversation: who began it, and how many turns it has had."""

    who: Who
    session_id: str = field(default_factory=new_session)
    session_token: str | None = None
    begun: bool = False
    turns: int = 0

    def next_words(self) -> str:
        return step_words(self.turns + 1)


@dataclass
class Place:
    """`rows(sql, *params)` reads the database; `%s` stands for a parameter in `sql`."""

    url: str
    tenant: str
    mentor: str
    token: str
    model: ModelServer
    rows: Rows
    cached: Cached
    postgres: bool

    def under(self, rule: Rule) -> Place:
        """The same with the mentor that has this rule."""
        return replace(self, mentor=slug(self.mentor, rule))

    def user(self, visit: Visit) -> str | None:
        return "alice" if visit.who is Who.TOKEN else None

    def credentials(self, visit: Visit, by: Who) -> dict[str, str]:
        kept_by_a_page = visit.begun and not visit.session_token  # in a browser of its own
        if by is Who.TOKEN or kept_by_a_page:
            return {"Authorization": f"Bearer {self.token}"}
        return {"Authorization": f"Session {visit.session_token}"} if visit.session_token else {}

    def talk(self, visit: Visit, by: Who, kind: type[Any] = Stream) -> Any:
        """A client in this conversation, over an event stream unless told otherwise."""
        who = {"token": self.token} if by is Who.TOKEN else {"session_token": visit.session_token}
        return kind(
            self.url,
            self.tenant,
            self.mentor,
            username=self.user(visit),
            session_id=visit.session_id,
            **who,
        )

    def begin(self, visit: Visit) -> None:
        """The conversation is there, without a message and without a context."""
        if visit.begun:
            return
        body = {"client_context": {}, "flow": {"name": self.mentor, "tenant": self.tenant}}
        body |= {"user": "alice"} if visit.who is Who.TOKEN else {}
        path, headers = self.context_path(visit), self.credentials(visit, visit.who)
        status, told = fetch(self.url, "PUT", path, body, headers)
        assert status == 201, told
        visit.begun, visit.session_token = True, told.get("session_token")

    def context_path(self, visit: Visit) -> str:
        return f"/api/v1/sessions/{visit.session_id}/context/"

    def turn(self, visit: Visit, words: str) -> None:
        """A turn without metadata."""
        by = visit.who if visit.session_token or visit.who is Who.TOKEN or not visit.begun else Who.TOKEN
        reply = self.talk(visit, by).say(words)
        assert reply.end.get("status") == "complete", reply.end
        visit.begun, visit.turns = True, visit.turns + 1

    # --- what is kept

    def left(self, visit: Visit, losses: set[Loss]) -> Left:
        self.turn(visit, CLOSING)
        said = [json.loads(body)["messages"] for body in self.model.received]
        return Left(
            self.versions(visit),
            self._text(f"SELECT {self._json('metadata')} FROM chat_session WHERE id = %s", visit)[0],
            self._text(
                f"SELECT {self._json('x.metadata')} FROM chat_chatmessagehistoryextra x"
                " JOIN chat_chatmessagehistory m ON m.id = x.message_id"
                " WHERE m.session_id = %s ORDER BY m.sequence",
                visit,
            ),
            None if Loss.DEAD in losses else self.cached.get(visit.session_id),
            [[(one["role"], one["content"]) for one in messages] for messages in said],
        )

    def versions(self, visit: Visit) -> list[tuple[int, str, list[str]]]:
        rows = self.rows(
            "SELECT number, text, CAST(verified_keys AS text) FROM chat_sessioncontextversion"
            " WHERE session_id = %s ORDER BY number",
            visit.session_id,
        )
        return [(number, text, sorted(json.loads(keys))) for number, text, keys in rows]

    def doors(self, visit: Visit) -> list[str]:
        """Which door each version came through."""
        sql = "SELECT door FROM chat_sessioncontextversion WHERE session_id = %s ORDER BY number"
        return self._text(sql, visit)

    def as_stored(self, left: Left) -> Left:
        """With the bytes that this database makes of each text."""
        made = {text: self._stored(text) for text in {*left.snapshots, left.in_force}}
        session = self._stored(f'{{"client_context":{left.in_force}}}')
        snapshots = [made[text] for text in left.snapshots]
        return Left(left.versions, session, snapshots, left.cached, left.prompts)

    def _stored(self, text: str) -> str:
        return str(self.rows(f"SELECT {self._json('%s')}", text)[0][0])

    def _json(self, what: str) -> str:
        """As text without blanks that mean nothing: jsonb's own, or SQLite's."""
        return f"CAST(CAST({what} AS jsonb) AS text)" if self.postgres else f"json({what})"

    def newest(self) -> str:
        """The conversation that was begun last."""
        newest = self.rows("SELECT CAST(id AS text) FROM chat_session ORDER BY created_at DESC LIMIT 1")
        return str(UUID(newest[0][0]))

    def _text(self, sql: str, visit: Visit) -> list[str]:
        return [str(row[0]) for row in self.rows(sql, visit.session_id)]
