"""What is refused, cut or kept out is counted for the mentor's owner: of those who are let in, and never kept."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from chat import refusals, removals, tallies, telemetry
from chat.access import Credentials
from chat.errors import Unavailable
from chat.models import ApiToken, Mentor, Refusal, Session, Tenant
from chat.refusals import Home, Kind, Sender, Times
from chat.tasks import roll_up

from .clients import Socket, Stream, TalkMaker, new_session
from .expecting import Like
from .test_bad_input import answer_to, with_raw

SECRET = "4111-1111-1111-1111"
TOO_LARGE = {"card": SECRET * 1000}
Stored = Callable[..., list[dict[str, Any]]]
COLUMNS = ("code", "pointer", "door", "count", "last_message", "last_session")
JUST_NOW = Like("just now", lambda at: timedelta(0) <= timezone.now() - at < timedelta(minutes=1))


@pytest.fixture
def stored(written: Callable[[], None]) -> Stored:
    """The rows, once what was gathered is written."""

    def look(*columns: str) -> list[dict[str, Any]]:
        written()
        return list(Refusal.objects.order_by("pk").values(*(columns or COLUMNS)))

    return look


def door_of(talk: Socket | Stream) -> str:
    return "websocket" if isinstance(talk, Socket) else "sse"


# --- at the doors


def test_metadata_that_is_too_large(talk: TalkMaker, coach: Mentor, stored: Stored) -> None:
    one = talk()
    refusal = one.say("Hello.", metadata=TOO_LARGE).end
    one.say("Hello.", metadata=TOO_LARGE)
    assert stored("tenant", "mentor", "day", "last_at", *COLUMNS) == [
        {
            "tenant": coach.tenant_id,
            "mentor": coach.pk,
            "day": timezone.now().date(),
            "last_at": JUST_NOW,
            "code": "metadata_too_large",
            "pointer": "/metadata",
            "door": door_of(one),
            "count": 2,
            "last_message": refusal["error"],
            "last_session": uuid.UUID(one.session_id),
        }
    ]


@pytest.mark.parametrize(
    ("raw", "pointer"),
    [
        ({"metadata": f'["{SECRET}"]'}, "/metadata"),
        ({"metadata": f'{{"card": "{SECRET}\\u0000"}}'}, "/metadata/card"),
        ({"metadata": '{"a": {"b~": NaN}}'}, "/metadata/a/b~0"),
        ({"page_content": f'["{SECRET}"]'}, "/page_content"),
    ],
)
def test_a_value_that_is_not_valid(
    talk: TalkMaker, stored: Stored, raw: dict[str, str], pointer: str
) -> None:
    told = answer_to(talk(), with_raw(talk(), **raw))
    assert (told["code"], told["details"][0]["pointer"]) == ("invalid_payload", pointer)
    assert [(row["code"], row["pointer"]) for row in stored()] == [("invalid_payload", pointer)]


def test_a_page_that_is_cut(talk: TalkMaker, settings: Any, stored: Stored) -> None:
    settings.LIMIT_PAGE_CONTENT_BYTES = 8
    one = talk()
    reply = one.say("Hello.", page_content="One two three")
    (warning,) = reply.start["context"]["warnings"]
    (row,) = stored()
    assert row == {
        "code": "page_content_cut",
        "pointer": "/page_content",
        "door": door_of(one),
        "count": 1,
        "last_message": warning["message"],
        "last_session": uuid.UUID(one.session_id),
    }


def test_a_verified_key_that_is_kept(talk: TalkMaker, coach: Mentor, token: str, stored: Stored) -> None:
    coach.anonymous_continuation = Mentor.Continuation.SESSION_ID
    coach.save()
    visitor = talk()
    visitor.say("Hello.")
    server = talk(token=token, session_id=visitor.session_id)
    server.say("Hello.", metadata={"plan": "free"})
    visitor.say("Hello.", metadata={"plan": SECRET, "page": "/a"})
    (row,) = stored()
    assert (row["code"], row["pointer"], row["count"]) == ("verified_key_kept", "/metadata/plan", 1)


def test_the_value_is_nowhere(talk: TalkMaker, stored: Stored) -> None:
    one = talk()
    for raw in (f'["{SECRET}"]', f'{{"a": "{SECRET}\\u0000"}}', json.dumps(TOO_LARGE)):
        answer_to(one, with_raw(one, metadata=raw))
    names = [field.attname for field in Refusal._meta.concrete_fields]
    assert len(stored()) == 3
    assert SECRET not in str(list(Refusal.objects.values(*names)))


def test_what_is_no_matter_of_values_is_not_counted(talk: TalkMaker, stored: Stored) -> None:
    one = talk()
    assert one.say("Hello.", colour="red").start["context"]["warnings"][0]["code"] == "unknown_key"
    assert one.say(" ", metadata={"a": 1}).end["code"] == "invalid_payload"
    assert answer_to(one, "{}")["code"] == answer_to(one, "[NaN]")["code"] == "invalid_payload"
    assert answer_to(one, f'{{"x": "{"x" * 600_000}"}}')["code"] == "frame_too_large"
    assert stored() == []


def test_a_repeated_message_is_not_counted_again(talk: TalkMaker, settings: Any, stored: Stored) -> None:
    settings.LIMIT_PAGE_CONTENT_BYTES = 8
    one = talk()
    for _ in range(2):
        one.say("Hello.", page_content="One two three", client_message_id="a-long-enough-id")
    assert [row["count"] for row in stored()] == [1]


# --- whose


def refused(talk: Socket | Stream, **more: Any) -> dict[str, Any]:
    """What is told of metadata that is too large, which must be the same to everybody."""
    return answer_to(talk, json.dumps({**talk.payload("Hello.", metadata=TOO_LARGE), **more}))


def test_a_stranger_leaves_nothing_and_is_told_the_same(
    talk: TalkMaker, coach: Mentor, tutor: Mentor, token: str, others_token: str, stored: Stored
) -> None:
    reader = ApiToken.issue(coach.tenant, scope="read_all", name="reader")[1]
    bound = ApiToken.issue(coach.tenant, scope="write_all", name="bound", mentor=tutor)[1]
    callers = [talk(token=secret) for secret in (others_token, "wrong", reader, bound)]
    callers.append(talk(headers={"Origin": "https://elsewhere.example"}))
    tutors = {"flow": {"name": "tutor", "tenant": "demo"}}
    unknown = {"flow": {"name": "nobody", "tenant": "demo"}}
    told = [refused(one) for one in callers]
    told += [refused(talk(), **tutors), refused(talk(token=token), **unknown), refused(talk(), flow={})]
    assert stored() == []
    assert told[:7] == [refused(talk(token=token))] * 7
    assert [row["count"] for row in stored()] == [1]


def test_a_revoked_token_leaves_nothing_though_it_was_good_a_moment_ago(
    talk: TalkMaker, token: str, stored: Stored
) -> None:
    one = talk(token=token)
    assert one.say("Hello.").end["status"] == "complete"
    ApiToken.objects.get().revoke()
    refused(one)
    assert stored() == []


def test_a_token_in_the_header_lets_in(talk: TalkMaker, tutor: Mentor, token: str, stored: Stored) -> None:
    one = talk(headers={"Authorization": f"Api-Token {token}"})
    refused(one, flow={"name": "tutor", "tenant": "demo"})
    assert [row["count"] for row in stored("mentor", "count")] == [1]


def test_staff_are_let_in_by_their_cookie(
    talk: TalkMaker, live: str, demo: Tenant, tutor: Mentor, stored: Stored
) -> None:
    staff, client = User.objects.create_user("dora", is_staff=True), Client()
    staff.tenants.add(demo)
    client.force_login(staff)
    cookie = f"sessionid={client.cookies['sessionid'].value}"
    refused(talk(headers={"Cookie": cookie, "Origin": live}), flow={"name": "tutor", "tenant": "demo"})
    assert [row["mentor"] for row in stored("mentor")] == [tutor.pk]


def test_another_mentors_session_is_not_named(
    talk: TalkMaker, tutor: Mentor, token: str, stored: Stored
) -> None:
    session = Session.objects.create(id=new_session(), tenant=tutor.tenant, mentor=tutor)
    refused(talk(), session_id=str(session.pk))
    refused(talk(), session_id="no id at all")
    assert [row["last_session"] for row in stored()] == [None]


def test_ibls_newer_path_names_tenant_and_session_in_its_query(
    live: str, coach: Mentor, stored: Stored
) -> None:
    one = Stream(live, "demo", "coach")
    query = f"/api/agent/chat/?platform_key=demo&session_id={one.session_id}"
    for metadata in ("[1]", "NaN"):
        raw = f'{{"flow": {{"name": "coach"}}, "prompt": "Hello.", "metadata": {metadata}}}'
        assert one.post(raw.encode(), query)[0] == 400
    (row,) = stored()
    assert (row["count"], row["last_session"]) == (2, uuid.UUID(one.session_id))


# --- bounds


def home(mentor: Mentor) -> Home:
    return Home(mentor.tenant_id, mentor.pk)


def once(message: str = "So.") -> Times:
    return Times(1, timezone.now(), message, None)


def test_a_mentor_has_so_many_places_a_day(coach: Mentor, tutor: Mentor) -> None:
    for begin in (0, 150):
        kinds = {Kind("invalid_payload", f"/metadata/{n}", "sse"): once() for n in range(begin, begin + 150)}
        refusals.record({home(coach): kinds})
    rows = Refusal.objects.filter(mentor=coach)
    assert rows.count() == refusals.MOST_PLACES + 1
    assert rows.get(pointer="/metadata").count == 100
    refusals.record({home(coach): {Kind("invalid_payload", "/metadata/7", "sse"): once()}})
    assert rows.get(pointer="/metadata/7").count == 2
    refusals.record({home(tutor): {Kind("invalid_payload", "/metadata/new", "sse"): once()}})
    assert Refusal.objects.get(mentor=tutor).pointer == "/metadata/new"


def test_a_long_pointer_is_cut_at_a_step() -> None:
    def stored(pointer: str) -> str:
        return refusals.kind_of(
            {"code": "invalid_payload", "pointer": pointer, "message": "So."}, "sse"
        ).pointer

    exact, step = "/metadata/" + "k" * 245, f"/{'k' * 60}"
    assert stored(exact) == exact
    assert stored(f"/metadata{step * 8}") == f"/metadata{step * 4}"


def test_a_socket_that_sends_ever_new_keys(live: str, coach: Mentor, stored: Stored) -> None:
    one = Socket(live, "demo", "coach")
    for n in range(tallies.MOST_KINDS + 70):
        one.put(with_raw(one, metadata=f'{{"key{n}": NaN}}'))
    for _ in range(tallies.MOST_KINDS + 70):
        one.get()
    one.close()
    assert sum(row["count"] for row in stored()) == tallies.MOST_KINDS + 70


def test_the_last_words_count(coach: Mentor) -> None:
    kind = Kind("metadata_too_large", "/metadata", "sse")
    session = uuid.uuid4()
    refusals.record({home(coach): {kind: Times(3, timezone.now(), "First.", session)}})
    refusals.record({home(coach): {kind: Times(2, timezone.now(), "Last.", None)}})
    row = Refusal.objects.get()
    assert (row.count, row.last_message, row.last_session) == (5, "Last.", session)


def test_they_go_in_time_and_with_their_mentor(coach: Mentor, tutor: Mentor) -> None:
    old = timezone.now().date() - timedelta(days=refusals.KEEP_DAYS + 1)
    for mentor in (coach, tutor):
        refusals.record({home(mentor): {Kind("invalid_payload", "/metadata", "sse"): once()}})
    Refusal.objects.filter(mentor=coach).update(day=old)
    roll_up()
    assert [row.mentor for row in Refusal.objects.all()] == [tutor]
    tutor.delete()
    assert not Refusal.objects.exists()


# --- when it is written, and when it cannot be


def lost() -> float:
    return telemetry.REFUSALS_LOST._value.get()


def test_a_database_that_is_away_does_no_harm(
    talk: TalkMaker, stored: Stored, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def away(_: object) -> None:
        raise Unavailable()

    one, before = talk(), lost()
    with monkeypatch.context() as patch:
        patch.setattr(refusals, "record", away)
        assert refused(one)["code"] == refused(one)["code"] == "metadata_too_large"
        assert stored() == []
    assert lost() == before + 2
    assert one.say("Hello.").end["status"] == "complete"
    refused(one)
    assert [row["count"] for row in stored()] == [1]


def test_what_a_database_cannot_look_for_costs_nobody_else(coach: Mentor) -> None:
    odd = Sender(Credentials(), None, "de\0mo", "coach")
    kinds = {Kind("invalid_payload", "/metadata", "sse"): once()}
    refusals.record({odd: dict(kinds), home(coach): dict(kinds)})
    assert Refusal.objects.get().mentor == coach


def test_nul_in_the_address_is_refused(live: str, coach: Mentor) -> None:
    body = b'{"flow": {"name": "coach"}, "prompt": "Hello.", "session_id": "%s"}' % new_session().encode()
    for query in ("platform_key=%00", "platform_key=demo&session_id=%00"):
        status, frames = Stream(live, "demo", "coach").post(body, f"/api/agent/chat/?{query}")
        assert (status, frames[0]["code"]) == (400, "invalid_payload")


def test_a_session_that_is_removed_is_named_no_more(coach: Mentor) -> None:
    session = Session.objects.create(id=new_session(), tenant=coach.tenant, mentor=coach)
    kind = Kind("page_content_cut", "/page_content", "sse")
    refusals.record({home(coach): {kind: Times(1, timezone.now(), "Cut.", session.pk)}})
    removals.remove(session.pk)
    assert Refusal.objects.get().last_session is None
