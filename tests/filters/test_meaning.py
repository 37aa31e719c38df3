"""What a condition means: the same to a value at hand, to both databases, and to a second reading of the page."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chat.filters import Condition, matches, parse
from chat.filters.conditions import OPERATORS, loads
from chat.models import Mentor, Session
from chat.models.conditions import Holds

from .jsons import condition_on, context
from .oracle import holds

on_rows = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@st.composite
def contexts_and_condition(draw: st.DrawFn) -> tuple[list[str], Condition]:
    contexts = draw(st.lists(context, min_size=1, max_size=3))
    return contexts, draw(condition_on(draw(st.sampled_from(contexts)), OPERATORS))


@settings(max_examples=300, deadline=None)
@given(contexts_and_condition())
def test_a_value_at_hand_is_judged_as_the_oracle_says(drawn: tuple[list[str], Condition]) -> None:
    contexts, condition = drawn
    for document in contexts:
        assert matches(loads(document), condition) is holds(document, condition), document


@on_rows
@given(drawn=contexts_and_condition())
def test_the_database_finds_what_the_oracle_says(coach: Mentor, drawn: tuple[list[str], Condition]) -> None:
    contexts, condition = drawn
    found = found_by_rows(coach, contexts, condition)
    assert found == [holds(document, condition) for document in contexts], contexts


def found_by_rows(mentor: Mentor, contexts: list[str], condition: Condition) -> list[bool]:
    Session.objects.all().delete()
    rows = [Session(id=uuid.uuid4(), tenant=mentor.tenant, mentor=mentor) for _ in contexts]
    Session.objects.bulk_create(rows)
    # As text, as the turn stores it: its numbers keep their spelling.
    kind = "jsonb" if connection.vendor == "postgresql" else "text"
    with connection.cursor() as cursor:
        for row, document in zip(rows, contexts, strict=True):
            cursor.execute(
                f"UPDATE chat_session SET metadata = CAST(%s AS {kind}) WHERE id = %s",
                [
                    f'{{"client_context":{document},"other":{{"a":1}}}}',
                    row.pk if kind == "jsonb" else row.pk.hex,
                ],
            )
    holding = Session.objects.filter(Holds("metadata", condition, within="client_context"))
    ids = set(holding.values_list("pk", flat=True))
    return [row.pk in ids for row in rows]


# --- a table to read


CASES = [
    # the context, the parameters it is meant by, and some that it is not meant by
    ({"k": "CA"}, "k=CA k__in=CA,NY k__ne=NY k__gt=C k__lt=CB k__contains=A k__startswith=C k__type=string",
     "k=ca k=C k__in=C,A k__ne=CA k__gt=CA k__contains=a k__startswith=A k__exists=false"),
    ({"k": 2026}, "k=2026 k=2026.0 k=2.026e3 k__gte=2026 k__lt=2027 k__type=number k__ne=\"2026\"",
     "k=\"2026\" k__gt=2026 k__gt=\"1\" k__contains=2 k__startswith=\"2\" k__contains=\"2\""),
    ({"k": "2026"}, "k=\"2026\" k__gt=\"2025\" k__contains=\"02\" k__startswith=\"20\" k__ne=2026",
     "k=2026 k__gt=2025 k__lt=2027 k__contains=2026"),
    ({"k": True}, "k=true k__in=true,false k__type=boolean k__ne=1", "k=1 k=\"true\" k__gt=0 k=false"),
    ({"k": None}, "k=null k__exists=true k__type=null k__ne=0", "k__exists=false k= k=\"null\""),
    ({}, "k__exists=false k__ne=CA k__ne=null", "k=null k__exists=true k__in=null k__lt=9 k__contains= k__type=null"),
    ({"k": ""}, "k= k=\"\" k__lt=a k__contains= k__startswith=", "k=null k__gt="),
    ({"k": [1, "a", [2]]}, "k=[1,\"a\",[2]] k__contains=1 k__contains=a k__contains=[2] k.0=1 k.2.0=2 k.1__gt=A",
     "k=[1] k=1 k__contains=2 k__contains=[1] k.3__exists=true k.\"0\"__exists=true"
     " k.-1__exists=true k.01__exists=true"),
    ({"k": {"a": 1, "b": 2}}, "k={\"b\":2,\"a\":1.0} k__contains=a k.a=1 k__ne={\"a\":1}",
     "k={\"a\":1} k={} k__contains=1 k__contains={\"a\":1}"),
    ({"k": {"0": "x"}}, "k.0=x k.\"0\"=x k__contains=\"0\"", "k.00=x k__contains=0"),
    ({"k": {}}, "k={} k__exists=true k__type=object", "k=[] k=null k__contains="),
    ({"k": []}, "k=[] k__type=array", "k={} k=null k__contains=null k.0__exists=true"),
    ({"k": "加利福尼亚"}, "k=加利福尼亚 k__contains=利 k__startswith=加", "k__contains=州"),
]  # fmt: skip


@pytest.mark.parametrize(("document", "meant", "not_meant"), CASES)
def test_what_holds_of_a_context(coach: Mentor, document: Any, meant: str, not_meant: str) -> None:
    for asked, answer in ((meant, True), (not_meant, False)):
        for one in asked.split():
            condition = parse([tuple(f"context.{one}".split("=", 1))]).conditions[0]  # type: ignore[list-item]
            assert matches(document, condition) is answer, one
            assert found_by_rows(coach, [json.dumps(document)], condition) == [answer], one


def test_text_is_ordered_by_its_code_points(coach: Mentor) -> None:
    documents = [f'{{"k":"{text}"}}' for text in ("Z", "a", "é", "\ue000", "\U0001f600")]
    for number, document in enumerate(documents):
        condition = Condition("context", ("k",), "gt", json.dumps(json.loads(document)["k"]))
        assert found_by_rows(coach, documents, condition) == [other > number for other in range(5)]


def test_a_session_without_a_context_lacks_every_key(coach: Mentor) -> None:
    row = Session.objects.create(id=uuid.uuid4(), tenant=coach.tenant, mentor=coach, metadata={})
    for operator, operand, found in (("ne", "1", 1), ("exists", "false", 1), ("eq", "1", 0), ("gt", "1", 0)):
        holding = Holds("metadata", Condition("context", ("k",), operator, operand), within="client_context")
        assert Session.objects.filter(holding, pk=row.pk).count() == found


@pytest.mark.skipif("connection.vendor != 'sqlite'", reason="a matter of SQLite's functions")
def test_a_second_question_may_be_asked_while_the_first_is_read(coach: Mentor) -> None:
    Session.objects.bulk_create(
        Session(id=uuid.uuid4(), tenant=coach.tenant, mentor=coach) for _ in range(300)
    )
    asked = Session.objects.filter(
        Holds("metadata", Condition("context", ("k",), "ne", "1"), "client_context")
    )
    assert sum(asked.filter(pk=row.pk).count() for row in asked.iterator(chunk_size=10)) == 300
