"""What a client may send, checked once: the chat payload and the commands of a socket.

Everything a client got wrong is told with a pointer, everything it sent in vain with a warning. Types are
strict (5 is not a prompt), sizes are UTF-8 bytes, and every error is raised before anything is stored.
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Annotated, Any, Final, Self, TypeVar
from uuid import UUID

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    ValidationError,
)
from pydantic_core import ErrorDetails, PydanticCustomError
from typing_extensions import TypedDict  # pydantic reads typing's own only from Python 3.12 on

from .errors import ChatError, Detail, InvalidPayload, MetadataTooLarge, PromptTooLarge
from .limits import Limits
from .strict_json import ParsedObject, parse_object, sound, step, too_deep

MAX_DEPTH: Final = 64  # of a payload: over the metadata's own limit, far under the stack's
MAX_WARNINGS: Final = 20  # of one payload
LONGEST_WORD: Final = 256  # characters given up to end a cut at a word; text without blanks is cut anywhere

_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)
_PHRASES: Final = {
    "missing": "is required.",
    "string_type": "must be a string.",
    "dict_type": "must be an object.",
    "model_type": "must be an object.",
    "list_type": "must be a list.",
    "bool_type": "must be true or false.",
    "int_type": "must be a whole number.",
    "greater_than_equal": "must not be negative.",
    "less_than_equal": "is too large.",
    "string_too_short": "must not be empty.",
    "string_too_long": "is too long.",
    "too_long": "has too many items.",
}


class PayloadWarning(TypedDict):
    """Something that was sent and has no effect, or not its whole effect."""

    code: str
    pointer: str
    message: str


def _uuid(value: object) -> UUID:
    if not isinstance(value, str) or not _UUID.fullmatch(value):
        raise PydanticCustomError("uuid", "must be a UUID in its usual spelling (8-4-4-4-12).")
    return UUID(value)


def _uuid4(value: object) -> UUID:
    uuid = _uuid(value)
    if uuid.version != 4:
        raise PydanticCustomError("uuid4", "must be a UUID of version 4.")
    return uuid


def _not_blank(text: str) -> str:
    if not text or text.isspace():
        raise PydanticCustomError("blank", "must not be blank.")
    return text


def _printable(text: str) -> str:
    if not text.isprintable():
        raise PydanticCustomError("printable", "must hold printable characters only.")
    return text


def _null_is_empty(value: object) -> object:
    return "" if value is None else value


Uuid = Annotated[UUID, PlainValidator(_uuid)]
Uuid4 = Annotated[UUID, PlainValidator(_uuid4)]
Name = Annotated[str, Field(min_length=1, max_length=255)]
ClientId = Annotated[str, Field(min_length=1, max_length=128), AfterValidator(_printable)]
Secret = Annotated[str | None, Field(repr=False)]


class _Wire(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore")


class Flow(_Wire):
    """Which mentor of which tenant is meant, and for which user."""

    name: Name
    tenant: Name
    username: Annotated[str, Field(max_length=255)] | None = None
    pathway: Annotated[str, Field(max_length=255)] | None = None


class BaseConsumerPayload(_Wire):
    """One user message with what came along; made by `parse`, which also fills the derived fields."""

    session_id: Uuid4
    flow: Flow
    prompt: Annotated[str, AfterValidator(_not_blank)]
    page_content: Annotated[str, BeforeValidator(_null_is_empty)] = ""
    metadata: dict[str, Any] | None = None
    document_filter: dict[str, Any] | None = None
    file_references: list[dict[str, Any]] | None = None
    token: Secret = None
    token_type: str | None = None
    client_message_id: ClientId | None = None
    session_token: Secret = None
    include_metadata_in_prompt: bool | None = None
    metadata_token: Annotated[str | None, Field(repr=False, min_length=1)] = None

    # Derived by parse, never taken from the client.
    metadata_text: str | None = None
    """The metadata's compact text in the client's spelling; None when null or absent."""
    payload_digest: str = ""
    """SHA-256 (hex) of what makes the message; the same for the same message sent again."""
    warnings: list[PayloadWarning] = Field(default_factory=list)

    @classmethod
    def parse(
        cls, raw: bytes | str, limits: Limits, *, session_id: str | None = None, tenant: str | None = None
    ) -> Self:
        """Check a payload; `session_id` and `tenant` stand in where it names none.

        Raises InvalidPayload, MetadataTooLarge, PromptTooLarge, FrameTooLarge; their `sent` has what says whom
        the payload was from and for, as far as that can be read.
        """
        try:
            parsed = _parsed(raw, limits)
        except InvalidPayload as error:
            _stand_in(error.sent or {}, session_id, tenant)
            raise
        _stand_in(parsed.value, session_id, tenant)
        return cls._from(parsed, limits)

    @classmethod
    def _from(cls, parsed: ParsedObject, limits: Limits) -> Self:
        try:
            return cls._checked(parsed, limits)
        except ChatError as error:
            error.sent = {key: parsed.value[key] for key in _WHOSE if key in parsed.value}
            raise

    @classmethod
    def _checked(cls, parsed: ParsedObject, limits: Limits) -> Self:
        sent = parsed.value
        payload = validated(cls, {key: sent[key] for key in sent if key in _WIRE_KEYS})
        check_prompt(payload.prompt, limits)
        if payload.metadata is not None:
            payload.metadata_text = parsed.text("metadata") or ""
            check_metadata(payload.metadata_text, payload.metadata, limits)
        payload.payload_digest = payload._digest(parsed)
        payload.warnings = [*_unknown(sent), *_not_supported(payload)]
        if len(payload.page_content) * 4 > limits.page_content_bytes:
            payload._cut_page(limits.page_content_bytes)
        return payload

    def _digest(self, parsed: ParsedObject) -> str:
        """NUL parts the members: the parser let none in, so no two messages share one text."""
        members = [self.flow.name, self.flow.tenant, self.prompt, self.page_content, self.metadata_text or ""]
        members.append(parsed.text("document_filter") or "" if self.document_filter is not None else "")
        members.append(parsed.text("file_references") or "" if self.file_references is not None else "")
        if self.include_metadata_in_prompt is not None:
            members.append(str(self.include_metadata_in_prompt))
        members += [self.metadata_token] if self.metadata_token else []
        return sha256("\0".join(members).encode()).hexdigest()

    def _cut_page(self, max_bytes: int) -> None:
        sent, self.page_content = self.page_content, cut_at_word(self.page_content, max_bytes)
        if self.page_content is not sent:
            message = f"The page content was cut: {size(self.page_content)} of {size(sent)} bytes were kept."
            self.warnings.append(_warning("page_content_cut", "/page_content", message))


class StopCommand(_Wire):
    """Stop a running answer."""

    generation_id: Uuid
    token: Secret = None
    session_token: Secret = None
    session_id: Uuid4 | None = None


class ResumeCommand(_Wire):
    """Send the events of a turn that come after event number `after`."""

    generation_id: Uuid
    after: Annotated[int, Field(ge=0, le=2**31 - 1)] = 0
    token: Secret = None
    session_token: Secret = None


class SubscribeCommand(_Wire):
    """Tell what happens in a session, after the event `after` or from now on."""

    session_id: Uuid
    after: Annotated[str, Field(max_length=200)] | None = None
    token: Secret = None
    session_token: Secret = None


class UnsubscribeCommand(_Wire):
    """Tell no more of it."""

    session_id: Uuid
    token: Secret = None


class LegacyStop(_Wire):
    """The stop message of ibl.ai's second socket."""

    generation_id: Uuid
    name: Name
    tenant: Name
    username: Annotated[str, Field(max_length=255)] | None = None
    token: Secret = None
    session_token: Secret = None

    @classmethod
    def parse(cls, raw: bytes | str, limits: Limits) -> Self:
        """Check a frame of the stop socket. Raises InvalidPayload, FrameTooLarge."""
        return validated(cls, _parsed(raw, limits).value)


