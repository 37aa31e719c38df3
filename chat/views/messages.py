"""What a message was answered from."""

from __future__ import annotations

import uuid

import orjson
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from .. import access
from ..access import Caller
from ..errors import AuthenticationRequired, NotFound
from ..llm import request_body
from ..models import ChatMessageHistory
from ..rebuild import shown_request
from . import described


class MessagePrompt(APIView):
    """`GET /api/v1/messages/{id}/prompt/`: exactly what was sent for this answer. For tenant tokens and staff."""

    @described.show_prompt
    def get(self, request: Request, message_id: uuid.UUID) -> Response:
        caller = request.auth
        if not isinstance(caller, Caller) or caller.kind == "anonymous":
            raise AuthenticationRequired("This needs a token or a staff session.")
        answer = (
            ChatMessageHistory.objects.select_related("session__mentor", "extra")
            .filter(id=message_id, role=ChatMessageHistory.Role.MENTOR)
            .first()
        )
        if answer is None or not access.may_inspect(caller, answer.session):
            raise NotFound()
        found = shown_request(answer)
        sent = request_body(found.request)
        asked = ChatMessageHistory.objects.values(
            "extra__page_content_length", "extra__page_content_sha256"
        ).get(session_id=answer.session_id, sequence=answer.sequence - 1)
        return Response(
            {
                "message_id": str(answer.id),
                "session_id": str(answer.session_id),
                "mentor_version": answer.extra.mentor_version,
                "context_version": answer.extra.context_version,
                "delivery": answer.extra.delivery,
                "complete": found.complete,
                "page_content": {
                    "length": asked["extra__page_content_length"],
                    "sha256": asked["extra__page_content_sha256"],
                }
                if asked["extra__page_content_length"]
                else None,
                "request": orjson.loads(sent),
                "body": sent.decode(),
            }
        )
