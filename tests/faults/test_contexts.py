"""Contexts that are written by themselves, at one process for another, with Redis away, and until a process dies."""

from __future__ import annotations

import json
import time
from typing import Any
from uuid import UUID

from tests.clients import Socket, fetch

from .stage import Stage, elsewhere
from .web import Web, frozen


def put(stage: Stage, web: Web, talk: Socket, context: Any) -> tuple[int, Any]:
    path = f"/api/v1/sessions/{talk.session_id}/context/"
    return fetch(
        web.url, "PUT", path, {"client_context": context}, {"Authorization": f"Bearer {stage.token}"}
    )


def shown(stage: Stage) -> str:
    """The model's last prompt."""
    text: str = json.loads(stage.model.received[-1])["messages"][-1]["content"]
    return text


def test_a_process_that_remembers_the_session_has_what_was_put_at_another(
    stage: Stage, one: Web, two: Web
) -> None:
    talk = stage.talk(one, "brief")
    for n in range(1, 4):
        assert talk.say("Which?", metadata={"n": n}).version == 2 * n - 1
        assert put(stage, two, talk, {"n": -n})[1]["version"] == 2 * n
        assert talk.say("And now?").version == 2 * n
        assert f"n: {-n}\n" in shown(stage)
    assert elsewhere(talk, two).say("And here?").version == 6


def test_it_is_put_and_in_force_though_redis_swallows_everything(stage: Stage, one: Web, two: Web) -> None:
    talk = stage.talk(one, "brief")
    talk.say("Which?", metadata={"n": 1})
    with frozen(stage.redis):
        began = time.monotonic()
        assert put(stage, two, talk, {"n": 2})[0] == 200
        first = time.monotonic() - began
        began = time.monotonic()
        assert put(stage, two, talk, {"n": 3})[0] == 200
        second = time.monotonic() - began
        assert talk.say("And now?").version == 3
    print(f"put after {first:.3f} s, and again after {second:.3f} s, with a frozen Redis")
    assert (first < 3.5, second < 0.7) == (True, True)
    talk.say("And when it is back?")
    assert "n: 3\n" in shown(stage)


def test_what_was_acknowledged_is_there_after_a_kill(stage: Stage, one: Web) -> None:
    talk = stage.talk(one, "brief")
    talk.say("Which?")
    with stage.webs(1) as [doomed]:
        told = [put(stage, doomed, talk, {"n": n})[1]["version"] for n in range(1, 20)]
        doomed.kill()
    rows = stage.rows(
        "SELECT number, value FROM chat_sessioncontextversion WHERE session_id = %s ORDER BY number",
        UUID(talk.session_id),
    )
    assert [row.number for row in rows] == told == list(range(1, 20))
    assert talk.say("And now?").version == 19
    assert "n: 19\n" in shown(stage)
