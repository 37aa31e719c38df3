"""The demonstration model: no server, no thought, but it shows what a model would have been given."""

from __future__ import annotations

import asyncio
import re

from .request import Ending, Hear, ModelRequest, Usage

OPENING = "<CONTEXT METADATA>"
CLOSING = "</END CONTEXT METADATA>"
QUESTION_CHARACTERS = 160
VALUE_CHARACTERS = 120

_markers = re.compile(r"<(/?\s*(?:END\s+)?CONTEXT\s+METADATA\s*)>", re.IGNORECASE)
_words = re.compile(r"\S+\s*")
# What the composer puts beside the user's own words, which alone are repeated.
_aside = re.compile(r"<(GREETING INSTRUCTIONS|PAGE CONTENT)>.*?</END \1>\s*", re.DOTALL)


class DemoModel:
    """Streams its answer word by word with `delay` seconds between; all at once where that is 0."""

    def __init__(self, delay: float = 0.012) -> None:
        self._delay = delay

    async def answer(self, request: ModelRequest, hear: Hear) -> Ending:
        """The same words for the same request, always; usage counts words."""
        text = answer_to(request.messages)
        for word in _words.findall(text) if self._delay else [text]:
            hear(word)
            await asyncio.sleep(self._delay)
        return Ending("stop", _usage(request.messages, text))


def answer_to(messages: list[dict[str, str]]) -> str:
    """Markdown that says what this is, repeats the question in short and shows the context in the prompt."""
    question, block = _split(_aside.sub("", _last(messages, "user")))
    if block is None:
        _, block = _split(_last(messages, "system"))
    parts = [
        "**This is a demonstration.** No language model is connected: nobody has thought about your message.",
        f"You wrote: *{_short(question, QUESTION_CHARACTERS)}*" if question.strip() else "",
        _shown(_lines(block or "")),
        "Set `LLM_BASE_URL` (and, where the server asks for them, `LLM_API_KEY` and `LLM_MODEL`) to any "
        "OpenAI-compatible server, and a real model answers here with the same context before it.",
    ]
    return "\n\n".join(part for part in parts if part)


def _last(messages: list[dict[str, str]], role: str) -> str:
    return next((message["content"] for message in reversed(messages) if message["role"] == role), "")


def _split(content: str) -> tuple[str, str | None]:
    """The words before the newest context block, and what is in the block, if there is one."""
    before, opening, rest = content.rpartition(OPENING)
    return (before, rest.partition(CLOSING)[0]) if opening else (content, None)


def _lines(block: str) -> list[tuple[str, str]]:
    """The `key: value` lines of a block; the first line is the composer's introduction."""
    pairs = (line.partition(": ") for line in block.split("\n")[1:] if line.strip())
    return [(key, value) for key, _, value in pairs]


def _shown(context: list[tuple[str, str]]) -> str:
    if not context:
        return (
            "No context came with it. Send `metadata` beside your prompt, and what you send appears here: "
            "it stays in force until you send another."
        )
    rows = "".join(f"\n| {_short(key)} | {_short(value)} |" for key, value in context)
    return f"This is the context that a model would see with it:\n\n| key | value |\n|---|---|{rows}"


def _short(text: str, characters: int = VALUE_CHARACTERS) -> str:
    """One line of a table, without anything that reads as a marker."""
    line = " ".join(_markers.sub(r"‹\1›", text).split())
    line = line if len(line) <= characters else line[: characters - 1] + "…"
    return line.replace("|", "\\|")


def _usage(messages: list[dict[str, str]], text: str) -> Usage:
    prompt = sum(len(message["content"].split()) for message in messages)
    completion = len(text.split())
    return Usage(prompt, completion, prompt + completion)
