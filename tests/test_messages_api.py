"""`/api/v1/sessions/{id}/messages/`: messages of any type with whatever their senders attach."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from chat.models import ChatMessageHistory, Mentor, MessageDebug, Session

from .clients import fetch
from .expecting import SENTENCE, problem
from .posting import CA, Poster, bearer, make, message

DEBUG = {
    "intent_generation": {"request": {"content": "Which intent?"}, "response": {"content": "greeting"}},
    "response_generation": {"request": {"content": "Greet."}, "response": {"content": "Hello World!"}},
}
# The seed's own, with words where it has dots.
SEED: dict[str, Any] = {
    "id": "1234....",
    "sender": {"participant_id": "1234....", "participant_role": "user"},
    "content": "Hello World!",
    "content_type": "text/plain",
    "message_type": "chat",
    "metadata": {
        "attribution": "Internal System",
        "debug": DEBUG,
        "footer_items": ["6.8k of 50k (13%) tokens used for request"],
    },
}


@pytest.fixture
def session(coach: Mentor) -> Session:
    """Alice's with the coach, under CA, without a word so far."""
    return make(coach, context=CA)


@pytest.fixture
def backend(live: str, session: Session, token: str) -> Poster:
    return Poster(live, session.pk, bearer(token))


# --- posting


def test_the_seeds_example_comes_back_as_the_seed_says(backend: Poster) -> None:
    status, told = backend.at("POST", "", SEED)
    expected = message(
        sender=SEED["sender"],
        content="Hello World!",
        metadata={
            "attribution": "Internal System",
            "footer_items": ["6.8k of 50k (13%) tokens used for request"],
        },
        has_debug_data=True,
        client_message_id="1234....",
        client_context=CA,
        context_version=1,
    )
    assert (status, told) == (201, {**expected, "warnings": []})
    assert backend.show(told["id"]) == backend.show("1234....") == expected
    assert backend.list() == [expected]
    assert backend.at("GET", f"{told['id']}/debug_data/") == (
        200,
        {"message_id": told["id"], "debug_data": DEBUG},
    )


def test_a_word_is_enough(backend: Poster) -> None:
    assert backend.post() == {**message(client_context=CA, context_version=1), "warnings": []}


@pytest.mark.parametrize("kind", ["chat", "log", "note", "notice", "command", "command-response"])
def test_a_message_is_of_any_type(backend: Poster, kind: str) -> None:
    assert backend.post("/help", message_type=kind)["message_type"] == kind


@pytest.mark.parametrize(
    ("theirs", "ours", "who"), [("user", "user", "alice"), ("assistant", "mentor", ""), ("service",) * 3]
)
def test_a_message_is_of_any_sender(backend: Poster, coach: Mentor, theirs: str, ours: str, who: str) -> None:
    told = backend.post(sender={"participant_role": theirs})
    assert (told["role"], told["sender"]) == (
        ours,
        {"participant_id": who or str(coach.unique_id), "participant_role": theirs},
    )


def test_metadata_are_kept_whole(backend: Poster) -> None:
    sent = {
        "": None,
        "attribution": 5,
        "href": "javascript:alert(1)",
        "footer_items": "one line",
        "deep": {"a": [{"b": [1.5, True, "景", 2**70, {}]}]},
        "tool_calls": [{"id": "1", "name": "look", "arguments": {}}],
    }
    assert backend.post(metadata=sent, message_type="log")["metadata"] == sent


def test_file_names_go_with_it(backend: Poster) -> None:
    assert backend.post(filenames=["a.pdf", "b.pdf"])["filenames"] == ["a.pdf", "b.pdf"]


def test_null_is_as_absent(backend: Poster) -> None:
    absent = dict.fromkeys(["id", "sender", "metadata", "filenames", "debug_data", "message_type"])
    assert backend.post(**absent) == {**message(client_context=CA, context_version=1), "warnings": []}


def test_a_key_that_is_not_known_is_named(backend: Poster) -> None:
    told = backend.post(colour="green", sender={"name": "Al"})["warnings"]
    assert [(one["code"], one["pointer"]) for one in told] == [
        ("unknown_key", "/colour"),
        ("unknown_key", "/sender/name"),
    ]


def test_the_same_id_twice_is_refused(backend: Poster) -> None:
    ours = backend.post(id="1")["id"]
    for again in ("1", ours):
        assert backend.refused(id=again, content="Again.") == (409, problem(409, "message_exists", "/id"))
    assert backend.contents() == ["Hello."]


def test_an_id_is_unique_in_its_session_only(backend: Poster, coach: Mentor) -> None:
    assert {backend.post(id="1")["sequence"], backend.elsewhere(make(coach).pk).post(id="1")["sequence"]} == {
        1
    }


def test_the_snapshot_is_the_context_in_force(backend: Poster, session: Session) -> None:
    backend.post()
    Session.objects.update(metadata={"client_context": {"stateCode": "NY"}}, context_version=2)
    assert backend.post()["client_context"] == {"stateCode": "NY"}
    assert [one["context_version"] for one in backend.list()] == [1, 2]
    assert Session.objects.get().next_sequence == 3


