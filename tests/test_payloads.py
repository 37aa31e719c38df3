"""What a client may send: the chat payload, the commands of a socket, and ibl.ai's stop message."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat.errors import ChatError, FrameTooLarge, InvalidPayload, MetadataTooLarge, PromptTooLarge
from chat.limits import Limits
from chat.payloads import (
    BaseConsumerPayload,
    Frame,
    LegacyStop,
    ResumeCommand,
    StopCommand,
    cut_at_word,
    parse_frame,
)

SESSION = "6f1c9a52-3d0e-4b7a-9c1f-2e8d5a7b4c30"
FLOW = {"name": "licensing-coach", "tenant": "demo"}
LIMITS = Limits()


def frame(**members: Any) -> str:
    """A good payload with these members set or, by ..., left out."""
    payload = {"session_id": SESSION, "flow": FLOW, "prompt": "What is on the exam?", **members}
    return json.dumps({key: value for key, value in payload.items() if value is not ...})


def accepted(limits: Limits = LIMITS, **members: Any) -> BaseConsumerPayload:
    return BaseConsumerPayload.parse(frame(**members), limits)


def refused(error: type[ChatError], raw: str, limits: Limits = LIMITS) -> dict[str, str]:
    """What a refused frame is told, as pointer to sentence."""
    with pytest.raises(error) as caught:
        parse_frame(raw, limits)
    assert caught.value.message == caught.value.details[0]["message"]
    return {detail["pointer"]: detail["message"] for detail in caught.value.details}


def invalid(**members: Any) -> dict[str, str]:
    return refused(InvalidPayload, frame(**members))


def nested(depth: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(depth - 1):
        value = {"a": value}
    return value


def test_the_seed_s_payload_is_accepted_whole() -> None:
    metadata = {"productGroup": "LICENSING", "stateCode": "CA", "productFamilyDisplay": None}
    payload = accepted(page_content="The page.", metadata=metadata)
    assert payload.session_id == UUID(SESSION)
    assert payload.flow.model_dump() == {**FLOW, "username": None, "pathway": None}
    assert (payload.prompt, payload.page_content) == ("What is on the exam?", "The page.")
    assert payload.metadata == metadata
    assert (
        payload.metadata_text == '{"productGroup":"LICENSING","stateCode":"CA","productFamilyDisplay":null}'
    )
    assert payload.warnings == []


def test_the_metadata_s_text_is_as_the_client_spelled_it() -> None:
    raw = frame(metadata="HERE").replace('"HERE"', '{ "b" : 1.10, "a": [1e5, -0 ], "\\u4f60": null }')
    assert BaseConsumerPayload.parse(raw, LIMITS).metadata_text == '{"b":1.10,"a":[1e5,-0],"你":null}'


@pytest.mark.parametrize("absent", [None, ...])
def test_metadata_that_is_null_or_absent_has_no_text(absent: Any) -> None:
    assert accepted(metadata=absent).metadata is None
    assert accepted(metadata=absent).metadata_text is None


def test_empty_metadata_is_not_absent_metadata() -> None:
    assert accepted(metadata={}).metadata == {}
    assert accepted(metadata={}).metadata_text == "{}"


@pytest.mark.parametrize("absent", [None, ...])
def test_page_content_may_be_null(absent: Any) -> None:
    assert accepted(page_content=absent).page_content == ""


def test_an_upper_case_session_id_is_the_same_session() -> None:
    assert str(accepted(session_id=SESSION.upper()).session_id) == SESSION


@pytest.mark.parametrize(
    "session_id",
    [
        "not-a-uuid",
        "",
        f"{{{SESSION}}}",
        f"urn:uuid:{SESSION}",
        SESSION.replace("-", ""),
        f" {SESSION}",
        f"{SESSION}\n",
        SESSION.replace("-4b7a", "-1b7a"),
        SESSION.replace("-9c1f", "-cc1f"),
        "00000000-0000-0000-0000-000000000000",
        SESSION.replace("6", "６"),
        5,
        {},
        None,
        ...,
    ],
)
def test_a_session_id_that_is_no_uuid4_in_its_usual_spelling_is_refused(session_id: Any) -> None:
    assert list(invalid(session_id=session_id)) == ["/session_id"]


@pytest.mark.parametrize("prompt", ["", "  \n\t", "\u2003", 5, None, ["text"], {"text": 1}, True, ...])
def test_a_prompt_must_be_a_text_that_says_something(prompt: Any) -> None:
    assert list(invalid(prompt=prompt)) == ["/prompt"]


@pytest.mark.parametrize("metadata", [[], ["a"], "text", 5, 1.5, True, False])
def test_metadata_must_be_an_object(metadata: Any) -> None:
    assert invalid(metadata=metadata) == {"/metadata": "metadata must be an object."}


@pytest.mark.parametrize(
    ("members", "pointer"),
    [
        ({"flow": ...}, "/flow"),
        ({"flow": "licensing-coach"}, "/flow"),
        ({"flow": {"tenant": "demo"}}, "/flow/name"),
        ({"flow": {"name": "a", "tenant": ""}}, "/flow/tenant"),
        ({"flow": {"name": 5, "tenant": "demo"}}, "/flow/name"),
        ({"flow": {**FLOW, "username": "u" * 256}}, "/flow/username"),
        ({"page_content": 5}, "/page_content"),
        ({"document_filter": []}, "/document_filter"),
        ({"file_references": {}}, "/file_references"),
        ({"file_references": [{}, 1]}, "/file_references/1"),
        ({"token": 5}, "/token"),
        ({"session_token": ["x"]}, "/session_token"),
        ({"include_metadata_in_prompt": "true"}, "/include_metadata_in_prompt"),
        ({"include_metadata_in_prompt": 1}, "/include_metadata_in_prompt"),
        ({"client_message_id": ""}, "/client_message_id"),
        ({"client_message_id": "i" * 129}, "/client_message_id"),
        ({"client_message_id": "a\nb"}, "/client_message_id"),
        ({"client_message_id": 7}, "/client_message_id"),
    ],
)
def test_nothing_is_coerced_and_every_fault_has_its_pointer(members: dict[str, Any], pointer: str) -> None:
    assert list(invalid(**members)) == [pointer]


def test_every_fault_is_told_and_the_first_is_the_message() -> None:
    assert invalid(session_id="x", prompt=5, flow={"name": "a"}) == {
        "/session_id": "session_id must be a UUID in its usual spelling (8-4-4-4-12).",
        "/flow/tenant": "flow.tenant is required.",
        "/prompt": "prompt must be a string.",
    }


def test_a_refusal_never_repeats_what_was_sent() -> None:
    with pytest.raises(InvalidPayload) as caught:
        accepted(prompt=["secret-9f3"], token={"secret-9f3": 1}, session_id="secret-9f3")
    assert "9f3" not in json.dumps(caught.value.as_frame())
    assert caught.value.__context__ is None


def test_tokens_do_not_show_in_a_payload_s_repr() -> None:
    assert "s3cret" not in repr(accepted(token="s3cret", session_token="s3cret"))
    assert accepted(token="s3cret", session_token="other").token == "s3cret"


def test_unknown_keys_are_named_and_not_fatal() -> None:
    payload = accepted(metdata={"a": 1}, flow={**FLOW, "a/b": 1})
    assert payload.warnings == [
        {
            "code": "unknown_key",
            "pointer": "/metdata",
            "message": "This key is not known here and has no effect.",
        },
        {
            "code": "unknown_key",
            "pointer": "/flow/a~1b",
            "message": "This key is not known here and has no effect.",
        },
    ]


def test_a_crowd_of_unknown_keys_is_counted_instead_of_named() -> None:
    crowd: dict[str, Any] = {f"key{number}": 1 for number in range(500)}
    warnings = accepted(**crowd).warnings
    assert len(warnings) == 21
    assert warnings[-1]["message"] == "480 more keys are not known here and have no effect."


def test_what_is_not_supported_yet_is_named() -> None:
    payload = accepted(
        document_filter={"year": 2026},
        file_references=[{"file_id": "1"}],
        flow={**FLOW, "pathway": "p"},
    )
    assert [(warning["code"], warning["pointer"]) for warning in payload.warnings] == [
        ("not_supported_yet", "/document_filter"),
        ("not_supported_yet", "/file_references"),
        ("not_supported_yet", "/flow/pathway"),
    ]


def test_what_asks_for_nothing_gives_no_warning() -> None:
    nothing: dict[str, Any] = {
        "document_filter": None,
        "file_references": [],
        "include_metadata_in_prompt": None,
    }
    assert accepted(**nothing, flow={**FLOW, "pathway": ""}, token=None).warnings == []


def test_a_client_cannot_set_what_parse_derives() -> None:
    payload = accepted(metadata_text='{"a":1}', payload_digest="0", warnings=[{"code": "x"}])
    assert payload.metadata_text is None
    assert len(payload.payload_digest) == 64
    assert [warning["pointer"] for warning in payload.warnings] == [
        "/metadata_text",
        "/payload_digest",
        "/warnings",
    ]


def test_the_digest_is_the_same_for_the_same_message() -> None:
    members: dict[str, Any] = {"metadata": {"a": 1}, "page_content": "page", "document_filter": {"a": 1}}
    first = accepted(**members, token="one", client_message_id="1").payload_digest
    again = accepted(**members, token="two", session_token="t", client_message_id="1").payload_digest
    assert first == again


@pytest.mark.parametrize(
    "members",
    [
        {"prompt": "Another?"},
        {"metadata": {"a": 2}},
        {"metadata": None},
        {"metadata": {}},
        {"page_content": "other page"},
        {"document_filter": {"a": 1}},
        {"file_references": [{"file_id": "1"}]},
        {"flow": {**FLOW, "name": "maths-tutor"}},
        {"flow": {**FLOW, "tenant": "other"}},
    ],
)
def test_the_digest_differs_for_another_message(members: dict[str, Any]) -> None:
    sent: dict[str, Any] = {"metadata": {"a": 1}, "page_content": "page"}
    assert accepted(**sent).payload_digest != accepted(**{**sent, **members}).payload_digest


def test_the_digest_is_of_the_page_as_it_was_sent() -> None:
    limits = Limits(page_content_bytes=8)
    one, other = (
        accepted(limits, page_content="word word one"),
        accepted(limits, page_content="word word two"),
    )
    assert one.page_content == other.page_content == "word"
    assert one.payload_digest != other.payload_digest


def test_metadata_is_measured_in_bytes_of_its_compact_text() -> None:
    raw = frame(metadata={"k": "你" * 10})  # {"k":"…"} is 8 bytes and 30 more
    assert isinstance(parse_frame(raw, Limits(metadata_bytes=38)), BaseConsumerPayload)
    assert refused(MetadataTooLarge, raw, Limits(metadata_bytes=37)) == {
        "/metadata": "The metadata is 38 bytes long; at most 37 are accepted."
    }


def test_metadata_of_sixteen_levels_is_accepted_and_of_seventeen_not() -> None:
    assert accepted(metadata=nested(16)).metadata == nested(16)
    assert refused(MetadataTooLarge, frame(metadata=nested(17))) == {
        "/metadata": "The metadata is nested too deeply; at most 16 levels are accepted."
    }


def test_metadata_of_100_000_levels_is_no_payload_at_all() -> None:
    raw = frame(metadata="HERE").replace('"HERE"', '{"a":' * 100_000 + "1" + "}" * 100_000)
    assert list(refused(InvalidPayload, raw, Limits(frame_bytes=2**20))) == [""]


def test_keys_are_counted_at_every_level() -> None:
    metadata = {"a": {"b": 1, "c": [{"d": 1}, {"e:::::": 1}]}}
    assert accepted(Limits(metadata_keys=5), metadata=metadata).metadata == metadata
    assert refused(MetadataTooLarge, frame(metadata=metadata), Limits(metadata_keys=4)) == {
        "/metadata": "The metadata has 5 keys; at most 4 are accepted."
    }


def test_a_prompt_is_measured_in_bytes() -> None:
    assert accepted(Limits(prompt_bytes=6), prompt="你好").prompt == "你好"
    assert refused(PromptTooLarge, frame(prompt="你好"), Limits(prompt_bytes=5)) == {
        "/prompt": "The prompt is 6 bytes long; at most 5 are accepted."
    }


def test_a_frame_over_its_limit_is_refused_unread() -> None:
    refused(FrameTooLarge, "{" * 101, Limits(frame_bytes=100))


def test_page_content_over_its_limit_is_cut_and_told() -> None:
    payload = accepted(Limits(page_content_bytes=12), page_content="Alpha beta gamma")
    assert payload.page_content == "Alpha beta"
    assert payload.warnings == [
        {
            "code": "page_content_cut",
            "pointer": "/page_content",
            "message": "The page content was cut: 10 of 16 bytes were kept.",
        }
    ]


@pytest.mark.parametrize(
    ("text", "max_bytes", "kept"),
    [
        ("one two", 7, "one two"),
        ("one two", 6, "one"),
        ("one two three", 7, "one two"),
        ("one two three", 8, "one two"),
        ("one\n\ntwo", 6, "one"),
        ("你好世界", 7, "你好"),
        ("你好 世界", 9, "你好"),
        ("x" * 1000, 500, "x" * 500),
        ("a " + "x" * 1000, 500, "a " + "x" * 498),
    ],
)
def test_a_cut_falls_between_words_or_at_least_characters(text: str, max_bytes: int, kept: str) -> None:
    assert cut_at_word(text, max_bytes) == kept


@given(st.text(), st.integers(min_value=0, max_value=40))
def test_a_cut_text_is_a_beginning_that_fits(text: str, max_bytes: int) -> None:
    kept = cut_at_word(text, max_bytes)
    assert text.startswith(kept)
    assert len(kept.encode()) <= max_bytes


def command(**members: Any) -> Frame:
    return parse_frame(json.dumps(members), LIMITS)


def test_a_frame_without_an_action_is_a_message() -> None:
    assert isinstance(parse_frame(frame(), LIMITS), BaseConsumerPayload)
    assert isinstance(parse_frame(frame(action=None).encode(), LIMITS), BaseConsumerPayload)


def test_stop_names_a_generation() -> None:
    stop = command(action="stop", generation_id=SESSION, token="t", session_id=SESSION)
    assert isinstance(stop, StopCommand)
    assert (stop.generation_id, stop.token, stop.session_id) == (UUID(SESSION), "t", UUID(SESSION))


def test_resume_starts_after_an_event_or_at_the_beginning() -> None:
    resume = command(action="resume", generation_id=SESSION, after=7, session_token="s")
    assert isinstance(resume, ResumeCommand)
    assert (resume.generation_id, resume.after, resume.session_token) == (UUID(SESSION), 7, "s")
    assert getattr(command(action="resume", generation_id=SESSION), "after", None) == 0


@pytest.mark.parametrize("after", [-1, 1.0, "7", True, None, 2**31])
def test_resume_wants_a_number_of_an_event(after: Any) -> None:
    raw = json.dumps({"action": "resume", "generation_id": SESSION, "after": after})
    assert list(refused(InvalidPayload, raw)) == ["/after"]


@pytest.mark.parametrize("generation_id", [None, "", "x", 5, SESSION[:-1]])
def test_a_command_without_a_generation_is_refused(generation_id: Any) -> None:
    for action in ("stop", "resume"):
        raw = json.dumps({"action": action, "generation_id": generation_id})
        assert list(refused(InvalidPayload, raw)) == ["/generation_id"]


@pytest.mark.parametrize("action", ["start", "", "STOP", 5, True, ["stop"], {"stop": 1}])
def test_other_actions_are_refused(action: Any) -> None:
    told = {"/action": "action must be stop, resume, subscribe or unsubscribe."}
    assert refused(InvalidPayload, frame(action=action)) == told


def test_ibl_s_stop_message_is_understood() -> None:
    raw = json.dumps(
        {"generation_id": SESSION, "name": "coach", "tenant": "demo", "username": "alice", "token": ""}
    )
    stop = LegacyStop.parse(raw, LIMITS)
    assert stop.generation_id == UUID(SESSION)
    assert (stop.name, stop.tenant, stop.username, stop.token) == ("coach", "demo", "alice", "")


def test_ibl_s_stop_message_needs_its_generation_and_flow() -> None:
    with pytest.raises(InvalidPayload) as caught:
        LegacyStop.parse('{"username": null, "token": null}', LIMITS)
    assert [detail["pointer"] for detail in caught.value.details] == ["/generation_id", "/name", "/tenant"]
