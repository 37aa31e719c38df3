"""Real browsers on real servers: `make test-browser`.

The application runs as its users run it, on PostgreSQL and Redis; the model is the scripted one over HTTP; the
pages around the frame are on origins of their own. In a process apart from the other tests: Playwright keeps an
event loop running, under which Django's ORM refuses to work.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect, sync_playwright

from tests.clients import fetch
from tests.conformance.cases import SCHEMA
from tests.conformance.stage import slug
from tests.conformance.table import MODEL, SYSTEM, Rule
from tests.faults.web import ROOT, Web
from tests.model_server import ModelServer

from .frames import Around, Shown
from .site import Site
from .stored import SHOW

# On a machine that does other work beside this, what a page should show may take its time.
expect.set_options(timeout=15_000)
PICTURES = ROOT / "var" / "browser"
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
# As root there is no sandbox; and nothing that a test did not ask for goes out.
FLAGS = ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--no-first-run"]


@pytest.fixture(scope="session")
def model() -> Iterator[ModelServer]:
    with ModelServer() as server:
        yield server


@pytest.fixture(scope="session")
def school() -> Iterator[Site]:
    """The site whose pages may frame the coach."""
    with Site() as site:
        yield site


@pytest.fixture(scope="session")
def stranger() -> Iterator[Site]:
    """A site that is on nobody's list."""
    with Site("localhost") as site:
        yield site


@pytest.fixture(scope="session")
def web(model: ModelServer, school: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    """The application, with the mentors of `_document`."""
    kept = {
        name: os.environ[name] for name in ("PATH", "HOME", "DATABASE_URL", "REDIS_URL") if name in os.environ
    }
    settings = {
        "LLM_BASE_URL": model.url,
        "LLM_MODEL": "scripted",
        "KEY_PREFIX": "browser",
        "SECRET_KEY": "k" * 50,
    }
    server = Web(
        {**kept, **settings, "DRAIN_SECONDS": "1", "TURN_LEASE_SECONDS": "2", "TURN_HEARTBEAT_SECONDS": "0.5"}
    )
    _manage(server, "migrate", "-v0")
    document = tmp_path_factory.mktemp("house") / "tenants.json"
    document.write_text(json.dumps(_document(school.origin)))
    _manage(server, "apply", str(document), BACKEND=TOKEN, SIGNING=SECRET)
    _manage(server, "demo")
    server.launch()
    try:
        server.wait()
        yield server
    finally:
        server.__exit__()


SECRET = "what the school's back end signs with, in these tests"
TOKEN = "mk_a-token-of-the-school-for-these-tests-only"


def _document(origin: str) -> dict[str, Any]:
    coach = {
        "slug": "coach",
        "name": "Coach",
        "description": "Coaches for the exam.",
        "starter_prompts": ["What topics are on the exam?"],
        "allow_anonymous": True,
        "allowed_origins": [origin],
    }
    mentors = [
        {**coach, "show_context": True},
        {**coach, "slug": "quiet", "greeting_text": "Hello! What are you preparing for?"},
        {**coach, "slug": "anywhere", "allowed_origins": ["*"]},
        {**coach, "slug": "closed", "allow_anonymous": False},
        {**coach, "slug": "law", "system_prompt": SYSTEM, "model": MODEL},
        *(
            {
                **{**coach, "slug": slug("law", rule), "system_prompt": SYSTEM, "model": MODEL},
                **{"context_schema": SCHEMA, "schema_mode": rule.value},
            }
            for rule in (Rule.ENFORCE, Rule.WARN, Rule.STRIP)
        ),
    ]
    token = {"name": "backend", "scope": "write_all", "secret_env": "BACKEND"}
    keys = [{"kid": "k1", "secret_env": "SIGNING"}]
    school = {
        "key": "school",
        "name": "School",
        "mentors": mentors,
        "tokens": [token],
        "signing_keys": keys,
    }
    return {"tenants": [school]}


def _manage(server: Web, *arguments: str, **more: str) -> None:
    command = [sys.executable, "manage.py", *arguments]
    subprocess.run(command, env={**server.environment, **more}, cwd=ROOT, check=True, capture_output=True)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    found = next(filter(None, map(shutil.which, CHROMIUM)), None)
    assert found, "Chromium is not installed: apt-get install chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """One person's browser."""
    context = browser.new_context(viewport={"width": 1024, "height": 768}, reduced_motion="reduce")
    context.set_default_timeout(20_000)
    yield context
    context.close()


@pytest.fixture
def complaints() -> list[str]:
    """What pages wrote into their console; a test that expects some of it takes it out."""
    return []


@pytest.fixture
def page(context: BrowserContext, complaints: list[str]) -> Iterator[Page]:
    page = context.new_page()
    listen(page, complaints)
    yield page
    assert complaints == []


def listen(page: Page, complaints: list[str]) -> None:
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)


@pytest.fixture(autouse=True)
def _silent(model: ModelServer) -> None:
    model.forget()


@pytest.fixture
def around(page: Page, web: Web, school: Site) -> Callable[..., Around]:
    """Opens a page of the school's around a frame."""

    def open_page(path: str = "/embed/school/coach/", **more: Any) -> Around:
        return Around(page, school, f"{web.url}{path}", **more).open()

    return open_page


@pytest.fixture
def frame(page: Page, web: Web) -> Callable[..., Shown]:
    """Opens a frame by itself."""

    def open_frame(path: str = "/embed/school/coach/") -> Shown:
        page.goto(f"{web.url}{path}")
        return Shown(page.main_frame)

    return open_frame


@pytest.fixture
def show(page: Page, web: Web) -> Callable[..., Locator]:
    """Opens the chat page with these messages; the items of its transcript."""

    def shown(*messages: dict[str, Any], debug: Any = None, theme: str = "light") -> Locator:
        page.goto(f"{web.url}/?tenant=school&mentor=coach")
        # As JSON: what Playwright hands over may not be as deep as what senders attach.
        page.evaluate(
            "([debug, theme]) => { window.debugData = debug ? JSON.parse(debug) : undefined;"
            " document.documentElement.dataset.theme = theme; }",
            ["" if debug is None else json.dumps(debug), theme],
        )
        page.evaluate(SHOW, json.dumps(messages))
        return page.locator("#transcript > .message")

    return shown


@pytest.fixture(scope="session")
def picture() -> Callable[[Page, str], Path]:
    """Keeps a picture of a page for people to look at."""
    PICTURES.mkdir(parents=True, exist_ok=True)

    def take(page: Page, name: str) -> Path:
        path = PICTURES / f"{name}.png"
        page.screenshot(path=path)
        return path

    return take


@pytest.fixture
def administrator(web: Web) -> str:
    """The password of `admin`."""
    return (web.folder / "admin-password").read_text().strip()


@pytest.fixture
def read(web: Web) -> Callable[..., Any]:
    """What the API tells the school's own back end."""

    def get(path: str) -> Any:
        status, body = fetch(web.url, "GET", path, headers={"Authorization": f"Api-Token {TOKEN}"})
        assert status == 200, body
        return body

    return get
