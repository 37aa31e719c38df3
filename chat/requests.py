"""What an ASGI request says of its sender, made ready for access: nothing here is believed yet."""

from __future__ import annotations

from dataclasses import replace
from http.cookies import CookieError, SimpleCookie
from typing import Any

from django.conf import settings

from . import origins
from .access import Credentials, staff_of_session
from .database import in_database
from .refusals import Sender, Sent
from .writes import address_class

LONGEST_TOKEN = 255
SCHEMES = ("api-token", "token", "bearer")


class Request:
    """The headers of one ASGI scope that matter here."""

    def __init__(self, scope: dict[str, Any]) -> None:
        headers: dict[bytes, bytes] = dict(scope.get("headers", ()))
        self._cookies = headers.get(b"cookie", b"").decode("latin-1")
        authorization = headers.get(b"authorization", b"").decode("latin-1")
        self.token, self._session_token = parse_authorization(authorization)
        self.host = headers.get(b"host", b"").decode("latin-1")
        origin = headers.get(b"origin")
        self.origin = None if origin is None else origin.decode("latin-1")
        # Of the page that asks. A browser names none with a GET to the page's own host, but says that it is one.
        own = headers.get(b"sec-fetch-site") == b"same-origin"
        self.page = f"http://{self.host}" if origin is None and own else self.origin
        client = scope.get("client")
        self.address_class = address_class(client[0]) if client else None
        self.last_event_id = headers.get(b"last-event-id", b"").decode("latin-1")

    async def credentials(self, token: str | None = None, session_token: str | None = None) -> Credentials:
        """With what a payload brings, which counts before the headers."""
        brought = self._brought(token, session_token or self._session_token)
        key = self._staff_key()
        return replace(brought, staff=await in_database(staff_of_session, key)) if key else brought

    def sender(self, sent: Sent) -> Sender:
        """Whom a refused payload was from and for; nothing is looked up yet.

        It waits for a moment, unproved: of what is longer than any token only so much is kept.
        """
        brought = self._brought((sent.token or self.token)[:LONGEST_TOKEN], "")
        return Sender(brought, self._staff_key(), sent.flow.tenant, sent.flow.name)

    def _brought(self, token: str | None, session_token: str) -> Credentials:
        return Credentials(
            token=token or self.token,
            session_token=session_token,
            origin=self.page,
            host=self.host,
            has_cookies=bool(self._cookies),
            address_class=self.address_class,
        )

    def _staff_key(self) -> str | None:
        """Cookies count only where our own page sends them."""
        if not self._cookies or self.page is None or not origins.is_own(self.page, self.host):
            return None
        return _session_key(self._cookies)


def parse_authorization(header: str) -> tuple[str, str]:
    """(API token, session token) of an Authorization header; one of them at least is empty.

    A scheme that is not known here counts as a wrong token: who tries to prove something is no visitor.
    """
    scheme, _, value = header.strip().partition(" ")
    if scheme.lower() == "session":
        return "", value.strip()
    return (value.strip() if scheme.lower() in SCHEMES else header.strip()), ""


def _session_key(cookies: str) -> str | None:
    try:
        morsel = SimpleCookie(cookies).get(settings.SESSION_COOKIE_NAME)
    except CookieError:
        return None
    return morsel.value if morsel and is_session_key(morsel.value) else None


def is_session_key(value: str) -> bool:
    """Whether a cookie could be Django's: a quoted one may hold NUL, which PostgreSQL refuses to look for."""
    return len(value) <= 40 and value.isascii() and value.isalnum()
