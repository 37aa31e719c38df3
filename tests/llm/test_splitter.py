"""A stream of events says the same wherever its reads fall."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from chat import llm
from chat.llm.answer import Answer
from chat.llm.events import EventSplitter
from tests.model_server import DONE, delta, finish, usage

STREAM = b"".join(
    [
        b"\xef\xbb\xbf: hello\n\n",
        b"event: message\nid: 1\n" + delta("Grüße, "),
        delta("世界 "),
        delta("🎓\n\n").replace(b"\n", b"\r\n"),
        b'data:{"choices":\ndata: [{"delta": {"content": "two lines"}}]}\n\n'.replace(b"\n", b"\r\n"),
        b"data\n\n: comment\n\n\n\n",
        delta(" and CR").replace(b"\n", b"\r"),
        finish(),
        usage(1, 2).replace(b"\n", b"\r\n"),
        DONE,
    ]
)


def torn(stream: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(cut % len(stream) for cut in cuts), len(stream)]
    return [stream[start:end] for start, end in pairwise(edges) if start < end]


@settings(deadline=None)
@given(st.lists(st.integers(min_value=0), max_size=40))
def test_a_stream_says_the_same_wherever_the_reads_fall(cuts: list[int]) -> None:
    answer = Answer(10_000)
    text = "".join(answer.feed(part) for part in torn(STREAM, cuts))
    assert text == "Grüße, 世界 🎓\n\ntwo lines and CR"
    assert (answer.ended, answer.fault, answer.finish_reason, answer.usage) == (
        True,
        None,
        "stop",
        llm.Usage(1, 2, 3),
    )


def test_a_stream_says_the_same_byte_by_byte() -> None:
    answer = Answer(10_000)
    text = "".join(answer.feed(STREAM[place : place + 1]) for place in range(len(STREAM)))
    assert (text, answer.ended) == ("Grüße, 世界 🎓\n\ntwo lines and CR", True)


@settings(deadline=None)
@given(st.lists(st.text(max_size=20), min_size=1), st.lists(st.integers(min_value=0), max_size=20))
def test_any_text_survives_any_tearing(texts: list[str], cuts: list[int]) -> None:
    answer = Answer(1_000_000)
    said = "".join(answer.feed(part) for part in torn(b"".join(map(delta, texts)), cuts))
    assert said == "".join(texts).replace("\0", "")


@settings(deadline=None)
@given(st.lists(st.binary(max_size=50)))
def test_no_bytes_break_the_reading(reads: list[bytes]) -> None:
    answer = Answer(1_000)
    for data in reads:
        answer.feed(data)
    answer.finish()
    assert answer.ended or answer.fault


def test_an_event_is_given_as_soon_as_its_blank_line_is_there() -> None:
    splitter = EventSplitter()
    assert splitter.feed(b"data: one\r\n\r") == [b"one"]
    assert splitter.feed(b"\ndata: two\n") == []
    assert splitter.feed(b"\n") == [b"two"]


def test_every_kind_of_line_end_ends_a_line() -> None:
    splitter = EventSplitter()
    assert splitter.feed(b"data: a\rdata: b\n\n") == [b"a\nb"]
    assert splitter.feed(b"data: c\r") + splitter.feed(b"\ndata: d\r\n\r\n") == [b"c\nd"]
