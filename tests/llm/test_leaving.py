"""Whoever leaves an answer hangs up on the model's server, and is waited for by nobody."""

from __future__ import annotations

import asyncio

from chat import llm
from tests.model_server import ModelServer

from .hearing import listen, request


def test_a_cancelled_answer_hangs_up_at_once(server: ModelServer) -> None:
    async def stop_after_the_first() -> bool:
        first = asyncio.Event()
        model = llm.OpenAIModel(server.url)
        turn = asyncio.create_task(model.answer(request("paced-20ms-10000"), lambda _: first.set()))
        await first.wait()
        turn.cancel()
        left = await asyncio.to_thread(server.client_left, 2)
        await llm.close()
        return left

    assert asyncio.run(stop_after_the_first())


def test_a_cancelled_turn_hangs_up_before_the_first_token_too(server: ModelServer) -> None:
    async def cancel() -> bool:
        turn = asyncio.create_task(listen(llm.OpenAIModel(server.url), request("hang")))
        await asyncio.sleep(0.1)
        turn.cancel()
        left = await asyncio.to_thread(server.client_left, 2)
        await llm.close()
        return left

    assert asyncio.run(cancel())


def test_each_loop_has_its_own_session_and_closing_twice_is_harmless(server: ModelServer) -> None:
    async def run() -> str:
        heard = await listen(llm.OpenAIModel(server.url), request("tokens-1"))
        await llm.close()
        await llm.close()
        return heard.text

    assert [asyncio.run(run()), asyncio.run(run())] == ["tok0 ", "tok0 "]