Frame = BaseConsumerPayload | StopCommand | ResumeCommand | SubscribeCommand | UnsubscribeCommand
_COMMANDS: Final[dict[str, type[StopCommand | ResumeCommand | SubscribeCommand | UnsubscribeCommand]]] = {
    "stop": StopCommand,
    "resume": ResumeCommand,
    "subscribe": SubscribeCommand,
    "unsubscribe": UnsubscribeCommand,
}


def parse_frame(raw: bytes | str, limits: Limits) -> Frame:
    """Check a frame of the chat socket: a command if it names an action, else a chat payload."""
    parsed = _parsed(raw, limits)
    action = parsed.value.get("action")
    if action is None:
        return BaseConsumerPayload._from(parsed, limits)
    if isinstance(action, str) and action in _COMMANDS:
        return validated(_COMMANDS[action], parsed.value)
    raise InvalidPayload("action must be stop, resume, subscribe or unsubscribe.", pointer="/action")


def cut_at_word(text: str, max_bytes: int) -> str:
    """The longest beginning of at most `max_bytes` that ends at a word and whole character."""
    encoded = text.encode()
    if len(encoded) <= max_bytes:
        return text
    kept = encoded[:max_bytes].decode(errors="ignore")
    if not (text[len(kept)].isspace() or kept[-1:].isspace()):
        words = kept[-LONGEST_WORD:].rsplit(None, 1)
        kept = kept[: -len(words[1])] if len(words) == 2 else kept
    return kept.rstrip()


