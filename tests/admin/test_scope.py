"""Who sees what: a member of staff the rows of their tenants, a stranger none of them, a superuser all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from chat.models import ApiToken, Mentor, Refusal, Tenant

from .conftest import Told, message_address, staff_of

MODELS = ["tenant", "mentor", "apitoken", "session", "chatmessagehistory", "refusal"]


@pytest.fixture
def theirs(coach: Mentor, tell: Callable[..., Told]) -> dict[str, Any]:
    """A row of each model that is demo's."""
    told = tell().context('{"stateCode":"CA"}').say("a secret question")
    token, _ = ApiToken.issue(coach.tenant, scope="read_all", name="demo-backend")
    refusal = Refusal.objects.create(
        tenant=coach.tenant, mentor=coach, day=timezone.now().date(), count=1, last_at=timezone.now()
    )
    rows = [coach.tenant, coach, token, told.session, told.last, refusal]
    return dict(zip(MODELS, rows, strict=True))


def rows_of(client: Client, model: str, query: str = "") -> list[Any]:
    response = client.get(f"/admin/chat/{model}/{query}")
    assert response.status_code == 200
    return list(response.context["cl"].result_list)


@pytest.mark.parametrize("model", MODELS)
def test_a_stranger_is_shown_no_list_of_it(
    theirs: dict[str, Any], alice: Client, mallory: Client, model: str
) -> None:
    assert theirs[model] in rows_of(alice, model)
    assert theirs[model] not in rows_of(mallory, model)


@pytest.mark.parametrize("page", ["change", "history"])
@pytest.mark.parametrize("model", MODELS)
def test_a_strangers_page_is_the_page_of_what_is_not_there(
    theirs: dict[str, Any], mallory: Client, model: str, page: str
) -> None:
    response = mallory.get(f"/admin/chat/{model}/{theirs[model].pk}/{page}/", follow=True)
    assert response.redirect_chain == [("/admin/", 302)]
    assert "doesn’t exist" in response.content.decode()
    assert "secret question" not in response.content.decode()


@pytest.mark.parametrize("model", MODELS)
def test_a_stranger_deletes_nothing(theirs: dict[str, Any], mallory: Client, model: str) -> None:
    assert mallory.post(f"/admin/chat/{model}/{theirs[model].pk}/delete/", {"post": "yes"}).status_code == 403
    theirs[model].refresh_from_db()


@pytest.mark.parametrize("model", MODELS)
def test_a_member_opens_it(theirs: dict[str, Any], alice: Client, model: str) -> None:
    assert alice.get(f"/admin/chat/{model}/{theirs[model].pk}/change/").status_code == 200


@pytest.mark.parametrize("model", MODELS)
def test_a_superuser_sees_all(theirs: dict[str, Any], root: Client, model: str) -> None:
    assert theirs[model] in rows_of(root, model)
    assert root.get(f"/admin/chat/{model}/{theirs[model].pk}/change/").status_code == 200


@pytest.mark.parametrize("model", MODELS)
def test_staff_without_a_tenant_see_nothing(theirs: dict[str, Any], model: str) -> None:
    assert rows_of(staff_of("nobody"), model) == []


@pytest.mark.parametrize("model", ["session", "chatmessagehistory"])
@pytest.mark.parametrize("term", ["session", "message", "user"])
def test_a_stranger_finds_nothing(
    theirs: dict[str, Any], alice: Client, mallory: Client, model: str, term: str
) -> None:
    session, message = theirs["session"], theirs["chatmessagehistory"]
    query = {"session": str(session.pk), "message": str(message.pk), "user": "bob"}[term]
    assert rows_of(alice, model, f"?q={query}") == [theirs[model]]
    assert rows_of(mallory, model, f"?q={query}") == []


@pytest.mark.parametrize(
    ("model", "term"), [("tenant", "demo"), ("mentor", "coach"), ("apitoken", "backend")]
)
def test_a_stranger_finds_no_name(
    theirs: dict[str, Any], alice: Client, mallory: Client, model: str, term: str
) -> None:
    assert rows_of(alice, model, f"?q={term}") == [theirs[model]]
    assert rows_of(mallory, model, f"?q={term}") == []


@pytest.mark.parametrize("model", ["mentor", "apitoken", "session"])
def test_filters_name_nothing_of_a_stranger(theirs: dict[str, Any], mallory: Client, model: str) -> None:
    page = mallory.get(f"/admin/chat/{model}/").content.decode()
    assert "demo" not in page
    assert rows_of(mallory, model, f"?tenant={theirs['tenant'].pk}") == []


def test_the_filter_on_mentors_shows_nothing_of_a_stranger(theirs: dict[str, Any], mallory: Client) -> None:
    assert rows_of(mallory, "session", f"?mentor={theirs['mentor'].pk}") == []


def test_choices_are_of_ones_own_tenants(theirs: dict[str, Any], mallory: Client, tutor: Mentor) -> None:
    form = mallory.get("/admin/chat/apitoken/add/").context["adminform"].form
    assert list(form.fields["tenant"].queryset) == [tutor.tenant]
    assert list(form.fields["mentor"].queryset) == [tutor]


@pytest.mark.parametrize(
    ("model", "field", "target"),
    [
        ("apitoken", "tenant", "tenant"),
        ("apitoken", "mentor", "mentor"),
        ("chatmessagehistory", "session", "session"),
    ],
)
def test_completion_offers_nothing_of_a_stranger(
    theirs: dict[str, Any], alice: Client, mallory: Client, model: str, field: str, target: str
) -> None:
    address = f"/admin/autocomplete/?app_label=chat&model_name={model}&field_name={field}"
    ids = [row["id"] for row in alice.get(address).json()["results"]]
    assert ids == [str(theirs[target].pk)]
    assert str(theirs[target].pk) not in mallory.get(address).content.decode()


def test_a_foreign_tenant_cannot_be_posted(theirs: dict[str, Any], mallory: Client) -> None:
    form = {"tenant": theirs["tenant"].pk, "name": "mine now", "scope": "write_all"}
    response = mallory.post("/admin/chat/apitoken/add/", form)
    assert "Select a valid choice" in response.content.decode()
    assert not ApiToken.objects.filter(name="mine now").exists()


def test_a_stranger_cannot_revoke(theirs: dict[str, Any], mallory: Client) -> None:
    token = theirs["apitoken"]
    form = {"action": "revoke", "_selected_action": token.pk, "confirmed": "Revoke"}
    mallory.post("/admin/chat/apitoken/", form)
    token.refresh_from_db()
    assert token.revoked_at is None


def test_only_superusers_say_who_is_a_member(alice: Client, demo: Tenant) -> None:
    form = {"key": "renamed", "name": "New name", "time_zone": "UTC", "secrets": "keep", "members": []}
    alice.post(f"/admin/chat/tenant/{demo.pk}/change/", form)
    demo.refresh_from_db()
    assert (demo.key, demo.name, demo.members.count()) == ("demo", "New name", 1)
    assert alice.get("/admin/chat/tenant/add/").status_code == 403


def test_membership_alone_opens_nothing(demo: Tenant, tell: Callable[..., Told]) -> None:
    client = staff_of("carol", demo)
    User.objects.get(username="carol").user_permissions.clear()
    told = tell().say("hello")
    assert client.get(told.address).status_code == 403
    assert client.get(message_address(told.last)).status_code == 403
