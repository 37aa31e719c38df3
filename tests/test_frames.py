"""The frame's page: who may frame it, what it tells its script, in which language."""

from __future__ import annotations

import json
import posixpath
import re
from pathlib import Path

import pytest
from django.contrib.staticfiles import finders
from django.core.exceptions import ValidationError
from django.test import Client

from chat.frames import modules
from chat.models import Mentor, Tenant
from chat.origins import allows, check_pattern, frame_ancestors

pytestmark = pytest.mark.django_db


def page_of(client: Client, path: str) -> dict[str, object]:
    found = re.search(rb'<script id="page" type="application/json">(.*?)</script>', client.get(path).content)
    assert found
    page: dict[str, object] = json.loads(found[1])
    return page


def test_its_policy_names_who_may_frame_it_and_lets_only_its_own_script_run(
    client: Client, coach: Mentor
) -> None:
    coach.allowed_origins = ["https://learn.example.org", "http://localhost:*"]
    coach.save()
    response = client.get("/embed/demo/coach/", headers={"host": "localhost:8000"})
    nonce = re.search(r'nonce="([^"]+)"', response.content.decode())
    assert nonce and response["Content-Security-Policy"] == (
        f"default-src 'none'; script-src 'nonce-{nonce[1]}'; style-src 'self'; "
        "connect-src 'self' ws://localhost:8000 wss://localhost:8000; img-src 'self' data:; base-uri 'none'; "
        "frame-ancestors 'self' https://learn.example.org http://localhost:*; form-action 'none'"
    )
    assert "X-Frame-Options" not in response and response["Cache-Control"] == "no-store"


def test_a_nonce_is_for_one_answer(client: Client, coach: Mentor) -> None:
    policies = {client.get("/embed/demo/coach/")["Content-Security-Policy"] for _ in range(2)}
    assert len(policies) == 2


def test_a_mentor_is_found_by_slug_unique_id_and_ibls_path(client: Client, coach: Mentor) -> None:
    paths = ["/embed/demo/coach/", f"/embed/demo/{coach.unique_id}/", "/platform/demo/coach/?embed=true"]
    pages = [page_of(client, path) for path in paths]
    assert pages[0] == pages[1] == pages[2]


def test_it_tells_its_script_all_of_a_mentor_that_a_visitor_may_know(client: Client, coach: Mentor) -> None:
    assert page_of(client, "/embed/demo/coach/") == {
        "mentor": {
            "tenant": "demo",
            "slug": "coach",
            "name": "Coach",
            "description": "",
            "greeting_method": "proactive_response",
            "greeting_text": "",
            "starter_prompts": [],
            "show_context": False,
        },
        "origins": [],
        "limits": {"metadata_bytes": 16384, "prompt_bytes": 32768, "page_content_bytes": 262144},
    }


@pytest.mark.parametrize("change", [{"allow_anonymous": False}, {"is_active": False}])
def test_a_mentor_that_takes_no_visitors_looks_like_none(
    client: Client, coach: Mentor, change: dict[str, bool]
) -> None:
    Mentor.objects.filter(pk=coach.pk).update(**change)
    hidden, missing = client.get("/embed/demo/coach/"), client.get("/embed/demo/nobody/")
    assert hidden.status_code == missing.status_code == 404
    assert hidden.content == missing.content


@pytest.mark.parametrize("path", ["/embed/demo/%00/", "/embed/%00/coach/", "/?tenant=%00", "/?mentor=%00"])
def test_a_name_with_nul_names_nobody(client: Client, coach: Mentor, path: str) -> None:
    assert client.get(path).status_code == 404


def test_a_tenant_never_frames_the_mentor_of_another(client: Client, coach: Mentor, other: Tenant) -> None:
    assert client.get("/embed/other/coach/").status_code == 404
    assert client.get(f"/embed/other/{coach.unique_id}/").status_code == 404


