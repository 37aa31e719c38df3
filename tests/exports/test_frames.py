"""An export as a frame for a notebook."""

from __future__ import annotations

from datetime import UTC

import pandas
import polars
import pytest

import exports
from chat.errors import InvalidFilter, InvalidPayload, NotFound
from chat.filters import parse
from chat.models import Mentor
from chat.selections import Reader

from .cast import said
from .hostile import BEGAN


def test_a_frame_has_the_context_as_a_column(coach: Mentor) -> None:
    said(coach, {"stateCode": "CA", "n": 5}, at=BEGAN)
    frame = exports.dataframe(
        "tenant=demo", columns=["role", "timestamp", "client_context"], context_keys=["n"]
    )
    assert frame.schema == {
        "role": polars.String,
        "timestamp": polars.Datetime("us", "UTC"),
        "client_context": polars.String,
        "ctx.n": polars.Int64,
    }
    assert frame.row(0) == ("user", BEGAN.astimezone(UTC), '{"n":5,"stateCode":"CA"}', 5)


@pytest.mark.parametrize(
    "filter",
    [
        "context.stateCode=NY",
        {"context.stateCode": "NY"},
        [("context.stateCode", "NY")],
        parse([("context.stateCode", "NY")]),
    ],
)
def test_a_filter_is_written_in_any_way(coach: Mentor, filter: object) -> None:
    said(coach, {"stateCode": "CA"}, at=BEGAN)
    said(coach, {"stateCode": "NY"}, {"stateCode": "NY"}, at=BEGAN)
    assert exports.dataframe(filter).height == 4


def test_a_frame_of_sessions_has_a_row_for_each(coach: Mentor) -> None:
    said(coach, {}, {}, at=BEGAN)
    assert exports.dataframe(grain="session", columns=["messages"]).rows() == [(4,)]


def test_a_frame_of_nothing_has_its_columns(coach: Mentor) -> None:
    assert exports.dataframe(columns=["role", "sequence"]).shape == (0, 2)


def test_a_reader_reads_no_more_than_it_may(coach: Mentor) -> None:
    said(coach, {}, at=BEGAN)
    assert exports.dataframe(reader=Reader(frozenset())).height == 0
    with pytest.raises(NotFound):
        exports.dataframe("tenant=demo", reader=Reader(frozenset()))


def test_what_cannot_be_asked_is_refused(coach: Mentor) -> None:
    with pytest.raises(InvalidFilter):
        exports.dataframe("nonsense=1")
    with pytest.raises(InvalidPayload):
        exports.dataframe(columns=["nonsense"])
    with pytest.raises(AttributeError):
        exports.nonsense


def test_it_is_a_pandas_frame_if_asked(coach: Mentor) -> None:
    said(coach, {"stateCode": "CA", "n": 5}, at=BEGAN)
    frame = exports.dataframe(
        columns=["role", "timestamp", "client_context"], context_keys=["n"], library="pandas"
    )
    assert isinstance(frame, pandas.DataFrame)
    assert list(frame.columns) == ["role", "timestamp", "client_context", "ctx.n"]
    assert frame.loc[0].tolist() == ["user", BEGAN.astimezone(UTC), '{"n":5,"stateCode":"CA"}', 5]
