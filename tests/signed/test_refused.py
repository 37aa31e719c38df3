"""Tokens that are refused: each with its code, and then nothing has changed."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from chat.models import (
    ChatMessageHistory,
    Mentor,
    Refusal,
    Session,
    SessionContextVersion,
    SigningKey,
    Tenant,
    UsedToken,
)

from ..clients import Frame, Socket, TalkMaker
from .signing import FREE, MISSING, BackEnd, pem_of, stored

FAR = "0b2e4a8c-6f1d-4e3a-9c5b-7d8e9f0a1b2c"


def refused(talk: Socket, token: Any, **more: Any) -> tuple[int, str]:
    """The refusal's status and code. It points at the token, tells nothing of it, and stored nothing."""
    before = everything()
    talk.put(talk.payload("No.", metadata_token=token, **more))
    told: Frame = talk.get()
    assert [detail["pointer"] for detail in told["details"]] == ["/metadata_token"]
    assert not isinstance(token, str) or len(token) < 20 or token not in json.dumps(told)
    assert everything() == before
    return told["status_code"], told["code"]


def everything() -> tuple[int, ...]:
    kinds = (Session, ChatMessageHistory, UsedToken, SessionContextVersion)
    return tuple(kind.objects.count() for kind in kinds)


def forged(header: dict[str, Any], payload: bytes, signature: bytes = b"") -> str:
    parts = (json.dumps(header).encode(), payload, signature)
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


def test_what_is_no_token(visitor: Socket, ed: BackEnd) -> None:
    for text in ("x", "a.b.c", "a.b", "....", "\ud83d\ude00", "é" * 100, "." * 60_000, "[" * 5000):
        assert refused(visitor, text) == (401, "token_invalid"), text[:9]


@pytest.mark.parametrize("value", ["", 5, True, ["a"], {"a": 1}])
def test_what_is_no_text(visitor: Socket, value: Any) -> None:
    assert refused(visitor, value) == (400, "invalid_payload")


def test_an_unsigned_one(visitor: Socket, backend: BackEnd) -> None:
    plain = jwt.encode(backend.claims(), None, "none")
    assert refused(visitor, plain) == (401, "token_invalid")
    for name in ("none", "None", "NONE", ""):
        header = {"alg": name, "typ": "JWT", "kid": "k1"}
        assert refused(visitor, forged(header, json.dumps(backend.claims()).encode())) == (
            401,
            "token_invalid",
        )


def test_the_public_key_is_no_secret(visitor: Socket, ed: BackEnd) -> None:
    """Who knows the public key signs with it as if it were a shared secret: the key fixes the algorithm."""
    import hashlib
    import hmac

    for secret in (pem_of(ed.key), pem_of(ed.key).strip(), ed.key.public_key().public_bytes_raw()):
        raw = secret.encode() if isinstance(secret, str) else secret
        token = forged({"alg": "HS256", "kid": "k1"}, json.dumps(ed.claims()).encode())
        signed = hmac.new(raw, token[:-1].encode(), hashlib.sha256).digest()
        forgery = token + base64.urlsafe_b64encode(signed).rstrip(b"=").decode()
        assert refused(visitor, forgery) == (401, "token_invalid")


def test_a_key_that_the_token_brings_along(visitor: Socket, ed: BackEnd) -> None:
    own = Ed25519PrivateKey.generate()
    jwk = json.loads(jwt.algorithms.OKPAlgorithm.to_jwk(own.public_key()))
    token = jwt.encode(ed.claims(), own, "EdDSA", headers={"kid": "k1", "jwk": jwk})
    assert refused(visitor, token) == (401, "token_invalid")


def test_another_algorithm_by_the_same_secret(visitor: Socket, demo: Tenant, coach: Mentor) -> None:
    secretive = BackEnd(demo, coach, "HS256")
    token = jwt.encode(secretive.claims(), secretive.key, "HS512", headers={"kid": "k1"})
    assert refused(visitor, token) == (401, "token_invalid")


def test_a_changed_word(visitor: Socket, backend: BackEnd) -> None:
    head, _, signature = backend.sign().split(".")
    more = json.dumps(backend.claims({"plan": "enterprise"})).encode()
    body = base64.urlsafe_b64encode(more).rstrip(b"=").decode()
    assert refused(visitor, f"{head}.{body}.{signature}") == (401, "token_invalid")


@pytest.mark.parametrize("kid", ["k2", "", "K1", "../k1"])
def test_a_key_that_is_not_known(visitor: Socket, ed: BackEnd, kid: str) -> None:
    assert refused(visitor, ed.sign(kid=kid)) == (401, "token_invalid")


def test_without_a_key_id_each_valid_key_is_tried(visitor: Socket, demo: Tenant, ed: BackEnd) -> None:
    SigningKey.issue(demo, kid="other")
    assert visitor.say("One.", metadata_token=jwt.encode(ed.claims(), ed.key, "EdDSA")).version == 1


def test_another_tenants_key(visitor: Socket, other: Tenant, coach: Mentor, ed: BackEnd) -> None:
    mallory = BackEnd(other, coach, "EdDSA")
    assert refused(visitor, mallory.sign()) == (401, "token_invalid")
    assert refused(visitor, mallory.sign(kid="k1")) == (401, "token_invalid")


def test_a_tenant_without_keys(visitor: Socket, other: Tenant, coach: Mentor) -> None:
    assert refused(visitor, BackEnd(other, coach, "HS256").sign()) == (401, "token_invalid")


