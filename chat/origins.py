"""Which pages are ours, and which a mentor's list lets in.

An entry of a list is "*", an origin, or one with "*" for its port or for its first labels.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from django.conf import settings
from django.http.request import split_domain_port, validate_host

_PATTERN = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<any_label>\*\.)?(?P<host>\[[0-9a-f:.]+\]|[\w-]+(?:\.[\w-]+)*)"
    r"(?::(?P<port>\*|\d{1,5}))?",
    re.ASCII | re.IGNORECASE,
)
_DEFAULT_PORTS = {"http": "80", "https": "443"}
MISTAKE = "must be an origin such as https://example.org, https://*.example.org or http://localhost:*, or *."


def check_pattern(text: str) -> str:
    """An entry of a list. Raises ValueError."""
    if text != "*" and not _is_pattern(text):
        raise ValueError(MISTAKE)
    return text


def _is_pattern(text: str) -> bool:
    """As browsers write origins: no port that goes without saying, and none that there cannot be."""
    found = _PATTERN.fullmatch(text)
    if found is None:
        return False
    port = found["port"]
    return port in (None, "*") or (port != _DEFAULT_PORTS.get(found["scheme"].lower()) and int(port) < 65536)


def allows(patterns: Iterable[str], origin: str) -> bool:
    """Whether a page of this origin, as browsers write it, is one that the list names."""
    # Browsers write origins in lower case, and hold our policy against them in any.
    return any(pattern in ("*", origin) or _matches(pattern, origin) for pattern in map(str.lower, patterns))


def frame_ancestors(patterns: Iterable[str]) -> str:
    """The list as a Content-Security-Policy's; an entry that is none of ours is left out, and opens nothing."""
    return " ".join(["'self'", *(text for text in patterns if text == "*" or _is_pattern(text))])


def _matches(pattern: str, origin: str) -> bool:
    if "*" not in pattern or "*" in origin:
        return False
    wanted, page = _PATTERN.fullmatch(pattern), _PATTERN.fullmatch(origin)
    if wanted is None or page is None or wanted["scheme"] != page["scheme"]:
        return False
    host = (
        page["host"].endswith(f".{wanted['host']}") if wanted["any_label"] else page["host"] == wanted["host"]
    )
    return host and wanted["port"] in ("*", page["port"])


def is_own(origin: str, host: str) -> bool:
    """Whether a page of this origin was served by us under the host that the request names."""
    domain, _ = split_domain_port(host)
    if not domain or not validate_host(
        domain, settings.ALLOWED_HOSTS or [".localhost", "127.0.0.1", "[::1]"]
    ):
        return False
    scheme, _, netloc = origin.partition("://")
    default = {"http": ":80", "https": ":443"}.get(scheme)
    if default is None:
        return False
    return netloc.removesuffix(default) == host.removesuffix(default)
