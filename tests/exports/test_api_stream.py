"""`GET /api/v1/exports/stream.csv`: the rows at once, with a filter's parameters."""

from __future__ import annotations

import csv
import io
import threading
from typing import Any

import pytest
from django.test import Client

from chat.access import session_token
from chat.models import ApiToken, Mentor, Session, Tenant

from ..children import until
from ..clients import request
from ..expecting import problem
from .cast import many, said

pytestmark = pytest.mark.django_db(transaction=True)
PATH = "/api/v1/exports/stream.csv"


def rows(reply: Any) -> list[list[str]]:
    assert reply.status_code == 200, reply.content
    return list(csv.reader(io.StringIO(b"".join(reply.streaming_content).decode())))


@pytest.fixture
def session(coach: Mentor) -> Session:
    return said(coach, {"year": 2026, "stateCode": "CA"}, {"stateCode": "NY"})


def test_it_has_the_columns_that_were_asked_for(reader: Client, session: Session) -> None:
    query = "columns=type,content,client_context&context_keys=stateCode,year"
    assert rows(reader.get(f"{PATH}?{query}")) == [
        ["type", "content", "client_context", "ctx.stateCode", "ctx.year"],
        ["human", "Question 1?", '{"year":2026,"stateCode":"CA"}', "CA", "2026"],
        ["ai", "Answer 1.", '{"year":2026,"stateCode":"CA"}', "CA", "2026"],
        ["human", "Question 2?", '{"stateCode":"NY"}', "NY", ""],
        ["ai", "Answer 2.", '{"stateCode":"NY"}', "NY", ""],
    ]


def test_it_has_the_messages_that_are_meant(reader: Client, session: Session) -> None:
    query = "message_context.stateCode=NY&role=mentor&columns=content"
    assert rows(reader.get(f"{PATH}?{query}")) == [["content"], ["Answer 2."]]


def test_it_has_a_row_for_each_session_if_asked(reader: Client, session: Session) -> None:
    query = "grain=session&columns=session_id,client_context,messages"
    assert rows(reader.get(f"{PATH}?{query}"))[1:] == [[str(session.id), '{"stateCode":"NY"}', "4"]]


def test_formulas_are_quoted_unless_the_asker_says_otherwise(reader: Client, session: Session) -> None:
    session.messages.filter(sequence=1).update(content="=1+1")
    session.messages.filter(sequence=2).update(content="-5")
    safe = rows(reader.get(f"{PATH}?columns=content"))
    assert [row[0] for row in safe[1:3]] == ["'=1+1", "-5"]
    plain = rows(reader.get(f"{PATH}?columns=content&formula_safety=false"))
    assert plain[1] == ["=1+1"]


def test_a_byte_order_mark_comes_if_asked(reader: Client, session: Session) -> None:
    begins = b"".join(reader.get(f"{PATH}?bom=true&columns=content").streaming_content)[:10]
    assert begins == b"\xef\xbb\xbfcontent"


def test_it_is_saved_and_never_shown(reader: Client, session: Session) -> None:
    reply = reader.get(PATH)
    assert reply["Content-Disposition"].startswith('attachment; filename="messages-')
    assert (reply["X-Content-Type-Options"], reply["Content-Type"]) == ("nosniff", "text/csv; charset=utf-8")


def test_a_stranger_gets_none_of_it(mallory: Client, session: Session) -> None:
    assert len(rows(mallory.get(PATH))) == 1
    assert mallory.get(f"{PATH}?tenant=demo").json() == problem(404, "not_found")


def test_without_a_token_it_is_401_and_with_a_session_token_403(nobody: Client, session: Session) -> None:
    assert nobody.get(PATH).json() == problem(401, "authentication_required")
    nobody.defaults["HTTP_AUTHORIZATION"] = f"Session {session_token(session.id)}"
    assert nobody.get(PATH).json() == problem(403, "permission_denied")


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("colour=red", "?colour"),
        ("columns=colour", "?columns"),
        ("columns=content,content", "?columns"),
        ("context_keys=a__gt", "?context_keys"),
        ("grain=word", "?grain"),
        ("bom=yes", "?bom"),
        ("format=parquet", "?format"),
        ("context.a__near=1", "?context.a__near"),
        ("user=%00", "?user"),
    ],
)
def test_a_mistake_is_told_before_the_first_row(reader: Client, query: str, pointer: str) -> None:
    reply = reader.get(f"{PATH}?{query}")
    assert (reply.status_code, reply.json()) == (400, problem(400, "invalid_filter", pointer))


# --- over the wire


def test_a_real_server_sends_it_piece_by_piece(live: str, coach: Mentor) -> None:
    many(coach, 20, 100, "Words. " * 200)
    secret = ApiToken.issue(coach.tenant, scope="read_all", name="r")[1]
    reply = request(live, "GET", f"{PATH}?columns=content", headers={"Authorization": f"Token {secret}"})
    first = reply.read(1000)
    assert reply.getheader("Transfer-Encoding") == "chunked"
    assert (first + reply.read()).count(b"\n") == 2001


def test_a_reader_that_goes_away_leaves_nothing_behind(live: str, coach: Mentor) -> None:
    many(coach, 20, 25, "Words. " * 2000)
    headers = {"Authorization": f"Token {ApiToken.issue(coach.tenant, scope='read_all', name='r')[1]}"}
    for _ in range(12):  # more than may be under way at once
        reply = request(live, "GET", PATH, headers=headers)
        assert reply.status == 200
        reply.read(10)
        reply.close()
        assert until(lambda: "export-feed" not in [one.name for one in threading.enumerate()], 5)


def test_the_tenant_of_a_superuser_is_named(demo: Tenant, admin_client: Client) -> None:
    assert admin_client.get(PATH).json() == problem(400, "invalid_filter", "?tenant")
    assert admin_client.get(f"{PATH}?tenant=demo").status_code == 200
