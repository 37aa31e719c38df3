"""What is told of the API is true: frames are as the sockets' description says, and its pages need nobody else."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.test import Client
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from .clients import Socket, Stream
from .events.doing import take_out
from .model_server import Answer, CutAfter, ModelServer

ROOT = Path(__file__).parent.parent
DOCUMENT: dict[str, Any] = yaml.safe_load((ROOT / "static/api/asyncapi.yaml").read_text())


def is_a(name: str, frame: dict[str, Any]) -> bool:
    schema = {"$ref": f"#/components/schemas/{name}", "components": DOCUMENT["components"]}
    return bool(Draft202012Validator(schema).is_valid(frame))


def kinds(frames: list[dict[str, Any]]) -> list[str]:
    """The one kind of each frame."""
    named = [name for name in DOCUMENT["components"]["schemas"] if name.endswith("Frame")]
    found = [[name for name in named if is_a(name, frame)] for frame in frames]
    assert all(len(one) == 1 for one in found), (frames, found)
    return [one[0] for one in found]


def test_a_turns_frames_are_as_described(talk: Callable[..., Socket | Stream], model: ModelServer) -> None:
    model.enqueue(Answer(["Hello.", " Again."]))
    told = talk().say("Hello?", metadata={"stateCode": "CA"})
    assert kinds(told.frames)[0] == "StartFrame"
    assert kinds(told.frames)[-1] == "EndFrame"
    assert set(kinds(told.frames)) == {"StartFrame", "TextFrame", "EndFrame"}


def test_a_broken_turns_frames_are_as_described(
    talk: Callable[..., Socket | Stream], model: ModelServer
) -> None:
    model.enqueue(CutAfter(1))
    assert kinds(talk().say("Hello?").frames)[-1] == "BrokenFrame"


def test_what_a_listener_is_told_is_as_described(alice: Socket, returned: Socket) -> None:
    alice.say("Hello?")
    returned.put({"action": "subscribe", "session_id": alice.session_id, "token": alice.token})
    frames = [returned.get()]
    alice.say("And here?", metadata={"stateCode": "CA"})
    take_out(alice, 1)
    while frames[-1].get("type") != "message.deleted":
        frames.append(returned.get())
    returned.put({"action": "unsubscribe", "session_id": alice.session_id})
    while "unsubscribed" not in frames[-1]:
        frames.append(returned.get())
    assert kinds(frames) == [
        "SubscribedFrame",
        *["SessionEventFrame"] * (len(frames) - 2),
        "UnsubscribedFrame",
    ]
    told = {frame["type"] for frame in frames[1:-1]}
    assert told == set(DOCUMENT["components"]["schemas"]["EventName"]["enum"])


def test_every_key_of_a_payload_is_described() -> None:
    from chat.payloads import BaseConsumerPayload

    derived = {"metadata_text", "payload_digest", "warnings"}
    fields = set(BaseConsumerPayload.model_fields) - derived
    assert set(DOCUMENT["components"]["schemas"]["ChatPayload"]["properties"]) == fields


def test_every_reference_leads_somewhere() -> None:
    text = (ROOT / "static/api/asyncapi.yaml").read_text()
    for reference in re.findall(r"'#/([^']+)'", text):
        at: Any = DOCUMENT
        for step in reference.split("/"):
            at = at[step]
        assert at


def test_the_openapi_document_is_valid(client: Client) -> None:
    answer = client.get("/api/openapi.json")
    assert answer.status_code == 200
    assert answer.json()["openapi"] == "3.1.0"
    validate(answer.json())


def test_every_path_says_how_it_refuses(client: Client) -> None:
    paths = client.get("/api/openapi.json").json()["paths"]
    assert all("default" in operation["responses"] for one in paths.values() for operation in one.values())


def test_the_page_loads_nothing_from_elsewhere(client: Client) -> None:
    page = client.get("/api/docs/")
    assert page.status_code == 200
    assert "default-src 'none'" in page["Content-Security-Policy"]
    assert re.findall(rb"https?://", page.content) == []


@pytest.mark.parametrize("name", ["swagger-ui-bundle.js", "swagger-ui.css", "favicon-32x32.png"])
def test_the_pages_files_are_ours(client: Client, name: str) -> None:
    from django.contrib.staticfiles import finders

    assert finders.find(f"drf_spectacular_sidecar/swagger-ui-dist/{name}")


def test_the_sockets_description_is_served(client: Client) -> None:
    answer = client.get("/api/asyncapi.yaml")
    assert yaml.safe_load(answer.content) == DOCUMENT
