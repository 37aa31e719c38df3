"""`DELETE …/messages/{id}/` leaves a tombstone: its place, its ids, its snapshot, and nothing that anybody said."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from chat.models import ChatMessageHistory, Mentor, MessageDebug, Session

from .clients import Socket, fetch, request
from .expecting import problem
from .model_server import Answer, ModelServer
from .posting import CA, Poster, bearer, make, message, said_to
from .reading.conftest import A_TIME

NOT_THERE = (404, problem(404, "not_found"))


@pytest.fixture
def backend(alice: Socket, token: str) -> Poster:
    """At the messages of Alice's session."""
    return Poster(alice.url, alice.session_id, bearer(token))


@pytest.fixture
def posted(live: str, coach: Mentor, token: str) -> Poster:
    """At a session with one message of Alice's that has all there is."""
    one = Poster(live, make(coach, context=CA).pk, bearer(token))
    more: Any = {"metadata": {"a": 1, "debug": {"b": 2}}, "filenames": ["a.pdf"]}
    one.post("A secret word.", id="1", sender={"participant_id": "al", "participant_role": "user"}, **more)
    return one


def test_a_tombstone_keeps_its_place_and_its_snapshot(posted: Poster) -> None:
    assert posted.remove("1") == 204
    assert posted.list() == []
    tombstone = message(
        sender={"participant_id": "al", "participant_role": "user"},
        content="",
        client_message_id="1",
        client_context=CA,
        context_version=1,
        deleted_at=A_TIME,
    )
    assert posted.list("?deleted=true") == [tombstone]
    assert posted.at("GET", "1/?deleted=true") == (200, tombstone)
    assert not MessageDebug.objects.exists()
    assert Session.objects.get().next_sequence == 2


def test_what_was_removed_is_not_there(posted: Poster) -> None:
    posted.remove("1")
    asked = [("DELETE", "1/"), ("GET", "1/"), ("GET", "1/debug_data/")]
    assert [posted.at(*one) for one in asked] == [NOT_THERE] * 3


def test_its_id_is_taken_and_its_place_can_be_named(posted: Poster) -> None:
    posted.post("Two.", id="2")
    posted.remove("1")
    assert posted.refused(id="1", content="Again.")[0] == 409
    assert posted.contents("?after=1") == ["Two."]


def test_no_column_has_a_word_of_it(posted: Poster) -> None:
    ChatMessageHistory.objects.update(rejected_metadata={"href": "secret"})
    posted.remove("1")
    row = ChatMessageHistory.objects.select_related("extra").get()
    assert (row.content, row.text, row.metadata, row.rejected_metadata, row.filenames) == (
        "",
        "",
        {},
        None,
        None,
    )
    assert row.extra.metadata == CA


def test_an_answer_that_is_being_written_stays(backend: Poster, alice: Socket, model: ModelServer) -> None:
    model.enqueue(Answer(["one ", "two "], gap=0.5))
    alice.put(alice.payload("One."))
    start = alice.get()
    told = backend.at("DELETE", f"{start['message_id']}/")
    assert told == (409, problem(409, "turn_in_progress"))
    assert backend.remove(start["user_message_id"]) == 204
    assert alice.rest()[-1]["status"] == "complete"
    assert backend.contents() == ["one two "]
    assert backend.remove(start["message_id"]) == 204


def test_words_that_were_removed_are_not_heard_again(
    backend: Poster, alice: Socket, model: ModelServer
) -> None:
    """The event log of the turn goes too."""
    model.enqueue(Answer(["A secret word."]))
    answer = alice.say("One.").generation_id
    backend.remove(answer)
    path = f"/api/mentor/chat/{answer}/"
    with request(alice.url, "GET", path, headers={**backend.headers, "Last-Event-ID": "0"}) as response:
        assert b"secret" not in response.read()


# --- what a model sees


def test_the_model_hears_no_more_of_it(backend: Poster, alice: Socket, model: ModelServer) -> None:
    first = alice.say("One.").start
    backend.remove(first["user_message_id"])
    alice.say("Two.")
    assert said_to(model.received[-1]) == ["You said: One.", "Two."]


