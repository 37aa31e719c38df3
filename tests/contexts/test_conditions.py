"""If-Match, If-None-Match and Idempotency-Key: no update is lost, and none is made twice."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest

from chat.contexts import forget_writes
from chat.models import KeptWrite, SessionContextVersion
from chat.writes import Conditions, address_class, check_key

from ..expecting import problem
from .conftest import CA, STEPS, Writer, written

LOST = (412, problem(412, "precondition_failed"))


def put(writer: Writer, context: Any, **headers: str) -> tuple[int, Any]:
    return writer.at("PUT", {"client_context": context}, **headers)


# --- conditions


def test_an_update_is_not_lost(backend: Writer, page: Writer) -> None:
    backend.put(CA)
    seen = backend.call("GET")["ETag"]
    page.put({"page": "/exam"})
    assert put(backend, {}, If_Match=seen) == LOST
    assert backend.patch({"a": 1}, If_Match=seen) == LOST
    assert backend.at("DELETE", If_Match=seen) == LOST
    assert put(backend, {}, If_Match=backend.call("GET")["ETag"])[1]["version"] == 3


@pytest.mark.parametrize(
    ("match", "none_match", "version", "passes"),
    [
        (None, None, 0, True),
        ('"3"', None, 3, True),
        ('"2"', None, 3, False),
        ('"2", "3"', None, 3, True),
        ('W/"3"', None, 3, False),
        ("3", None, 3, False),
        ("*", None, 3, True),
        ("*", None, 0, False),
        ('"0"', None, 0, True),
        (None, "*", 0, True),
        (None, "*", 1, False),
        (None, '"3"', 3, False),
        (None, 'W/"3"', 3, False),
        (None, '"2"', 3, True),
        ("*", '"2"', 3, True),
        ("", None, 3, False),
    ],
)
def test_conditions(match: str | None, none_match: str | None, version: int, passes: bool) -> None:
    from chat.errors import PreconditionFailed

    try:
        Conditions(match, none_match).check(version)
    except PreconditionFailed:
        assert not passes
    else:
        assert passes


def test_what_is_known_is_not_sent_again(backend: Writer) -> None:
    backend.put(CA)
    answer = backend.call("GET", If_None_Match='"1"')
    assert (answer.status_code, answer.content, answer["ETag"]) == (304, b"", '"1"')
    assert backend.call("GET", If_None_Match='"2"').status_code == 200


def test_only_one_is_the_first(backend: Writer) -> None:
    assert put(backend, CA, If_None_Match="*")[0] == 200
    assert put(backend, CA, If_None_Match="*") == LOST


# --- the same again


def test_what_was_sent_again_is_told_and_not_done(backend: Writer, page: Writer) -> None:
    first = put(backend, CA, Idempotency_Key="k-1")
    page.put({"page": "/exam"})
    assert put(backend, CA, Idempotency_Key='"k-1"') == first == (200, written())
    assert SessionContextVersion.objects.count() == 2


def test_a_lost_answer_is_given_though_the_version_moved_on(backend: Writer) -> None:
    first = put(backend, CA, Idempotency_Key="k-1", If_Match='"0"')
    assert put(backend, CA, Idempotency_Key="k-1", If_Match='"0"') == first


def test_another_body_under_the_same_key_is_refused(backend: Writer, page: Writer) -> None:
    put(backend, CA, Idempotency_Key="k-1")
    mismatch = (422, problem(422, "idempotency_mismatch"))
    assert put(backend, {}, Idempotency_Key="k-1") == mismatch
    assert put(page, CA, Idempotency_Key="k-1") == mismatch
    assert backend.patch(CA, Idempotency_Key="k-1")[1]["changed"] is False
    assert backend.at("DELETE", Idempotency_Key="k-1")[1]["version"] == 2
    assert backend.at("DELETE", Idempotency_Key="k-1")[1]["changed"] is True


def test_what_was_refused_is_tried_again(backend: Writer) -> None:
    test = [{"op": "test", "path": "/a", "value": 1}, {"op": "add", "path": "/b", "value": 1}]
    assert backend.patch(test, STEPS, Idempotency_Key="k")[0] == 422
    backend.put({"a": 1})
    assert backend.patch(test, STEPS, Idempotency_Key="k")[0] == 200


def test_a_key_is_kept_for_a_day(backend: Writer) -> None:
    put(backend, CA, Idempotency_Key="k-1")
    row = KeptWrite.objects.get()
    KeptWrite.objects.update(created_at=row.created_at - timedelta(hours=25))
    assert put(backend, {"n": 1}, Idempotency_Key="k-1")[1]["version"] == 2
    assert forget_writes() == 0
    KeptWrite.objects.update(created_at=row.created_at - timedelta(hours=25))
    assert (forget_writes(), KeptWrite.objects.count()) == (1, 0)


@pytest.mark.parametrize("key", ["", "x" * 129, "a b", "ä", '"'])
def test_a_key_that_is_none_is_refused(key: str) -> None:
    from chat.errors import InvalidPayload

    with pytest.raises(InvalidPayload):
        check_key(key)


def test_keys_of_another_session_are_others(backend: Writer, coach: Any) -> None:
    from ..posting import make

    put(backend, CA, Idempotency_Key="k-1")
    other = backend.elsewhere(make(coach).pk)
    assert put(other, {}, Idempotency_Key="k-1")[1]["session_id"] == other.session_id
    assert put(backend.elsewhere(uuid.uuid4()), {}, Idempotency_Key="k-1")[0] == 404


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("127.0.0.1", "loopback"),
        ("::1", "loopback"),
        ("::ffff:127.0.0.1", "loopback"),
        ("10.1.2.3", "private"),
        ("192.168.0.1", "private"),
        ("169.254.1.1", "private"),
        ("fe80::1%eth0", "private"),
        ("fd00::1", "private"),
        ("93.184.216.34", "public-v4"),
        ("::ffff:93.184.216.34", "public-v4"),
        ("2606:2800:220:1::1", "public-v6"),
        ("", None),
        ("unix:", None),
    ],
)
def test_of_what_kind_an_address_is(address: str, kind: str | None) -> None:
    assert address_class(address) == kind
