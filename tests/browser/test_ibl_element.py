"""ibl.ai's own published embed element, as npm has it, pointed at our server."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.faults.web import Web
from tests.model_server import ModelServer

from .frames import Shown
from .site import Site

PACKAGE = "@iblai/iblai-web-mentor@2.0.1"
PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Lesson 3</title><body>
<main><h1>Cells</h1><p id="text">They divide.</p></main>
<mentor-ai mentorurl="%s" tenant="school" mentor="%s" isanonymous iscontextaware theme="dark"
  style="display: block; inline-size: 420px; block-size: 600px"></mentor-ai>
<script src="/mentor-ai.js"></script></body></html>"""


@pytest.fixture(scope="session")
def element(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Installed as a page's author would."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not installed: apt-get install npm")
    folder = tmp_path_factory.mktemp("npm")
    packing = subprocess.run([npm, "pack", PACKAGE, "--silent"], cwd=folder, check=False, capture_output=True)
    if packing.returncode != 0:
        pytest.skip(f"npm cannot get {PACKAGE} here: {packing.stderr.decode()[-200:]}")
    (packed,) = Path(folder).glob("*.tgz")
    with tarfile.open(fileobj=io.BytesIO(packed.read_bytes())) as files:
        script = files.extractfile("package/dist/iblai-web-mentor.umd.js")
        assert script is not None
        return script.read()


@pytest.fixture
def open_element(page: Page, web: Web, school: Site, element: bytes) -> Callable[[str], Shown]:
    def open_page(mentor: str) -> Shown:
        school.put("/mentor-ai.js", element, "text/javascript")
        page.goto(school.put("/ibl", PAGE % (web.url, mentor)))
        found = page.frame(url=lambda url: "/platform/" in url)
        assert found is not None
        return Shown(found)

    return open_page


def test_it_shows_the_mentor_which_reads_the_page_around_it(
    open_element: Callable[[str], Shown], page: Page, model: ModelServer
) -> None:
    shown = open_element("coach")
    page.wait_for_timeout(1500)  # it tells its page once a second
    assert shown.ask("What is it about?").startswith("You said: What is it about?")
    prompt = json.loads(model.received[-1])["messages"][-1]["content"]
    assert "Lesson 3" in prompt and "Cells" in prompt and "They divide." in prompt
    page.evaluate("() => document.getElementById('text').textContent = 'They grow.'")
    page.wait_for_timeout(1500)
    shown.ask("And now?")
    assert "They grow." in json.loads(model.received[-1])["messages"][-1]["content"]


def test_nothing_of_the_address_that_it_writes_becomes_metadata(
    open_element: Callable[[str], Shown], model: ModelServer
) -> None:
    open_element("coach").ask("What do you know?")
    assert b"CONTEXT METADATA" not in model.received[-1]
