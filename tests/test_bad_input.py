"""Bad input: told by code and pointer at every door, nothing stored, nothing sent to the model, no 500."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
from django.db.models import Model
from websockets.exceptions import ConnectionClosedError
from websockets.sync.client import ClientConnection

from chat.models import ChatMessageHistory, Mentor, Session, SessionContextVersion

from .clients import Frame, Socket, Stream, TalkMaker, announce, fetch, request
from .expecting import problem, refusal
from .model_server import ModelServer

KIB = 1024
RECORDS: list[type[Model]] = [Session, ChatMessageHistory, SessionContextVersion]
SESSIONS = "/api/ai-mentor/orgs/demo/sessions/"


def invalid_at(pointer: str) -> Frame:
    return refusal(400, "invalid_payload", pointer)


INVALID = invalid_at("")


def nothing_happened(model: ModelServer) -> bool:
    return not model.received and not any(record.objects.exists() for record in RECORDS)


def answer_to(talk: Socket | Stream, raw: str | bytes) -> Frame:
    talk.put(raw)
    return talk.get()


def with_raw(talk: Socket | Stream, **raw: str) -> str:
    """A good payload's text with these members spelled so."""
    good = {key: json.dumps(value) for key, value in talk.payload("Hello.").items()}
    return "{" + ",".join(f'"{key}": {text}' for key, text in {**good, **raw}.items()) + "}"


NOT_JSON = {
    "nothing": "",
    "blanks": " \n\t ",
    "half an object": '{"prompt": "hel',
    "no quotes": "{bad",
    "single quotes": "{'prompt': 'Hello.'}",
    "a trailing comma": '{"prompt": "Hello.",}',
    "a comment": '{"prompt": "Hello." /* to you */}',
    "trailing text": '{"prompt": "Hello."} {}',
    "a byte order mark": '\ufeff{"prompt": "Hello."}',
    "a raw NUL": '{"prompt": "Hel\0lo."}',
    "a raw newline": '{"prompt": "Hel\nlo."}',
    "a list": "[]",
    "a string": '"Hello."',
    "a number": "5",
    "null": "null",
    "true": "true",
    "100,000 lists": '{"metadata":' + "[" * 100_000 + "]" * 100_000 + "}",
    "100,000 objects": '{"":' * 100_000 + "1" + "}" * 100_000,
    "100,000 open brackets": "[" * 100_000,
    "100,000 open objects": '{"":' * 100_000,
}


def test_what_is_not_a_json_object(talk: TalkMaker, model: ModelServer) -> None:
    one = talk()
    told = {name: answer_to(one, raw) for name, raw in NOT_JSON.items()}
    assert told == dict.fromkeys(NOT_JSON, INVALID)
    assert nothing_happened(model)
    assert one.say("Hello.").end["status"] == "complete"


# What the member is, and where the fault is told to be.
NOT_INTERCHANGEABLE = {
    "NaN": ("metadata", '{"a": NaN}', "/metadata/a"),
    "Infinity": ("metadata", '{"a": [1, Infinity]}', "/metadata/a/1"),
    "-Infinity": ("metadata", '{"a": -Infinity}', "/metadata/a"),
    "1e400": ("metadata", '{"a": {"b": 1e400}}', "/metadata/a/b"),
    "-1e131000": ("metadata", '{"a": -1e131000}', "/metadata/a"),
    "1e-131000": ("metadata", '{"a": 1e-131000}', "/metadata/a"),
    "5000 digits": ("metadata", '{"a": ' + "9" * 5000 + "}", "/metadata/a"),
    "a lone high surrogate": ("metadata", r'{"a": "\ud83d"}', "/metadata/a"),
    "a lone low surrogate": ("prompt", r'"\ude00"', "/prompt"),
    "surrogates in the wrong order": ("prompt", r'"\ude00\ud83d"', "/prompt"),
    "a lone surrogate in a key": ("metadata", r'{"a": {"\udfff": 1}}', "/metadata/a"),
    "NUL in the prompt": ("prompt", r'"Hel\u0000lo."', "/prompt"),
    "NUL in the page": ("page_content", r'"\u0000"', "/page_content"),
    "NUL in a value": ("metadata", r'{"a": "\u0000"}', "/metadata/a"),
    "NUL in a key": ("metadata", r'{"\u0000": "a"}', "/metadata"),
    "NUL in the tenant": ("flow", r'{"name": "coach", "tenant": "demo\u0000"}', "/flow/tenant"),
    "NUL in the token": ("token", r'"\u0000"', "/token"),
    "a key twice": ("metadata", '{"a": 1, "a": 2}', "/metadata/a"),
    "a key twice, once escaped": ("metadata", r'{"a": 1, "\u0061": 2}', "/metadata/a"),
    "a slash in a key": ("metadata", '{"a/b~c": NaN}', "/metadata/a~1b~0c"),
    "a member twice": ("prompt", '"one", "prompt": "two"', "/prompt"),
}


