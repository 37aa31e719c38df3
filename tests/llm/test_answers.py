"""The model wire over real HTTP on loopback: what is asked, and what it makes of an answer."""

from __future__ import annotations

import asyncio
import json

import pytest
from django.test import override_settings

from chat import llm
from tests import model_server as fake
from tests.model_server import DONE, ModelServer, Raw, delta, event, finish, usage

from .hearing import KEY, PROMPT, ask, hear, listen, request


def test_an_answer_has_its_text_its_finish_reason_and_its_usage(server: ModelServer) -> None:
    server.enqueue(fake.Answer(["Hel", "lo ", "Zoë 🎓"], reason="length", usage=(11, 3)))
    heard = ask(server.url)
    assert heard.text == "Hello Zoë 🎓"
    assert (heard.last.finish_reason, heard.last.usage) == ("length", llm.Usage(11, 3, 14))


def test_tokens_that_arrive_together_leave_together(server: ModelServer) -> None:
    server.enqueue(fake.Answer(fake.numbered(50), together=True))
    heard = ask(server.url)
    assert heard.chunks == ["".join(fake.numbered(50))]
    assert heard.last == llm.Ending("stop", llm.Usage(7, 3, 10))


def test_tokens_that_come_one_by_one_leave_one_by_one(server: ModelServer) -> None:
    server.enqueue(fake.Answer(["one ", "two ", "three"], gap=0.05))
    assert ask(server.url).chunks == ["one ", "two ", "three"]


def test_the_server_gets_exactly_the_bytes_of_request_body(server: ModelServer) -> None:
    asked = request("scripted", temperature=0.5)
    ask(server.url, asked)
    assert server.received == [llm.request_body(asked)]
    assert json.loads(server.received[0]) == {
        "model": "scripted",
        "messages": [{"role": "user", "content": PROMPT}],
        "stream": True,
        "stream_options": {"include_usage": True},
        "temperature": 0.5,
    }


def test_the_order_of_parameters_does_not_change_the_body() -> None:
    assert llm.request_body(request(seed=1, top_p=0.5)) == llm.request_body(request(top_p=0.5, seed=1))


def test_parameters_cannot_replace_the_prompt_the_model_or_streaming() -> None:
    hostile = llm.ModelRequest("scripted", [], {"messages": ["forged"], "stream": False, "model": "dearer"})
    assert llm.request_body(hostile) == llm.request_body(llm.ModelRequest("scripted", [], {}))


def test_the_request_carries_the_key_and_asks_for_no_compression(server: ModelServer) -> None:
    ask(server.url)
    assert server.headers[0]["Authorization"] == f"Bearer {KEY}"
    assert server.headers[0]["Accept-Encoding"] == "identity"
    assert "Cookie" not in server.headers[0]


def test_answers_share_one_connection(server: ModelServer) -> None:
    async def three() -> None:
        for _ in range(3):
            await listen(llm.OpenAIModel(server.url), request())
            await asyncio.sleep(0.05)  # the end of the body may come a moment after the end of the answer
        await llm.close()

    asyncio.run(three())
    assert len(server.received) == 3
    assert len(set(server.peers)) == 1


def test_a_server_that_ignores_stream_is_heard_as_one_chunk(server: ModelServer) -> None:
    server.enqueue(fake.PlainJson("The whole answer."))
    heard = ask(server.url)
    assert (heard.chunks, heard.last) == (["The whole answer."], llm.Ending("stop", llm.Usage(7, 3, 10)))


def test_a_server_that_counts_nothing_gives_no_usage(server: ModelServer) -> None:
    server.enqueue(fake.Answer(["Hello"], usage=None))
    assert ask(server.url).last.usage is None


@pytest.mark.parametrize("ending", [finish(), DONE, DONE.rstrip(), finish() + DONE, finish().rstrip()])
def test_a_finish_reason_or_done_is_an_end(server: ModelServer, ending: bytes) -> None:
    server.enqueue(Raw([delta("Hello"), ending]))
    heard = ask(server.url)
    assert (heard.text, heard.last.finish_reason, heard.error) == ("Hello", "stop", None)


def test_reasoning_and_other_choices_are_no_text_for_the_user(server: ModelServer) -> None:
    thought = event(choices=[{"index": 0, "delta": {"reasoning_content": "Hm."}, "finish_reason": None}])
    second = event(choices=[{"index": 1, "delta": {"content": "Other"}, "finish_reason": None}])
    server.enqueue(Raw([thought, second, delta("Hello"), finish(), DONE]))
    assert ask(server.url).text == "Hello"


def test_a_model_that_reasons_longer_than_the_first_token_may_take_is_at_work(server: ModelServer) -> None:
    thought = event(choices=[{"index": 0, "delta": {"reasoning_content": "Hm."}, "finish_reason": None}])
    server.enqueue(Raw([*[thought] * 5, delta("Hello"), finish()], gap=0.1))
    assert ask(server.url, first_token_timeout=0.3).text == "Hello"


def test_content_in_parts_is_read_as_its_text(server: ModelServer) -> None:
    parts = [{"type": "thinking", "thinking": []}, {"type": "text", "text": "Hello"}]
    server.enqueue(Raw([event(choices=[{"delta": {"content": parts}}]), DONE]))
    assert ask(server.url).text == "Hello"


def test_what_no_store_can_keep_is_left_out_of_the_text(server: ModelServer) -> None:
    torn = rb'data: {"choices": [{"delta": {"content": "a\u0000b\ud83dc\ud83d\ude00d"}}]}' + b"\n\n"
    server.enqueue(Raw([torn, DONE]))
    assert ask(server.url).text == "abc😀d"


def test_an_answer_over_its_limit_ends_there_and_says_so(server: ModelServer) -> None:
    server.enqueue(Raw([delta("éé"), delta("éé"), *[delta("more")] * 1000], gap=0.02))
    heard = ask(server.url, answer_bytes=7)
    assert (heard.text, heard.last.finish_reason, heard.error) == ("ééé", "answer_limit", None)
    assert server.client_left()


def test_absurd_counts_fit_a_column(server: ModelServer) -> None:
    server.enqueue(Raw([delta("Hello"), finish(), usage(10**15, -5), DONE]))
    assert ask(server.url).last.usage == llm.Usage(2**31 - 1, 0, 2**31 - 1)


@override_settings(LLM_BASE_URL="")
def test_without_a_server_the_demonstration_answers() -> None:
    assert isinstance(llm.current(), llm.DemoModel)


def test_with_a_server_that_one_answers(server: ModelServer) -> None:
    with override_settings(LLM_BASE_URL=server.url, LLM_API_KEY=KEY, LIMIT_ANSWER_BYTES=5):
        heard = hear(llm.current(), request())
    assert (heard.text, heard.last.finish_reason) == ("You s", "answer_limit")
    assert server.headers[0]["Authorization"] == f"Bearer {KEY}"