# --- what is refused


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/content"),
        ({"content": None}, "/content"),
        ({"content": 5}, "/content"),
        ({"content": ["Hello."]}, "/content"),
        ({"content": "", "message_type": "chatter"}, "/message_type"),
        ({"content": "", "message_type": 5}, "/message_type"),
        ({"content": "", "content_type": ""}, "/content_type"),
        ({"content": "", "content_type": "x" * 101}, "/content_type"),
        ({"content": "", "metadata": []}, "/metadata"),
        ({"content": "", "metadata": "{}"}, "/metadata"),
        ({"content": "", "debug_data": 5}, "/debug_data"),
        ({"content": "", "filenames": "a.pdf"}, "/filenames"),
        ({"content": "", "filenames": [5]}, "/filenames/0"),
        ({"content": "", "filenames": ["a"] * 101}, "/filenames"),
        ({"content": "", "filenames": ["x" * 256]}, "/filenames/0"),
        ({"content": "", "sender": "alice"}, "/sender"),
        ({"content": "", "sender": {"participant_role": "system"}}, "/sender/participant_role"),
        ({"content": "", "sender": {"participant_id": 5}}, "/sender/participant_id"),
        ({"content": "", "sender": {"participant_id": "x" * 256}}, "/sender/participant_id"),
        ({"content": "", "id": 5}, "/id"),
        ({"content": "", "id": ""}, "/id"),
        ({"content": "", "id": "x" * 129}, "/id"),
        ({"content": "", "id": "a\nb"}, "/id"),
    ],
)
def test_a_wrong_value_is_pointed_at(backend: Poster, body: dict[str, Any], pointer: str) -> None:
    assert backend.at("POST", "", body) == (422, problem(422, "invalid_message", pointer))
    assert not ChatMessageHistory.objects.exists()


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (rb'{"content": "a\u0000b"}', "/content"),
        (rb'{"content": "\ud800"}', "/content"),
        (rb'{"content": "", "metadata": {"a": {"b": "\u0000"}}}', "/metadata/a/b"),
        (rb'{"content": "", "metadata": {"a": 1, "a": 2}}', "/metadata/a"),
        (rb'{"content": "", "metadata": {"a": 1e999}}', "/metadata/a"),
        (b'["Hello."]', ""),
        (b"{", ""),
        (b'{"content": "\xff"}', ""),
    ],
)
def test_what_is_no_sound_json_is_refused(backend: Poster, body: bytes, pointer: str) -> None:
    assert backend.at("POST", "", body) == (400, problem(400, "invalid_payload", pointer))


def test_what_is_too_large_is_refused(backend: Poster) -> None:
    deep: Any = {}
    for _ in range(16):
        deep = {"a": deep}
    asked: list[tuple[dict[str, Any], str, str]] = [
        ({"content": "景" * 11_000}, "prompt_too_large", "/content"),
        ({"content": "", "metadata": {"a": "x" * 17_000}}, "metadata_too_large", "/metadata"),
        ({"content": "", "metadata": {str(n): n for n in range(300)}}, "metadata_too_large", "/metadata"),
        ({"content": "", "metadata": deep}, "metadata_too_large", "/metadata"),
        ({"content": "x" * 600_000}, "frame_too_large", ""),
    ]
    for body, code, pointer in asked:
        assert backend.refused(**body) == (413, problem(413, code, pointer))
    assert not ChatMessageHistory.objects.exists()


# --- debug data


@pytest.mark.parametrize(
    ("metadata", "debug_data", "kept"),
    [
        ({"debug": {"a": 1}}, None, {"a": 1}),
        ({"debug": "a word"}, None, {"debug": "a word"}),
        ({"debug": [1]}, {"b": 2}, {"debug": [1], "b": 2}),
        ({}, {"a": 1}, {"a": 1}),
        (None, {"a": 1}, {"a": 1}),
        (
            {"debug": {"a": {"x": 1, "y": [1]}, "b": 1}},
            {"a": {"y": [2], "z": 3}, "b": {"c": 4}},
            {"a": {"x": 1, "y": [1, 2], "z": 3}, "b": {"c": 4}},
        ),
    ],
)
def test_debug_data_are_kept_apart(backend: Poster, metadata: Any, debug_data: Any, kept: Any) -> None:
    told = backend.post(metadata=metadata, debug_data=debug_data)
    assert (told["metadata"], told["has_debug_data"]) == ({}, True)
    assert backend.debug(told["id"]) == kept


def test_debug_data_may_be_longer_than_metadata(backend: Poster) -> None:
    told = backend.post(metadata={"debug": {"request": "x" * 100_000}})
    assert len(backend.debug(told["id"])["request"]) == 100_000