def test_a_rebuilt_prompt_marks_what_is_gone_since(
    backend: Poster, alice: Socket, model: ModelServer
) -> None:
    never = backend.elsewhere(alice.session_id)
    one = alice.say("One.", metadata=CA).start
    early = never.post("Removed before it was asked.")["id"]
    never.remove(early)
    two = alice.say("Two.").start
    assert prompt_of(alice, two["message_id"])["body"].encode() == model.received[-1]
    backend.remove(one["message_id"])
    backend.remove(two["user_message_id"])
    three = alice.say("Three.").start
    told = prompt_of(alice, two["message_id"])
    expected = json.loads(model.received[1])
    expected["messages"][-2]["content"] = "[removed]"
    expected["messages"][-1]["content"] = expected["messages"][-1]["content"].replace("Two.", "[removed]")
    assert (told["request"], told["complete"]) == (expected, False)
    assert prompt_of(alice, three["message_id"])["body"].encode() == model.received[-1]
    assert prompt_of(alice, three["message_id"])["complete"]


def test_a_message_without_words_was_never_sent(backend: Poster, alice: Socket, model: ModelServer) -> None:
    alice.say("One.")
    empty = backend.post("")["id"]
    two = alice.say("Two.").start["message_id"]
    backend.remove(empty)
    assert prompt_of(alice, two)["body"].encode() == model.received[-1]


def prompt_of(talk: Socket, answer: str) -> Any:
    headers = bearer(talk.token or "")
    return fetch(talk.url, "GET", f"/api/v1/messages/{answer}/prompt/", headers=headers)[1]


# --- and everybody else who reads


@pytest.fixture
def reader(alice: Socket, backend: Poster, model: ModelServer) -> Client:
    """Of a session whose first question and second answer are gone; the question's words were rare."""
    model.enqueue(Answer(["It depends."]))
    first = alice.say("Licensing in Xanadu?", metadata=CA, page_content="A page.").start
    second = alice.say("And in Yonkers?").start
    assert [backend.remove(first["user_message_id"]), backend.remove(second["message_id"])] == [204, 204]
    return Client(headers=backend.headers)


def test_deleted_words_are_not_found(reader: Client) -> None:
    def found(words: str) -> int:
        return len(reader.get(f"/api/v1/sessions/?search={words}").json()["results"])

    # The second answer, which said them again, is gone too.
    assert [found("yonkers"), found("said"), found("xanadu")] == [1, 0, 0]


def test_details_have_its_place(reader: Client, alice: Socket) -> None:
    told = reader.get(f"/api/v2/messages/details/?session_id={alice.session_id}").json()
    pairs = [(one["human"], one["ai"]) for one in told["messages"]]
    assert pairs == [("", "It depends."), ("And in Yonkers?", "")]
    assert (told["summary"]["message_count"], told["summary"]["user_queries"]) == (4, 2)
    assert told["summary"]["usage"]["total_tokens"] == 20


def test_ibls_lists_leave_it_out(reader: Client, alice: Socket) -> None:
    user = "/api/ai-mentor/orgs/demo/users/alice"
    whole = reader.get(f"{user}/sessions/{alice.session_id}/").json()
    recent = reader.get(f"{user}/recent-messages/").json()[0]["messages"]
    for said in (whole["results"], recent):
        assert [one["content"] for one in said] == ["And in Yonkers?", "It depends."]
    text = reader.get(f"{user}/sessions/{alice.session_id}/download-session").content.decode()
    assert "[1]" not in text and "[2]" in text


def test_a_session_is_called_by_the_first_words_that_are_left(reader: Client, alice: Socket) -> None:
    assert reader.get(f"/api/v1/sessions/{alice.session_id}/").json()["title"] == "And in Yonkers?"


def test_an_export_has_its_place(reader: Client, alice: Socket, backend: Poster) -> None:
    path = "/api/v1/exports/stream.csv?columns=sequence,content,message_metadata"
    with request(alice.url, "GET", path, headers=backend.headers) as answer:
        lines = answer.read().decode()
    rows = [line.split(",") for line in lines.splitlines()[1:]]
    assert [(row[0], row[1]) for row in rows] == [
        ("1", '""'),
        ("2", "It depends."),
        ("3", "And in Yonkers?"),
        ("4", '""'),
    ]


def test_pages_for_people_show_its_place(reader: Client, alice: Socket, coach: Mentor) -> None:
    root = Client()
    root.force_login(User.objects.create_superuser("root"))
    first = ChatMessageHistory.objects.get(sequence=1)
    for path in (
        f"/admin/chat/session/{alice.session_id}/change/",
        f"/admin/chat/chatmessagehistory/{first.pk}/change/",
        f"/analytics/sessions/{alice.session_id}/",
    ):
        page = root.get(path)
        assert (path, page.status_code) == (path, 200)
        assert (path, "was removed" in page.content.decode()) == (path, True)