@pytest.mark.parametrize("name", ["iat", "exp", "aud", "jti", "metadata"])
def test_a_claim_that_is_missing(visitor: Socket, ed: BackEnd, name: str) -> None:
    left_out = {name: MISSING}
    token = ed.sign(**{"metadata": MISSING}) if name == "metadata" else ed.sign(**left_out)  # type: ignore[arg-type]
    assert refused(visitor, token) == (401, "token_invalid")


@pytest.mark.parametrize(
    "claim",
    [
        {"exp": "2000000000"},
        {"exp": True},
        {"exp": 1e300},
        {"exp": None},
        {"iat": "1"},
        {"iat": -1},
        {"aud": 5},
        {"aud": {"a": 1}},
        {"jti": 7},
        {"jti": ""},
        {"jti": "j" * 256},
        {"metadata": None},
        {"metadata": ["plan"]},
        {"metadata": "{}"},
        {"metadata": {"a": "nul \0"}},
        {"sub": 7},
        {"session": 7},
    ],
    ids=str,
)
def test_a_claim_of_another_kind(visitor: Socket, demo: Tenant, coach: Mentor, claim: dict[str, Any]) -> None:
    secretive = BackEnd(demo, coach, "HS256")
    body = json.dumps({**secretive.claims(), **claim}).encode()
    token = jwt.api_jws.PyJWS().encode(body, secretive.key, "HS256", headers={"kid": "k1"})
    assert refused(visitor, token) == (401, "token_invalid")


@pytest.mark.parametrize(
    "payload", [b"[]", b"", b"{", b'{"metadata": NaN}', b'{"a":1,"a":2}', b"[" * 9000, b"\xff\xfe"]
)
def test_a_payload_that_no_door_would_take(visitor: Socket, ed: BackEnd, payload: bytes) -> None:
    token = jwt.api_jws.PyJWS().encode(payload, ed.key, "EdDSA", headers={"kid": "k1"})
    assert refused(visitor, token) == (401, "token_invalid")


def test_one_that_has_expired(visitor: Socket, backend: BackEnd) -> None:
    now = time.time()
    assert refused(visitor, backend.sign(iat=now - 300, exp=now - 60)) == (401, "token_expired")


def test_clocks_may_differ_a_little(visitor: Socket, ed: BackEnd) -> None:
    now = time.time()
    assert visitor.say("One.", metadata_token=ed.sign(exp=now - 5, iat=now - 300)).version == 1
    assert visitor.say("Two.", metadata_token=ed.sign({"a": 1}, iat=now + 10)).version == 2


@pytest.mark.parametrize("name", ["iat", "nbf"])
def test_one_of_tomorrow(visitor: Socket, ed: BackEnd, name: str) -> None:
    token = ed.sign(exp=time.time() + 99_999, **{name: time.time() + 3600})
    assert refused(visitor, token) == (401, "token_invalid")


@pytest.mark.parametrize(
    "audience", ["demo/tutor", "other/coach", "coach", FAR, "", [], ["demo/tutor"]], ids=str
)
def test_another_mentors(visitor: Socket, ed: BackEnd, tutor: Mentor, audience: Any) -> None:
    assert refused(visitor, ed.sign(aud=audience)) == (403, "token_foreign")


def test_another_users(talk: TalkMaker, visitor: Socket, ed: BackEnd, token: str) -> None:
    alice = talk(token=token, username="alice")
    for bound in (
        {"sub": "bob"},
        {"user": "bob"},
        {"sub": "alice", "user": "bob"},
        {"sub": "Alice"},
        {"sub": ""},
    ):
        assert refused(alice, ed.sign(**bound)) == (403, "token_foreign"), bound  # type: ignore[arg-type]
    assert refused(visitor, ed.sign(sub="alice")) == (403, "token_foreign")


@pytest.mark.parametrize("session", [FAR, "no uuid", ""])
def test_another_sessions(visitor: Socket, ed: BackEnd, session: str) -> None:
    assert refused(visitor, ed.sign(session=session)) == (403, "token_foreign")


@pytest.mark.parametrize("metadata", [{"a": "x" * 17_000}, {f"k{n}": 0 for n in range(257)}])
def test_claims_over_the_limits_of_metadata(visitor: Socket, ed: BackEnd, metadata: Any) -> None:
    assert refused(visitor, ed.sign(metadata)) == (413, "metadata_too_large")


def test_one_of_64_kilobytes(visitor: Socket, ed: BackEnd) -> None:
    token = ed.sign({"a": "x" * 48_000})
    assert len(token) > 64_000
    assert refused(visitor, token) == (413, "metadata_too_large")
    assert refused(visitor, ed.sign({"a": "x" * 64_000})) == (413, "metadata_too_large")


def test_a_bad_token_refuses_the_whole_payload(visitor: Socket, ed: BackEnd) -> None:
    visitor.say("One.", metadata_token=ed.sign())
    assert refused(visitor, "bad", metadata={"page": "/x"}) == (401, "token_invalid")
    assert stored() == [(1, FREE, ["plan"])]


def test_a_stranger_is_told_nothing_of_tokens(visitor: Socket, talk: TalkMaker, ed: BackEnd) -> None:
    visitor.say("One.", metadata={"a": 1})
    stranger = talk(session_id=visitor.session_id)
    stranger.put(stranger.payload("No.", metadata_token=ed.sign()))
    assert stranger.get()["code"] == "not_found"
    assert UsedToken.objects.count() == 0


def test_the_mentors_owner_hears_of_it(visitor: Socket, ed: BackEnd, written: Any) -> None:
    refused(visitor, "bad")
    refused(visitor, ed.sign(aud="demo/tutor"))
    written()
    told = Refusal.objects.order_by("code").values_list("code", "pointer", "count")
    assert list(told) == [("token_foreign", "/metadata_token", 1), ("token_invalid", "/metadata_token", 1)]
