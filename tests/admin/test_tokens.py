"""Tokens: the secret is shown once, what it opens never changes, and revoking asks first."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client

from chat import access
from chat.errors import AuthenticationFailed
from chat.models import ApiToken, Mentor, Tenant

ADD = "/admin/chat/apitoken/add/"


def issue(client: Client, tenant: Tenant, **more: Any) -> Any:
    return client.post(ADD, {"tenant": tenant.pk, "name": "backend", "scope": "write_all", **more})


def secret_on(response: Any) -> str:
    found = re.search(r'value="(mk_[\w-]+)"', response.content.decode())
    assert found
    return found[1]


def test_the_secret_on_the_page_is_the_tokens(alice: Client, demo: Tenant) -> None:
    secret = secret_on(issue(alice, demo))
    token = ApiToken.objects.get()
    assert token.digest == ApiToken.digest_of(secret)
    assert (token.tenant, token.scope, token.prefix) == (demo, "write_all", secret[:8])


def test_the_secret_is_shown_once_and_kept_nowhere(alice: Client, demo: Tenant) -> None:
    response = issue(alice, demo)
    secret, token = secret_on(response), ApiToken.objects.get()
    assert "no-store" in response["Cache-Control"]
    assert secret not in str(alice.cookies)
    for path in ("", f"{token.pk}/change/", f"{token.pk}/history/"):
        page = alice.get(f"/admin/chat/apitoken/{path}").content.decode()
        assert secret not in page
        assert token.digest not in page


def test_a_tokens_page_shows_what_it_may_and_not_its_digest(alice: Client, demo: Tenant) -> None:
    token, _ = ApiToken.issue(demo, scope="read_all", name="reader")
    page = alice.get(f"/admin/chat/apitoken/{token.pk}/change/").content.decode()
    assert f"{token.prefix}…" in page
    assert ">read<" in page
    assert "good" in page


def test_a_mentor_of_another_tenant_is_refused(root: Client, demo: Tenant, tutor: Mentor) -> None:
    response = issue(root, demo, mentor=tutor.pk)
    assert "This mentor belongs to another tenant." in response.content.decode()
    assert not ApiToken.objects.exists()


def test_what_a_token_opens_never_changes(alice: Client, demo: Tenant, coach: Mentor) -> None:
    token, _ = ApiToken.issue(demo, scope="read_all", name="reader", mentor=coach)
    form = {"name": "renamed", "scope": "write_all", "mentor": "", "digest": "0" * 64, "revoked_at": ""}
    alice.post(f"/admin/chat/apitoken/{token.pk}/change/", form)
    stored = ApiToken.objects.get()
    assert (stored.name, stored.scope, stored.mentor) == ("renamed", "read_all", coach)
    assert stored.digest == token.digest


def test_revoking_asks_first(alice: Client, demo: Tenant) -> None:
    token, _ = ApiToken.issue(demo, scope="read_all", name="old server")
    form = {"action": "revoke", "_selected_action": token.pk}
    page = alice.post("/admin/chat/apitoken/", form).content.decode()
    assert "old server" in page
    token.refresh_from_db()
    assert token.revoked_at is None


def test_a_revoked_token_is_refused(alice: Client, demo: Tenant) -> None:
    token, secret = ApiToken.issue(demo, scope="read_all", name="old server")
    form = {"action": "revoke", "_selected_action": token.pk, "confirmed": "Revoke"}
    alice.post("/admin/chat/apitoken/", form)
    with pytest.raises(AuthenticationFailed):
        access.access_caller(access.Credentials(token=secret))
    assert "revoked" in alice.get("/admin/chat/apitoken/").content.decode()


def test_revoking_needs_the_permission_to_change(alice: Client, demo: Tenant) -> None:
    from django.contrib.auth.models import Permission, User

    token, _ = ApiToken.issue(demo, scope="read_all", name="backend")
    viewing = Permission.objects.filter(codename="view_apitoken")
    User.objects.get(username="alice").user_permissions.set(viewing)
    form = {"action": "revoke", "_selected_action": token.pk, "confirmed": "Revoke"}
    alice.post("/admin/chat/apitoken/", form)
    token.refresh_from_db()
    assert token.revoked_at is None


@pytest.mark.parametrize("lookup", ["digest__startswith=0", "prefix=mk_", "tenant__name=Demo"])
def test_nobody_feels_for_a_digest_by_the_address(alice: Client, lookup: str) -> None:
    assert alice.get(f"/admin/chat/apitoken/?{lookup}").status_code == 400


def test_only_superusers_delete_a_token(alice: Client, root: Client, demo: Tenant) -> None:
    token, _ = ApiToken.issue(demo, scope="read_all", name="backend")
    address = f"/admin/chat/apitoken/{token.pk}/delete/"
    assert alice.post(address, {"post": "yes"}).status_code == 403
    root.post(address, {"post": "yes"})
    assert not ApiToken.objects.exists()
