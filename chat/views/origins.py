"""Pages of other hosts at REST paths: any may ask whether it may, the mentor's list is judged with the request."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from ..access import Credentials
from ..requests import parse_authorization
from ..writes import address_class


class FromAnywhere(APIView):
    """A path that browsers call from a page elsewhere, with these methods."""

    methods_elsewhere: tuple[str, ...] = ("POST",)

    def options(self, request: Request, *args: Any, **kwargs: Any) -> Response:  # type: ignore[override]
        """A page's preflight."""
        allowed = {"Access-Control-Allow-Methods": ", ".join([*self.methods_elsewhere, "OPTIONS"])}
        return Response(status=204, headers={**PREFLIGHT, **allowed})

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        response = super().finalize_response(request, response, *args, **kwargs)
        origin = request.headers.get("Origin")
        if origin and request.method in (*self.methods_elsewhere, "OPTIONS"):
            response["Access-Control-Allow-Origin"] = origin
            response["Access-Control-Expose-Headers"] = "ETag, Retry-After"
            response["Vary"] = "Origin"
        return response


PREFLIGHT = {
    "Access-Control-Allow-Headers": "authorization, content-type, idempotency-key, if-match, if-none-match",
    "Access-Control-Max-Age": "600",
}


def credentials_of(request: Request) -> Credentials:
    token, session_token = parse_authorization(request.headers.get("Authorization", ""))
    user = request.user
    return Credentials(
        token=token,
        session_token=session_token,
        origin=request.headers.get("Origin"),
        host=request.get_host(),
        # StaffAuthentication has checked the CSRF token of a request that cookies speak for.
        has_cookies=False,
        staff=user if user is not None and user.is_staff else None,
        address_class=address_class(request.META.get("REMOTE_ADDR", "")),
    )
