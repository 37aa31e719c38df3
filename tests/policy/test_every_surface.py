"""Canaries on every surface: a key that is kept from somebody is nowhere that they can read, and elsewhere it is.

What every path shows is in `surfaces`. Each is asked on an open database, as its clients ask it.
"""

from __future__ import annotations

import io
import json
import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars
import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import URLResolver, get_resolver

import exports
from chat.models import Session, Tenant
from exports import jobs
from exports.access import link_signature
from exports.columns import COLUMNS
from exports.models import Export

from ..clients import Socket
from ..ears import Ear
from ..events.test_socket import rest, subscribe
from ..model_server import ModelServer
from .cast import WHOLE, Cast, clients, guarded, seen, talked
from .surfaces import EXPORT, OPERATOR, SAYING_NOTHING, SAYS_NOTHING, USER, WALKED, Asked

SOME = {"org": "demo", "tenant": "demo", "key": "demo", "user_id": "alice", "number": "2"}


@pytest.fixture
def cast(live: str, demo: Tenant, model: ModelServer, token: str) -> Iterator[Cast]:
    found = talked(live, guarded(demo), token)
    found.clients = {**clients(found, demo, token), "nobody": Client()}
    yield found
    found.visitor.close()
    found.alice.close()


def patterns(resolver: Any, before: str = "") -> Iterator[str]:
    for one in resolver.url_patterns:
        path = before + str(one.pattern)
        if isinstance(one, URLResolver):
            yield from patterns(one, path)
        else:
            yield path


def test_every_path_is_walked_or_can_say_nothing() -> None:
    there = set(patterns(get_resolver()))
    known = WALKED.keys() | SAYS_NOTHING.keys()
    assert {path for path in there - known if not path.startswith(SAYING_NOTHING)} == set()
    assert known - there == set()


# --- over HTTP


class Walk:
    """One reader at one path."""

    def __init__(self, cast: Cast, reader: str) -> None:
        self.cast, self.reader, self.client = cast, reader, cast.clients[reader]
        self.names = {**SOME, **cast.names(reader)}

    def path(self, pattern: str) -> str:
        return "/" + re.sub(r"<\w+:(\w+)>", lambda found: self._named(found[1], pattern), pattern)

    def _named(self, name: str, pattern: str) -> str:
        match name:
            case "session_id" | "conv_id":
                return str(self.names["session"])
            case "message_id":
                return str(self.names["answer"])
            case "mentor":
                return "guard"
            case "object_id":
                return self._object(pattern)
            case "export_id":
                return str(self._export().pk)
            case "signature":
                return link_signature(self._export())
            case "task_id" if "sessions/" in pattern:
                return self._task(f"tasks/sessions/{self.names['session']}/")
            case "task_id" if "reports" not in pattern:
                return self._task("export-chathistory/")
            case "task_id" | "report_name":
                return self._report() if name == "task_id" else self._report() and "ai-mentor-chat-history"
        return str(self.names[name])

    def _object(self, pattern: str) -> str:
        kinds = {"session": "session", "chatmessagehistory": "question", "mentor": "mentor"}
        kind = pattern.split("/")[2]
        return str(self.names[kinds[kind]] if kind in kinds else self._export().pk)

    def _export(self) -> Export:
        found = Export.objects.filter(purpose="export").first()
        return found or ask(self.cast.clients["token"], format="csv")

    def _task(self, path: str) -> str:
        told = self.cast.clients["token"].post(f"/api/ai-mentor/orgs/demo/users/alice/{path}").json()
        jobs.run(uuid.UUID(told["task_id"]))
        return str(told["task_id"])

    def _report(self) -> str:
        wish = json.dumps({"report_name": "ai-mentor-chat-history"})
        path = "/api/reports/platforms/demo/new"
        told = self.cast.clients["token"].post(path, wish, content_type="application/json").json()
        report = Export.objects.get(purpose="report")
        if report.state == "requested":
            jobs.run(report.pk)
        assert told
        return str(report.pk)

    def ask(self, pattern: str, asked: Asked) -> tuple[int, set[str]]:
        path = self.path(pattern) + asked.query.format(**self.names)
        body = (
            {}
            if asked.body is None
            else {"data": self._filled(asked.body), "content_type": asked.content_type}
        )
        answer = getattr(self.client, asked.method.lower())(path, **body)
        return answer.status_code, seen(answer.getvalue() if answer.streaming else answer.content)

    def _filled(self, body: Any) -> str:
        return json.dumps(body).replace("{answer}", str(self.names["answer"]))


def ask(client: Client, **wish: Any) -> Export:
    body = json.dumps({"filter": {"tenant": "demo"}, **wish})
    told = client.post("/api/v1/exports/", body, content_type="application/json").json()
    jobs.run(uuid.UUID(told["id"]))
    found = Export.objects.get(pk=told["id"])
    assert found.state == "ready", found.error
    return found


