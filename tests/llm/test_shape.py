"""Events that are alike are not parsed: whatever a server sends, and wherever the reads fall, the text is the same."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from chat.llm import Usage
from chat.llm.answer import Answer
from chat.llm.shape import Shape

LIMIT = 1024 * 1024
TEXTS = st.one_of(
    st.sampled_from(
        ["", "Hel", "lo ", "é", "🎓", '"', "\\", "\n", "\0", "content", '","content":"', "}}]}", "?"]
    ),
    st.text(max_size=6),
)
SEPARATORS: Any = st.sampled_from([(",", ":"), (", ", ": "), (" , ", " : ")])


@st.composite
def events(draw: st.DrawFn) -> bytes:
    """One event as OpenAI and those who speak like it send it."""
    delta: dict[str, Any] = {"content": draw(TEXTS)}
    if draw(st.integers(0, 5)) == 0:
        delta = draw(
            st.sampled_from(
                [{"role": "assistant", **delta}, {"reasoning": "Hm."}, {**delta, "content": None}]
            )
        )
    ends = draw(st.sampled_from([None] * 8 + ["stop"]))
    event: dict[str, Any] = {"id": "x", "choices": [{"index": 0, "delta": delta, "finish_reason": ends}]}
    more = draw(st.sampled_from(["", "", "", "obfuscation", "usage", "content", "second"]))
    if more == "usage":
        event["usage"] = {"prompt_tokens": 1, "completion_tokens": draw(st.integers(1, 2))}
    elif more == "second":
        event["choices"][0]["index"] = 1
    elif more:
        event[more] = draw(TEXTS)
    spelled = json.dumps(event, ensure_ascii=draw(st.booleans()), separators=draw(SEPARATORS))
    return f"data: {spelled}".encode(errors="surrogatepass")


@st.composite
def streams(draw: st.DrawFn) -> list[bytes]:
    """The reads of a stream in which the same few events come again and again."""
    kinds = draw(st.lists(events(), min_size=1, max_size=4))
    line_end = draw(st.sampled_from([b"\n", b"\n", b"\n", b"\r\n"]))
    sent = draw(st.lists(st.sampled_from(kinds), min_size=1, max_size=12))
    data = b"".join(event + 2 * line_end for event in sent) + draw(
        st.sampled_from([b"", b"data: [DONE]\n\n"])
    )
    cuts = sorted(draw(st.lists(st.integers(0, len(data)), max_size=8)))
    return [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True) if a < b]


class Parsed(Answer):
    """Parses every event."""

    def __init__(self) -> None:
        super().__init__(LIMIT)
        self._shape._tries = 0


def heard(answer: Answer, reads: list[bytes]) -> tuple[Any, ...]:
    text = ""
    for data in reads:
        if not (answer.ended or answer.fault):
            text += answer.feed(data)
    text += "" if answer.ended or answer.fault else answer.finish()
    fault = answer.fault and type(answer.fault.error)
    return text, answer.size, answer.started, answer.ended, answer.finish_reason, answer.usage, fault


@settings(max_examples=600, deadline=None)
@given(streams())
def test_it_says_what_full_parsing_says(reads: list[bytes]) -> None:
    assert heard(Answer(LIMIT), reads) == heard(Parsed(), reads)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text(), min_size=1), st.booleans())
def test_one_read_of_alike_events_costs_no_parsing(texts: list[str], ascii_only: bool) -> None:
    lines = [
        json.dumps({"choices": [{"delta": {"content": text}}]}, ensure_ascii=ascii_only)
        for text in ["Hi", *texts]
    ]
    data = [f"data: {line}\n\n".encode(errors="surrogatepass") for line in lines]
    assert heard(Answer(LIMIT), [data[0], b"".join(data[1:])]) == heard(Parsed(), data)


def event(text: str, after: str = "}") -> bytes:
    return b'{"delta":{"content":"' + text.encode() + b'"}' + after.encode()


def learned(text: str = "Hi") -> Shape:
    shape = Shape()
    shape.learn(event(text), text)
    return shape


def test_it_reads_an_event_that_is_alike() -> None:
    assert learned().text_of(event("Zoë")) == "Zoë"


def test_it_reads_many_at_once() -> None:
    data = b"".join(b"data: " + event(text) + b"\n\n" for text in ("a", "", "b"))
    assert learned().read(data) == "ab"


def test_an_escape_is_left_to_the_parser() -> None:
    assert learned().text_of(event("a\\n")) is None


def test_what_is_no_utf_8_is_left_to_the_parser() -> None:
    assert learned().text_of(event("@").replace(b"@", b"\xff")) is None


def test_a_head_that_runs_into_its_tail_is_no_event() -> None:
    shape, torn = learned(), b'{"delta":{"content":"}}'
    assert (shape.text_of(torn), shape.read(b"data: " + torn + b"\n\n")) == (None, None)


def test_it_learns_nothing_where_the_text_stands_twice() -> None:
    shape = Shape()
    shape.learn(event("Hi", ',"content":"Hi"}'), "Hi")
    assert shape.text_of(event("Hi", ',"content":"Hi"}')) is None


def test_it_gives_up_on_a_server_that_changes_every_event() -> None:
    shape = Shape()
    for n in range(4):
        shape.learn(event("Hi", f',"at":{n}}}'), "Hi")
    assert shape.text_of(event("Hi", ',"at":2}')) == "Hi"
    assert shape.text_of(event("Hi", ',"at":3}')) is None


def test_counts_that_come_with_every_token_are_the_latest() -> None:
    def counted(n: int) -> bytes:
        usage = {"prompt_tokens": 1, "completion_tokens": n}
        return (
            b"data: "
            + json.dumps({"choices": [{"delta": {"content": "a"}}], "usage": usage}).encode()
            + b"\n\n"
        )

    answer = Answer(LIMIT)
    assert [answer.feed(counted(n)) for n in (1, 2, 1, 2, 1)] == ["a"] * 5
    assert answer.usage == Usage(1, 1, 2)
