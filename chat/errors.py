"""Every error a caller can be told, each with its code, HTTP status and sentence.

Rules raise them low; doors turn them into a frame or an HTTP body. Nothing here knows either.
"""

from __future__ import annotations

from typing import Any, TypedDict


class Detail(TypedDict):
    """One fault and where it is: an RFC 6901 pointer into the payload."""

    pointer: str
    message: str


class ChatError(Exception):
    """The request could not be served."""

    code = "error"
    status = 500
    # Of a refused payload, the members that say whom it was from and for, as sent: never told and never logged.
    sent: dict[str, Any] | None = None

    def __init__(
        self,
        message: str | None = None,
        *,
        pointer: str | None = None,
        details: list[Detail] | None = None,
        retry_after: float | None = None,
    ) -> None:
        self.message = message or (type(self).__doc__ or "").strip()
        self.details = details or (
            [{"pointer": pointer, "message": self.message}] if pointer is not None else []
        )
        self.retry_after = retry_after
        super().__init__(self.message)

    def as_frame(self) -> dict[str, Any]:
        """The error object of every door: error, status_code, code, and details where there are any."""
        frame: dict[str, Any] = {"error": self.message, "status_code": self.status, "code": self.code}
        if self.details:
            frame["details"] = self.details
        if self.retry_after is not None:
            frame["retry_after"] = self.retry_after
        return frame


class InvalidPayload(ChatError):
    """The payload is not valid."""

    code, status = "invalid_payload", 400


class InvalidMessage(InvalidPayload):
    """The message is not valid."""

    code, status = "invalid_message", 422


class InvalidContext(InvalidPayload):
    """The context is not valid."""

    code, status = "invalid_context", 422


class SchemaViolation(ChatError):
    """The context does not fit the mentor's schema."""

    code, status = "schema_violation", 422


class InvalidPatch(InvalidPayload):
    """The patch is not valid."""

    code, status = "invalid_patch", 422


class PatchTestFailed(ChatError):
    """A test of the patch failed: the context is another one by now."""

    code, status = "patch_test_failed", 409


class PreconditionFailed(ChatError):
    """The context is of another version by now: read it again."""

    code, status = "precondition_failed", 412


class MetadataTooLarge(ChatError):
    """The metadata is over its limit."""

    code, status = "metadata_too_large", 413


class TokenInvalid(ChatError):
    """The metadata token is not a valid one of this tenant."""

    code, status = "token_invalid", 401


class TokenExpired(TokenInvalid):
    """The metadata token has expired."""

    code, status = "token_expired", 401


class TokenForeign(TokenInvalid):
    """The metadata token is for another mentor, user or session."""

    code, status = "token_foreign", 403


class TokenReplayed(TokenInvalid):
    """The metadata token was used in another session: each session needs its own."""

    code, status = "token_replayed", 409


class TokenSuperseded(TokenInvalid):
    """A newer metadata token than this is in force."""

    code, status = "token_superseded", 409


class PromptTooLarge(ChatError):
    """The prompt is over its limit."""

    code, status = "prompt_too_large", 413


class FrameTooLarge(ChatError):
    """The payload is over its limit."""

    code, status = "frame_too_large", 413


class InvalidFilter(ChatError):
    """The filter is not valid."""

    code, status = "invalid_filter", 400


class HiddenKey(InvalidFilter):
    """A mentor among those that are meant keeps the values of this key from its reader."""

    code, status = "hidden_key", 403


class TooSlow(ChatError):
    """This question takes too long: narrow it by time, mentor or user."""

    code, status = "too_slow", 422


class AuthenticationFailed(ChatError):
    """The token is unknown, expired or revoked."""

    code, status = "authentication_failed", 401


class AuthenticationRequired(ChatError):
    """This mentor asks its users to sign in: send a token."""

    code, status = "authentication_required", 401


class PermissionDenied(ChatError):
    """The token lacks the scope that this needs."""

    code, status = "permission_denied", 403


class OriginNotAllowed(ChatError):
    """This page's origin may not talk to the mentor."""

    code, status = "origin_not_allowed", 403


class NotFound(ChatError):
    """There is no such thing here."""

    code, status = "not_found", 404


class MethodNotAllowed(ChatError):
    """Use POST to chat, GET with a generation id to resume, and GET to listen to a session."""

    code, status = "method_not_allowed", 405


class TurnInProgress(ChatError):
    """The session is still answering the message before."""

    code, status = "turn_in_progress", 409


class FlowMismatch(ChatError):
    """The session belongs to another mentor."""

    code, status = "flow_mismatch", 409


class IdempotencyMismatch(ChatError):
    """This client_message_id was already used in this session with another payload."""

    code, status = "idempotency_mismatch", 422


class MessageExists(ChatError):
    """The session has a message of this id already."""

    code, status = "message_exists", 409


class RateLimited(ChatError):
    """Too many turns: wait a moment."""

    code, status = "rate_limited", 429


class TooManySockets(ChatError):
    """Too many sockets are open with this token."""

    code, status = "too_many_sockets", 429


class TooManySubscriptions(ChatError):
    """This socket listens to as many sessions as one may: unsubscribe from one, or open another socket."""

    code, status = "too_many_subscriptions", 429


class TooManyExports(ChatError):
    """Too many exports of this tenant are under way: wait for one to end."""

    code, status = "too_many_exports", 429


class ExportNotReady(ChatError):
    """The export is not ready."""

    code, status = "not_ready", 409


class ExportGone(ChatError):
    """The export's file has been removed."""

    code, status = "gone", 410


class Unavailable(ChatError):
    """The service cannot store anything right now: try again."""

    code, status = "unavailable", 503


class Draining(ChatError):
    """This server is going down: connect again."""

    code, status = "draining", 503


class LeaseLost(ChatError):
    """Another process took the session over; what this one did is not kept."""

    code, status = "lease_lost", 409


class AnswerBrokeOff(ChatError):
    """The answer broke off."""

    code, status = "interrupted", 502


class ModelError(ChatError):
    """The model's server failed."""

    code, status = "model_error", 502


class ModelUnreachable(ModelError):
    """The model's server cannot be reached."""

    code, status = "model_unreachable", 502


class ModelTimeout(ModelError):
    """The model's server did not answer in time."""

    code, status = "model_timeout", 504


class ModelUnauthorized(ModelError):
    """The model's server refused our key."""

    code, status = "model_unauthorized", 502


class ModelRateLimited(ModelError):
    """The model's server is asked too much right now."""

    code, status = "model_rate_limited", 503


class ModelCut(ModelError):
    """The model's answer broke off."""

    code, status = "model_cut", 502


class ModelGarbage(ModelError):
    """The model's server sent something that is not an answer."""

    code, status = "model_garbage", 502


class ModelEmpty(ModelError):
    """The model's answer was empty."""

    code, status = "model_empty", 502


def told_by(code: str) -> ChatError:
    """The error of this code, as it was told before; an answer that broke off where there is none."""
    kinds, found = [ChatError], None
    while kinds and found is None:
        kind = kinds.pop()
        kinds += kind.__subclasses__()
        found = kind if kind.code == code else None
    return found() if found else AnswerBrokeOff()
