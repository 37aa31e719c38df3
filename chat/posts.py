"""A message as it is posted, in Semantic Workbench's words, checked once; and what its sender may say.

What may be set is decided by the credential and not by the role that a message claims: a tenant's own server
speaks for anybody, a page for its user alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, Final, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

from .errors import InvalidMessage, PermissionDenied, PromptTooLarge
from .limits import Limits
from .message_metadata import Attached, not_yours, sifted, without_debug
from .payloads import MAX_WARNINGS, ClientId, PayloadWarning, check_metadata, size, validated
from .strict_json import dumps, step
from .wire_names import ROLES

MESSAGE_TYPES: Final = ("chat", "log", "note", "notice", "command", "command-response")
# What only the tenant's own server says.
NOT_A_PAGES_TYPES: Final = ("notice", "command-response")
PARTICIPANT_ROLES: Final = tuple(dict.fromkeys(ROLES["workbench"].values()))
# Who is meant by a foreign role: of several of ours the first.
_OURS: Final = {theirs: ours for ours, theirs in reversed(ROLES["workbench"].items())}
MOST_FILES: Final = 100


def _one_of(*known: str) -> AfterValidator:
    def check(word: str) -> str:
        if word not in known:
            raise PydanticCustomError("one_of", f"must be one of {', '.join(known)}.")
        return word

    return AfterValidator(check)


Name = Annotated[str, Field(max_length=255)]


class _Body(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore")


class Sender(_Body):
    participant_id: Name | None = None
    participant_role: Annotated[str, _one_of(*PARTICIPANT_ROLES)] | None = None


class NewMessage(_Body):
    """The body of a message that is posted. `id` becomes its client_message_id."""

    id: ClientId | None = None
    sender: Sender | None = None
    content: str
    content_type: Annotated[str, Field(min_length=1, max_length=100)] = "text/plain"
    message_type: Annotated[str, _one_of(*MESSAGE_TYPES)] = "chat"
    metadata: dict[str, Any] | None = None
    filenames: Annotated[list[Name], Field(max_length=MOST_FILES)] | None = None
    debug_data: dict[str, Any] | None = None

    @classmethod
    def parse(cls, body: dict[str, Any], limits: Limits) -> Self:
        """Raises InvalidMessage, PromptTooLarge."""
        message = validated(cls, {key: body[key] for key in body if body[key] is not None}, InvalidMessage)
        if size(message.content) > limits.prompt_bytes:
            told = f"The content is {size(message.content)} bytes long; at most {limits.prompt_bytes} are accepted."
            raise PromptTooLarge(told, pointer="/content")
        return message

    @property
    def participant_role(self) -> str:
        return (self.sender and self.sender.participant_role) or "user"

    @property
    def participant_id(self) -> str:
        return (self.sender and self.sender.participant_id) or ""


@dataclass(frozen=True, slots=True)
class Draft:
    """A message that may be stored."""

    role: str
    message_type: str
    content: str
    client_message_id: str | None
    attached: Attached
    warnings: list[PayloadWarning] = field(default_factory=list)


def from_server(body: dict[str, Any], limits: Limits) -> Draft:
    """What a tenant's server or a member of staff posts: any sender, any key. Raises ChatError."""
    sent = NewMessage.parse(body, limits)
    # Debug data may be as long as the whole frame: they are read one at a time.
    metadata, debug = without_debug(sent.metadata or {}, sent.debug_data)
    check_metadata(dumps(metadata), metadata, limits)
    attached = Attached(metadata, None, debug, sent.filenames, sent.participant_id, sent.content_type)
    return _draft(sent, _OURS[sent.participant_role], attached, _unknown(body))


def from_page(body: dict[str, Any], limits: Limits) -> Draft:
    """What a visitor's page posts, as its user. Raises PermissionDenied beside what from_server raises."""
    sent = NewMessage.parse(body, limits)
    _check_page(sent)
    everything = {**(sent.metadata or {}), **({"debug_data": sent.debug_data} if sent.debug_data else {})}
    check_metadata(dumps(everything), everything, limits)
    kept, rejected, warnings = sifted(sent.metadata or {})
    if sent.debug_data:
        rejected = {**(rejected or {}), "debug_data": sent.debug_data}
        warnings.append(not_yours("/debug_data"))
    if sent.participant_id:
        warnings.append(not_yours("/sender/participant_id"))
    attached = Attached(kept, rejected, None, sent.filenames, "", sent.content_type)
    return _draft(sent, "user", attached, [*_unknown(body), *warnings])


def _check_page(sent: NewMessage) -> None:
    if sent.participant_role != "user":
        raise PermissionDenied("A page may speak for its user only.", pointer="/sender/participant_role")
    if sent.message_type in NOT_A_PAGES_TYPES:
        told = f"Only the tenant's own server may post a {sent.message_type}."
        raise PermissionDenied(told, pointer="/message_type")


def _draft(sent: NewMessage, role: str, attached: Attached, warnings: list[PayloadWarning]) -> Draft:
    return Draft(role, sent.message_type, sent.content, sent.id, attached, warnings)


def _unknown(body: dict[str, Any]) -> list[PayloadWarning]:
    strange = [step("", key) for key in body if key not in NewMessage.model_fields]
    strange += [step("/sender", key) for key in body.get("sender") or {} if key not in Sender.model_fields]
    message = "This key is not known here and has no effect."
    told: list[PayloadWarning] = [
        {"code": "unknown_key", "pointer": pointer, "message": message} for pointer in strange[:MAX_WARNINGS]
    ]
    if unnamed := len(strange) - len(told):
        more = f"{unnamed} more keys are not known here and have no effect."
        told.append({"code": "unknown_key", "pointer": "", "message": more})
    return told