def test_without_debug_data_there_are_none(backend: Poster) -> None:
    told = backend.post(metadata={"a": 1}, debug_data={})
    assert (told["has_debug_data"], backend.debug(told["id"])) == (False, {})
    assert not MessageDebug.objects.exists()


# --- listing


@pytest.fixture
def six(backend: Poster) -> list[str]:
    """Our ids of six messages, which their sender calls 1 to 6."""
    kinds = [("user", "chat"), ("assistant", "chat"), ("service", "notice"), ("service", "log")]
    kinds += [("user", "command"), ("assistant", "command-response")]
    return [
        backend.post(f"{n}.", id=str(n), sender={"participant_role": role}, message_type=kind)["id"]
        for n, (role, kind) in enumerate(kinds, 1)
    ]


def listed(backend: Poster, query: str) -> str:
    return "".join(backend.contents(query)).replace(".", "")


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", "123456"),
        ("?limit=2", "12"),
        ("?after=2", "3456"),
        ("?after=2&limit=2", "34"),
        ("?before=5", "1234"),
        ("?before=5&limit=2", "34"),
        ("?after=1&before=5&limit=2", "23"),
        ("?after=6", ""),
        ("?before=1", ""),
        ("?participant_role=user", "15"),
        ("?participant_role=user&participant_role=service", "1345"),
        ("?message_type=chat", "12"),
        ("?message_type=log&message_type=notice", "34"),
        ("?message_type=log&participant_role=user", ""),
        ("?participant_role=service&before=6&limit=1", "4"),
        ("?limit=500", "123456"),
    ],
)
def test_a_list_is_oldest_first(backend: Poster, six: list[str], query: str, found: str) -> None:
    assert listed(backend, query) == found


def test_a_place_is_named_by_our_ids_too(backend: Poster, six: list[str]) -> None:
    assert listed(backend, f"?after={six[1]}&before={six[4]}") == "34"


@pytest.mark.parametrize("start", ["?limit=2", "?limit=4&message_type=chat&message_type=log", "?limit=1"])
def test_pages_lead_on_and_back(backend: Poster, six: list[str], start: str) -> None:
    there = walked(backend, backend.at("GET", start)[1], "next")
    assert there == listed(backend, start.replace("limit=2", "limit=9").replace("limit=1", "limit=9"))
    last = backend.at("GET", f"{start}&after={six[4]}")[1]
    assert walked(backend, last, "previous")[:1] == "1" or not last["results"]


def walked(backend: Poster, page: Any, way: str) -> str:
    said = [one["content"][0] for one in page["results"]]
    while page[way]:
        page = fetch(backend.url, "GET", page[way].removeprefix(backend.url), headers=backend.headers)[1]
        new = [one["content"][0] for one in page["results"]]
        said = said + new if way == "next" else new + said
    return "".join(said)


def test_between_two_messages_the_next_page_ends_there_too(backend: Poster, six: list[str]) -> None:
    page = backend.at("GET", "?after=1&before=5&limit=2")[1]
    assert walked(backend, page, "next") == "234"


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("?participant_role=mentor", "participant_role"),
        ("?message_type=chatter", "message_type"),
        ("?message_type=", "message_type"),
        ("?before=nobody", "before"),
        ("?after=%00", "after"),
        (f"?after={uuid.uuid4()}", "after"),
        ("?after=1&after=2", "after"),
        ("?limit=0", "limit"),
        ("?limit=501", "limit"),
        ("?deleted=1", "deleted"),
        ("?colour=green", "colour"),
    ],
)
def test_a_filter_that_is_none_is_refused(backend: Poster, six: list[str], query: str, name: str) -> None:
    assert backend.at("GET", query) == (400, problem(400, "invalid_filter", f"?{name}"))


def test_the_last_slash_may_be_left_out(backend: Poster, six: list[str]) -> None:
    path = backend.path.rstrip("/")
    for one in (path, f"{path}/{six[0]}", f"{path}/{six[0]}/debug_data"):
        assert fetch(backend.url, "GET", one, headers=backend.headers)[0] == 200
    told = fetch(backend.url, "POST", path, {"content": "7."}, backend.headers)
    assert (told[0], told[1]["sequence"]) == (201, 7)
    assert fetch(backend.url, "DELETE", f"{path}/7", headers=backend.headers)[0] == 404


@pytest.mark.parametrize("name", ["nobody", "%00", str(uuid.uuid4()), "x" * 300])
def test_a_message_that_is_not_there(backend: Poster, name: str) -> None:
    asked = [("GET", f"{name}/"), ("DELETE", f"{name}/"), ("GET", f"{name}/debug_data/")]
    assert [backend.at(*one) for one in asked] == [(404, problem(404, "not_found"))] * 3


def test_a_message_of_another_session_is_not_here(backend: Poster, coach: Mentor) -> None:
    there = backend.elsewhere(make(coach).pk).post(id="1")
    assert [backend.at("GET", f"{name}/")[0] for name in ("1", there["id"])] == [404, 404]
    assert backend.at("GET", f"?after={there['id']}")[1]["detail"] == SENTENCE