def test_what_json_allows_and_others_refuse(talk: TalkMaker, model: ModelServer) -> None:
    one = talk()
    told = {
        name: answer_to(one, with_raw(one, **{member: raw}))
        for name, (member, raw, _) in NOT_INTERCHANGEABLE.items()
    }
    assert told == {name: invalid_at(pointer) for name, (_, _, pointer) in NOT_INTERCHANGEABLE.items()}
    assert nothing_happened(model)
    assert one.say("Hello.").end["status"] == "complete"


WRONG_TYPES = {
    "metadata is a list": ({"metadata": []}, "/metadata"),
    "metadata is a string": ({"metadata": "stateCode=CA"}, "/metadata"),
    "metadata is a number": ({"metadata": 0}, "/metadata"),
    "metadata is false": ({"metadata": False}, "/metadata"),
    "session_id is a word": ({"session_id": "mine"}, "/session_id"),
    "session_id without dashes": ({"session_id": uuid.uuid4().hex}, "/session_id"),
    "session_id as a URN": ({"session_id": uuid.uuid4().urn}, "/session_id"),
    "session_id in braces": ({"session_id": f"{{{uuid.uuid4()}}}"}, "/session_id"),
    "session_id with a newline": ({"session_id": f"{uuid.uuid4()}\n"}, "/session_id"),
    "session_id of version 1": ({"session_id": str(uuid.uuid1())}, "/session_id"),
    "session_id is an object": ({"session_id": {}}, "/session_id"),
    "session_id is null": ({"session_id": None}, "/session_id"),
    "prompt is a number": ({"prompt": 5}, "/prompt"),
    "prompt is null": ({"prompt": None}, "/prompt"),
    "prompt is empty": ({"prompt": ""}, "/prompt"),
    "prompt is blank": ({"prompt": " \n\u3000"}, "/prompt"),
    "page_content is a list": ({"page_content": ["text"]}, "/page_content"),
    "flow is a word": ({"flow": "coach"}, "/flow"),
    "flow has no tenant": ({"flow": {"name": "coach"}}, "/flow/tenant"),
    "flow's name is an object": ({"flow": {"name": {"$ne": ""}, "tenant": "demo"}}, "/flow/name"),
    "token is a number": ({"token": 5}, "/token"),
    "session_token is a list": ({"session_token": []}, "/session_token"),
    "client_message_id is empty": ({"client_message_id": ""}, "/client_message_id"),
    "client_message_id is a number": ({"client_message_id": 7}, "/client_message_id"),
    "client_message_id is too long": ({"client_message_id": "x" * 129}, "/client_message_id"),
}


def test_a_member_of_the_wrong_type(talk: TalkMaker, model: ModelServer) -> None:
    one = talk()
    told = {
        name: answer_to(one, json.dumps({**one.payload("Hello."), **wrong}))
        for name, (wrong, _) in WRONG_TYPES.items()
    }
    assert told == {name: invalid_at(pointer) for name, (_, pointer) in WRONG_TYPES.items()}
    assert nothing_happened(model)
    assert one.say("Hello.").end["status"] == "complete"


def test_every_fault_of_a_payload_is_told_at_once(talk: TalkMaker, model: ModelServer) -> None:
    frame = answer_to(talk(), '{"metadata": [], "prompt": 5}')
    assert {detail["pointer"] for detail in frame["details"]} == {
        "/session_id",
        "/flow",
        "/prompt",
        "/metadata",
    }
    assert nothing_happened(model)


def test_an_error_never_repeats_what_was_sent(talk: TalkMaker) -> None:
    secret = "4111-1111-1111-1111"
    assert secret not in json.dumps(answer_to(talk(), with_raw(talk(), token=f'["{secret}"]')))


