"""The keys of a tenant: added, rotated, revoked."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.core.exceptions import ValidationError

from chat import configuration
from chat.models import Mentor, SigningKey, Tenant

from ..clients import Socket
from .signing import BackEnd, pem_of


def pem(key: Any) -> str:
    return pem_of(key)


def code(talk: Socket, token: str) -> str:
    talk.put(talk.payload("No.", metadata_token=token))
    return str(talk.get()["code"])


def test_two_keys_are_valid_at_once_for_rotation(visitor: Socket, demo: Tenant, coach: Mentor) -> None:
    old, new = BackEnd(demo, coach, "HS256", kid="2026-10"), BackEnd(demo, coach, "EdDSA", kid="2026-11")
    assert visitor.say("One.", metadata_token=old.sign()).version == 1
    assert visitor.say("Two.", metadata_token=new.sign({"plan": "pro"})).version == 2
    old.row.revoke()
    assert code(visitor, old.sign()) == "token_invalid"
    assert visitor.say("Three.", metadata_token=new.sign()).version == 3


def test_a_revoked_key_counts_no_more_at_once(visitor: Socket, backend: BackEnd) -> None:
    """Also not for a token that this session has used."""
    token = backend.sign()
    visitor.say("One.", metadata_token=token)
    backend.row.revoke()
    assert code(visitor, token) == "token_invalid"


def test_a_third_key_waits_for_one_to_be_revoked(demo: Tenant, coach: Mentor) -> None:
    first, _ = BackEnd(demo, coach, "EdDSA", kid="1"), BackEnd(demo, coach, "EdDSA", kid="2")
    with pytest.raises(ValidationError, match="revoke one first"):
        SigningKey.issue(demo, kid="3")
    first.row.revoke()
    SigningKey.issue(demo, kid="3")


def test_a_key_id_is_never_used_again(demo: Tenant, coach: Mentor) -> None:
    BackEnd(demo, coach, "EdDSA").row.revoke()
    with pytest.raises(ValidationError, match="had, a key of this id"):
        SigningKey.issue(demo, kid="k1")


@pytest.mark.parametrize("kid", ["", "a b", "k\n", "é", "k" * 65, "a/b"])
def test_a_key_id_is_a_plain_word(demo: Tenant, kid: str) -> None:
    with pytest.raises(ValidationError):
        SigningKey.issue(demo, kid=kid)


@pytest.mark.parametrize(
    "secret", ["", "short", "x" * 31, pem(Ed25519PrivateKey.generate()), '{"kty": "oct", "k": "x"}']
)
def test_a_secret_that_could_be_guessed_or_is_none(demo: Tenant, secret: str) -> None:
    with pytest.raises(ValidationError):
        SigningKey.add(demo, kid="k1", algorithm="HS256", material=secret)


@pytest.mark.parametrize(
    "material",
    [
        "",
        "no pem",
        "x" * 60,
        pem(rsa.generate_private_key(65537, 2048)),
        pem(ed448.Ed448PrivateKey.generate()),
        pem(ec.generate_private_key(ec.SECP256R1())),
    ],
    ids=["empty", "words", "a secret", "RSA", "Ed448", "ECDSA"],
)
def test_a_public_key_is_one_of_ed25519(demo: Tenant, material: str) -> None:
    with pytest.raises(ValidationError, match="Ed25519 public key"):
        SigningKey.add(demo, kid="k1", algorithm="EdDSA", material=material)


def test_a_private_key_is_refused(demo: Tenant) -> None:
    form, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    private = Ed25519PrivateKey.generate().private_bytes(serialization.Encoding.PEM, form, plain).decode()
    with pytest.raises(ValidationError, match="private key: keep it"):
        SigningKey.add(demo, kid="k1", algorithm="EdDSA", material=private)


@pytest.mark.parametrize("algorithm", ["", "none", "HS512", "RS256", "eddsa"])
def test_no_other_algorithm(demo: Tenant, algorithm: str) -> None:
    with pytest.raises(ValidationError, match="EdDSA or HS256"):
        SigningKey.add(demo, kid="k1", algorithm=algorithm, material="x" * 64)


# --- declared in a file


def applied(*keys: dict[str, Any], **environ: str) -> list[str]:
    text = json.dumps({"tenants": [{"key": "demo", "signing_keys": keys}]})
    return [str(change) for change in configuration.apply(text, environ=environ).changes][1:]


def test_keys_are_declared_in_a_file(demo: Tenant) -> None:
    public = {"kid": "ours", "public_key": pem(Ed25519PrivateKey.generate())}
    shared = {"kid": "shared", "secret_env": "SIGNING"}
    both = ["+ signing key demo/ours", "+ signing key demo/shared"]
    assert applied(public, shared, SIGNING="s" * 32) == both
    assert applied(public, shared, SIGNING="s" * 32) == [line.replace("+", "=") for line in both]
    kinds = list(SigningKey.objects.order_by("kid").values_list("algorithm", "material"))
    assert kinds == [("EdDSA", public["public_key"]), ("HS256", "s" * 32)]


def test_a_file_rotates_them(demo: Tenant) -> None:
    keys = [{"kid": f"k{n}", "public_key": pem(Ed25519PrivateKey.generate())} for n in range(3)]
    applied(*keys[:2])
    lines = applied({"kid": "k0", "revoked": True}, *keys[1:])
    assert lines == ["~ signing key demo/k0: revoked", "= signing key demo/k1", "+ signing key demo/k2"]
    again = applied(keys[0], *keys[1:])
    assert again[0] == "= signing key demo/k0: was revoked and stays so; another needs a new kid"


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ({"kid": "k1"}, "has either public_key or secret_env."),
        ({"kid": "k1", "public_key": "x", "secret_env": "Y"}, "has either public_key or secret_env."),
        ({"kid": "k1", "secret_env": "MISSING"}, "A secret has 32 bytes or more."),
        ({"kid": "k1", "public_key": "x"}, "This is not the PEM of an Ed25519 public key."),
        ({"kid": "old", "public_key": pem(Ed25519PrivateKey.generate())}, "this key id has another key."),
    ],
    ids=str,
)
def test_a_file_is_told_what_is_wrong(demo: Tenant, key: dict[str, Any], said: str) -> None:
    SigningKey.issue(demo, kid="old")
    with pytest.raises(configuration.Mistakes) as caught:
        applied(key)
    assert str(caught.value) == f"/tenants/0/signing_keys/0: {said}"


def test_a_file_has_no_third_key(demo: Tenant) -> None:
    SigningKey.issue(demo, kid="1")
    more = [{"kid": f"k{n}", "public_key": pem(Ed25519PrivateKey.generate())} for n in range(2)]
    with pytest.raises(
        configuration.Mistakes, match="/tenants/0/signing_keys/1: would be one of more than 2"
    ):
        applied(*more)
