"""Making a session, which no client needs and some want."""

from __future__ import annotations

import uuid
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from .. import access
from ..errors import InvalidPayload, NotFound
from ..models import Session
from ..payloads import PayloadWarning
from ..strict_json import step
from . import described_ibl as described
from .origins import FromAnywhere, credentials_of


class Sessions(FromAnywhere):
    """`POST /api/ai-mentor/orgs/{org}/users/{user_id}/sessions/`, and without `users/…` for anonymous users."""

    @described.ibl_make_session
    def post(self, request: Request, org: str, user_id: str = "") -> Response:
        """Body `{mentor}`; answers `{session_id, mentor, session_token?, …}` in ibl.ai's shape."""
        mentor = dict(request.data).get("mentor")
        if not isinstance(mentor, str) or not mentor:
            raise InvalidPayload("mentor is required.", pointer="/mentor")
        if len(user_id) > 255 or "\0" in user_id:
            raise InvalidPayload("user_id must be text of at most 255 characters.", pointer="")
        grant = self._grant(request, org, mentor, user_id)
        session = Session.objects.create(
            id=uuid.uuid4(),
            tenant_id=grant.mentor.tenant_id,
            mentor_id=grant.mentor.id,
            user_id=grant.caller.user_id or "",
            anonymous=grant.caller.kind == "anonymous",
        )
        warnings = in_vain(dict(request.data), "mentor")
        return Response(_created(session, grant) | ({"warnings": warnings} if warnings else {}))

    def _grant(self, request: Request, org: str, mentor: str, user_id: str) -> access.Grant:
        try:
            if "\0" in org:  # PostgreSQL would refuse the question
                raise NotFound
            grant = access.access_mentor(credentials_of(request), org, mentor, user_id)
        except NotFound:
            raise NotFound(access.NO_MENTOR, pointer="/mentor") from None
        if user_id and grant.caller.user_id != user_id:
            raise NotFound(access.NO_MENTOR, pointer="/mentor")
        return grant


def in_vain(body: dict[str, Any], *known: str) -> list[PayloadWarning]:
    """A warning for each key that has no effect: metadata, for one, comes with the first message."""
    message = "This key has no effect here."
    return [
        {"code": "unknown_key", "pointer": step("", key), "message": message}
        for key in body
        if key not in known
    ]


def _created(session: Session, grant: access.Grant) -> dict[str, Any]:
    body: dict[str, Any] = {
        "session_id": str(session.id),
        "mentor": grant.mentor.slug,
        "mentor_unique_id": str(grant.mentor.unique_id),
        "tools": [],
        "enable_artifacts": False,
        "artifacts": [],
    }
    if session.anonymous:
        body["session_token"] = access.session_token(session.id)
    return body
