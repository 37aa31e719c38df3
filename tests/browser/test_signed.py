"""What the school's back end has signed, brought by its page: to the frame, in the address, by the SDK."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from playwright.sync_api import Page

from tests.faults.web import Web
from tests.model_server import ModelServer

from .conftest import SECRET
from .frames import Around
from .site import Site
from .test_sdk import Host

FREE = {"plan": "free"}


def signed(metadata: Any = FREE, *, mentor: str = "coach", **more: Any) -> str:
    now = int(time.time())
    claims = {"iat": now, "exp": now + 300, "aud": f"school/{mentor}", "jti": str(uuid.uuid4()), **more}
    return jwt.encode({**claims, "metadata": metadata}, SECRET, "HS256", headers={"kid": "k1"})


def prompt(model: ModelServer, number: int = -1) -> str:
    return str(json.loads(model.received[number])["messages"][-1]["content"])


@pytest.fixture
def host(page: Page, web: Web, school: Site) -> Host:
    return Host(page, web, school)


def test_what_is_signed_stands_over_what_the_page_says(
    around: Callable[..., Around], model: ModelServer
) -> None:
    host = around()
    host.post(
        {
            "type": "context",
            "id": 1,
            "metadata": {"plan": "enterprise", "page": 3},
            "metadata_token": signed(),
        }
    )
    ack = {"id": 1, "applied": True, "version": 0, "pending": True, "warnings": []}
    assert host.heard("mentor:context-ack") == ack
    host.shown.ask("One?")
    assert "plan: free\npage: 3\n" in prompt(model)
    told = host.heard("mentor:context-stored")
    assert (told["id"], told["version"], told["changed"]) == (1, 1, True)
    assert [one["code"] for one in told["warnings"]] == ["verified_key_kept"]


def test_it_goes_once_and_holds(around: Callable[..., Around], model: ModelServer) -> None:
    host = around()
    host.post({"type": "context", "metadata_token": signed()})
    host.shown.ask("One?")
    host.tell({"page": 4})
    host.shown.ask("Two?")
    assert "page: 4\nplan: free\n" in prompt(model)
    assert len(host.all_heard("mentor:context-stored")) == 2


def test_one_that_is_refused_is_told_and_let_go(around: Callable[..., Around], model: ModelServer) -> None:
    host = around()
    host.post({"type": "context", "id": "t", "metadata_token": signed(mentor="quiet")})
    host.shown.type("One?")
    told = host.heard("mentor:context-stored")
    assert (told["id"], told["applied"], told["warnings"][0]["code"]) == ("t", False, "token_foreign")
    assert model.received == []
    host.post({"type": "context", "metadata_token": signed()})
    host.shown.frame.get_by_role("button", name="Try again").click()
    host.heard("mentor:message", number=2)
    assert "plan: free" in prompt(model)


def test_what_is_no_token_is_refused_at_once(around: Callable[..., Around]) -> None:
    host = around()
    for wrong in (5, "", ["a"], {"a": 1}, "x" * 300_000):
        host.post({"type": "context", "metadata": {"a": 1}, "metadata_token": wrong})
    acks = [host.heard("mentor:context-ack", number) for number in range(1, 6)]
    assert all(not ack["applied"] and not ack["pending"] for ack in acks)
    assert {one["pointer"] for ack in acks for one in ack["warnings"]} == {"/metadata_token"}


def test_the_addresss_fragment_brings_one_and_is_emptied(
    around: Callable[..., Around], model: ModelServer
) -> None:
    host = around(f"/embed/school/coach/?plan=enterprise&page=7#metadata_token={signed()}")
    host.shown.ask("One?")
    assert "plan: free\npage: 7\n" in prompt(model)
    assert host.shown.frame.evaluate("() => location.hash") == ""


def test_a_query_brings_none(around: Callable[..., Around], model: ModelServer) -> None:
    host = around(f"/embed/school/coach/?metadata_token={signed()}")
    assert [one["code"] for one in host.heard("mentor:ready")["warnings"]] == ["token_in_query"]
    host.shown.ask("One?")
    assert "plan" not in prompt(model) and "metadata_token" not in prompt(model)


def test_the_browser_keeps_no_token(around: Callable[..., Around]) -> None:
    host, token = around(), signed()
    host.post({"type": "context", "metadata_token": token})
    host.shown.ask("One?")
    kept = host.shown.frame.evaluate("() => JSON.stringify([{...localStorage}, {...sessionStorage}])")
    assert token not in kept and "One?" in kept


def test_the_sdk_begins_with_one_and_is_given_more(host: Host, model: ModelServer) -> None:
    token = json.dumps(signed())
    after = f"""<script>
      Mentor('init', {{mentor: 'coach', container: '#place', metadata: {{plan: 'pro'}}, metadataToken: {token}}});
    </script>"""
    host.open(attributes="", after=after)
    host.frame.ask("One?")
    assert "plan: free" in prompt(model)
    host.page.evaluate(
        """(token) => { window.stored = Mentor('setMetadataToken', token).then(({stored}) => stored); }""",
        signed({"plan": "gold"}),
    )
    host.frame.ask("Two?")
    assert "plan: gold" in prompt(model)
    told = host.page.evaluate("() => stored")
    assert (told["applied"], told["version"], told["changed"]) == (True, 2, True)


def test_the_sdk_is_asked_for_one_before_each_message(host: Host, model: ModelServer) -> None:
    tokens = json.dumps([signed({"seat": 1}), signed({"seat": 2})])
    hook = "() => ({metadataToken: tokens.shift()})"
    after = f"<script>const tokens = {tokens}; Mentor('beforeSend', {hook});</script>"
    host.open(after=after, attributes='data-mentor="coach" data-container="#place"')
    host.frame.ask("One?")
    host.frame.ask("Two?")
    assert "seat: 1" in prompt(model, 0) and "seat: 2" in prompt(model, 1)
