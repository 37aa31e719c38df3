"""A signed token through the doors beside the chat: the native path, Quickchat's, a posted message."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
from django.test import Client

from chat.models import KeptWrite, Mentor, Session, SessionContextVersion, UsedToken

from ..clients import fetch
from ..contexts.conftest import Writer, bearer, signed
from ..expecting import SENTENCE, problem
from ..model_server import ModelServer
from ..posting import make
from .signing import FREE, BackEnd, stored


@pytest.fixture
def session(coach: Mentor, transactional_db: None) -> Session:
    return make(coach, user="")


@pytest.fixture
def page(session: Session) -> Writer:
    return Writer(session.pk, signed(session.pk))


@pytest.fixture
def ours(session: Session, token: str) -> Writer:
    return Writer(session.pk, bearer(token))


@pytest.fixture
def mallory(session: Session, others_token: str) -> Writer:
    return Writer(session.pk, bearer(others_token))


def put(writer: Writer, **body: Any) -> tuple[int, Any]:
    return writer.at("PUT", body)


def test_a_page_puts_a_token_alone(page: Writer, backend: BackEnd) -> None:
    page.put({"page": "/a"})
    status, told = put(page, metadata_token=backend.sign())
    assert (status, told["version"], told["changed"], told["warnings"]) == (200, 2, True, [])
    assert (told["client_context"], told["verified_keys"]) == ({"page": "/a", **FREE}, ["plan"])
    assert stored()[-1] == (2, {"page": "/a", **FREE}, ["plan"])


def test_a_page_puts_both(page: Writer, ed: BackEnd) -> None:
    told = page.put({"plan": "enterprise", "page": "/a"}, metadata_token=ed.sign())
    warned = [{"code": "verified_key_kept", "pointer": "/metadata/plan", "message": SENTENCE}]
    assert (told["version"], told["warnings"]) == (1, warned)
    assert stored() == [(1, {"page": "/a", **FREE}, ["plan"])]


def test_a_server_puts_both(ours: Writer, ed: BackEnd) -> None:
    ours.put({"page": "/a"}, metadata_token=ed.sign())
    assert stored() == [(1, {"page": "/a", **FREE}, ["page", "plan"])]


def test_a_patch_by_a_page_does_not_touch_what_was_signed(page: Writer, ed: BackEnd) -> None:
    put(page, metadata_token=ed.sign())
    told = page.patch({"plan": "enterprise", "page": "/b"})[1]
    assert [one["code"] for one in told["warnings"]] == ["verified_key_kept"]
    page.patch({"plan": None})
    page.at("DELETE")
    assert stored()[-1][1:] == (FREE, ["plan"])


def test_a_token_may_begin_a_session(coach: Mentor, transactional_db: None, ed: BackEnd) -> None:
    page = Writer(uuid.uuid4(), {})
    flow = {"name": "coach", "tenant": "demo"}
    status, told = put(page, metadata_token=ed.sign(session=page.session_id), flow=flow)
    assert (status, told["version"], "session_token" in told) == (201, 1, True)


def test_a_bad_token_begins_no_session(coach: Mentor, transactional_db: None, ed: BackEnd) -> None:
    page, flow = Writer(uuid.uuid4(), {}), {"name": "coach", "tenant": "demo"}
    assert put(page, metadata_token=ed.sign(aud="demo/tutor"), flow=flow)[0] == 403
    assert (Session.objects.count(), UsedToken.objects.count()) == (0, 0)


@pytest.mark.parametrize("with_metadata", [True, False])
def test_what_is_refused_changes_nothing(page: Writer, ed: BackEnd, with_metadata: bool) -> None:
    page.put(FREE)
    body = {"client_context": {"page": "/x"}} if with_metadata else {}
    refused = put(page, **body, metadata_token="bad")
    assert refused == (401, problem(401, "token_invalid", "/metadata_token"))
    assert put(page, **body, metadata_token=ed.sign(sub="alice"))[1]["code"] == "token_foreign"
    assert stored() == [(1, FREE, [])]


@pytest.mark.parametrize("value", ["", 5, ["a"], {}])
def test_a_token_is_a_text(page: Writer, value: Any) -> None:
    assert put(page, metadata_token=value) == (422, problem(422, "invalid_context", "/metadata_token"))


def test_null_is_no_token(page: Writer) -> None:
    assert put(page, metadata_token=None) == (422, problem(422, "invalid_context", "/client_context"))


def test_a_stranger_is_told_nothing_of_tokens(mallory: Writer, ed: BackEnd) -> None:
    assert put(mallory, metadata_token=ed.sign())[0] == 404
    assert UsedToken.objects.count() == 0


def test_it_is_put_again(page: Writer, ed: BackEnd) -> None:
    token = ed.sign()
    assert put(page, metadata_token=token)[1]["changed"] is True
    assert put(page, metadata_token=token)[1]["changed"] is False
    assert SessionContextVersion.objects.count() == 1


def test_it_is_put_in_another_session(page: Writer, ed: BackEnd, coach: Mentor) -> None:
    token, other = ed.sign(), make(coach, user="")
    put(page, metadata_token=token)
    assert put(Writer(other.pk, signed(other.pk)), metadata_token=token)[1]["code"] == "token_replayed"


def test_a_kept_write_has_no_token(page: Writer, ed: BackEnd) -> None:
    token = ed.sign()
    page.call("PUT", {"metadata_token": token}, Idempotency_Key="a-key-of-many-characters")
    kept = KeptWrite.objects.get()
    assert token not in json.dumps([kept.outcome, kept.digest, kept.key])


# --- Quickchat's


def quickchat(session: Session, token: str, body: Any) -> tuple[int, Any]:
    path = f"/v1/api_core/conversations/{session.pk}/metadata"
    answer = Client(headers=bearer(token)).post(path, body, content_type="application/json")
    return answer.status_code, answer.json()


def test_quickchats_path_takes_it_alone(session: Session, page: Writer, token: str, ed: BackEnd) -> None:
    page.put({"page": "/a"})
    assert quickchat(session, token, {"metadata_token": ed.sign()}) == (
        200,
        {"metadata": {"page": "/a", **FREE}},
    )
    assert stored()[-1][2] == ["plan"]


def test_quickchats_path_takes_both(session: Session, token: str, ed: BackEnd) -> None:
    both = {"metadata": {"plan": "pro", "page": "/a"}, "metadata_token": ed.sign()}
    assert quickchat(session, token, both) == (200, {"metadata": {"page": "/a", **FREE}})
    assert stored()[-1][2] == ["page", "plan"]


def test_quickchats_path_refuses_it_in_its_shape(session: Session, token: str, ed: BackEnd) -> None:
    status, told = quickchat(session, token, {"metadata": {}, "metadata_token": "bad"})
    fault = {"message": SENTENCE, "code": "PERMISSION_DENIED"}
    assert (status, told) == (401, {"errors": {"metadata_token": [fault]}})
    assert stored() == []


# --- a posted message


def test_a_posted_message_that_is_answered(
    live: str, model: ModelServer, session: Session, ed: BackEnd
) -> None:
    path = f"/api/v1/sessions/{session.pk}/messages/?respond=true"
    body = {"content": "Hello.", "metadata_token": ed.sign()}
    assert fetch(live, "POST", path, body, signed(session.pk))[0] == 201
    assert stored() == [(1, FREE, ["plan"])]
    status, told = fetch(live, "POST", path, {"content": "No.", "metadata_token": "bad"}, signed(session.pk))
    assert (status, told["code"]) == (401, "token_invalid")


def test_one_that_is_only_stored_says_that_it_has_no_effect(
    page: Writer, session: Session, ed: BackEnd
) -> None:
    body = json.dumps({"content": "Hello.", "metadata_token": ed.sign()})
    path = f"/api/v1/sessions/{session.pk}/messages/"
    told = page.client.post(path, body, content_type="application/json").json()
    assert [one["pointer"] for one in told["warnings"]] == ["/metadata_token"]
    assert stored() == []
