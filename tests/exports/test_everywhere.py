"""One session, read in every way there is: each shows the snapshots that its messages were written under."""

from __future__ import annotations

import csv
import io
import json
import re
import uuid
from collections.abc import Callable
from typing import Any

import polars
import pytest
from django.contrib.auth.models import User
from django.test import Client

import exports
from chat.models import ChatMessageHistory, Tenant
from exports import jobs

from ..clients import Socket, Stream

FIRST = {"productGroup": "LICENSING", "stateCode": "CA", "hours": 52}
SECOND = {"productGroup": "LICENSING", "stateCode": "NY", "order": {"items": [1, 2.5, None]}}
THIRD = {"productGroup": "CE", "stateCode": "NY", "a.b": "=1+1", "naïve": "中文"}
# Two messages each; the third turn sends nothing, and the second context stays.
EXPECTED = [FIRST, FIRST, SECOND, SECOND, SECOND, SECOND, THIRD, THIRD]


@pytest.fixture
def session(talk: Callable[..., Socket | Stream], token: str) -> str:
    """Alice's, at each door in turn: its context changed twice."""
    one = talk(token=token, username="alice")
    for metadata in (FIRST, SECOND, None, THIRD):
        one.say("What now?", metadata=metadata)
    return one.session_id


def job(client: Client, session: str, kind: str) -> bytes:
    wish = {"filter": {"session": session}, "format": kind}
    key = client.post("/api/v1/exports/", json.dumps(wish), content_type="application/json").json()["id"]
    jobs.run(uuid.UUID(key))
    return client.get(f"/api/v1/exports/{key}/download/").getvalue()


def column(text: bytes) -> list[Any]:
    """The context's column of a CSV."""
    return [
        json.loads(row["client_context"]) for row in csv.DictReader(io.StringIO(text.decode("utf-8-sig")))
    ]


def lines(text: bytes) -> list[Any]:
    return [json.loads(line)["client_context"] for line in text.splitlines()]


def cells(frame: polars.DataFrame) -> list[Any]:
    return [json.loads(text) for text in frame["client_context"]]


def pairs(details: Any) -> list[Any]:
    return [pair[half]["client_context"] for pair in details["messages"] for half in ("question", "answer")]


def the_task(client: Client, session: str) -> str:
    user = "/api/ai-mentor/orgs/demo/users/alice"
    key = client.post(f"{user}/tasks/sessions/{session}/").json()["task_id"]
    jobs.run(uuid.UUID(key))
    return f"{user}/sessions/{session}/tasks/{key}/"


def on_the_page(demo: Tenant, session: str) -> list[Any]:
    """The snapshots that the dashboard shows, each as often as messages stand beside it."""
    dora = User.objects.create_user("dora", is_staff=True)
    dora.tenants.set([demo])
    browser = Client()
    browser.force_login(dora)
    runs = browser.get(f"/analytics/sessions/{session}/").content.decode().split('<div class="run">')[1:]
    found = []
    for run in runs:
        raw = re.search(r'<pre class="raw">(.*?)</pre>', run, re.S)
        assert raw is not None
        text = raw[1].replace("&quot;", '"').replace("&#x27;", "'")
        found += [json.loads(text)] * len(re.findall(r'id="message-\d+"', run))
    return found


def test_every_way_of_reading_shows_the_snapshots(demo: Tenant, reader: Client, session: str) -> None:
    task = the_task(reader, session)
    listed = reader.get(f"/api/ai-mentor/orgs/demo/users/alice/sessions/{session}/").json()["results"]
    told = {
        "details": pairs(reader.get(f"/api/v2/messages/details/?session_id={session}").json()),
        "details, for analytics": pairs(
            reader.get(f"/api/analytics/messages/details/?session_id={session}").json()
        ),
        "the session's messages": [message["client_context"] for message in reversed(listed)],
        "the streamed CSV": column(reader.get(f"/api/v1/exports/stream.csv?session={session}").getvalue()),
        "a job's CSV": column(job(reader, session, "csv")),
        "a job's JSONL": lines(job(reader, session, "jsonl")),
        "a job's Parquet": cells(polars.read_parquet(io.BytesIO(job(reader, session, "parquet")))),
        "the task": [row["client_context"] for row in json.loads(reader.get(task).getvalue())],
        "the task's CSV": column(reader.get(f"{task}?to_csv=true").getvalue()),
        "the frame": cells(exports.dataframe({"session": session})),
        "the dashboard": on_the_page(demo, session),
    }
    assert told == dict.fromkeys(told, EXPECTED)


def test_they_are_what_the_store_has(reader: Client, session: str) -> None:
    rows = ChatMessageHistory.objects.filter(session=session).order_by("sequence").select_related("extra")
    assert [(row.extra.metadata, row.extra.context_version) for row in rows] == list(
        zip(EXPECTED, [1, 1, 2, 2, 2, 2, 3, 3], strict=True)
    )
    versions = reader.get(f"/api/v1/sessions/{session}/context/versions/").json()["results"]
    assert [version["client_context"] for version in versions] == [FIRST, SECOND, THIRD]
