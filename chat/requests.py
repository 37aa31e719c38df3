"""What an ASGI request says of its sender, made ready for access: nothing here is believed yet."""

from __future__ import annotations

from http.cookies import CookieError, SimpleCookie
from importlib import import_module
from typing import Any

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY, get_user_model
from django.contrib.auth.models import User
from django.utils.crypto import constant_time_compare

from .access import Credentials, is_own_origin
from .database import in_database

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
        self.last_event_id = headers.get(b"last-event-id", b"").decode("latin-1")

    async def credentials(self, token: str | None = None, session_token: str | None = None) -> Credentials:
        """With what a payload brings, which counts before the headers."""
        return Credentials(
            token=token or self.token,
            session_token=session_token or self._session_token,
            origin=self.origin,
            host=self.host,
            has_cookies=bool(self._cookies),
            staff=await self._staff(),
        )

    async def _staff(self) -> User | None:
        """Cookies count only where our own page sends them."""
        if not self._cookies or self.origin is None or not is_own_origin(self.origin, self.host):
            return None
        key = _session_key(self._cookies)
        return await in_database(staff_of_session, key) if key else None


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
    return value.isascii() and value.isalnum()


def staff_of_session(key: str) -> User | None:
    """The member of staff whom Django signed in under this session key."""
    session = import_module(settings.SESSION_ENGINE).SessionStore(key)
    if session.get(BACKEND_SESSION_KEY) not in settings.AUTHENTICATION_BACKENDS:
        return None
    user = get_user_model().objects.filter(pk=session.get(SESSION_KEY), is_active=True, is_staff=True).first()
    if user is None or not constant_time_compare(
        session.get(HASH_SESSION_KEY, ""), user.get_session_auth_hash()
    ):
        return None
    return user
