"""A mentor that keeps something from everybody, and talks that hold a canary for each of them.

A canary is a value that stands nowhere else; `seen` says which of them a text has.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from django.contrib.auth.models import Permission, User
from django.test import Client

from chat.models import ChatMessageHistory, Mentor, Session, Tenant

from ..clients import Socket, Stream

EVERYBODY = ("model", "operator", "export", "webhook", "user")


def hidden_from(reader: str) -> dict[str, Any]:
    return {"x-visible-to": [one for one in EVERYBODY if one != reader]}


SCHEMA = {
    "type": "object",
    "properties": {
        "canary_model": hidden_from("model"),
        "canary_operator": hidden_from("operator"),
        "canary_export": hidden_from("export"),
        "canary_user": hidden_from("user"),
        "canary_masked": {"x-masked": "shown"},
    },
}
# What stands in a text, by the name of whom it is kept from; `mask` is what is shown of the masked one.
MARKS = {
    "model": "QZmodel",
    "operator": "QZoperator",
    "export": "QZexport",
    "user": "QZuser",
    "masked": "QZmasked",
    "mask": "WXY",
    "plain": "QZplain",
}
WHOLE = {"model", "operator", "export", "user", "mask", "plain"}


def context(turn: int) -> dict[str, Any]:
    return {
        "plain": f"QZplain {turn}",
        "canary_model": f"QZmodel {turn}",
        "canary_operator": {"deep": [f"QZoperator {turn}"]},
        "canary_export": f"QZexport {turn}",
        "canary_user": f"QZuser {turn}",
        "canary_masked": f"QZmasked {turn} WXY{turn}",
    }


def seen(text: str | bytes) -> set[str]:
    text = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return {name for name, mark in MARKS.items() if mark in text}


@dataclass
class Cast:
    """Two talks alike: a visitor's, and one that a tenant's own server had for Alice."""

    visitor: Socket
    alice: Socket
    mentor: Mentor
    clients: dict[str, Client] = field(default_factory=dict)

    def session_of(self, reader: str) -> Session:
        talk = self.visitor if reader == "visitor" else self.alice
        return Session.objects.get(pk=talk.session_id)

    def names(self, reader: str) -> dict[str, Any]:
        """What stands for the names in a path."""
        session = self.session_of(reader)
        asked, answer = ChatMessageHistory.objects.filter(session=session).order_by("sequence")[:2]
        return {"session": session.pk, "question": asked.pk, "answer": answer.pk, "mentor": self.mentor.pk}


def guarded(tenant: Tenant) -> Mentor:
    mentor = Mentor(
        tenant=tenant,
        slug="guard",
        name="Guard",
        system_prompt="Help with {canary_operator} {canary_user} {canary_masked} {canary_model}.",
        greeting_text="Welcome {canary_operator} {canary_export} {canary_user} {canary_masked}.",
        allow_anonymous=True,
        show_context=True,
        context_schema=json.dumps(SCHEMA),
    )
    mentor.full_clean()
    mentor.save()
    return mentor


def talked(url: str, mentor: Mentor, token: str) -> Cast:
    """Two turns by the socket and one by the event stream, under two contexts, in either session."""
    talks = []
    for more in ({}, {"token": token, "username": "alice"}):
        socket = Socket(url, "demo", mentor.slug, **more)
        for turn in (1, 2):
            assert "eos" in socket.say(f"Question {turn}", metadata=context(turn)).end
        same = {"session_id": socket.session_id, "session_token": socket.session_token}
        stream = Stream(url, "demo", mentor.slug, **more, **same)
        assert "eos" in stream.say("Question 3", metadata=context(3)).end
        talks.append(socket)
    return Cast(*talks, mentor)


def clients(cast: Cast, tenant: Tenant, token: str) -> dict[str, Client]:
    """Everybody who reads: a token, a member of staff, a superuser, and a visitor with the session's token."""
    staff = User.objects.create_user("dora", is_staff=True)
    staff.tenants.set([tenant])
    staff.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    chief = User.objects.create_superuser("chief")
    found = {"token": Client(headers={"Authorization": f"Api-Token {token}"})}
    for name, user in (("staff", staff), ("superuser", chief)):
        found[name] = Client()
        found[name].force_login(user)
    proof = f"Session {cast.visitor.session_token}"
    found["visitor"] = Client(headers={"Authorization": proof})
    return found
