"""The dashboard: its address is its state, and its numbers are the API's."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from analytics.pages.address import typed
from analytics.pages.panels import panel
from analytics.pages.words import number
from chat.errors import TooSlow
from chat.models import Mentor, Session, Tenant

from .conftest import Get, answered, make_session
from .looking import Page

BAD = "<script>alert(1)</script>"
FILTERS: list[dict[str, Any]] = [
    {"tenant": "demo"},
    {"context.stateCode": "CA"},
    {"context.stateCode__exists": "false"},
    {"message_context.stateCode": "NY"},
    {"from": "2026-11-12", "to": "2026-11-13"},
    {"status": "failed"},
    {"mentor": "tutor", "anonymous": "true"},
    {"search": "hello"},
]


@pytest.mark.parametrize("query", FILTERS)
def test_its_figures_are_the_apis(dora: Client, get: Get, cast: list[Session], query: Any) -> None:
    page = Page(dora, "/analytics/", **query)
    metrics = ["sessions", "messages", "users", "failures", "tokens", "ttft_p50"]
    total = get("/api/v1/analytics/breakdown/", metric=metrics, **query)["total"]
    shown = page.tiles
    names = ["Sessions", "Messages", "Users", "Failures", "Tokens", "First token, median"]
    assert [shown[name] for name in names] == [number(name, total[name]) for name in metrics]
    assert page.sessions == [row["id"] for row in get("/api/v1/sessions/", **query)["results"]]
    assert page.conditions == [f"{name}={text}" for name, text in query.items()]


def test_the_bars_are_the_apis_breakdown(dora: Client, get: Get, cast: list[Session]) -> None:
    page = Page(dora, "/analytics/", by="context.stateCode", tenant="demo")
    found = get("/api/v1/analytics/breakdown/", by="context.stateCode")["results"]
    assert page.bars == [("CA", "2"), ("NY", "1"), ("null", "1"), ("No value", "1")]
    assert [count for _, count in page.bars] == [str(bucket["sessions"]) for bucket in found]


def test_a_bar_narrows_to_what_it_counts(dora: Client, cast: list[Session]) -> None:
    for by in ("context.stateCode", "context.n", "message_context.order.region", "mentor", "user", "status"):
        page = Page(dora, "/analytics/", by=by, tenant="demo")
        links = re.findall(r'<li><a href="([^"]*)">\s*<span class="label">', page.source)
        counts = [Page(dora, link.replace("&amp;", "&")).tiles["Sessions"] for link in links]
        assert counts == [count for _, count in page.bars]


def test_the_points_over_time_are_the_apis_and_lead_there(
    dora: Client,
    get: Get,
    cast: list[Session],
) -> None:
    query = {"from": "2026-11-10", "to": "2026-11-13", "interval": "day"}
    page = Page(dora, "/analytics/", **query)
    found = get("/api/v1/analytics/breakdown/", **query)["total"]["points"]
    data = json.loads(page.found(r'<script id="points"[^>]*>(.*?)</script>')[0])
    assert data["values"] == [point["sessions"] for point in found] == [2, 0, 2, 1]
    counts = [Page(dora, link).tiles["Sessions"] for link in data["links"]]
    assert counts == ["2", "0", "2", "1"]
    assert page.found(r'<td class="number">(\d+)</td></tr>\s') == ["2", "0", "2", "1"]


def test_facets_are_the_apis_values_with_their_counts(dora: Client, get: Get, cast: list[Session]) -> None:
    piece = Page(dora, "/analytics/values/", key="context.stateCode", mentor="coach")
    found = get("/api/v1/analytics/context/values/", key="stateCode", mentor="coach")
    assert piece.found(r"<bdi[^>]*>(.*?)</bdi>") == ["CA", "null"]
    counts = [str(row["sessions"]) for row in found["results"]]
    assert piece.found(r'<span class="count">(.*?)</span>') == counts == ["2", "1"]


def test_a_removed_condition_is_a_link_without_it(dora: Client, cast: list[Session]) -> None:
    page = Page(dora, "/analytics/?context.stateCode=CA&metric=users&user=alice")
    address = page.link("Remove context.stateCode=CA")
    assert Page(dora, address).conditions == ["user=alice"] and "metric=users" in address


def test_without_a_query_it_begins_thirty_days_ago(dora: Client, demo: Tenant) -> None:
    first = (timezone.now() - timezone.timedelta(days=29)).date()
    assert Page(dora, "/analytics/").location == f"/analytics/?from={first}"


def test_what_is_asked_for_nothing_asks_for_everything(dora: Client, cast: list[Session]) -> None:
    address = Page(dora, "/analytics/?user=alice").link("Remove user=alice")
    assert address == "/analytics/?metric=sessions" and Page(dora, address).tiles["Sessions"] == "5"


def test_fields_that_a_form_left_empty_are_not_in_the_address(dora: Client, cast: list[Session]) -> None:
    page = Page(dora, "/analytics/?from=&to=&search=&context.note=&interval=&metric=users")
    assert (page.status, page.location) == (302, "/analytics/?context.note=&metric=users")


# --- what is typed


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("context.stateCode=CA", ("context.stateCode", "CA")),
        ("  context.n__gt = 5 ", ("context.n__gt", "5")),
        ('context."a=b".c=d=e', ('context."a=b".c', "d=e")),
        ("context.note=", ("context.note", "")),
    ],
)
def test_a_condition_is_a_name_and_a_value(text: str, found: tuple[str, str]) -> None:
    assert typed(text) == found


def test_a_typed_condition_goes_into_the_address(dora: Client, cast: list[Session]) -> None:
    page = Page(dora, "/analytics/?context.stateCode=NY&metric=users&add=context.stateCode%3DCA")
    assert (page.status, page.location) == (302, "/analytics/?context.stateCode=CA&metric=users")


def test_two_things_that_a_key_is_not_are_both_kept(dora: Client, cast: list[Session]) -> None:
    page = Page(dora, "/analytics/?context.stateCode__ne=NY&add=context.stateCode__ne%3DCA")
    assert page.location == "/analytics/?context.stateCode__ne=NY&context.stateCode__ne=CA"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("hello", "A filter is a name, an equals sign and a value, such as context.stateCode=CA."),
        ("colour=red", "There is no such parameter here. A key of the context is asked for as context.KEY."),
        ("context.n__gt=true", "An order is of numbers or of text."),
        ("mentor=nobody", "There is no such tenant or mentor here."),
        ("tenant=other", "There is no such tenant or mentor here."),
    ],
)
def test_a_typed_fault_is_a_sentence_beside_what_stands(
    dora: Client,
    cast: list[Session],
    strangers: Session,
    text: str,
    sentence: str,
) -> None:
    page = Page(dora, "/analytics/", user="alice", add=text)
    assert (page.status, page.faults) == (400, [sentence])
    assert page.tiles["Sessions"] == "2" and page.conditions == ["user=alice"]


def test_a_fault_in_the_address_is_told_with_the_way_out(dora: Client, cast: list[Session]) -> None:
    page = Page(dora, "/analytics/?context.n__order=1&user=alice")
    assert page.status == 400 and page.faults[0].startswith("There is no such operator: there are eq,")
    assert page.link("Remove context.n__order=1") == "/analytics/?user=alice"
    assert page.sessions == []


@pytest.mark.parametrize("query", ["metric=fame", "by=fame", "interval=year", "metric=users&metric=tokens"])
def test_what_cannot_be_shown_is_a_fault_too(dora: Client, cast: list[Session], query: str) -> None:
    page = Page(dora, f"/analytics/?{query}")
    assert page.status == 400 and len(page.faults) == 1


# --- states


def test_what_one_panel_cannot_answer_the_others_do(dora: Client, cast: list[Session]) -> None:
    page = Page(dora, "/analytics/?from=1990-01-01&interval=hour")
    assert page.status == 400 and "more than 2000 points" in page.faults[0]
    assert page.tiles["Sessions"] == "5" and len(page.sessions) == 5


@pytest.fixture
def held_up(transactional_db: None, settings: Any) -> Iterator[None]:
    """Whoever reads sessions waits, for longer than a reader may."""
    settings.READ_TIMEOUT_MS = 50
    elsewhere = connection.copy()
    elsewhere.set_autocommit(False)
    with elsewhere.cursor() as cursor:
        cursor.execute("LOCK TABLE chat_session")
        yield
    elsewhere.rollback()
    elsewhere.close()


@pytest.mark.skipif("connection.vendor != 'postgresql'", reason="the bound is PostgreSQL's")
def test_questions_that_take_too_long_are_sentences_in_their_places(dora: Client, held_up: None) -> None:
    page = Page(dora, "/analytics/?tenant=demo")
    slow = "This question takes too long: narrow it by time, mentor or user."
    assert page.status == 422 and page.conditions == ["tenant=demo"]
    assert page.faults == [slow] * 5


def test_a_panel_that_is_too_slow_tells_so() -> None:
    def slow() -> int:
        raise TooSlow()

    assert (panel(slow).shown, panel(slow).status) == (None, 422)


def test_no_session_is_told_with_the_way_out(dora: Client, cast: list[Session]) -> None:
    page = Page(dora, "/analytics/", **{"from": "2020-01-01", "to": "2020-01-02", "user": "alice"})
    assert page.status == 200 and "No session is like this" in page.source
    assert page.link("all of time") == "/analytics/?user=alice"


def test_the_table_is_paged_by_cursor(dora: Client, coach: Mentor) -> None:
    made = [str(make_session(coach, begun=f"2026-11-10T12:{n:02}").pk) for n in range(27)]
    first = Page(dora, "/analytics/", tenant="demo")
    second = Page(dora, re.findall(r'rel="next" href="([^"#]*)', first.source)[0].replace("&amp;", "&"))
    assert first.sessions + second.sessions == made[::-1] and len(second.sessions) == 2
    assert Page(dora, "/analytics/?cursor=rubbish").faults[0].startswith("This cursor is of no page.")


def test_hostile_values_stay_text(dora: Client, coach: Mentor) -> None:
    hostile = {"note": BAD, BAD: "x", "long": "x" * 10_000}
    session = make_session(coach, hostile, {"note": BAD}, user=BAD, answers=(answered(asked=BAD), answered()))
    make_session(coach, hostile)
    for path in (
        "/analytics/?by=context.note&tenant=demo",
        f"/analytics/?tenant=demo&context.note={BAD}",
        f"/analytics/?tenant=demo&add={BAD}",
        f"/analytics/?tenant=demo&{BAD}=1",
        "/analytics/values/?key=note",
        f"/analytics/sessions/{session.pk}/",
        "/analytics/coverage/?mentor=coach",
    ):
        source = Page(dora, path).source
        assert BAD not in source and ("&lt;script&gt;" in source or "\\u003Cscript" in source)


def test_the_export_asks_for_what_the_page_shows(dora: Client, cast: list[Session]) -> None:
    page = Page(dora, "/analytics/?context.stateCode__ne=CA&context.stateCode__ne=NY&user=bob")
    (wish,) = page.found(r'<script id="export-wish"[^>]*>(.*?)</script>')
    found = json.loads(wish)
    assert found["filter"] == {"context.stateCode__ne": ["CA", "NY"], "user": ["bob"]}
    assert found["tenant"] == "demo" and found["keys"] == ["stateCode"]
