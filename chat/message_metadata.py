"""What a sender attaches to one message: kept whole, and read by nobody but the app that shows it.

Never mixed with the snapshot. The exceptions are told here: debug data go to a row of their own, a page may not
set the keys that speak for the system, and an answer's footer says what it took.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from .payloads import PayloadWarning
from .strict_json import step

Json = dict[str, Any]
DEBUG: Final = "debug"
FOOTER: Final = "footer_items"
# Who wrote it, where it leads, what it was made from: a reader takes these for the system's word.
NOT_A_PAGES: Final[tuple[str, ...]] = ("attribution", "href", DEBUG)


@dataclass(frozen=True, slots=True)
class Attached:
    """All that goes with a message beside its words."""

    metadata: Json = field(default_factory=dict)
    rejected: Json | None = None
    debug: Json | None = None
    filenames: list[str] | None = None
    sender_id: str = ""
    content_type: str = "text/plain"


def without_debug(metadata: Json, debug_data: Json | None) -> tuple[Json, Json | None]:
    """The metadata as they are kept, and what is kept apart from them: `debug_data` merged over their `debug`."""
    kept = {key: value for key, value in metadata.items() if key != DEBUG}
    if DEBUG not in metadata:
        return kept, debug_data or None
    debug = metadata[DEBUG]
    return kept, merged(debug if isinstance(debug, dict) else {DEBUG: debug}, debug_data or {})


def merged(one: Any, other: Any) -> Any:
    """Objects key by key, lists one after the other; of anything else the second."""
    if isinstance(one, dict) and isinstance(other, dict):
        both = {key: merged(one[key], other[key]) for key in one.keys() & other.keys()}
        return {**one, **other, **both}
    return one + other if isinstance(one, list) and isinstance(other, list) else other


def sifted(metadata: Json) -> tuple[Json, Json | None, list[PayloadWarning]]:
    """A page's metadata without the keys that are not its to set; those, and a warning for each."""
    rejected = {key: metadata[key] for key in NOT_A_PAGES if key in metadata}
    kept = {key: value for key, value in metadata.items() if key not in rejected}
    return kept, rejected or None, [not_yours(step("/metadata", key)) for key in rejected]


def not_yours(pointer: str) -> PayloadWarning:
    message = "Only the tenant's own server may set this: it was put aside."
    return {"code": "key_not_yours", "pointer": pointer, "message": message}


def with_footer(metadata: Json, line: str) -> Json:
    """The line after what the sender said; whatever is no list of lines is let be."""
    said = metadata.get(FOOTER, [])
    said = [said] if isinstance(said, str) else said
    return {**metadata, FOOTER: [*said, line]} if isinstance(said, list) else metadata


def footer(prompt_tokens: int, completion_tokens: int, window: int) -> str:
    """What an answer took, of the model's context window where that is known (0: it is not)."""
    total = prompt_tokens + completion_tokens
    if window:
        return f"{_brief(total)} of {_brief(window)} ({100 * total // window}%) tokens used for request"
    return (
        f"{_brief(total)} tokens used ({_brief(prompt_tokens)} asked, {_brief(completion_tokens)} answered)"
    )


def _brief(count: int) -> str:
    return str(count) if count < 1000 else f"{count / 1000:.1f}".removesuffix(".0") + "k"
