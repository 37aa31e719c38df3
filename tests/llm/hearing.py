"""Somebody who asks a model and hears the answer out."""

from __future__ import annotations

import asyncio
from typing import Any

from chat import errors, llm

KEY = "sk-very-secret"
PROMPT = "Is Anna Kowalska allowed to sell annuities?"


class Heard:
    """What came of a request: the chunks, and the error that ended them, if one did."""

    def __init__(self) -> None:
        self.chunks: list[str] = []
        self.last = llm.Ending("", None)
        self.error: errors.ModelError | None = None

    @property
    def text(self) -> str:
        return "".join(self.chunks)


def request(model: str = "scripted", **parameters: Any) -> llm.ModelRequest:
    return llm.ModelRequest(model, [{"role": "user", "content": PROMPT}], parameters)


async def listen(model: llm.Model, asked: llm.ModelRequest) -> Heard:
    """Hear an answer out."""
    heard = Heard()
    try:
        heard.last = await model.answer(asked, heard.chunks.append)
    except errors.ModelError as error:
        heard.error = error
    return heard


def hear(model: llm.Model, asked: llm.ModelRequest) -> Heard:
    async def run() -> Heard:
        try:
            return await listen(model, asked)
        finally:
            await llm.close()

    return asyncio.run(run())


def ask(url: str, asked: llm.ModelRequest | None = None, **options: Any) -> Heard:
    return hear(llm.OpenAIModel(url, KEY, **options), asked or request())
