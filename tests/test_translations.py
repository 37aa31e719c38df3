"""The frame's words in other languages: all of them, and what is served is what stands in the files."""

from __future__ import annotations

import ast
import gettext
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.contrib.staticfiles import finders
from django.test import Client

from chat.frames import modules
from chat.models import Mentor

ROOT = Path(__file__).parent.parent
LOCALE = ROOT / "mentor_project" / "locale"
LANGUAGES = sorted(path.name for path in LOCALE.iterdir())
CATALOGUES = [(language, domain) for language in LANGUAGES for domain in ("django", "djangojs")]
_CALL = re.compile(r"\bn?gettext\(\s*'((?:[^'\\]|\\.)*)'")
_TAG = re.compile(r"""{% translate (["'])(.*?)\1""")
_BLOCK = re.compile(r"{% blocktranslate.*?%}(.*?){% endblocktranslate %}", re.S)
_FILLED = re.compile(r"%\(\w+\)s")


def served(language: str, domain: str) -> dict[str, list[str]]:
    """Every text of the compiled catalogue, with all of its plurals."""
    with (LOCALE / language / "LC_MESSAGES" / f"{domain}.mo").open("rb") as file:
        catalogue = gettext.GNUTranslations(file)._catalog  # type: ignore[attr-defined]
    found: dict[str, list[str]] = {}
    for key, text in catalogue.items():
        found.setdefault(key[0] if isinstance(key, tuple) else key, []).append(text)
    found.pop("")
    return found


def written(language: str, domain: str) -> dict[str, list[str]]:
    """The same out of the file that people edit."""
    text = (LOCALE / language / "LC_MESSAGES" / f"{domain}.po").read_text()
    found: dict[str, list[str]] = {}
    for entry in text.split("\n\n")[1:]:
        parts = dict[str, str]()
        name = ""
        for line in filter(lambda line: not line.startswith("#"), entry.splitlines()):
            word, _, rest = line.partition(" ")
            name = name if line.startswith('"') else word
            parts[name] = parts.get(name, "") + ast.literal_eval(line if line.startswith('"') else rest)
        found[parts["msgid"]] = [text for key, text in parts.items() if key.startswith("msgstr")]
    return found


def words_of_scripts() -> Iterator[str]:
    for path in ["frame.js", *modules()]:
        yield from _CALL.findall(Path(str(finders.find(path))).read_text())


def words_of_templates() -> Iterator[str]:
    for name in ("frame.html", "said.html", "composer.html", "latest.html"):
        text = (ROOT / "templates" / "chat" / name).read_text()
        yield from (found[1] for found in _TAG.findall(text))
        yield from (re.sub(r"{{ (\w+) }}", r"%(\1)s", found) for found in _BLOCK.findall(text))


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_word_of_the_frame_is_translated(language: str) -> None:
    scripts, templates = set(words_of_scripts()), set(words_of_templates())
    assert len(scripts) > 50 and len(templates) > 10
    assert scripts - served(language, "djangojs").keys() == set()
    assert templates - served(language, "django").keys() == set()


@pytest.mark.parametrize(("language", "domain"), CATALOGUES)
def test_what_is_served_is_what_is_written(language: str, domain: str) -> None:
    assert served(language, domain) == written(language, domain)


@pytest.mark.parametrize(("language", "domain"), CATALOGUES)
def test_no_translation_is_empty_or_fills_in_what_is_not_there(language: str, domain: str) -> None:
    for text, translations in served(language, domain).items():
        for translation in translations:
            assert translation.strip(), text
            assert set(_FILLED.findall(translation)) <= set(_FILLED.findall(text)), text


@pytest.mark.parametrize(
    ("language", "message_box", "you"), [("de", "Ihre Nachricht", "Sie"), ("ar", "رسالتك", "أنت")]
)
@pytest.mark.django_db
def test_the_frame_and_its_script_speak_it(
    client: Client, coach: Mentor, language: str, message_box: str, you: str
) -> None:
    content = client.get("/embed/demo/coach/", {"lang": language}).content.decode()
    catalogue = re.search(r'<script id="words" type="application/json">(.*?)</script>', content)
    assert message_box in content and catalogue
    assert json.loads(catalogue[1])["catalog"]["You"] == you