@pytest.mark.parametrize(
    ("asked", "accepted", "language", "direction"),
    [
        ("", "", "en", "ltr"),
        ("", "de-AT, en;q=0.5", "de", "ltr"),
        ("ar", "de", "ar", "rtl"),
        ("de-CH", "", "de", "ltr"),
        ("tlh", "", "en", "ltr"),
        ('"><script>', "", "en", "ltr"),
    ],
)
def test_its_language_is_the_addresss_then_the_browsers(
    client: Client, coach: Mentor, asked: str, accepted: str, language: str, direction: str
) -> None:
    response = client.get("/embed/demo/coach/", {"lang": asked}, headers={"accept-language": accepted})
    assert f'<html lang="{language}" dir="{direction}"' in response.content.decode()
    assert "Accept-Language" in response["Vary"]


@pytest.mark.parametrize(
    ("theme", "shown"), [("dark", True), ("light", True), ("blue", False), ('"x', False)]
)
def test_its_theme_is_one_of_two(client: Client, coach: Mentor, theme: str, shown: bool) -> None:
    content = client.get("/embed/demo/coach/", {"theme": theme}).content.decode()
    assert ("data-theme=" in content) is shown


@pytest.mark.parametrize(
    ("pattern", "origin", "allowed"),
    [
        ("*", "https://any.example", True),
        ("https://a.example", "https://a.example", True),
        ("https://a.example", "http://a.example", False),
        ("https://a.example", "https://a.example:8443", False),
        ("https://a.example", "https://a.example.evil", False),
        ("https://*.a.example", "https://www.a.example", True),
        ("https://*.a.example", "https://w.w.a.example", True),
        ("https://*.a.example", "https://a.example", False),
        ("https://*.a.example", "https://evila.example", False),
        ("https://*.a.example", "https://www.a.example:8443", False),
        ("http://localhost:*", "http://localhost:8000", True),
        ("http://localhost:*", "http://localhost", True),
        ("http://localhost:*", "https://localhost:8000", False),
        ("http://localhost:*", "http://localhost.evil:80", False),
        ("http://[::1]:*", "http://[::1]:8000", True),
        ("capacitor://localhost", "capacitor://localhost", True),
        ("https://*.a.example", "https://*.a.example", True),
        ("https://*.a.example", "null", False),
        ("https://A.example", "https://a.example", True),
        ("HTTPS://*.A.example", "https://www.a.example", True),
    ],
)
def test_an_origin_is_held_against_a_pattern(pattern: str, origin: str, allowed: bool) -> None:
    assert allows([check_pattern(pattern)], origin) is allowed


@pytest.mark.parametrize(
    "text",
    [
        *("", "example.org", "https://a.example/x", "https://a.example; script-src *", "https://a b", "**"),
        *(
            "https://a.example:99999",
            "https://a.example:443",
            "http://a.example:80",
            "https://..",
            "https://a.",
        ),
    ],
)
def test_what_is_no_pattern_is_refused_and_never_reaches_the_policy(coach: Mentor, text: str) -> None:
    coach.allowed_origins = [text]
    with pytest.raises(ValidationError):
        coach.full_clean()
    assert frame_ancestors([text]) == "'self'"


def test_every_script_that_the_frame_imports_is_fetched_at_once(client: Client, coach: Mentor) -> None:
    content = client.get("/embed/demo/coach/").content.decode()
    hrefs = re.findall(r'<link rel="modulepreload" nonce="[^"]+" href="/static/([^"]+)">', content)
    assert {"chat/conversation.js", "chat/dom.js", "frame/host.js"} <= set(hrefs) == set(modules())
    assert len(hrefs) == len(set(hrefs))


def test_the_scripts_are_found_however_an_import_is_folded() -> None:
    for path in ["frame.js", *modules()]:
        text = Path(str(finders.find(path))).read_text()
        named = re.findall(r"""from ["'](\.{1,2}/[\w./-]+)["']""", text)
        here = posixpath.dirname(path)
        assert {posixpath.normpath(posixpath.join(here, name)) for name in named} <= {*modules()}
