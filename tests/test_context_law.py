"""The seed's example of the context law at both doors; the law itself is a table: `tests/conformance`."""

from __future__ import annotations

import json
from typing import Any

from chat.models import ChatMessageHistory, SessionContextVersion

from .clients import Talk, TalkMaker
from .model_server import ModelServer

CA = {"productGroup": "LICENSING", "stateCode": "CA"}
NY = {"productGroup": "CE", "stateCode": "NY"}


def snapshots(talk: Talk) -> list[dict[str, Any]]:
    rows = ChatMessageHistory.objects.filter(session=talk.session_id, role="user").select_related("extra")
    return [row.extra.metadata for row in rows]


def seen(model: ModelServer) -> list[str]:
    """What the model saw as the user's message, turn by turn."""

    return [json.loads(body)["messages"][-1]["content"] for body in model.received]


def test_the_seeds_four_rows(talk: TalkMaker, model: ModelServer) -> None:
    one = talk()
    one.say("#1", metadata=CA)
    one.say("#2")
    one.say("#3", metadata=NY)
    one.say("#4")
    assert snapshots(one) == [CA, CA, NY, NY]
    assert [("LICENSING" in text, "stateCode: NY" in text) for text in seen(model)] == [
        (True, False),
        (True, False),
        (False, True),
        (False, True),
    ]


def test_the_version_row_says_who_through_which_door(talk: TalkMaker, token: str) -> None:
    one = talk(token=token, username="alice")
    one.say("a", metadata=CA)
    row = SessionContextVersion.objects.get()
    assert (row.number, row.value, row.author) == (1, CA, "token:backend")
    assert row.door in ("websocket", "sse")
    assert sorted(row.verified_keys) == sorted(CA)
