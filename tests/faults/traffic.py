"""Users who talk on through a fault, and what each was told, held against what is stored."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.clients import Frame, Reply, Socket

from .stage import Stage
from .web import Web

SECOND_THOUGHT = 0.2


@dataclass
class Told:
    """One message as its sender knows it: what it was refused with, and then the frames of its turn."""

    client_message_id: str
    context: dict[str, Any]
    refused: list[Frame] = field(default_factory=list)
    waited: float = 0.0
    reply: Reply | None = None


class Talker(threading.Thread):
    """A user who sends one message after the other, each again and again until it is taken.

    Every other message brings new metadata; the ones between are to keep it.
    """

    def __init__(self, talk: Socket) -> None:
        super().__init__(daemon=True)
        self.talk = talk
        self.told: list[Told] = []
        self.enough = threading.Event()
        self.broken: Exception | None = None

    def run(self) -> None:
        try:
            while not self.enough.is_set():
                self._say(len(self.told))
        except Exception as error:
            self.broken = error
        self.talk.close()

    def _say(self, number: int) -> None:
        told = Told(f"message-{number}", {"since": number - number % 2})
        self.told.append(told)
        payload = self.talk.payload(f"This is {number}.", client_message_id=told.client_message_id)
        if number % 2 == 0:
            payload["metadata"] = told.context
        began = time.monotonic()
        while "generation_id" not in (frame := self._first_frame(payload)):
            told.refused.append(frame)
            time.sleep(SECOND_THOUGHT)
        told.waited = time.monotonic() - began
        told.reply = Reply([frame, *self.talk.rest(timeout=60)])

    def _first_frame(self, payload: Frame) -> Frame:
        self.talk.put(payload)
        return self.talk.get(timeout=60)


@contextlib.contextmanager
def talking(stage: Stage, webs: list[Web], count: int, mentor: str = "quick") -> Iterator[list[Talker]]:
    """So many users in the block, spread over the processes; after it each has heard its last answer out."""
    talkers = [Talker(stage.talk(webs[n % len(webs)], mentor)) for n in range(count)]
    for talker in talkers:
        talker.start()
    try:
        yield talkers
    finally:
        for talker in talkers:
            talker.enough.set()
        for talker in talkers:
            talker.join(90)


def faults(told: list[Told], messages: list[Any]) -> list[str]:
    """Where the stored messages of a session (in order) are not what its user was told."""
    found = [f"{m.id} is numbered {m.sequence}" for n, m in enumerate(messages, 1) if m.sequence != n]
    for one in told:
        stored = [m for m in messages if m.client_message_id == one.client_message_id]
        if len(stored) != 1:
            found.append(f"{one.client_message_id} is stored {len(stored)} times")
        elif one.reply is not None:
            found += _differences(one, one.reply, stored[0], messages)
    return found


def _differences(one: Told, reply: Reply, asked: Any, messages: list[Any]) -> list[str]:
    answers = [m for m in messages if m.sequence == asked.sequence + 1]
    status = reply.end.get("status")
    whole = status == "complete"
    checks = {
        "acknowledged under another id": str(asked.id) == reply.start["user_message_id"],
        "another context": [m.context for m in (asked, *answers)] == [one.context] * 2,
        "another answer": [str(m.id) for m in answers] == [reply.start["message_id"]],
        "another status": [m.status for m in answers] == [status],
        "another text": not whole or [m.content for m in answers] == [reply.text],
    }
    return [f"{one.client_message_id}: {what}" for what, good in checks.items() if not good]


def refusals(talkers: list[Talker]) -> set[str]:
    """The codes that anybody was refused with."""
    return {frame["code"] for talker in talkers for one in talker.told for frame in one.refused}


def endings(talkers: list[Talker]) -> Counter[str]:
    """How the turns ended, as their users were told."""
    return Counter(one.reply.end["status"] for t in talkers for one in t.told if one.reply is not None)


def all_faults(stage: Stage, talkers: list[Talker]) -> list[str]:
    broken = [f"{talker.talk.session_id}: {talker.broken!r}" for talker in talkers if talker.broken]
    return broken + [f for t in talkers for f in faults(t.told, stage.messages(t.talk.session_id))]


def tell_figures(talkers: list[Talker]) -> None:
    messages = [one for talker in talkers for one in talker.told]
    refused = sum(len(one.refused) for one in messages)
    slowest = max(one.waited for one in messages)
    print(f"{dict(endings(talkers))}, {refused} refusals, the slowest was taken after {slowest:.2f} s")
