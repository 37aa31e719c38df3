"""Quickchat's paths: the seed's two calls, its scopes, its errors, its rates, and its list of conversations."""

from __future__ import annotations

import time
import uuid
from typing import Any

import pytest
from django.test import Client

from chat import rates
from chat.models import ApiToken, Mentor, Session, SessionContextVersion, Tenant

from ..expecting import SENTENCE
from ..posting import make
from ..reading.conftest import A_TIME, make_session
from .conftest import bearer, is_kept_alike, signed

TICKET = {"ticket_id": "T-1234", "priority": "high"}
LIST = "/v1/api_core/conversations"


class Quickchat:
    """Somebody who calls as Quickchat's documentation says."""

    def __init__(self, headers: dict[str, str]) -> None:
        self.client = Client(headers=headers)

    def get(self, session: object, slash: str = "") -> Any:
        return self.client.get(f"{LIST}/{session}/metadata{slash}")

    def post(self, session: object, body: Any, slash: str = "", **headers: str) -> Any:
        path = f"{LIST}/{session}/metadata{slash}"
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.post(path, body, content_type="application/json", headers=named)

    def list(self, query: str = "") -> Any:
        return self.client.get(LIST + query)


@pytest.fixture(autouse=True)
def _nothing_counted() -> None:
    rates._call_limiter.cache_clear()
    rates._call_limiter().storage.reset()


@pytest.fixture
def session(coach: Mentor, transactional_db: None) -> Session:
    return make(coach, user="")


@pytest.fixture
def backend(token: str) -> Quickchat:
    return Quickchat(bearer(token))


@pytest.fixture
def reader(demo: Tenant) -> Quickchat:
    return Quickchat(bearer(ApiToken.issue(demo, scope="read_all", name="reader")[1]))


def refused(code: str, field: str = "root", message: Any = SENTENCE, **more: str) -> dict[str, Any]:
    return {"errors": {field: [{"message": message, "code": code, **more}]}}


def told(answer: Any) -> tuple[int, Any]:
    return answer.status_code, answer.json()


@pytest.mark.parametrize("slash", ["", "/"])
def test_the_seeds_two_calls(backend: Quickchat, session: Session, slash: str) -> None:
    assert told(backend.post(session.pk, {"metadata": TICKET}, slash)) == (200, {"metadata": TICKET})
    assert told(backend.get(session.pk, slash)) == (200, {"metadata": TICKET})
    row = SessionContextVersion.objects.get()
    assert (row.door, row.author, row.address_class) == ("quickchat", "token:backend", "loopback")
    assert sorted(row.verified_keys) == sorted(TICKET)
    assert is_kept_alike(session.pk)


def test_the_same_key_is_the_same_write(backend: Quickchat, session: Session) -> None:
    for _ in range(2):
        answer = backend.post(session.pk, {"metadata": TICKET}, Idempotency_Key="k-1")
        assert answer.json() == {"metadata": TICKET}
    other = backend.post(session.pk, {"metadata": {}}, Idempotency_Key="k-1")
    assert told(other) == (422, refused("VALIDATION_ERROR"))


def test_a_scope_that_is_missing_is_named(reader: Quickchat, session: Session) -> None:
    assert told(reader.get(session.pk)) == (200, {"metadata": {}})
    message = "Insufficient token scope. Required: write_all"
    answer = reader.post(session.pk, {"metadata": {}})
    assert told(answer) == (403, refused("PERMISSION_DENIED", message=message))


def test_who_has_no_token_is_refused(session: Session) -> None:
    for headers in ({}, bearer("mk_wrong"), signed(session.pk)):
        answer = Quickchat(headers).get(session.pk)
        assert told(answer) == (401, refused("PERMISSION_DENIED"))
        assert answer["WWW-Authenticate"] == "Bearer"
        assert told(Quickchat(headers).list())[0] == 401


def test_strangers_are_told_of_nothing(others_token: str, backend: Quickchat, session: Session) -> None:
    mallory, nothing = Quickchat(bearer(others_token)), (404, refused("NOT_FOUND"))
    assert told(mallory.get(session.pk)) == told(mallory.get(uuid.uuid4())) == nothing
    assert told(mallory.post(session.pk, {"metadata": {}})) == nothing
    assert told(backend.get("conv-uuid-1234")) == nothing
    assert mallory.list().json() == {"items": [], "offset": 0, "count": 0}


@pytest.mark.parametrize(
    ("body", "status", "expected"),
    [
        ({}, 422, refused("VALIDATION_ERROR", "metadata")),
        ({"metadata": None}, 422, refused("VALIDATION_ERROR", "metadata")),
        ({"metadata": ["a"]}, 422, refused("VALIDATION_ERROR", "metadata")),
        ({"metadata": {"a": "x" * 17_000}}, 422, refused("VALIDATION_ERROR", "metadata")),
        (b'{"metadata": {"a": "\\u0000"}}', 400, refused("BAD_REQUEST", "metadata", pointer="/metadata/a")),
        (b'{"metadata": {"a": 1, "a": 2}}', 400, refused("BAD_REQUEST", "metadata", pointer="/metadata/a")),
        (b"[]", 400, refused("BAD_REQUEST")),
        (b"{", 400, refused("BAD_REQUEST")),
    ],
)
def test_a_fault_is_told_in_its_shape(
    backend: Quickchat, session: Session, body: Any, status: int, expected: Any
) -> None:
    assert told(backend.post(session.pk, body)) == (status, expected)
    assert not SessionContextVersion.objects.exists()


