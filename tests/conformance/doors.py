"""The doors that a context can come through, each as a driver of the table; those of a browser are in `tests/browser`.

A new door joins by one more `Door` in `DOORS` (or in `tests/browser/doors.py`).
"""

from __future__ import annotations

import asyncio
import json
import re
import tempfile
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import Any, ClassVar, Final

from chat import strict_json
from chat.errors import InvalidPayload
from chat.replay import conversations
from chat.replay.client import Played, Player
from tests.clients import Frame, Socket, Stream, fetch

from .stage import Place, Visit
from .table import Case, Left, Loss, Need, Outcome, Refusal, Step, Who, Write, expected, needs_of, pointers

# Doors that bring no context of a client's, by the names that the program has for them.
LEFT_OUT: Final = {
    "stop": "It stops answers and takes nothing else.",
    "events": "It only tells.",
    "import": "It writes the rows of conversations that are over: tests/test_import.py.",
}
# And ways through doors that are here.
SAME_WAY: Final = {
    "POST …/messages/?respond=true": "Its metadata is the message's own; the turn goes on with what is in force.",
    "/ws/langflow/": "It is /ws/chat/ under another name.",
    "DELETE …/context/": "It is a PUT of {}.",
}


class Door:
    """One way in: what it is kept as, what it cannot say and why, and how one write goes through it.

    `talks`: a write goes along with a message. `begins`: only in a conversation that the door itself began. Faults
    are told below `root`.
    """

    name: ClassVar[str]
    kept_as: ClassVar[str]
    talks: ClassVar[bool] = False
    begins: ClassVar[bool] = False
    root: ClassVar[str] = "/metadata"
    lacks: ClassVar[Mapping[Need, str]] = {}

    def __init__(self, place: Place) -> None:
        self.place = place

    def put(self, visit: Visit, write: Write) -> Outcome:
        """Make one write, and say what was told of it."""
        raise NotImplementedError

    def close(self) -> None:
        """After the last write."""

    # --- what is the same at all of them

    @classmethod
    def cannot(cls, case: Case, who: Who) -> str:
        """Why this door cannot perform the case; "" if it can."""
        reasons = [cls._cannot_say(write, who, first=not n) for n, write in enumerate(case.writes)]
        if cls.begins and reasons[0]:
            return reasons[0]
        points = [reasons[n] for n in case.points]
        return "" if "" in points else points[0]

    @classmethod
    def _cannot_say(cls, write: Write, who: Who, *, first: bool) -> str:
        missing = [need for need in needs_of(write, who, first=first) if need in cls.lacks]
        return cls.lacks[missing[0]] if missing else ""

    def perform(self, visit: Visit, case: Case) -> list[Outcome]:
        """Every step in its order, those that this door cannot say by PUT."""
        first = case.writes[0]
        told = [self._step(visit, step, first=step is first) for step in case.steps]
        return [outcome for outcome in told if outcome]

    def _step(self, visit: Visit, step: Step, *, first: bool) -> Outcome | None:
        if isinstance(step, Loss):
            return self.place.cached.lose(visit.session_id, step)
        own = not self._cannot_say(step, visit.who, first=first)
        return settled(self if own else Put(self.place), visit, step)

    def refused(self, told: Frame) -> Outcome:
        """The error object of sockets and of SSE, or a problem document."""
        first = (told.get("details") or told.get("errors") or [{}])[0].get("pointer")
        return Outcome(Refusal(told["code"], None if first is None else self.below(first, told["code"])))

    def below(self, pointer: str, code: str) -> str | None:
        """A pointer from the context on; None where it is to something above. A schema speaks of /metadata."""
        root = "/metadata" if code == "schema_violation" else self.root
        return pointer.removeprefix(root) if pointer.startswith(root) else None


def settled(door: Door, visit: Visit, write: Write) -> Outcome:
    """The write, and the turn that goes with each that was accepted."""
    if not door.talks:
        door.place.begin(visit)
    outcome = door.put(visit, write)
    if outcome.refused is None:
        if door.talks:
            visit.turns += 1
        else:
            door.place.turn(visit, visit.next_words())
        visit.begun = True
    return outcome


# --- with a message


class _Talking(Door):
    talks = True
    client: ClassVar[type[Any]]
    lacks = {Need.CONDITION: "A turn has no conditions."}

    def put(self, visit: Visit, write: Write) -> Outcome:
        talk = self.place.talk(visit, write.by or visit.who, self.client)
        raw = json.dumps(talk.payload(visit.next_words()))
        if write.text is not None:
            raw = f'{raw[:-1]}, "metadata": {write.text}}}'
        frames = self.sent(talk, raw)
        if "error" in frames[-1]:
            return self.refused(frames[-1])
        context = frames[0]["context"]
        visit.session_token = frames[0].get("session_token", visit.session_token)
        return Outcome(None, context["version"], context["changed"], pointers(context["warnings"]))

    def sent(self, talk: Any, raw: str) -> list[Frame]:
        raise NotImplementedError