def test_every_path_shows_its_readers_what_is_theirs(cast: Cast) -> None:
    """Reading first, as writing changes what there is to read."""
    wrong = []
    rows = [(pattern, asked) for pattern, all in WALKED.items() for asked in all]
    for pattern, asked in sorted(rows, key=lambda row: _order(row[1])):
        for reader in asked.readers:
            found = Walk(cast, reader).ask(pattern, asked)
            if found != (asked.status, asked.seen):
                wrong.append((reader, asked.method, pattern, asked.query, found, (asked.status, asked.seen)))
    assert wrong == [], "\n".join(map(str, wrong))


def _order(asked: Asked) -> tuple[bool, int]:
    replaces = asked.seen == {"plain"} and asked.method != "GET"
    return replaces, ("GET", "POST", "PATCH", "PUT", "DELETE").index(asked.method)


@pytest.mark.parametrize("grain", ["message", "session"])
@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_every_format_has_what_exports_may_have(cast: Cast, grain: Any, kind: str) -> None:
    keys = ["canary_operator.deep", "canary_export", "canary_user", "canary_model", "canary_masked", "plain"]
    wish = {"grain": grain, "format": kind, "columns": list(COLUMNS[grain]), "context_keys": keys}
    export = ask(cast.clients["token"], **wish)
    file = cast.clients["staff"].get(f"/api/v1/exports/{export.pk}/download/").getvalue()
    if kind == "parquet":
        table = polars.read_parquet(io.BytesIO(file))
        assert table["ctx.canary_export"].null_count() == table.height
        assert {text[:6] for text in table["ctx.canary_masked"]} == {"•••WXY"}
        file = table.write_ndjson().encode()
    assert seen(file) == EXPORT


@pytest.mark.parametrize("grain", ["message", "session"])
def test_a_frame_and_the_command_have_it_too(cast: Cast, grain: Any, tmp_path: Path) -> None:
    frame = exports.dataframe("tenant=demo", grain=grain, context_keys=["canary_export", "canary_masked"])
    assert seen(frame.write_ndjson()) == EXPORT
    call_command("export", tenant="demo", grain=grain, output=str(tmp_path / "file.csv"))
    assert seen((tmp_path / "file.csv").read_bytes()) == EXPORT


def test_the_canaries_are_stored_whole(cast: Cast) -> None:
    session = Session.objects.get(pk=cast.alice.session_id)
    texts = [version.text for version in session.context_versions.all()]
    assert [seen(text) for text in texts] == [(WHOLE | {"masked"})] * 3
    assert seen(json.dumps(session.metadata)) == WHOLE | {"masked"}


def test_the_model_reads_all_but_what_is_kept_from_it(cast: Cast, model: ModelServer) -> None:
    assert [seen(body) for body in model.received] == [WHOLE - {"model"}] * 6


# --- while it happens


def test_listeners_hear_what_is_theirs(live: str, cast: Cast, token: str) -> None:
    for talk, proof, expected in (
        (cast.alice, f"Api-Token {token}", OPERATOR),
        (cast.visitor, f"Session {cast.visitor.session_token}", USER),
        (cast.visitor, f"Api-Token {token}", OPERATOR),
    ):
        ear = Ear(live, talk.session_id, "0", Authorization=proof)
        told = ear.until("idle")
        ear.close()
        assert seen("".join(json.dumps(one.body, ensure_ascii=False) for one in told)) == expected


def test_a_socket_that_listens_hears_what_is_theirs(live: str, cast: Cast) -> None:
    for talk, expected in ((cast.alice, OPERATOR), (cast.visitor, USER)):
        ear = Socket(live, "demo", "guard", token=talk.token)
        more = {"session_token": talk.session_token} if talk.session_token else {}
        assert "subscribed" in subscribe(ear, talk, after="0", **more)
        assert seen(json.dumps(rest(ear), ensure_ascii=False)) == expected
        ear.close()


def test_a_visitor_is_not_told_of_what_was_left_out_if_it_is_not_theirs(
    live: str, demo: Tenant, model: ModelServer, token: str
) -> None:
    mentor = guarded(demo)
    mentor.context_schema = json.dumps(
        {"properties": {"ours": {"x-visible-to": ["operator"]}, "page": {"x-visible-to": ["user"]}}}
    )
    mentor.save()
    talk = Socket(live, "demo", "guard")
    told = talk.say("Hello.", metadata={"ours": 1, "page": 2}).start["context"]
    assert told["left_out"] == {"page": "hidden"}
    talk.close()


def test_messages_are_read_with_their_mentor_once(cast: Cast) -> None:
    with CaptureQueriesContext(connection) as queries:
        cast.clients["token"].get(f"/api/v1/sessions/{cast.alice.session_id}/messages/")
    # On PostgreSQL a prepared statement reads it, which is not seen here.
    asked = sum("chat_mentor" in query["sql"] for query in queries)
    assert asked == (0 if connection.vendor == "postgresql" else 1)
