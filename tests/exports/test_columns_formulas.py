"""What a spreadsheet would run is kept from running, in Python and in SQL alike; numbers stay numbers."""

from __future__ import annotations

import pytest
from django.db import connection

from exports.cells import guard, guard_sql

RUNS = [
    *("=1+1", "+1+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "=", "-", "--5", "+", "-cmd|' /C calc'!A0"),
    *(
        "＝1",
        "＋1",
        "－1",
        "＠A",
        '"=1',
        '""=1"',
        "- item",
        "-5+3",
        "+49-30-123",
        "+49 30  123",
        "+49 30 12a",
    ),
    *("-5 ", "-5\n", "-1e5e5", "+1 =2", "-٥", "-5,3", "+", "+ 49", "=" * 5000),
]
STAYS = [
    *("-5", "+5", "-0.5", "-1.5e3", "-1.5E+10", "+49 30 123", "+49 30 123 45 67", "+4930123"),
    *(
        "",
        " ",
        "a=1",
        "1+1",
        "'=1",
        '"quoted"',
        '"',
        '""',
        "[=1]",
        '{"a":"=1"}',
        "😀",
        " =1",
        "5-3",
        "\x0b=1",
    ),
]


@pytest.mark.parametrize("text", [*RUNS, "\0=1"])
def test_a_formula_gets_an_apostrophe(text: str) -> None:
    assert guard(text) == f"'{text}"


@pytest.mark.parametrize("text", STAYS)
def test_what_is_no_formula_stays(text: str) -> None:
    assert guard(text) == text


@pytest.mark.services
def test_postgresql_has_the_same_rule(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {guard_sql('k.t')} FROM unnest(%s::text[]) AS k(t)", [RUNS + STAYS])
        assert [text for (text,) in cursor.fetchall()] == [guard(text) for text in RUNS + STAYS]