class OverSocket(_Talking):
    name, kept_as, client = "WebSocket", "websocket", Socket

    def sent(self, talk: Any, raw: str) -> list[Frame]:
        talk.put(raw)
        frames: list[Frame] = talk.rest()
        talk.close()
        return frames


class OverStream(_Talking):
    name, kept_as, client = "SSE", "sse", Stream

    def sent(self, talk: Any, raw: str) -> list[Frame]:
        frames: list[Frame] = talk.post(raw.encode())[1]
        return frames


# --- beside turns


class _Rest(Door):
    kept_as = "rest"
    method: ClassVar[str] = "PUT"
    kind: ClassVar[str] = "application/json"

    def put(self, visit: Visit, write: Write) -> Outcome:
        headers = {**self.place.credentials(visit, write.by or visit.who), "Content-Type": self.kind}
        headers |= {"If-Match": '"1"'} if write.stale else {}
        body = self.body(visit, write.text).encode()
        status, told = fetch(self.place.url, self.method, self.place.context_path(visit), body, headers)
        return self.refused(told) if status >= 400 else self.told(told)

    def body(self, visit: Visit, text: str | None) -> str:
        return f'{{"client_context": {text}}}'

    def told(self, told: Frame) -> Outcome:
        return Outcome(None, told["version"], told["changed"], pointers(told["warnings"]))


class Put(_Rest):
    name, root = "PUT", "/client_context"
    lacks = {
        Need.NOTHING: "A PUT of nothing is refused: tests/contexts/test_writing.py.",
        Need.NULL: "A PUT of null is refused: tests/contexts/test_writing.py.",
    }


class MergePatch(_Rest):
    """A merge patch that comes to the whole value: what is in force and not in it is taken out."""

    name, root, method, kind = "PATCH (RFC 7396)", "", "PATCH", "application/merge-patch+json"
    lacks = {
        Need.NULL: "As a merge patch null is no object.",
        Need.NULLS: "In a merge patch null takes a key out.",
    }

    def body(self, visit: Visit, text: str | None) -> str:
        if text is None:
            return "{}"
        path = self.place.context_path(visit)
        _, shown = fetch(self.place.url, "GET", path, headers=self.place.credentials(visit, visit.who))
        try:
            strict_json.parse_object(text, max_bytes=1_000_000, max_depth=64)
        except InvalidPayload:
            return text  # to be refused as it is
        return strict_json.spell(_patch(shown["client_context"], strict_json.spelled(text)))


