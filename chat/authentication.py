"""How REST paths prove their caller; `request.auth` is then an access.Caller."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.request import Request

from .access import Caller, Credentials, access_caller
from .models import ApiToken
from .requests import is_session_key, parse_authorization


class TokenAuthentication(BaseAuthentication):
    """`Authorization: Api-Token …` (also Token and Bearer), or `Session …` for an anonymous client."""

    scope = ""

    def authenticate(self, request: Request) -> tuple[Any, Caller] | None:
        token, session_token = parse_authorization(request.headers.get("Authorization", ""))
        if not token and not session_token:
            return None
        return None, access_caller(Credentials(token=token, session_token=session_token), self.scope)

    def authenticate_header(self, request: Request) -> str:
        return "Api-Token"


class EraserAuthentication(TokenAuthentication):
    """The same, for tokens that may erase users."""

    scope = ApiToken.Scope.ERASE_ALL


class StaffAuthentication(SessionAuthentication):
    """Django's session with its CSRF check, for members of staff."""

    def authenticate(self, request: Request) -> tuple[Any, Caller] | None:
        if not is_session_key(request.COOKIES.get(settings.SESSION_COOKIE_NAME, "")):
            return None
        found = super().authenticate(request)
        if found is None or not found[0].is_staff:
            return None
        return found[0], access_caller(Credentials(staff=found[0]))