def nested(depth: int) -> Frame:
    value: Frame = {}
    for _ in range(depth - 1):
        value = {"a": value}
    return value


OVER_A_LIMIT = {
    "metadata of 16 KiB and a byte": (
        {"metadata": {"a": "x" * (16 * KIB - 7)}},
        "metadata_too_large",
        "/metadata",
    ),
    "metadata of 16 KiB in two-byte letters": (
        {"metadata": {"a": "é" * (8 * KIB)}},
        "metadata_too_large",
        "/metadata",
    ),
    "metadata of 17 levels": ({"metadata": nested(17)}, "metadata_too_large", "/metadata"),
    "metadata of 17 levels of lists": (
        {"metadata": {"a": json.loads("[" * 16 + "]" * 16)}},
        "metadata_too_large",
        "/metadata",
    ),
    "metadata of 257 keys": (
        {"metadata": {str(n): n for n in range(257)}},
        "metadata_too_large",
        "/metadata",
    ),
    "metadata of 257 keys, nested": (
        {"metadata": {"a": [{str(n): n} for n in range(256)]}},
        "metadata_too_large",
        "/metadata",
    ),
    "a prompt of 32 KiB and a byte": ({"prompt": "x" * (32 * KIB + 1)}, "prompt_too_large", "/prompt"),
    "a prompt of 32 KiB in three-byte letters": (
        {"prompt": "课" * (11 * KIB)},
        "prompt_too_large",
        "/prompt",
    ),
    "a frame of 512 KiB": ({"page_content": "x" * (512 * KIB)}, "frame_too_large", ""),
    "a frame of 512 KiB in three-byte letters": ({"page_content": "课" * (171 * KIB)}, "frame_too_large", ""),
}


def test_over_a_limit_the_context_in_force_stays(talk: TalkMaker, model: ModelServer) -> None:
    one = talk()
    one.say("Hello.", metadata={"stateCode": "CA"})
    told = {
        name: answer_to(one, json.dumps({**one.payload("Hello again."), **large}, ensure_ascii=False))
        for name, (large, _, _) in OVER_A_LIMIT.items()
    }
    assert told == {name: refusal(413, code, at) for name, (_, code, at) in OVER_A_LIMIT.items()}
    assert (Session.objects.get().client_context, len(model.received)) == ({"stateCode": "CA"}, 1)
    assert ChatMessageHistory.objects.count() == 2
    assert one.say("Hello.").version == 1


JUST_WITHIN = {
    "metadata of 16 KiB": {"metadata": {"a": "x" * (16 * KIB - 8)}},
    "metadata of 16 levels": {"metadata": nested(16)},
    "metadata of 256 keys": {"metadata": {str(n): n for n in range(256)}},
    "a prompt of 32 KiB": {"prompt": "x" * (32 * KIB)},
}


@pytest.mark.parametrize("large", JUST_WITHIN.values(), ids=JUST_WITHIN.keys())
def test_at_a_limit_it_is_accepted(talk: TalkMaker, large: Frame) -> None:
    one = talk()
    one.put({**one.payload("Hello."), **large})
    assert one.get()["context"]["version"] == ("metadata" in large)


def test_blanks_do_not_count_for_the_metadata(talk: TalkMaker) -> None:
    one = talk()
    assert "error" not in answer_to(one, with_raw(one, metadata='{"a": 1' + " " * 17 * KIB + "}"))


def test_a_long_page_is_cut_at_a_word_and_answered(talk: TalkMaker, model: ModelServer) -> None:
    one = talk()
    reply = one.say("What is on this page?", page_content="twelve chars " * 21 * KIB)
    (warning,) = reply.start["context"]["warnings"]
    assert (warning["code"], warning["pointer"]) == ("page_content_cut", "/page_content")
    assert reply.end["status"] == "complete"
    page = json.loads(model.received[0])["messages"][-1]["content"].partition("looking at:\n")[2]
    page = page.removesuffix("\n</END PAGE CONTENT>")
    assert 256 * KIB - 13 < len(page) <= 256 * KIB
    assert page.endswith((" twelve", " chars"))


# --- what only a socket can do wrong


@pytest.fixture
def socket(live: str, coach: Mentor, model: ModelServer) -> Any:
    one = Socket(url=live, tenant="demo", mentor="coach")
    yield one
    one.close()


