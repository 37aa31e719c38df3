"""The chat page: which mentors it shows, and that it keeps to its own policy."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from django.contrib.staticfiles import finders
from django.test import Client

from chat.models import Mentor, Tenant

pytestmark = pytest.mark.django_db
GREETING = "Hello </script><script>alert(1)</script>"


class Tags(HTMLParser):
    """Every tag of a page with its attributes, and the text within scripts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.found and self.found[-1][0] == "script" and data.strip():
            self.scripts.append(data)

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.found if name == tag]


def open_mentor(tenant: Tenant, slug: str, **more: Any) -> Mentor:
    mentor = Mentor(tenant=tenant, slug=slug, name=slug.title(), allow_anonymous=True, **more)
    mentor.save()
    return mentor


def read(client: Client, path: str = "/") -> tuple[dict[str, Any], Tags]:
    """The page's data and its tags."""
    response = client.get(path)
    assert response.status_code == 200
    tags = Tags(response.content.decode())
    return json.loads(tags.scripts[0]), tags


def slugs(page: dict[str, Any]) -> list[str]:
    return [mentor["slug"] for mentor in page["mentors"]]


def test_the_page_tells_its_script_all_of_a_mentor_that_a_visitor_may_know(
    client: Client, demo: Tenant
) -> None:
    open_mentor(
        demo,
        "coach",
        description="Coaches.",
        system_prompt="A secret.",
        greeting_text="Hello!",
        starter_prompts=["What now?"],
    )
    page, _ = read(client)
    assert page == {
        "mentors": [
            {
                "tenant": "demo",
                "slug": "coach",
                "name": "Coach",
                "description": "Coaches.",
                "greeting_method": "proactive_response",
                "greeting_text": "Hello!",
                "starter_prompts": ["What now?"],
            }
        ],
        "chosen": {"tenant": "demo", "slug": "coach"},
        "limits": {"metadata_bytes": 16384, "prompt_bytes": 32768},
    }


def test_instructions_to_the_model_are_not_shown_to_visitors(client: Client, demo: Tenant) -> None:
    open_mentor(demo, "tutor", greeting_method="proactive_prompt", greeting_text="Greet by name.")
    assert b"Greet by name." not in client.get("/").content


def test_only_active_mentors_that_let_visitors_in_are_listed(client: Client, demo: Tenant) -> None:
    open_mentor(demo, "open")
    open_mentor(demo, "retired", is_active=False)
    Mentor(tenant=demo, slug="closed", name="Closed").save()
    page, _ = read(client)
    assert slugs(page) == ["open"]


def test_a_tenant_never_shows_the_mentors_of_another(client: Client, demo: Tenant, other: Tenant) -> None:
    open_mentor(demo, "ours")
    open_mentor(other, "theirs")
    assert slugs(read(client, "/")[0]) == ["ours"]
    assert slugs(read(client, "/?tenant=other")[0]) == ["theirs"]


def test_the_address_chooses_the_mentor(client: Client, demo: Tenant) -> None:
    open_mentor(demo, "algebra")
    open_mentor(demo, "botany")
    page, tags = read(client, "/?tenant=demo&mentor=botany")
    assert page["chosen"] == {"tenant": "demo", "slug": "botany"}
    links = [(link["href"], link.get("aria-current")) for link in tags.named("a") if "tenant" in link["href"]]
    assert links == [("?tenant=demo&mentor=algebra", None), ("?tenant=demo&mentor=botany", "page")]


@pytest.mark.parametrize(
    "query", ["mentor=nobody", "mentor=closed", "mentor=theirs", "tenant=nowhere", "tenant=other&mentor=open"]
)
def test_what_a_visitor_may_not_see_is_not_there(
    client: Client, demo: Tenant, other: Tenant, query: str
) -> None:
    open_mentor(demo, "open")
    open_mentor(other, "theirs")
    Mentor(tenant=demo, slug="closed", name="Closed").save()
    response = client.get(f"/?{query}")
    assert response.status_code == 404
    assert b"There is no such page" in response.content


def test_a_tenant_that_lets_nobody_in_looks_like_none(client: Client, other: Tenant) -> None:
    assert client.get("/?tenant=other").content == client.get("/?tenant=nowhere").content


def test_a_page_without_mentors_says_what_to_do(client: Client) -> None:
    page, _ = read(client)
    assert page["mentors"] == [] and page["chosen"] is None
    assert b"No mentor is open to visitors" in client.get("/").content


def test_the_policy_allows_nothing_but_our_own_files_and_sockets(client: Client) -> None:
    assert client.get("/", headers={"host": "localhost:8000"})["Content-Security-Policy"] == (
        "default-src 'none'; script-src 'self'; style-src 'self'; "
        "connect-src 'self' ws://localhost:8000 wss://localhost:8000; img-src 'self' data:; "
        "base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
    )


def test_a_foreign_host_is_refused_before_it_reaches_the_policy(client: Client) -> None:
    assert client.get("/", headers={"host": "evil.example; script-src *"}).status_code == 400


def test_the_page_has_no_script_or_style_within_it(client: Client, demo: Tenant) -> None:
    open_mentor(demo, "coach", greeting_text=GREETING, starter_prompts=[GREETING])
    _, tags = read(client)
    inline = [script for script in tags.named("script") if "src" not in script]
    assert [script["type"] for script in inline] == ["application/json"]
    assert tags.named("style") == []
    names = {name for _, attributes in tags.found for name in attributes}
    assert not [name for name in names if name == "style" or name.startswith("on")]


def test_what_a_mentor_says_stays_text(client: Client, demo: Tenant) -> None:
    open_mentor(demo, "coach", greeting_text=GREETING, description=GREETING, starter_prompts=[GREETING])
    assert b"<script>alert(1)" not in client.get("/").content
    assert read(client)[0]["mentors"][0]["greeting_text"] == GREETING


def test_every_file_that_the_page_names_is_there(client: Client, coach: Mentor) -> None:
    _, tags = read(client)
    named = [tag.get("src") or tag.get("href") or "" for _, tag in tags.found]
    files = [name.removeprefix("/static/") for name in named if name.startswith("/static/")]
    assert "chat.js" in files and "tokens.css" in files
    assert [file for file in files if finders.find(file) is None] == []


def test_every_module_that_the_script_imports_is_there() -> None:
    entry = finders.find("chat.js")
    assert entry is not None
    imported = re.findall(r"from '\./(\S+)';", Path(entry).read_text())
    assert len(imported) > 5
    assert [module for module in imported if finders.find(module) is None] == []


def test_the_page_sets_no_cookie(client: Client, coach: Mentor) -> None:
    assert not client.get("/").cookies


def test_only_reading_is_answered(client: Client) -> None:
    assert client.post("/").status_code == 405
