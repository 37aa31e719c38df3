"""What a test reads of a page: its figures, rows and links, as text."""

from __future__ import annotations

import html
import re
from typing import Any

from django.test import Client


class Page:
    """An answer in HTML."""

    def __init__(self, client: Client, path: str, **query: Any) -> None:
        response = client.get(path, query)
        self.status = response.status_code
        self.location = response.headers.get("Location", "")
        self.headers = response.headers
        self.source = response.content.decode()

    def found(self, pattern: str) -> list[str]:
        """What the pattern's one group matches, without tags."""
        texts = re.findall(pattern, self.source, re.DOTALL)
        return [" ".join(html.unescape(re.sub("<[^>]+>", "", text)).split()) for text in texts]

    @property
    def tiles(self) -> dict[str, str]:
        names, values = self.found(r"<span>([^<]*)</span><b>"), self.found(r"</span><b>([^<]*)</b>")
        return dict(zip(names, values, strict=True))

    @property
    def bars(self) -> list[tuple[str, str]]:
        labels = self.found(r'<span class="label">(.*?)</span>')
        counts = self.found(r'<svg class="bar".*?</svg>\s*<span class="count">(.*?)</span>')
        return list(zip(labels, counts, strict=True))

    @property
    def sessions(self) -> list[str]:
        return self.found(r'<th scope="row"><a href="/analytics/sessions/([^/]*)/">')

    @property
    def conditions(self) -> list[str]:
        return self.found(r"<li(?: class=\"wrong\")?><code>(.*?)</code>")

    @property
    def faults(self) -> list[str]:
        return [text for text in self.found(r'<p class="fault"[^>]*>(.*?)</p>') if text]

    def link(self, words: str) -> str:
        """The address of the one link with these words, or that is called so."""
        named = re.escape(html.escape(words))
        pattern = rf'<a [^>]*href="([^"]*)"[^>]*(?:aria-label="{named}"[^>]*>|>(?:<[^>]*>)*{named}<)'
        return html.unescape(re.search(pattern, self.source)[1])  # type: ignore[index]
