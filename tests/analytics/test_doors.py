"""Who may ask: every path of analytics, by everybody."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client

from chat import access
from chat.models import ApiToken, Mentor, Session, Tenant

from ..expecting import problem
from .conftest import Get

PATHS = {
    "/api/v1/analytics/conversations/": {},
    "/api/v1/analytics/context/keys/": {},
    "/api/v1/analytics/context/values/": {"key": "stateCode"},
    "/api/v1/analytics/breakdown/": {},
    "/api/v1/analytics/coverage/": {"mentor": "coach"},
    "/api/analytics/conversations/": {"date_filter": "all_time"},
    "/api/analytics/messages/": {},
    "/api/ai-analytics/orgs/demo/users/admin/chat-history/": {},
}
each_path = pytest.mark.parametrize("path", PATHS)


@each_path
def test_without_a_token_nothing_is_told(get: Get, cast: list[Session], path: str) -> None:
    assert get(path, None, **PATHS[path]) == (401, problem(401, "authentication_required"))


@each_path
def test_a_session_token_is_not_enough(client: Client, cast: list[Session], path: str) -> None:
    headers = {"Authorization": f"Session {access.session_token(cast[4].pk)}"}
    response = client.get(path, PATHS[path], headers=headers)
    assert (response.status_code, response.json()) == (403, problem(403, "permission_denied"))


@each_path
def test_a_foreign_tenant_is_as_one_that_is_not_there(
    get: Get, cast: list[Session], strangers: Session, path: str
) -> None:
    if "/orgs/" in path:
        asked = [(path.replace("demo", name), {}) for name in ("other", "nobody", "de%00mo")]
    else:
        asked = [(path, {**PATHS[path], "tenant": name}) for name in ("other", "nobody")]
    assert [get(*one, **more) for *one, more in asked] == [(404, problem(404, "not_found"))] * len(asked)


@each_path
def test_a_foreign_mentor_is_as_one_that_is_not_there(
    get: Get, cast: list[Session], strangers: Session, path: str
) -> None:
    for name in (str(strangers.mentor.unique_id), "nobody"):
        assert get(path, **{**PATHS[path], "mentor": name}) == (404, problem(404, "not_found"))


@each_path
def test_an_unknown_parameter_is_refused(get: Get, cast: list[Session], path: str) -> None:
    assert get(path, **PATHS[path], colour="red") == (400, problem(400, "invalid_filter", "?colour"))


def test_a_token_of_one_mentor_counts_that_mentors_sessions(
    get: Get, cast: list[Session], tutor: Mentor
) -> None:
    token = ApiToken.issue(tutor.tenant, scope="read_all", name="tutor's", mentor=tutor)[1]
    assert get("/api/v1/analytics/breakdown/", token)["total"] == {"sessions": 2}
    assert get("/api/v1/analytics/coverage/", token, mentor="coach")[0] == 404
    assert get("/api/v1/analytics/coverage/", token, mentor="tutor")["sessions"] == 2


def test_staff_read_their_tenants_and_superusers_all(
    client: Client, cast: list[Session], strangers: Session, demo: Tenant
) -> None:
    dora = User.objects.create_user("dora", is_staff=True)
    root = User.objects.create_superuser("root")
    dora.tenants.add(demo)
    counts = {}
    for user in (dora, root):
        client.force_login(user)
        counts[user.username] = client.get("/api/v1/analytics/breakdown/").json()["total"]["sessions"]
    assert counts == {"dora": 5, "root": 6}


def test_a_name_that_two_tenants_mentors_have_needs_its_tenant(
    client: Client, cast: list[Session], strangers: Session
) -> None:
    client.force_login(User.objects.create_superuser("root"))
    path = "/api/v1/analytics/coverage/"
    assert client.get(path, {"mentor": "coach"}).json() == problem(400, "invalid_filter", "?tenant")
    assert client.get(path, {"mentor": "coach", "tenant": "demo"}).json()["sessions"] == 3
