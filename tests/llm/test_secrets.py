"""What an error and a log line of the model wire say, and what they do not."""

from __future__ import annotations

import contextlib
import json
import logging
import traceback
from collections.abc import Iterator
from logging.handlers import BufferingHandler

import pytest

from chat.llm.openai import LOGGED_CHARACTERS
from tests import model_server as fake
from tests.model_server import GARBAGE, HTML, ModelServer

from .hearing import KEY, PROMPT, ask


@contextlib.contextmanager
def logged() -> Iterator[list[logging.LogRecord]]:
    handler = BufferingHandler(capacity=100)
    logging.getLogger("chat.llm").addHandler(handler)
    try:
        yield handler.buffer
    finally:
        logging.getLogger("chat.llm").removeHandler(handler)


@pytest.mark.parametrize(
    "behaviour", [fake.Refuse(401, message=f"bad key {KEY}"), fake.Drop(), HTML, GARBAGE]
)
def test_no_error_tells_the_key_the_address_or_the_servers_words(
    server: ModelServer, behaviour: fake.Behaviour
) -> None:
    server.enqueue(behaviour, behaviour)
    error = ask(server.url).error
    assert error is not None
    told = "".join(traceback.format_exception(error)) + json.dumps(error.as_frame())
    assert not [secret for secret in (KEY, server.url, "127.0.0.1", "bad key", "proxy") if secret in told]


def test_the_log_has_the_servers_words_but_not_the_prompt_and_not_the_key(server: ModelServer) -> None:
    server.enqueue(fake.Refuse(422, message=f"Bad input for {KEY}: {PROMPT} {'x' * 500}"))
    with logged() as records:
        ask(server.url)
    said = records[0].__dict__["said"]
    assert said.startswith('status 422, {"error": {"message": "Bad input for …: …')
    assert len(said) <= LOGGED_CHARACTERS
    assert not [part for part in (KEY, "Anna", "Kowalska", "annuities") if part in said]
