"""`/api/v1/sessions/{id}/context/`: shown, replaced, cleared, by the context law."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from chat import client_context
from chat.models import ApiToken, Mentor, Session, SessionContextVersion, Tenant

from ..expecting import SENTENCE, problem
from ..posting import make
from .conftest import CA, Writer, bearer, in_force, is_kept_alike, signed, written

NEVER = {
    "client_context": {},
    "version": 0,
    "created_at": None,
    "author": None,
    "door": None,
    "verified_keys": [],
}
NOT_THERE = (404, problem(404, "not_found"))


def test_a_context_that_was_never_set(backend: Writer) -> None:
    answer = backend.call("GET")
    assert (answer.status_code, answer.json(), answer["ETag"]) == (200, NEVER, '"0"')


def test_what_is_put_is_in_force(backend: Writer, session: Session) -> None:
    answer = backend.call("PUT", {"client_context": CA})
    assert (answer.status_code, answer.json(), answer["ETag"]) == (200, written(), '"1"')
    assert (backend.show(), backend.call("GET")["ETag"]) == (in_force(), '"1"')
    assert is_kept_alike(session.pk)
    assert Session.objects.get().next_sequence == 1


@pytest.mark.parametrize("again", ['{"b": 2.0, "a": 1}', '{"a":1,"b":2}'])
def test_an_equal_value_makes_no_version(backend: Writer, again: str) -> None:
    backend.put({"a": 1, "b": 2})
    before = Session.objects.get().updated_at
    told = backend.at("PUT", f'{{"client_context": {again}}}')[1]
    assert (told["version"], told["changed"]) == (1, False)
    assert (SessionContextVersion.objects.count(), Session.objects.get().updated_at) == (1, before)


def test_delete_clears(backend: Writer, session: Session) -> None:
    backend.put(CA)
    assert backend.at("DELETE") == (200, written(client_context={}, version=2, verified_keys=[]))
    assert backend.at("DELETE")[1]["changed"] is False
    assert backend.show()["client_context"] == {}
    assert is_kept_alike(session.pk)


@pytest.mark.parametrize(
    "value",
    [
        {"name": None, "list": [None, {"deep": None}]},
        {"a.b": 1, "景点": "千灵山公园", "": "empty", "emoji": "👩‍🏫"},
        {"big": 2**70, "float": 1.5e10},
    ],
)
def test_any_object_comes_back_as_it_was(backend: Writer, session: Session, value: Any) -> None:
    assert backend.put(value)["client_context"] == value
    assert is_kept_alike(session.pk)


def test_it_is_written_where_it_came_from(backend: Writer) -> None:
    backend.put(CA)
    row = SessionContextVersion.objects.get()
    assert (row.door, row.author, row.message_id) == ("rest", "token:backend", None)
    assert (row.token_id, row.address_class) == (ApiToken.objects.get().pk, "loopback")


def test_a_key_that_is_not_known_is_named(backend: Writer) -> None:
    told = backend.put(CA, colour="green")["warnings"]
    assert told == [{"code": "unknown_key", "pointer": "/colour", "message": SENTENCE}]


# --- what is refused


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ({}, ["/client_context"]),
        ({"client_context": None}, ["/client_context"]),
        ({"client_context": ["CA"]}, ["/client_context"]),
        ({"client_context": "{}"}, ["/client_context"]),
        (
            {"client_context": 5, "flow": {"name": "coach"}, "user": 7},
            ["/client_context", "/flow/tenant", "/user"],
        ),
        ({"client_context": {}, "flow": []}, ["/flow"]),
    ],
)
def test_each_wrong_value_is_pointed_at(backend: Writer, body: Any, pointers: list[str]) -> None:
    assert backend.at("PUT", body) == (422, problem(422, "invalid_context", *pointers))
    assert not SessionContextVersion.objects.exists()


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (rb'{"client_context": {"a": "\u0000"}}', "/client_context/a"),
        (rb'{"client_context": {"a": "\ud800"}}', "/client_context/a"),
        (b'{"client_context": {"a": 1, "a": 2}}', "/client_context/a"),
        (b'{"client_context": {"a": 1e999}}', "/client_context/a"),
        (b'{"client_context": {"a": NaN}}', "/client_context/a"),
        (b'["CA"]', ""),
        (b"{", ""),
        (b"", ""),
        (b'{"client_context": "\xff"}', ""),
        (b'{"client_context":' + b"[" * 100 + b"]" * 100 + b"}", ""),
    ],
)
def test_what_is_no_sound_json_is_refused(backend: Writer, body: bytes, pointer: str) -> None:
    assert backend.at("PUT", body) == (400, problem(400, "invalid_payload", pointer))


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = {"a": value}
    return value


@pytest.mark.parametrize("value", [{"a": "x" * 17_000}, {str(n): n for n in range(300)}, nested(17)])
def test_what_is_too_large_is_refused(backend: Writer, value: Any) -> None:
    refused = (413, problem(413, "metadata_too_large", "/client_context"))
    assert backend.at("PUT", {"client_context": value}) == refused


def test_a_body_that_is_far_too_large_is_refused(backend: Writer) -> None:
    told = backend.at("PUT", {"client_context": {"a": "x" * 600_000}})
    assert told == (413, problem(413, "frame_too_large", ""))


def test_a_body_of_another_type_is_refused(backend: Writer) -> None:
    answer = backend.call("PUT", {"client_context": CA}, kind="application/merge-patch+json")
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")
    refused = backend.call("PATCH", CA)
    assert refused.status_code == 415
    assert refused["Accept-Patch"] == "application/merge-patch+json, application/json-patch+json"


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
def test_a_parameter_that_is_none_is_refused(backend: Writer, method: str) -> None:
    body = {"client_context": {}} if method == "PUT" else {}
    kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
    told = backend.at(method, body, "?colour=green", kind=kind)
    assert told == (400, problem(400, "invalid_filter", "?colour"))


# --- two layers


def test_a_page_writes_below_what_is_verified(backend: Writer, page: Writer, session: Session) -> None:
    backend.put({"plan": "pro"})
    told = page.put({"plan": "gold", "page": "/exam"})
    assert told == written(
        client_context={"page": "/exam", "plan": "pro"},
        version=2,
        author=None,
        verified_keys=["plan"],
        warnings=[{"code": "verified_key_kept", "pointer": "/metadata/plan", "message": SENTENCE}],
    )
    assert page.at("DELETE")[1]["client_context"] == {"plan": "pro"}
    assert backend.at("DELETE")[1]["client_context"] == {}
    assert is_kept_alike(session.pk)


def test_a_token_replaces_both_layers(backend: Writer, page: Writer) -> None:
    page.put({"page": "/exam"})
    assert backend.put({"plan": "pro"})["client_context"] == {"plan": "pro"}


# --- who may


def everything(who: Writer) -> list[tuple[int, Any]]:
    asked = [("GET", None, ""), ("PUT", {"client_context": {"a": 1}}, ""), ("DELETE", None, "")]
    asked += [("GET", None, "versions/1/"), ("GET", None, "diff")]
    told = [who.at(*one) for one in asked]
    return [*told, who.patch({"a": 1})]


def test_strangers_are_told_of_nothing(backend: Writer, mallory: Writer) -> None:
    backend.put(CA)
    told = everything(mallory)
    assert told == everything(mallory.elsewhere(uuid.uuid4())) == [NOT_THERE] * 6
    assert everything(backend.elsewhere("x")) == [NOT_THERE] * 6


def test_who_proves_nothing_is_asked_to(session: Session) -> None:
    refused = (401, problem(401, "authentication_required"))
    assert everything(Writer(session.pk, {})) == [refused] * 6
    wrong = (401, problem(401, "authentication_failed"))
    assert everything(Writer(session.pk, bearer("mk_wrong"))) == [wrong] * 6


def test_a_reader_reads(backend: Writer, reader: Writer) -> None:
    backend.put(CA)
    told = everything(reader)
    assert [status for status, _ in told] == [200, 403, 403, 200, 200, 403]
    assert told[1] == (403, problem(403, "permission_denied"))
    assert backend.show()["version"] == 1


def test_a_mentors_own_token(backend: Writer, coach: Mentor, tutor: Mentor, session: Session) -> None:
    own, others = (
        Writer(session.pk, bearer(ApiToken.issue(m.tenant, scope="write_all", name="m", mentor=m)[1]))
        for m in (coach, tutor)
    )
    backend.put(CA)
    assert own.put({})["changed"]
    assert everything(others) == [NOT_THERE] * 6


def test_a_page_reads_its_own_without_who_wrote_it(backend: Writer, page: Writer) -> None:
    backend.put(CA)
    assert page.show() == in_force(author=None)
    told = page.at("GET", more="versions/1/")[1]
    assert (told["author"], told["token_id"], told["address_class"]) == (None, None, None)
    assert (told["token_name"], told["message_id"]) == (None, None)


def test_a_page_is_nowhere_else(coach: Mentor, page: Writer, session: Session) -> None:
    theirs, alices = make(coach, user=""), make(coach)
    assert page.elsewhere(theirs.pk).at("GET")[0] == 401
    assert Writer(alices.pk, signed(alices.pk)).at("GET") == NOT_THERE


def test_staff_write_unsigned(backend: Writer, demo: Tenant, session: Session) -> None:
    zoe = User.objects.create_user("zoe", is_staff=True)
    demo.members.add(zoe)
    backend.put({"plan": "pro"})
    staff = Writer(session.pk, {})
    staff.client = Client()
    staff.client.force_login(zoe)
    told = staff.put({"note": 1})
    assert (told["client_context"], told["author"]) == ({"note": 1, "plan": "pro"}, "staff:zoe")
    assert told["verified_keys"] == ["plan"]
    demo.members.clear()
    assert staff.at("GET") == NOT_THERE


def test_a_page_elsewhere_needs_its_origin_on_the_list(coach: Mentor, page: Writer) -> None:
    origin = {"Origin": "https://school.example"}
    assert page.at("PUT", {"client_context": CA}, **origin)[1]["code"] == "origin_not_allowed"
    coach.allowed_origins = ["https://school.example"]
    coach.save()
    answer = page.call("PUT", {"client_context": CA}, **origin)
    assert (answer.status_code, answer["Access-Control-Allow-Origin"]) == (200, "https://school.example")
    assert "ETag" in answer["Access-Control-Expose-Headers"]
    told = page.client.options(page.path, headers=origin)
    assert "if-match" in told["Access-Control-Allow-Headers"]
    assert told["Access-Control-Allow-Methods"] == "GET, PUT, PATCH, DELETE, OPTIONS"


def test_a_page_writes_as_often_as_it_may_talk(page: Writer, backend: Writer, settings: Any) -> None:
    settings.LIMIT_TURNS_PER_MINUTE_PER_SESSION = 2
    page.put({"n": 1})
    page.put({"n": 2})
    answer = page.call("PUT", {"client_context": {"n": 3}})
    assert (answer.status_code, answer.json()["code"]) == (429, "rate_limited")
    assert int(answer["Retry-After"]) > 0
    assert backend.put({"n": 3})["changed"]


# --- values and what changed


def test_a_value_of_the_past(backend: Writer) -> None:
    backend.put(CA)
    backend.put({"stateCode": "NY"})
    token = ApiToken.objects.get().pk
    assert backend.at("GET", more="versions/2/") == (
        200,
        {
            **{key: value for key, value in in_force().items() if key != "version"},
            "number": 2,
            "client_context": {"stateCode": "NY"},
            "token_id": token,
            "token_name": "backend",
            "message_id": None,
            "address_class": "loopback",
            "signed_by": None,
            "diff": {
                "added": [],
                "removed": [],
                "changed": [{"pointer": "/stateCode", "before": "CA", "after": "NY"}],
            },
        },
    )
    for number in ("0", "3", "x", "-1", "1" * 30):
        assert backend.at("GET", more=f"versions/{number}/") == NOT_THERE


@pytest.mark.parametrize(
    ("query", "since", "to", "added", "removed", "changed"),
    [
        ("", 2, 3, [], ["/b"], []),
        ("?from=0&to=1", 0, 1, ["/a"], [], []),
        ("?to=2", 1, 2, ["/b"], [], ["/a"]),
        ("?from=1", 1, 3, [], [], ["/a"]),
        ("?from=3&to=1", 3, 1, [], [], ["/a"]),
        ("?from=2&to=2", 2, 2, [], [], []),
    ],
)
def test_any_two_are_compared(
    backend: Writer, query: str, since: int, to: int, added: Any, removed: Any, changed: Any
) -> None:
    for value in ({"a": 1}, {"a": 2, "b": 1}, {"a": 2}):
        backend.put(value)
    status, told = backend.at("GET", more=f"diff{query}")
    assert (status, told["from"], told["to"]) == (200, since, to)
    found = [[one["pointer"] for one in told[kind]] for kind in ("added", "removed", "changed")]
    assert found == [added, removed, changed]


def test_there_is_nothing_to_compare(backend: Writer) -> None:
    nothing = {"from": 0, "to": 0, "added": [], "removed": [], "changed": []}
    assert backend.at("GET", more="diff") == (200, nothing)
    for query, name in (("from=1", "from"), ("to=x", "to"), ("to=1&to=2", "to"), ("limit=1", "limit")):
        told = backend.at("GET", more=f"diff?{query}")
        assert told == (400, problem(400, "invalid_filter", f"?{name}"))


# --- the cache is away


def test_a_dead_cache_is_not_waited_for_and_loses_nothing(
    backend: Writer, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    from chat import cache

    def fail(*_: object) -> None:
        raise ConnectionRefusedError

    monkeypatch.setattr(cache, "_keeping_paused_until", 0.0)  # as it is afterwards again
    monkeypatch.setattr(type(cache.store()), "keep_context", fail)
    assert backend.put(CA)["version"] == 1
    assert cache._keeping_paused_until > 0
    assert backend.show()["client_context"] == CA
    assert client_context.in_force(uuid.UUID(str(session.pk)), 1).text == json.dumps(
        CA, separators=(",", ":")
    )