def _patch(now: dict[str, Any], wanted: dict[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = dict.fromkeys(key for key in now if key not in wanted)
    for key, value in wanted.items():
        before = now.get(key)
        both = isinstance(value, dict) and isinstance(before, dict)
        made[key] = _patch(before, value) if both else value
    return made


class JsonPatch(_Rest):
    name, method, kind = "PATCH (RFC 6902)", "PATCH", "application/json-patch+json"
    lacks = {Need.NULL: "As a JSON patch null is no context."}

    def body(self, visit: Visit, text: str | None) -> str:
        return "[]" if text is None else f'[{{"op": "replace", "path": "", "value": {text}}}]'

    def below(self, pointer: str, code: str) -> str | None:
        if code == "schema_violation":
            return super().below(pointer, code)
        return pointer.removeprefix("/0").removeprefix("/value")


class Quickchat(Door):
    """Its errors name a status and the field, and no code of ours; it tells neither version nor warning."""

    name, kept_as = "Quickchat", "quickchat"
    codes: ClassVar = {400: "invalid_payload", 422: None}
    lacks = {
        Need.PAGE: "Quickchat's path takes a tenant's tokens only.",
        Need.NOTHING: "A POST of nothing is refused: tests/contexts/test_quickchat.py.",
        Need.NULL: "A POST of null is refused: tests/contexts/test_quickchat.py.",
        Need.CONDITION: "Quickchat's path has no conditions.",
    }

    def put(self, visit: Visit, write: Write) -> Outcome:
        path = f"/v1/api_core/conversations/{visit.session_id}/metadata"
        headers = self.place.credentials(visit, Who.TOKEN)
        status, told = fetch(self.place.url, "POST", path, f'{{"metadata": {write.text}}}'.encode(), headers)
        if status >= 400:
            [(field, [first])] = told["errors"].items()
            pointer = first.get("pointer", f"/{field}")
            return Outcome(Refusal(self.codes[status], self.below(pointer, "") if field != "root" else None))
        if write.stored is not None:
            assert told == {"metadata": json.loads(write.stored)}
        return Outcome()


# --- recorded conversations


class Replay(Door):
    """`manage.py replay`'s own reader and player: a conversation goes through as a whole, up to its first refusal."""

    name, kept_as, talks, begins = "replay", "websocket", True, True
    lacks = {
        Need.PAGE: "Recorded conversations are played by a tenant's token.",
        Need.NULL: "What is null in a recording is left out.",
        Need.SPELLING: "Recordings are read as values, and written anew.",
        Need.TWICE: "Recordings are read as values: the last of two counts.",
        Need.HALF: "Half of a pair cannot be written as UTF-8.",
        Need.CONDITION: "A turn has no conditions.",
    }

    def perform(self, visit: Visit, case: Case) -> list[Outcome]:
        steps, told = deque(case.steps), list[Outcome | None]()
        own = [write for write in case.writes if not self._cannot_say(write, visit.who, first=False)]

        def after_turn() -> None:
            steps.popleft()
            visit.session_id, visit.begun = self.place.newest(), True
            visit.turns += 1
            told.append(None)
            while steps and steps[0] not in own:
                self._aside(visit, steps.popleft(), told)

        played = self._played(own, after_turn)
        if played.failure:
            steps.popleft()
            told.append(_as_refused(played.failure))
        while steps:
            self._aside(visit, steps.popleft(), told)
        turns = iter(played.turns)
        return [outcome or _told(next(turns).start) for outcome in told]

    def _aside(self, visit: Visit, step: Step, told: list[Outcome | None]) -> None:
        if isinstance(step, Loss):
            self.place.cached.lose(visit.session_id, step)
        else:
            told.append(settled(Put(self.place), visit, step))

    def _played(self, writes: list[Write], after_turn: Any) -> Played:
        turns = ", ".join(
            f'{{"role": "user", "text": "Step {n}."'
            + ("" if w.text is None else f', "metadata": {w.text}')
            + "}"
            for n, w in enumerate(writes, 1)
        )
        names = f'"conversation_id": "c", "tenant": "{self.place.tenant}", "mentor": "{self.place.mentor}"'
        with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as file:
            file.write(f'{{{names}, "user_id": "alice", "turns": [{turns}]}}\n')
            file.flush()
            talks = list(conversations.read([Path(file.name)]))
        with Aside(after_turn) as aside:
            player = Player(self.place.url, "ws", lambda tenant: self.place.token, aside.wait)
            return aside.run(lambda: asyncio.run(player.play(talks, 1)))[0]


class Aside:
    """Runs something in a thread, and meanwhile in this one `between` whenever it waits for that.

    Django's ORM does not work where an event loop runs.
    """

    def __init__(self, between: Callable[[], None]) -> None:
        self.between, self.asked, self.done = between, SimpleQueue[bool](), SimpleQueue[None]()
        self.pool = ThreadPoolExecutor(1)

    def __enter__(self) -> Aside:
        return self

    def __exit__(self, *error: object) -> None:
        self.pool.shutdown()

    def wait(self) -> None:
        self.asked.put(True)
        self.done.get(timeout=30)

    def run(self, work: Callable[[], Any]) -> Any:
        running = self.pool.submit(work)
        running.add_done_callback(lambda _: self.asked.put(False))
        while self.asked.get(timeout=30):
            self.between()
            self.done.put(None)
        return running.result()


def _told(start: Frame) -> Outcome:
    context = start["context"]
    return Outcome(None, context["version"], context["changed"], pointers(context["warnings"]))


def _as_refused(failure: str) -> Outcome:
    found = re.match(r"(\w+) \(\d+\): ", failure)
    assert found, failure
    return Outcome(Refusal(found[1], None))


DOORS: Final[list[type[Door]]] = [
    OverSocket,
    OverStream,
    Put,
    MergePatch,
    JsonPatch,
    Quickchat,
    Replay,
]


def performed(door: Door, visit: Visit, case: Case) -> tuple[list[Outcome], Left]:
    """The case at this door: what each write was told, and what is left of it."""
    door.place.model.forget()
    told = door.perform(visit, case)
    door.close()
    return told, door.place.left(visit, case.losses)


def wanted(place: Place, case: Case, who: Who) -> tuple[list[Outcome], Left]:
    """What it should be, in the bytes of this database."""
    outcomes, left = expected(case, who)
    return outcomes, place.as_stored(left)
