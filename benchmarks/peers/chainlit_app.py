"""Chainlit as its documentation shows it: an async OpenAI client whose tokens are streamed to the page."""

from __future__ import annotations

import os

import chainlit as cl
from openai import AsyncOpenAI

client = AsyncOpenAI(base_url=os.environ["MODEL_URL"], api_key="none")


@cl.on_message
async def on_message(message: cl.Message) -> None:
    answer = cl.Message(content="")
    messages = [{"role": "user", "content": message.content}]
    stream = await client.chat.completions.create(model="back-to-back", messages=messages, stream=True)
    async for part in stream:
        if part.choices and (token := part.choices[0].delta.content):
            await answer.stream_token(token)
    await answer.update()
