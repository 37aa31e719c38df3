"""The door of the pages: members of staff only, under a policy of their own, strangers' things not found."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Final, cast

from django.contrib.admin.views.decorators import staff_member_required
from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from chat.access import staff_caller
from chat.errors import NotFound
from chat.selections import Reader

View = Callable[..., HttpResponse]
# Our own files and our own API, and nothing else.
POLICY: Final = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "img-src 'self' data:",
        "base-uri 'none'",
        "frame-ancestors 'none'",
        "form-action 'self'",
    ]
)


def staff_page(view: View) -> View:
    """The view is called with the request and its reader; who is not signed in goes to the admin's sign-in."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **named: Any) -> HttpResponse:
        try:
            response = view(request, Reader.of(staff_caller(cast(User, request.user))), *args, **named)
        except NotFound:
            raise Http404 from None
        response["Content-Security-Policy"] = POLICY
        response["Cache-Control"] = "private, no-cache"
        return response

    return require_safe(staff_member_required(guarded))
