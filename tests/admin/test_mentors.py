"""Mentors: forms that refuse what the doors would, and every version of what decides a prompt."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from chat.models import Mentor, Tenant

from .conftest import Told


def form_of(mentor: Mentor, **more: Any) -> dict[str, Any]:
    """What the mentor's page posts when nothing was changed."""
    form = {
        "name": mentor.name,
        "slug": mentor.slug,
        "is_active": "on",
        "system_prompt": mentor.system_prompt,
        "greeting_method": mentor.greeting_method,
        "starter_prompts": "[]",
        "model_parameters": "{}",
        "history_window": "20",
        "context_delivery": mentor.context_delivery,
        "schema_mode": mentor.schema_mode,
        "anonymous_continuation": mentor.anonymous_continuation,
        "allowed_origins": "[]",
    }
    return form | more


def save(client: Client, mentor: Mentor, **more: Any) -> Any:
    return client.post(f"/admin/chat/mentor/{mentor.pk}/change/", form_of(mentor, **more))


def errors(client: Client, mentor: Mentor, field: str, text: str) -> list[str]:
    response = save(client, mentor, **{field: text})
    assert response.status_code == 200
    found: list[str] = response.context["adminform"].form.errors.get(field, [])
    return found


def test_a_mentor_is_added(alice: Client, demo: Tenant) -> None:
    blank = Mentor(slug="maths", name="Maths")
    alice.post("/admin/chat/mentor/add/", form_of(blank, tenant=demo.pk, starter_prompts='["Quiz me"]'))
    mentor = Mentor.objects.get()
    assert (mentor.tenant, mentor.slug, mentor.starter_prompts, mentor.version) == (
        demo,
        "maths",
        ["Quiz me"],
        1,
    )


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{'a': 1}", "Line 1, column 2: Expecting property name enclosed in double quotes."),
        ('{\n  "a": 1,,\n}', "Line 2, column 10: Expecting property name enclosed in double quotes."),
        ('{"a": NaN}', "/a: A number must be finite and of at most 310 digits."),
        ('{"a": 1e400}', "/a: A number must be finite and of at most 310 digits."),
        ('{"a": 1, "a": 2}', "/a: This key occurs twice in its object."),
        ('{"a": "\\u0000"}', "/a: Text must not contain NUL or half of a surrogate pair."),
        ("[" * 100_000, "This is nested deeper than 16 levels."),
        ('{"n": ' + "9" * 5000 + "}", "A number here is too long."),
        ("[1]", "This must be an object."),
        ("null", "This must not be null."),
        ('{"stream": false}', "/stream: This is not a parameter, each turn sets it."),
        ('{}, "b": {}', "Line 1, column 3: Extra data."),
    ],
    ids=lambda value: value[:20],
)
def test_bad_model_parameters_are_told(alice: Client, coach: Mentor, text: str, sentence: str) -> None:
    assert errors(alice, coach, "model_parameters", text) == [sentence]
    assert Mentor.objects.get().model_parameters == {}


def test_what_was_typed_is_shown_again(alice: Client, coach: Mentor) -> None:
    page = save(alice, coach, model_parameters='{"temperature": NaN}').content.decode()
    assert "{&quot;temperature&quot;: NaN}</textarea>" in page


def test_starter_prompts_are_strings(alice: Client, coach: Mentor) -> None:
    assert errors(alice, coach, "starter_prompts", "[1]") == ["This must be a list of strings."]
    assert errors(alice, coach, "starter_prompts", '"Quiz me"') == ["This must be a list of strings."]


def test_an_origin_has_no_path(alice: Client, coach: Mentor) -> None:
    assert errors(alice, coach, "allowed_origins", '["*", "https://a.example", "https://b.example/"]') == [
        "'https://b.example/' is not an origin such as https://example.org, or *."
    ]


def test_an_emptied_field_is_empty_and_not_null(alice: Client, coach: Mentor) -> None:
    save(alice, coach, model_parameters="", starter_prompts=" ", allowed_origins="")
    mentor = Mentor.objects.get()
    assert (mentor.model_parameters, mentor.starter_prompts, mentor.allowed_origins) == ({}, [], [])


def test_another_mentors_slug_is_refused(alice: Client, coach: Mentor, demo: Tenant) -> None:
    Mentor(tenant=demo, slug="taken", name="First").save()
    assert errors(alice, coach, "slug", "taken") == ["Another mentor of this tenant has this slug."]


def test_a_mentor_stays_with_its_tenant(root: Client, coach: Mentor, other: Tenant) -> None:
    save(root, coach, tenant=other.pk)
    assert Mentor.objects.get().tenant == coach.tenant


def test_saving_a_prompt_makes_a_version_that_says_what_changed(alice: Client, coach: Mentor) -> None:
    save(alice, coach, system_prompt="You coach.\nBriefly.", model_parameters='{"temperature": 0.2}')
    versions = alice.get(f"/admin/chat/mentor/{coach.pk}/change/").context["versions"]
    newest, first = versions
    assert (newest.version.number, first.version.number) == (2, 1)
    changes = [(change.sign, change.word, change.label, change.after) for change in newest.changes]
    assert changes == [
        ("±", "changed", "system_prompt", "You coach.\nBriefly."),
        ("+", "added", "model_parameters › temperature", "0.2"),
    ]


def test_saving_without_a_change_makes_no_version(alice: Client, coach: Mentor) -> None:
    save(alice, coach, description="For licensing.")
    assert (Mentor.objects.get().description, coach.versions.count()) == ("For licensing.", 1)


def test_the_oldest_versions_are_counted(alice: Client, coach: Mentor) -> None:
    for number in range(24):
        coach.system_prompt = f"Prompt {number}"
        coach.save()
    response = alice.get(f"/admin/chat/mentor/{coach.pk}/change/")
    assert [one.version.number for one in response.context["versions"]] == list(range(25, 5, -1))
    assert "5 older." in response.content.decode()


def test_a_mentor_with_sessions_is_not_deleted(root: Client, coach: Mentor) -> None:
    Told(coach)
    for address in (f"mentor/{coach.pk}", f"tenant/{coach.tenant_id}"):
        assert root.post(f"/admin/chat/{address}/delete/", {"post": "yes"}).status_code == 403


def test_a_mentor_without_sessions_is_deleted_by_superusers_only(
    alice: Client, root: Client, coach: Mentor
) -> None:
    address = f"/admin/chat/mentor/{coach.pk}/delete/"
    assert alice.post(address, {"post": "yes"}).status_code == 403
    root.post(address, {"post": "yes"})
    assert not Mentor.objects.exists()
