"""Who posts to a session's messages over HTTP, and what stands in their answers."""

from __future__ import annotations

import json
from typing import Any

from chat import access
from chat.models import Mentor, Session

from .clients import Frame, fetch, new_session, request
from .expecting import AN_ID
from .reading.conftest import A_TIME

CA = {"stateCode": "CA"}


class Poster:
    """Somebody at one session's messages."""

    def __init__(self, url: str, session_id: object, headers: dict[str, str] | None = None) -> None:
        self.url, self.session_id, self.headers = url, str(session_id), headers or {}

    @property
    def path(self) -> str:
        return f"/api/v1/sessions/{self.session_id}/messages/"

    def at(self, method: str, more: str = "", body: Any = None) -> tuple[int, Any]:
        return fetch(self.url, method, self.path + more, body, self.headers)

    def post(self, content: Any = "Hello.", *, query: str = "", **more: Any) -> Frame:
        status, told = self.at("POST", query, {"content": content, **more})
        assert status == 201, told
        answer: Frame = told
        return answer

    def refused(self, **body: Any) -> tuple[int, Any]:
        return self.at("POST", "", body)

    def list(self, query: str = "") -> list[Frame]:
        status, told = self.at("GET", query)
        assert status == 200, told
        found: list[Frame] = told["results"]
        return found

    def contents(self, query: str = "") -> list[str]:
        return [one["content"] for one in self.list(query)]

    def show(self, name: str) -> Frame:
        status, told = self.at("GET", f"{name}/")
        assert status == 200, told
        found: Frame = told
        return found

    def debug(self, name: str) -> Any:
        status, told = self.at("GET", f"{name}/debug_data/")
        assert (status, set(told)) == (200, {"message_id", "debug_data"})
        return told["debug_data"]

    def remove(self, name: str) -> int:
        return self.at("DELETE", f"{name}/")[0]

    def elsewhere(self, session_id: object) -> Poster:
        return Poster(self.url, session_id, self.headers)


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Api-Token {token}"}


def signed(session: Session) -> dict[str, str]:
    return {"Authorization": f"Session {access.session_token(session.pk)}"}


def make(mentor: Mentor, user: str = "alice", context: dict[str, Any] | None = None) -> Session:
    """An empty session; of a visitor where the user has no name."""
    return Session.objects.create(
        id=new_session(),
        tenant=mentor.tenant,
        mentor=mentor,
        user_id=user,
        anonymous=not user,
        metadata={"client_context": context or {}},
        context_version=int(bool(context)),
    )


def message(**more: Any) -> dict[str, Any]:
    """A whole message as it is told: Alice's first, unless told otherwise."""
    return {
        "id": AN_ID,
        "sender": {"participant_id": "alice", "participant_role": "user"},
        "content": "Hello.",
        "content_type": "text/plain",
        "message_type": "chat",
        "metadata": {},
        "timestamp": A_TIME,
        "filenames": [],
        "has_debug_data": False,
        "sequence": 1,
        "role": "user",
        "status": "complete",
        "client_message_id": None,
        "client_context": {},
        "context_version": 0,
        "rejected_metadata": None,
        "deleted_at": None,
        **more,
    }


def said_to(body: bytes) -> list[str]:
    """What a model was sent after the system prompt."""
    return [one["content"] for one in json.loads(body)["messages"] if one["role"] != "system"]


def preflight(poster: Poster, path: str, origin: str) -> Any:
    with request(poster.url, "OPTIONS", path, headers={"Origin": origin}) as answer:
        return answer.status, answer.headers["access-control-allow-methods"]
