"""Tenants at the admin: the keys that are counted ahead."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from chat.models import Tenant


def save(client: Client, tenant: Tenant, pinned_keys: str) -> Any:
    form = {"name": tenant.name, "time_zone": tenant.time_zone, "secrets": "keep"}
    form["pinned_keys"] = pinned_keys
    return client.post(f"/admin/chat/tenant/{tenant.pk}/change/", form)


def test_keys_are_pinned(alice: Client, demo: Tenant) -> None:
    assert save(alice, demo, '["plan", "order.items.0", "\\"a.b\\""]').status_code == 302
    demo.refresh_from_db()
    assert demo.pinned_keys == ["plan", "order.items.0", '"a.b"']


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        ('"plan"', "This must be a list of strings."),
        ('["plan", "plan"]', "At most 8 keys may be pinned, each once."),
        ('["plan__gt"]', "'plan__gt' must be written as plan."),
        ('["a..b"]', "'a..b' must be a key as filters write it, such as order.region."),
        ('["plan"', "Line 1, column 8: Expecting ',' delimiter."),
    ],
)
def test_what_cannot_be_pinned_is_told(alice: Client, demo: Tenant, keys: str, sentence: str) -> None:
    page = save(alice, demo, keys)
    assert page.context["adminform"].form.errors["pinned_keys"] == [sentence]
    demo.refresh_from_db()
    assert demo.pinned_keys == []
