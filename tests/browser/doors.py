"""The doors of the table in `tests/conformance` that need a browser: an address, messages to the frame, the SDK."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, Final
from urllib.parse import urlencode

from tests.conformance.doors import Door
from tests.conformance.stage import Place, Visit
from tests.conformance.table import Need, Outcome, Refusal, Write, pointers

if TYPE_CHECKING:  # the table's own tests run where there is no Playwright
    from .frames import Around, Shown

# As the page's script would write it: also what JSON cannot say. None: nothing.
VALUE: Final = "(text === null ? undefined : (0, eval)(`(${text})`))"


class BrowserDoor(Door):
    """`open(query)` gives the host's page with the frame in it, in a browser that knows nothing yet."""

    kept_as, talks, begins = "websocket", True, True
    page: ClassVar = {
        Need.TOKEN: "A page has no token of its tenant.",
        Need.CONDITION: "What a page says has no conditions.",
    }

    def __init__(self, place: Place, open_page: Callable[[str], Any]) -> None:
        super().__init__(place)
        self.open_page = open_page

    def told(self, visit: Visit, stored: dict[str, Any]) -> Outcome:
        """What the frame says that the server said."""
        if not stored["applied"]:
            return self.refusal(stored["warnings"])
        if not visit.begun:
            visit.session_id, visit.begun = self.place.newest(), True
        warned = pointers(stored["warnings"])
        return Outcome(None, stored["version"], stored["changed"], warned)

    def refusal(self, warnings: list[Any]) -> Outcome:
        """The frame has a name of its own for what it refuses itself."""
        first = warnings[0]
        code = {"invalid_metadata": "invalid_payload"}.get(first["code"], first["code"])
        return Outcome(Refusal(code, self.below(first["pointer"], code)))

    def say(self, shown: Shown, words: str) -> None:
        shown.type(words)

    def answered(self, shown: Shown, number: int) -> None:
        """Wait for so many whole answers."""
        shown.frame.wait_for_function(
            "(number) => document.querySelectorAll('#transcript .message.mentor.complete').length >= number",
            arg=number,
        )


class Parameters(BrowserDoor):
    """The address of the frame: what is not ours in it is the metadata of the conversation that it begins."""

    name = "parameters of the address"
    lacks = {
        **BrowserDoor.page,
        Need.AGAIN: "An address speaks of the conversation that it begins, and of no later one.",
        Need.TYPES: "A parameter is text.",
        Need.NULL: "A parameter is text.",
        Need.NOTHING: "An address without parameters is the frame's own.",
    }

    def put(self, visit: Visit, write: Write) -> Outcome:
        around: Around = self.open_page("?" + urlencode(json.loads(write.text or "{}")))
        [ready] = around.all_heard("mentor:ready")
        if ready["warnings"]:
            return self.refusal(ready["warnings"])
        around.post({"type": "mentor:hello"})
        around.heard("mentor:ready", number=2)
        self.say(around.shown, visit.next_words())
        outcome = self.told(visit, around.heard("mentor:context-stored"))
        if outcome.refused is None:
            self.answered(around.shown, 1)
        return outcome


class Messages(BrowserDoor):
    """`context` messages of the page around the frame."""

    name = "messages to the frame"
    lacks = {
        **BrowserDoor.page,
        Need.SPELLING: "A number of JavaScript has a value and no spelling.",
        Need.BIG: "A number of JavaScript has 53 bits.",
        Need.TWICE: "An object of JavaScript has a key once.",
    }
    around: Around | None = None

    def put(self, visit: Visit, write: Write) -> Outcome:
        around = self.around = self.around or self.open_page("")
        if not visit.turns:
            around.post({"type": "mentor:forget"})
        acknowledged = self.post(around, write.text)
        if not acknowledged["applied"]:
            return self.refusal(acknowledged["warnings"])
        stored = len(around.all_heard("mentor:context-stored"))
        self.say(around.shown, visit.next_words())
        if acknowledged["pending"]:
            outcome = self.told(visit, around.heard("mentor:context-stored", number=stored + 1))
        else:
            outcome = Outcome(None, acknowledged["version"], False, ())
        if outcome.refused is None:
            self.answered(around.shown, visit.turns + 1)
        return outcome

    def post(self, around: Around, text: str | None) -> dict[str, Any]:
        before = len(around.all_heard("mentor:context-ack"))
        script = (
            "document.getElementById('mentor').contentWindow.postMessage({type: 'context', metadata}, '*')"
        )
        around.page.evaluate(f"(text) => {{ const metadata = {VALUE}; {script}; }}", text)
        return around.heard("mentor:context-ack", number=before + 1)


class Script(BrowserDoor):
    """`Mentor('setMetadata', …)` of the SDK; `open_page` gives a page with its script."""

    name = "SDK"
    lacks = Messages.lacks
    host: Any = None

    def put(self, visit: Visit, write: Write) -> Outcome:
        host = self.host = self.host or self.open_page("")
        if not visit.turns:
            host.mentor("forget")
        told = host.page.evaluate(
            f"""async (text) => {{
              const told = await Mentor('setMetadata', {VALUE});
              window.stored = told.stored;
              return JSON.parse(JSON.stringify(told));
            }}""",
            write.text,
        )
        if not told["applied"]:
            return self.refusal(told["warnings"])
        self.say(host.frame, visit.next_words())
        outcome = self.told(visit, host.page.evaluate("async () => JSON.parse(JSON.stringify(await stored))"))
        if outcome.refused is None:
            self.answered(host.frame, visit.turns + 1)
        return outcome


BROWSER_DOORS: Final[list[type[BrowserDoor]]] = [Parameters, Messages, Script]
