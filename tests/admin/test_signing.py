"""Signing keys: a secret is shown once, a public key is pasted, revoking asks first."""

from __future__ import annotations

import re
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.test import Client

from chat.models import SigningKey, Tenant

from ..signed.signing import pem_of

HOME = "/admin/chat/signingkey/"


def add(client: Client, tenant: Tenant, algorithm: str, **more: Any) -> Any:
    return client.post(f"{HOME}add/", {"tenant": tenant.pk, "kid": "k1", "algorithm": algorithm, **more})


def test_a_secret_is_made_and_shown_once(alice: Client, demo: Tenant) -> None:
    answer = add(alice, demo, "HS256")
    found = re.search(r'value="(msk_[\w-]+)"', answer.content.decode())
    key = SigningKey.objects.get()
    assert found
    assert (key.tenant, key.algorithm, key.material) == (demo, "HS256", found[1])
    assert "no-store" in answer["Cache-Control"]
    for path in ("", f"{key.pk}/change/", f"{key.pk}/history/"):
        assert key.material not in alice.get(HOME + path).content.decode()


def test_a_public_key_is_pasted_and_shown(alice: Client, demo: Tenant) -> None:
    pem = pem_of(Ed25519PrivateKey.generate())
    assert add(alice, demo, "EdDSA", material=f"\n{pem}\n").status_code == 302
    key = SigningKey.objects.get()
    assert (key.algorithm, key.material) == ("EdDSA", pem)
    assert pem.splitlines()[1] in alice.get(f"{HOME}{key.pk}/change/").content.decode()


@pytest.mark.parametrize(
    ("algorithm", "more", "said"),
    [
        ("EdDSA", {}, "not the PEM of an Ed25519 public key"),
        ("EdDSA", {"material": "-----BEGIN PRIVATE KEY-----"}, "This is a private key"),
        ("HS256", {"material": "mine"}, "A secret is made here"),
        ("none", {}, "Select a valid choice"),
        ("HS256", {"kid": "a b"}, "letters, digits"),
    ],
)
def test_what_is_wrong_is_said(
    alice: Client, demo: Tenant, algorithm: str, more: dict[str, str], said: str
) -> None:
    assert said in add(alice, demo, algorithm, **more).content.decode()
    assert not SigningKey.objects.exists()


def test_a_third_key_waits_for_one_to_be_revoked(alice: Client, demo: Tenant) -> None:
    for kid in ("a", "b"):
        SigningKey.issue(demo, kid=kid)
    assert "revoke one first" in add(alice, demo, "HS256").content.decode()


def test_a_key_never_changes(alice: Client, demo: Tenant) -> None:
    key, secret = SigningKey.issue(demo, kid="k1")
    alice.post(
        f"{HOME}{key.pk}/change/", {"kid": "k2", "algorithm": "EdDSA", "material": "x", "revoked_at": ""}
    )
    key.refresh_from_db()
    assert (key.kid, key.algorithm, key.material) == ("k1", "HS256", secret)


def test_revoking_asks_first(alice: Client, demo: Tenant) -> None:
    key, _ = SigningKey.issue(demo, kid="k1")
    chosen = {"action": "revoke", "_selected_action": [key.pk]}
    assert "Revoke signing keys" in alice.post(HOME, chosen).content.decode()
    assert SigningKey.valid(demo.pk).exists()
    alice.post(HOME, {**chosen, "confirmed": "Revoke"})
    assert not SigningKey.valid(demo.pk).exists()


def test_another_tenants_keys_are_not_there(mallory: Client, demo: Tenant) -> None:
    key, secret = SigningKey.issue(demo, kid="k1")
    for path in ("", f"{key.pk}/change/"):
        page = mallory.get(HOME + path, follow=True).content.decode()
        assert secret not in page
        assert "HS256</td>" not in page
    mallory.post(HOME, {"action": "revoke", "_selected_action": [key.pk], "confirmed": "Revoke"})
    assert SigningKey.valid(demo.pk).exists()
    assert "Select a valid choice" in add(mallory, demo, "HS256").content.decode()


def test_no_lookup_feels_for_a_secret(alice: Client, demo: Tenant) -> None:
    SigningKey.issue(demo, kid="k1")
    assert alice.get(f"{HOME}?material__startswith=msk_").status_code in (302, 400)