def test_another_method_or_type_is_refused_in_its_shape(backend: Quickchat, session: Session) -> None:
    answer = backend.client.put(f"{LIST}/{session.pk}/metadata", b"{}", content_type="application/json")
    assert (answer.status_code, answer.json()["errors"]["root"][0]["code"]) == (405, "BAD_REQUEST")
    answer = backend.client.post(f"{LIST}/{session.pk}/metadata", b"a", content_type="text/plain")
    assert (answer.status_code, list(answer.json()["errors"])) == (415, ["root"])


# --- rates


@pytest.mark.parametrize(("method", "quota"), [("get", 120), ("post", 60)])
def test_a_token_has_so_many_calls_a_minute(
    backend: Quickchat, reader: Quickchat, session: Session, method: str, quota: int
) -> None:
    if time.time() % 60 > 50:
        time.sleep(10.5)  # both halves of the test are in one minute
    more = {} if method == "get" else {"body": {"metadata": {}}}
    call = getattr(backend, method)
    answers = [call(session.pk, **more) for _ in range(quota + 1)]
    assert [answer.status_code for answer in answers] == [200] * quota + [429]
    first, last = answers[0], answers[-1]
    assert first["RateLimit-Policy"] == f'"default";q={quota};w=60'
    assert first["RateLimit"] == f'"default";r={quota - 1};t={first["RateLimit-Reset"]}'
    assert (first["RateLimit-Limit"], first["RateLimit-Remaining"]) == (str(quota), str(quota - 1))
    assert told(last) == (429, refused("TOO_MANY_REQUESTS"))
    assert 0 < int(last["Retry-After"]) <= 60
    assert last["RateLimit-Remaining"] == "0"
    assert reader.get(session.pk).status_code == backend.list().status_code == 200


def test_a_quota_is_a_setting_and_0_is_none(backend: Quickchat, session: Session, settings: Any) -> None:
    settings.LIMIT_QUICKCHAT_READS_PER_MINUTE = 1
    assert [backend.get(session.pk).status_code for _ in range(2)] == [200, 429]
    settings.LIMIT_QUICKCHAT_READS_PER_MINUTE = 0
    assert "RateLimit" not in backend.get(session.pk)


def test_a_counter_that_is_away_lets_everybody_pass(
    backend: Quickchat, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ConnectionRefusedError

    monkeypatch.setattr(rates, "_counted", fail)
    answer = backend.get(session.pk)
    monkeypatch.setattr(rates, "_calls_paused_until", 0.0)
    assert (answer.status_code, "RateLimit" in answer) == (200, False)


# --- the list


def test_the_list(backend: Quickchat, coach: Mentor) -> None:
    old = make_session(coach, context={"plan": "pro"})
    new = make_session(coach, user="", minutes=5)
    item = {
        "conv_id": str(old.pk),
        "scenario_id": str(coach.unique_id),
        "user_id": "alice",
        "title": backend.list().json()["items"][1]["title"],
        "metadata": {"plan": "pro"},
        "message_count": 2,
        "created_at": A_TIME,
        "updated_at": A_TIME,
    }
    answer = backend.list("?offset=1&limit=1")
    assert told(answer) == (200, {"items": [item], "offset": 1, "count": 2})
    assert [one["conv_id"] for one in backend.list().json()["items"]] == [str(new.pk), str(old.pk)]


def test_it_takes_its_filters_and_ours(backend: Quickchat, coach: Mentor) -> None:
    old = make_session(coach, context={"plan": "pro"})
    make_session(coach, user="bob", minutes=5)
    for query in ("?context.plan=pro", "?user=alice", "?created_to=2026-11-20T08:01:00Z"):
        assert [one["conv_id"] for one in backend.list(query).json()["items"]] == [str(old.pk)], query
    assert backend.list("?query=nowhere").json()["count"] == 0
    answer = backend.list("?assignee_type=ai_assistant&source=api")
    assert (answer.json()["count"], answer["X-Ignored-Parameters"]) == (2, "assignee_type, source")


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("?offset=-1", "offset"),
        ("?offset=10001", "offset"),
        ("?limit=0", "limit"),
        ("?created_from=yesterday", "created_from"),
        ("?colour=green", "colour"),
    ],
)
def test_a_parameter_that_is_wrong_is_named(backend: Quickchat, query: str, field: str) -> None:
    assert told(backend.list(query)) == (400, refused("BAD_REQUEST", field))