@pytest.mark.parametrize("raw", [b"", b"\x00\xff", b'{"prompt": "Hello."}'], ids=["empty", "bytes", "JSON"])
def test_a_binary_frame_is_refused(socket: Socket, model: ModelServer, raw: bytes) -> None:
    for _ in range(3):
        assert answer_to(socket, raw) == INVALID
    assert nothing_happened(model)
    assert socket.say("Hello.").end["status"] == "complete"


def test_a_socket_bears_a_hundred_bad_frames(socket: Socket) -> None:
    for _ in range(100):
        socket.put("{bad")
    assert [socket.get()["code"] for _ in range(100)] == ["invalid_payload"] * 100
    assert socket.say("Hello.").end["status"] == "complete"


def test_an_unknown_action_is_refused(socket: Socket) -> None:
    socket.put({"action": "delete"})
    assert socket.get() == invalid_at("/action")


@pytest.mark.parametrize("action", ["stop", "resume"])
def test_an_action_on_what_is_no_id(socket: Socket, action: str) -> None:
    for generation in [None, 5, "mine", "", {}]:
        socket.put({"action": action, "generation_id": generation})
        assert socket.get() == invalid_at("/generation_id")


def test_resume_after_what_is_no_event_number(socket: Socket) -> None:
    for after in [-1, 1.5, "2", True, 2**40, []]:
        socket.put({"action": "resume", "generation_id": str(uuid.uuid4()), "after": after})
        assert socket.get() == invalid_at("/after")


def test_the_stop_socket_bears_it_too(socket: Socket) -> None:
    with socket.open("/ws/langflow-stop-generation/") as stop:
        for raw in [*NOT_JSON.values(), b"\x00"]:
            stop.send(raw)
            assert json.loads(stop.recv(10)) == INVALID


def closed_with(connection: ClientConnection) -> int | None:
    with pytest.raises(ConnectionClosedError) as closed:
        connection.recv(10)
    return closed.value.rcvd and closed.value.rcvd.code


def test_a_frame_over_1_mib_is_closed_with_1009(socket: Socket, model: ModelServer) -> None:
    announce(socket.socket, 1024 * KIB + 1)
    assert closed_with(socket.socket) == 1009
    assert nothing_happened(model)


def test_invalid_utf_8_is_closed_with_1007(socket: Socket, model: ModelServer) -> None:
    socket.socket.send(b'{"prompt": "\xff"}', text=True)
    assert closed_with(socket.socket) == 1007
    assert nothing_happened(model)


# --- what only HTTP can do wrong


@pytest.mark.parametrize(
    "body", [b'{"prompt": "\xff"}', b"\xed\xa0\x80", '{"prompt": "Hello."}'.encode("utf-16"), b"\x1f\x8b\x08"]
)
def test_invalid_utf_8_over_http(live: str, model: ModelServer, coach: Mentor, body: bytes) -> None:
    assert fetch(live, "POST", "/api/mentor/chat/", body) == (400, INVALID)
    assert nothing_happened(model)


def test_the_sessions_path_bears_it_too(live: str, coach: Mentor) -> None:
    faults = {raw: "" for raw in NOT_JSON.values() if raw}
    faults |= {"": "/mentor", '{"mentor": 5}': "/mentor", '{"mentor": ""}': "/mentor"}
    faults |= {f'{{"{member}": {raw}}}': at for member, raw, at in NOT_INTERCHANGEABLE.values()}
    for raw, pointer in faults.items():
        answer = fetch(live, "POST", SESSIONS, raw.encode())
        assert answer == (400, problem(400, "invalid_payload", pointer))
    assert not Session.objects.exists()


def test_a_huge_chunked_body_is_refused_before_its_end(live: str, model: ModelServer, coach: Mentor) -> None:
    with request(live, "POST", "/api/mentor/chat/", iter([b"x" * 64 * KIB] * 16)) as response:  # type: ignore[arg-type]
        assert (response.status, json.loads(response.read())) == (413, refusal(413, "frame_too_large", ""))
    assert nothing_happened(model)


def test_a_large_body_of_the_sessions_path(live: str, coach: Mentor) -> None:
    body = json.dumps({"mentor": "x" * 600 * KIB}).encode()
    assert fetch(live, "POST", SESSIONS, body) == (413, problem(413, "frame_too_large", ""))
