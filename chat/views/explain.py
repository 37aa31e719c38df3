"""Why an answer is as it is, and what another context would come to. For tenant tokens and staff."""

from __future__ import annotations

from typing import Any

import orjson
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from .. import access, explaining, limits, messages, previewing, shapes
from ..access import Caller
from ..changes import changes
from ..errors import AuthenticationRequired, InvalidPayload, NotFound
from ..explaining import Explanation, Known
from ..llm import ModelRequest, request_body
from ..models import Session
from ..parsers import SpelledJSONParser
from ..previewing import Answer, Preview, Wish
from ..queries import Query, caller_of, uuid_of
from ..shapes import Json
from ..strict_json import ParsedObject
from . import described_explain as described


class MessageExplanation(APIView):
    """`GET /api/v1/messages/{id}/explain/`: of an answer, or of the message that it answers."""

    @described.explain_message
    def get(self, request: Request, message_id: str) -> Response:
        caller = _inspector(request)
        Query(request).finish()
        answer = explaining.find_answer(caller, uuid_of(message_id))
        return Response(_explanation(explaining.explain(answer)))


class SessionPreview(APIView):
    """`POST /api/v1/sessions/{id}/preview/`: nothing is stored."""

    parser_classes = (SpelledJSONParser,)

    @described.preview_message
    def post(self, request: Request, session_id: str) -> Response:
        caller, query = _inspector(request), Query(request)
        is_asked = query.flag("answer")
        query.finish()
        session = _session(caller, session_id)
        wish = previewing.wish_of(_object(request), limits.current())
        if is_asked or wish.answer:
            messages.check_may_write(caller)
        preview = previewing.preview(session, wish, caller)
        told = _preview(session, wish, preview)
        if is_asked or wish.answer:
            told["answer"] = _answer(previewing.answer(caller, preview.request))
        return Response(told)


def _inspector(request: Request) -> Caller:
    caller = caller_of(request)
    if caller.kind == "anonymous":
        raise AuthenticationRequired("This needs a token or a staff session.")
    return caller


def _session(caller: Caller, session_id: str) -> Session:
    session = messages.access_messages(caller, uuid_of(session_id))
    if not access.may_inspect(caller, session):
        raise NotFound()
    return session


def _object(request: Request) -> ParsedObject:
    sent: Any = request.data
    if not isinstance(sent, ParsedObject):
        raise InvalidPayload("The payload is empty.", pointer="")
    return sent


# --- as JSON


def _explanation(one: Explanation) -> Json:
    answer, asked = one.answer, one.question.extra
    return {
        "message_id": str(answer.pk),
        "question_id": str(one.question.pk),
        "session_id": str(answer.session_id),
        "mentor_version": answer.extra.mentor_version,
        "context_version": answer.extra.context_version,
        "delivery": answer.extra.delivery,
        "schema": _schema(one),
        "keys": [_known(key, one.tokens) for key in one.known],
        "complete": one.is_whole,
        "page_content": {"length": asked.page_content_length, "sha256": asked.page_content_sha256}
        if asked.page_content_length
        else None,
        **_request(one.request),
    }


def _schema(one: Explanation) -> Json | None:
    """The one that the answer's version of the mentor had."""
    prompting = one.prompting
    return {"version": prompting.number, "mode": prompting.schema_mode} if prompting.context_schema else None


def _known(one: Known, tokens: dict[int, str]) -> Json:
    kept_out = one.kept_out
    return {
        "key": one.key,
        "value": one.value,
        "concealed": one.concealed,
        "masked": one.masked,
        "verified": one.verified,
        "origin": {
            **shapes.origin(one.origin.version, tokens),
            "signed_by": one.signed_by,
            "or_earlier": one.origin.or_earlier,
        },
        "shown": one.shown,
        "left_out": one.left_out or None,
        "kept_out": {"at": kept_out.at, "door": kept_out.door} if kept_out else None,
    }


def _preview(session: Session, wish: Wish, one: Preview) -> Json:
    decision, found = one.decision, changes(one.before, one.context)
    return {
        "session_id": str(session.pk),
        "message_id": str(wish.message_id) if wish.message_id else None,
        "mentor_version": one.scene.mentor_version,
        "context": {
            "version": one.version,
            "changed": decision.changed,
            "warnings": [*wish.warnings, *decision.warnings],
            "client_context": one.context,
            "verified_keys": session.mentor.policy.view("operator").names(decision.context.verified_keys),
            "diff": {"added": found.added, "removed": found.removed, "changed": found.changed},
        },
        "delivery": one.delivery,
        "left_out": one.left_out,
        **_request(one.request),
        "answer": None,
    }


def _request(request: ModelRequest) -> Json:
    body = request_body(request)
    return {"request": orjson.loads(body), "body": body.decode()}


def _answer(one: Answer) -> Json:
    usage = one.ending.usage
    return {
        "content": one.content,
        "finish_reason": one.ending.finish_reason,
        "usage": {
            "prompt_tokens": usage.prompt_tokens,
            "completion_tokens": usage.completion_tokens,
            "total_tokens": usage.total_tokens,
        }
        if usage
        else None,
        "duration_ms": one.duration_ms,
    }