def size(text: str) -> int:
    """Bytes of UTF-8."""
    return len(text) if text.isascii() else len(text.encode())


_WIRE_KEYS: Final = BaseConsumerPayload.model_fields.keys() - {"metadata_text", "payload_digest", "warnings"}
_FLOW_KEYS: Final = Flow.model_fields.keys()
_WHOSE: Final = ("flow", "session_id", "token")
_Model = TypeVar("_Model", bound=BaseModel)


def _parsed(raw: bytes | str, limits: Limits) -> ParsedObject:
    # One level over the metadata's limit must still parse, so that it is refused by its own name.
    max_depth = max(MAX_DEPTH, limits.metadata_depth + 2)
    try:
        return parse_object(raw, max_bytes=limits.frame_bytes, max_depth=max_depth)
    except InvalidPayload as error:
        if error.sent is not None:
            error.sent = sound({key: error.sent[key] for key in _WHOSE if key in error.sent})
        raise


def _stand_in(sent: dict[str, Any], session_id: str | None, tenant: str | None) -> None:
    if session_id is not None:
        sent.setdefault("session_id", session_id)
    if tenant is not None and isinstance(flow := sent.get("flow"), dict):
        flow.setdefault("tenant", tenant)


def validated(
    model: type[_Model], value: dict[str, Any], refusal: type[InvalidPayload] = InvalidPayload
) -> _Model:
    """The value as this model. Raises the refusal, with a pointer for every fault."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_context=False, include_input=False)
    details = [_detail(fault) for fault in faults]
    raise refusal(details[0]["message"], details=details)


def _detail(fault: ErrorDetails) -> Detail:
    pointer = ""
    for key in fault["loc"]:
        pointer = step(pointer, str(key))
    custom = fault["msg"] if fault["msg"].startswith(("must ", "is ")) else "is not valid."
    phrase = _PHRASES.get(fault["type"], custom)
    return {"pointer": pointer, "message": f"{'.'.join(map(str, fault['loc']))} {phrase}"}


def check_prompt(prompt: str, limits: Limits) -> None:
    if size(prompt) > limits.prompt_bytes:
        message = f"The prompt is {size(prompt)} bytes long; at most {limits.prompt_bytes} are accepted."
        raise PromptTooLarge(message, pointer="/prompt")


def check_metadata(text: str, value: dict[str, Any], limits: Limits, pointer: str = "/metadata") -> None:
    """Raises MetadataTooLarge, with this pointer."""
    if reason := _too_large(text, value, limits):
        raise MetadataTooLarge(f"The metadata {reason}.", pointer=pointer)


def _too_large(text: str, value: dict[str, Any], limits: Limits) -> str:
    if size(text) > limits.metadata_bytes:
        return f"is {size(text)} bytes long; at most {limits.metadata_bytes} are accepted"
    if too_deep(text, limits.metadata_depth):
        return f"is nested too deeply; at most {limits.metadata_depth} levels are accepted"
    if text.count(":") > limits.metadata_keys < _count_keys(value):
        return f"has {_count_keys(value)} keys; at most {limits.metadata_keys} are accepted"
    return ""


def _count_keys(value: Any) -> int:
    if isinstance(value, dict):
        return len(value) + sum(map(_count_keys, value.values()))
    return sum(map(_count_keys, value)) if isinstance(value, list) else 0


def _unknown(sent: dict[str, Any]) -> list[PayloadWarning]:
    strange = [("", key) for key in sent if key not in _WIRE_KEYS]
    strange += [("/flow", key) for key in sent["flow"] if key not in _FLOW_KEYS]
    warnings = [
        _warning("unknown_key", step(*place), "This key is not known here and has no effect.")
        for place in strange[:MAX_WARNINGS]
    ]
    if unnamed := len(strange) - len(warnings):
        warnings.append(
            _warning("unknown_key", "", f"{unnamed} more keys are not known here and have no effect.")
        )
    return warnings


def _not_supported(payload: BaseConsumerPayload) -> list[PayloadWarning]:
    sent = {
        "/document_filter": bool(payload.document_filter),
        "/file_references": bool(payload.file_references),
        "/flow/pathway": bool(payload.flow.pathway),
    }
    return [
        _warning("not_supported_yet", pointer, "This is not supported yet and has no effect.")
        for pointer, is_sent in sent.items()
        if is_sent
    ]


def _warning(code: str, pointer: str, message: str) -> PayloadWarning:
    return {"code": code, "pointer": pointer, "message": message}
