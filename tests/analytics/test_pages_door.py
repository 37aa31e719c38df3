"""Who may look at the pages, and under which policy."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.contrib.staticfiles import finders
from django.test import Client

from chat.models import Session

from ..test_pages import Tags
from .looking import Page

PATHS = [
    "/analytics/?metric=sessions",
    "/analytics/values/?key=stateCode",
    "/analytics/coverage/?mentor=coach",
]


def every_path(session: Session) -> list[str]:
    return [*PATHS, f"/analytics/sessions/{session.pk}/"]


def test_whoever_is_not_signed_in_is_sent_to_the_admins_door(client: Client, cast: list[Session]) -> None:
    for path in every_path(cast[0]):
        assert Page(client, path).location.startswith("/admin/login/?next=/analytics/")


def test_a_user_who_is_not_staff_is_sent_there_too(client: Client, cast: list[Session]) -> None:
    client.force_login(User.objects.create_user("eve"))
    for path in every_path(cast[0]):
        assert Page(client, path).location.startswith("/admin/login/?next=/analytics/")


def test_a_member_of_staff_sees_every_page(dora: Client, cast: list[Session]) -> None:
    assert [Page(dora, path).status for path in every_path(cast[0])] == [200] * 4


def test_a_strangers_session_is_as_one_that_is_not_there(
    dora: Client, cast: list[Session], strangers: Session
) -> None:
    theirs = Page(dora, f"/analytics/sessions/{strangers.pk}/")
    nobodys = Page(dora, "/analytics/sessions/00000000-0000-4000-8000-000000000000/")
    assert (theirs.status, theirs.source) == (404, nobodys.source)


@pytest.mark.parametrize(
    "query",
    [
        "?tenant=other",
        "?tenant=nobody",
        "?mentor=nobody",
        "?tenant=other&mentor=coach",
        "?metric=sessions&tenant=de%00mo",
    ],
)
def test_a_foreign_name_is_as_one_that_is_not_there(
    dora: Client, cast: list[Session], strangers: Session, query: str
) -> None:
    wanted = 400 if "%00" in query else 404
    assert Page(dora, f"/analytics/{query}").status == wanted
    if "mentor" in query:
        assert Page(dora, f"/analytics/coverage/{query}").status == 404


def test_nothing_of_a_stranger_is_counted_or_named(
    dora: Client, cast: list[Session], strangers: Session
) -> None:
    for path in every_path(cast[0]):
        source = Page(dora, path).source
        assert "secretKey" not in source and "mallory" not in source and ">Other<" not in source


def test_a_superuser_counts_every_tenant(client: Client, cast: list[Session], strangers: Session) -> None:
    client.force_login(User.objects.create_superuser("root"))
    assert Page(client, "/analytics/?metric=sessions").tiles["Sessions"] == "6"
    assert Page(client, "/analytics/", tenant="other").tiles["Sessions"] == "1"


def test_the_policy_allows_nothing_but_our_own_files(dora: Client, cast: list[Session]) -> None:
    for path in every_path(cast[0]):
        assert Page(dora, path).headers["Content-Security-Policy"] == (
            "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
            "base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
        )


def test_no_page_has_a_script_or_style_within_it(dora: Client, cast: list[Session]) -> None:
    for path in every_path(cast[0]):
        tags = Tags(Page(dora, path).source)
        inline = [script["type"] for script in tags.named("script") if "src" not in script]
        assert set(inline) <= {"application/json"} and tags.named("style") == []
        names = {name for _, attributes in tags.found for name in attributes}
        assert not [name for name in names if name == "style" or name.startswith("on")]


def test_every_file_that_a_page_names_is_there(dora: Client, cast: list[Session]) -> None:
    tags = Tags(Page(dora, PATHS[0]).source)
    named: list[Any] = [tag.get("src") or tag.get("href") or "" for _, tag in tags.found]
    files = [name.removeprefix("/static/") for name in named if name.startswith("/static/")]
    assert "vendor/uplot/uPlot.iife.min.js" in files
    assert [file for file in files if finders.find(file) is None] == []


def test_only_reading_is_answered(dora: Client, cast: list[Session]) -> None:
    assert [dora.post(path).status_code for path in every_path(cast[0])] == [405] * 4


def test_the_admin_leads_to_analytics_and_back(client: Client, cast: list[Session]) -> None:
    client.force_login(User.objects.create_superuser("root"))
    assert Page(client, "/admin/").link("Analytics") == "/analytics/"
    assert Page(client, PATHS[0]).link("Admin") == "/admin/"
