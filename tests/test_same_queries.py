"""What is not yours costs the same queries as what is not there: no clock and no counter tells them apart."""

from __future__ import annotations

import contextlib
import re
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext

from chat import access
from chat.errors import ChatError
from chat.models import ChatMessageHistory, Mentor, Session, Tenant, statements


def statements_of(call: Callable[[], object]) -> list[str]:
    """The SQL of a call that is refused, less the ids and times in it."""
    with CaptureQueriesContext(connection) as queries, prepared() as more, pytest.raises(ChatError):
        call()
    varies = re.compile(r"[0-9a-f]{8}(-?[0-9a-f]{4}){3}-?[0-9a-f]{12}|\d{4}-\d\d-\d\d [\d:.+]+")
    return [varies.sub("…", sql) for sql in [*(query["sql"] for query in queries), *more]]


@contextlib.contextmanager
def prepared() -> Iterator[list[str]]:
    """PostgreSQL's prepared statements, which Django does not see, as they are run."""
    seen, run = list[str](), statements._prepared

    def noted(sql: str, params: statements.Params) -> list[Any]:
        seen.append(f"{sql} {params}")
        return run(sql, params)

    statements._prepared = noted
    try:
        yield seen
    finally:
        statements._prepared = run


@pytest.mark.parametrize("kind", ["token", "staff", "anonymous"])
def test_a_foreign_session_and_a_missing_one_cost_the_same_queries(
    coach: Mentor, other: Tenant, kind: str
) -> None:
    foreign = Session.objects.create(id=uuid.uuid4(), tenant=coach.tenant, mentor=coach, user_id="alice")
    token = access.TokenFacts(1, "mallory", other.id, None, "write_all")
    caller = {
        "token": access.token_caller(token, None),
        "staff": access.staff_caller(User.objects.create_user("eve", is_staff=True)),
        "anonymous": access.anonymous_caller(""),
    }[kind]
    one = statements_of(lambda: access.access_session(caller, foreign.id))
    assert one == statements_of(lambda: access.access_session(caller, uuid.uuid4()))
    assert len(one) == 1


@pytest.mark.parametrize("session_token", ["", "guessed"])
@pytest.mark.parametrize("token", ["", "mallory"])
def test_a_foreign_answer_and_a_missing_one_cost_the_same_queries(
    coach: Mentor, others_token: str, session_token: str, token: str
) -> None:
    session = Session.objects.create(id=uuid.uuid4(), tenant=coach.tenant, mentor=coach, anonymous=True)
    answer = ChatMessageHistory.objects.create(session=session, sequence=2, role="mentor")
    who = access.Credentials(token=token and others_token, session_token=session_token)
    one = statements_of(lambda: access.access_answer(who, answer.id))
    assert one == statements_of(lambda: access.access_answer(who, uuid.uuid4()))
    assert len(one) == 1 + bool(token)


def test_a_foreign_mentor_and_a_missing_one_cost_the_same_queries(tutor: Mentor, others_token: str) -> None:
    for who in [access.Credentials(), access.Credentials(token=others_token)]:
        foreign = statements_of(lambda who=who: access.access_mentor(who, "demo", "tutor", ""))
        missing = statements_of(lambda who=who: access.access_mentor(who, "demo", "nobod", ""))
        assert [sql.replace("tutor", "nobod") for sql in foreign] == missing
