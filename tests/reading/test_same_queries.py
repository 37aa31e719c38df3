"""Another tenant's session and a missing one are refused by the same queries."""

from __future__ import annotations

import re
import uuid

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from chat.models import Mentor, Tenant

from .conftest import Caller, make_session

VARIES = re.compile(r"[0-9a-f]{8}(-?[0-9a-f]{4}){3}-?[0-9a-f]{12}|\d{4}-\d\d-\d\d [\d:.+]+|s\d+_x\d+")
PATHS = [
    ("get", "/api/v1/sessions/{}/"),
    ("get", "/api/v1/sessions/{}/context/"),
    ("delete", "/api/v1/sessions/{}/context/"),
    ("get", "/api/v1/sessions/{}/context/diff"),
    ("get", "/api/v1/sessions/{}/context/versions/"),
    ("get", "/api/v1/sessions/{}/context/versions/1/"),
    ("get", "/v1/api_core/conversations/{}/metadata"),
    ("get", "/api/v2/messages/details/?session_id={}"),
    ("get", "/api/ai-mentor/orgs/other/users/alice/sessions/{}/"),
    ("get", "/api/ai-mentor/orgs/other/users/alice/sessions/{}/download-session"),
    ("delete", "/api/ai-mentor/orgs/other/sessions/{}/"),
]


def statements(caller: Caller, method: str, path: str) -> list[str]:
    with CaptureQueriesContext(connection) as queries:
        assert caller(path, method)[0] == 404
    return [VARIES.sub("…", query["sql"]) for query in queries]


@pytest.mark.parametrize(("method", "path"), PATHS)
def test_a_foreign_session_and_a_missing_one_cost_the_same(
    coach: Mentor, mallory: Caller, method: str, path: str
) -> None:
    foreign = statements(mallory, method, path.format(make_session(coach).pk))
    assert foreign == statements(mallory, method, path.format(uuid.uuid4()))
    assert len(foreign) <= 4


@pytest.mark.parametrize(
    "path", ["/api/ai-mentor/orgs/{}/users/alice/sessions/", "/api/v1/{}/coach/alice/sessions/"]
)
def test_a_foreign_tenant_and_a_missing_one_cost_the_same(coach: Mentor, mallory: Caller, path: str) -> None:
    foreign, missing = (statements(mallory, "get", path.format(org)) for org in ("demo", "domo"))
    assert [sql.replace("demo", "domo") for sql in foreign] == missing


def test_a_foreign_mentor_and_a_missing_one_cost_the_same(
    coach: Mentor, other: Tenant, mallory: Caller
) -> None:
    paths = [f"/api/v1/other/{mentor}/alice/sessions/" for mentor in ("coach", "nobod")]
    foreign, missing = (statements(mallory, "get", path) for path in paths)
    assert [sql.replace("coach", "nobod") for sql in foreign] == missing
