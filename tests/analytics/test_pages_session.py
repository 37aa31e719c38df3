"""The page of a session, and that of a mentor's coverage."""

from __future__ import annotations

import re

import pytest
from django.contrib.auth.models import User
from django.test import Client

from chat.models import ChatMessageHistoryExtra, Mentor, Session

from .conftest import Get, answered, make_session
from .looking import Page

CONTEXTS = (
    {"stateCode": "NY", "role": "agent"},
    {"stateCode": "CA", "role": "agent", "order": {"region": "west"}},
    {"stateCode": "CA"},
)


@pytest.fixture
def changed(coach: Mentor) -> Session:
    """A session whose context changed twice: a turn under each."""
    session = make_session(coach, *CONTEXTS, answers=(answered(), answered(status="failed"), answered()))
    for extra in ChatMessageHistoryExtra.objects.filter(session=session).select_related("message"):
        extra.context_version = (extra.message.sequence + 1) // 2
        extra.save()
    return session


def look(client: Client, session: Session, **query: str) -> Page:
    return Page(client, f"/analytics/sessions/{session.pk}/", **query)


def rows(run: str) -> list[str]:
    found = re.findall(r"<dt>(.*?)</dt>\s*<dd>(.*?)</dd>", run, re.DOTALL)
    return [" ".join(re.sub("<[^>]+>", " ", " ".join(pair)).split()) for pair in found]


def test_it_shows_three_snapshots_with_what_changed(dora: Client, changed: Session) -> None:
    runs = look(dora, changed).source.split('<div class="run">')[1:]
    assert [rows(run) for run in runs] == [
        ["stateCode NY", "role agent"],
        ["stateCode CA ± changed, was NY", "role agent", "order › region west + added"],
        ["stateCode CA", "role − removed, was agent", "order › region − removed, was west"],
    ]
    said = [re.findall(r'id="message-(\d+)"', run) for run in runs]
    assert said == [["1", "2"], ["3", "4"], ["5", "6"]]


def test_its_snapshots_are_those_of_the_details(dora: Client, get: Get, changed: Session) -> None:
    details = get("/api/analytics/messages/details/", session_id=str(changed.pk))["messages"]
    assert [pair["question"]["client_context"] for pair in details] == list(CONTEXTS)
    raw = look(dora, changed).found(r'<pre class="raw">(.*?)</pre>')
    assert [re.sub(r"\s", "", text) for text in raw] == [
        '{"stateCode":"NY","role":"agent"}',
        '{"stateCode":"CA","role":"agent","order":{"region":"west"}}',
        '{"stateCode":"CA"}',
    ]


def test_a_message_says_its_status_its_model_and_what_it_took(dora: Client, changed: Session) -> None:
    page = look(dora, changed)
    assert page.found(r'<b class="status [a-z]*">(.*?)</b>') == ["failed"]
    assert page.found(r"<footer>(.*?)<a")[0] == "scripted50 + 10 tokensfirst token 100 mswhole answer 1.00 s"


def test_a_page_in_the_middle_tells_what_changed_at_its_top(dora: Client, changed: Session) -> None:
    runs = look(dora, changed, after="2").source.split('<div class="run">')[1:]
    assert rows(runs[0])[0] == "stateCode CA ± changed, was NY"
    assert [re.findall(r'id="message-(\d+)"', run) for run in runs] == [["3", "4"], ["5", "6"]]


@pytest.mark.parametrize("after", ["-1", "99", "x", "1e3", "9" * 30])
def test_a_place_that_is_not_there_breaks_nothing(dora: Client, changed: Session, after: str) -> None:
    assert look(dora, changed, after=after).status == 200


def test_a_long_context_folds_what_it_kept(dora: Client, coach: Mentor) -> None:
    many = {f"key{n}": n for n in range(300)}
    session = make_session(coach, many, {**many, "key0": "new"}, answers=(answered(), answered()))
    page = look(dora, session)
    assert page.found(r"<p class=\"note\">(\d+ more in the raw JSON.)") == ["100 more in the raw JSON."] * 2
    assert page.found(r"<summary>(\d+ as before)</summary>") == ["199 as before"]


def test_a_session_without_messages_says_so(dora: Client, coach: Mentor) -> None:
    assert "Nobody has said anything yet." in look(dora, make_session(coach)).source


def test_the_admins_pages_are_linked_for_whom_they_let_in(
    dora: Client,
    client: Client,
    changed: Session,
) -> None:
    client.force_login(User.objects.create_superuser("root"))
    answer = changed.messages.get(sequence=2)
    assert look(client, changed).link("In the admin") == f"/admin/chat/session/{changed.pk}/change/"
    assert look(client, changed).link("Its prompt") == f"/admin/chat/chatmessagehistory/{answer.pk}/change/"
    assert "In the admin" not in look(dora, changed).source
    assert look(dora, changed).link("Its prompt") == f"/api/v1/messages/{answer.pk}/prompt/"


# --- coverage


def test_coverage_shows_what_the_api_answers(dora: Client, coach: Mentor) -> None:
    coach.system_prompt = "Mind {stateCode} and licenseType."
    coach.save()
    session = make_session(coach, {"stateCode": "CA", "cohort": 7}, {"stateCode": 6, "cohort": 7})
    page = Page(dora, "/analytics/coverage/", mentor="coach", tenant="demo")
    assert page.found(r'<th scope="row"><code>(.*?)</code>') == [
        *("licenseType", "context.cohort", "context.stateCode", "stateCode"),
    ]
    assert f'<a href="/analytics/sessions/{session.pk}/"><bdi>7</bdi></a>' in page.source


def test_coverage_without_a_mentor_offers_those_there_are(
    dora: Client,
    coach: Mentor,
    tutor: Mentor,
    strangers: Session,
) -> None:
    page = Page(dora, "/analytics/coverage/")
    assert "Choose a mentor" in page.source and "Theirs" not in page.source
    assert page.link("Tutor") == "/analytics/coverage/?tenant=demo&mentor=tutor"


def test_coverage_of_a_bad_filter_is_a_sentence(dora: Client, coach: Mentor) -> None:
    page = Page(dora, "/analytics/coverage/?mentor=coach&colour=red")
    assert (page.status, page.faults[0][:28]) == (400, "There is no such parameter h")
