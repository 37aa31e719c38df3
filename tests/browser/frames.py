"""A frame as its user sees it, and the page around it as its host writes it."""

from __future__ import annotations

import json
from typing import Any

from playwright.sync_api import Frame, Page, expect

from tests.faults.web import Web

from .site import Site

# Keeps what the frame says, with the origin that said it.
LISTENS = """
<!doctype html><html lang="en"><meta charset="utf-8"><title>A course page</title><body>
<h1>Lesson 3</h1>
<script>
  window.heard = [];
  addEventListener('message', ({data, origin}) => heard.push({...data, origin}));
</script>
<iframe id="mentor" title="Mentor" src="%(src)s" style="width: 420px; height: 640px; border: 0"></iframe>
%(more)s
</body></html>
"""


class Shown:
    """One frame, by what is to be seen and done in it."""

    def __init__(self, frame: Frame) -> None:
        self.frame = frame

    @property
    def prompt(self) -> Any:
        return self.frame.get_by_label("Your message")

    def type(self, text: str) -> None:
        """And send it, as people do who see a page that is ready."""
        expect(self.frame.locator("#status")).not_to_have_text("Connecting…")
        self.prompt.fill(text)
        self.prompt.press("Enter")

    def ask(self, text: str) -> str:
        """The whole answer to it."""
        answers = self.frame.locator("#transcript .message.mentor.complete")
        before = answers.count()
        self.type(text)
        expect(answers).to_have_count(before + 1)
        return str(answers.nth(before).locator(".prose").inner_text())

    @property
    def said(self) -> list[str]:
        """Every message, in order."""
        bodies = self.frame.locator("#transcript .message .body > :first-child")
        return [text.strip() for text in bodies.all_inner_texts()]

    def status(self, words: str) -> None:
        expect(self.frame.locator("#status")).to_have_text(words)


class Around:
    """A host's page with the frame in it."""

    def __init__(self, page: Page, site: Site, address: str, *, path: str = "/", more: str = "") -> None:
        self.page, self.site = page, site
        self.frame_origin = "/".join(address.split("/")[:3])
        self.address = site.put(path, LISTENS % {"src": address, "more": more})

    def open(self) -> Around:
        self.page.goto(self.address)
        self.heard("mentor:ready")
        return self

    @property
    def shown(self) -> Shown:
        found = self.page.frame(url=lambda url: url.startswith(self.frame_origin))
        assert found is not None, "the frame is not there"
        return Shown(found)

    def post(self, message: Any, *, origin: str = "*") -> None:
        """As the seed's example does it."""
        script = "([message, origin]) => document.getElementById('mentor').contentWindow.postMessage(message, origin)"
        self.page.evaluate(script, [message, origin])

    def tell(self, metadata: Any, **more: Any) -> dict[str, Any]:
        """A context; what the frame acknowledged it with."""
        before = len(self.all_heard("mentor:context-ack"))
        self.post({"type": "context", "metadata": metadata, **more})
        return self.heard("mentor:context-ack", number=before + 1)

    def all_heard(self, kind: str) -> list[dict[str, Any]]:
        said: list[dict[str, Any]] = self.page.evaluate("() => heard")
        return [message for message in said if message.get("type") == kind]

    def heard(self, kind: str, number: int = 1) -> dict[str, Any]:
        """The message of this kind and number, without its kind, as soon as it has come."""
        counts = f"heard.filter(({{type}}) => type === {json.dumps(kind)}).length >= {number}"
        self.page.wait_for_function(f"() => {counts}")
        message = self.all_heard(kind)[number - 1]
        assert message.pop("origin") == self.frame_origin
        message.pop("type")
        return message


def sign_in(page: Page, web: Web, password: str) -> None:
    """Into the admin, and so into the dashboard and the chat page."""
    page.goto(f"{web.url}/admin/login/")
    page.get_by_label("Username").fill("admin")
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url("**/admin/")
