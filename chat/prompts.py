"""The composer: the one place that knows how a prompt is written. Pure functions of what is stored.

The user's message is greeting instructions, the user's prompt, page content, context block, in this order,
with a blank line between them. Markers tell the parts from each other, so nothing that somebody sent may hold
one: a look-alike gets round brackets. Values, keys and page content, which their reader did not write, lose
chat-template tokens and invisible tag characters as well. All other text stays byte for byte what it was.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from .placeholders import as_text, fill
from .strict_json import spell, spelled
from .wire_names import ROLES

CONTEXT_START: Final = "<CONTEXT METADATA> Here is additional context metadata for this conversation:"
CONTEXT_END: Final = "</END CONTEXT METADATA>"
GREETING_START: Final = "<GREETING INSTRUCTIONS>"
GREETING_END: Final = "</END GREETING INSTRUCTIONS>"
PAGE_START: Final = "<PAGE CONTENT> This is the text of the page that the user is looking at:"
PAGE_END: Final = "</END PAGE CONTENT>"
REMOVED: Final = "[removed]"
VERIFIED_MARK: Final = "[verified]"

GREETINGS: Final = {
    "proactive_response": "You have already greeted the user with this text; do not greet again:",
    "proactive_prompt": "Greet the user before you answer, as these instructions say:",
}

_OPENERS: Final = "<＜﹤‹〈⟨〈❮❰˂«《"
_CLOSERS: Final = ">＞﹥›〉⟩〉❯❱˃»》"
_ROUND: Final = str.maketrans(dict.fromkeys(_OPENERS + "[［", "(") | dict.fromkeys(_CLOSERS + "]］", ")"))
_CONTROLS: Final = r"\x00-\x1f\x7f-\x9f\u2028\u2029"  # with every line separator of str.splitlines
_TAGS: Final = r"\U000e0000-\U000e007f"
_UNSEEN: Final = (
    _CONTROLS + _TAGS + r"\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    r"\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\U000e0100-\U000e01ef"
)


def _word(word: str) -> str:
    """A pattern of a marker's word: also in full-width letters, also with unseen characters between them."""
    return f"[{_UNSEEN}]*+".join(f"[{letter}{chr(ord(letter) + 0xFEE0)}]" for letter in word)


def _words(gap: str) -> str:
    names = ("CONTEXT METADATA", "GREETING INSTRUCTIONS", "PAGE CONTENT")
    return "(?:" + "|".join(gap.join(map(_word, name.split())) for name in names) + ")"


# A start marker needs a gap between its words and no "=" after them: <contextMetadata> and <Page Content="…">
# are somebody's code. An end marker, which nobody writes by chance, is known however its words are joined.
_GAP: Final = rf"[\s{_UNSEEN}]"
_JOINT: Final = rf"[\s{_UNSEEN}_-]*+"
_START: Final = rf"{_words(_GAP + '++')}(?!{_GAP}*+=)"
_END: Final = f"{_word('END')}{_JOINT}{_words(_JOINT)}"
_MARKER: Final = rf"[{_OPENERS}]{_GAP}*+(?:[/／⁄∕⧸\\]{_GAP}*+)?(?:{_END}|{_START})(?:{_GAP}*+[{_CLOSERS}])?"
_LIKE_A_MARKER: Final = re.compile(_MARKER, re.IGNORECASE)
_TEMPLATE_TOKEN: Final = re.compile(
    r"[<＜\[［](?:[|｜][^\s|｜<>＜＞]{1,64}[|｜][>＞]"  # <|im_start|> and its kin
    r"|/?(?:INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS|TOOL_CONTENT)[\]］]"
    r"|</?SYS>>|/?(?:start_of_turn|end_of_turn|bos|eos)>|(?<=<)(?-i:/?s>))",
    re.IGNORECASE,
)
_BREAKS: Final = re.compile(f"[{_CONTROLS}]+")
_TAG_CHARACTERS: Final = re.compile(f"[{_TAGS}]+")
# What compact JSON text must hold before any of its values could need care; a backslash may hide a control.
_SUSPECT: Final = re.compile(rf"[{_OPENERS}［\\{_CONTROLS}{_TAGS}]|\[[/A-Za-z]")


def context_block(text: str) -> str:
    """The block for a context, given as its compact JSON text; "" for an empty one. One line for each key."""
    values = spelled(text)
    if not _SUSPECT.search(text):
        return _block("\n".join([f"{key}: {as_text(value)}" for key, value in values.items()]))
    return block_of([line(key, value) for key, value in values.items()])


def block_of(lines: Sequence[str]) -> str:
    """The block of these lines; "" without any. The end of one and the start of the next could make a marker."""
    return _block(_without_markers("\n".join(lines)))


def _block(lines: str) -> str:
    return f"{CONTEXT_START}\n{lines}\n{CONTEXT_END}" if lines else ""


def line(label: str, value: Any) -> str:
    """A key and its value, which is one of strict_json.spelled, on one line of the block."""
    return f"{_flat(label)}: {_as_data(value)}"


def marked_line(label: str, value: Any, verified: bool) -> str:
    """The same with a mark before it where the value is verified; no other line can begin with that mark."""
    if verified:
        return f"{VERIFIED_MARK} {line(label, value)}"
    return line(label.translate(_ROUND), value)


def greeting_instructions(method: str, text: str, values: Mapping[str, Any] | None = None) -> str:
    """What a session's first turn says of the greeting, its placeholders filled with these values (as in
    system_prompt); "" without a text. KeyError for an unknown method."""
    if not text.strip():
        return ""
    filled = fill(text, values or {}, _as_data)
    return f"{GREETING_START} {GREETINGS[method]}\n{_without_markers(filled)}\n{GREETING_END}"


def page_content_stamp(length: int, sha256: str) -> str:
    """What stands for page content that was not kept: its bytes and SHA-256 (hex)."""
    return f"[page content: {length} bytes, sha256 {sha256}]"


def compose_user_prompt(greeting: str, prompt: str, page_content: str, block: str) -> str:
    """The user's message, from greeting_instructions, the user's words, page content and context_block.

    The page content decides which message it is: as sent, the one for the model; "", the one to store; its
    page_content_stamp, the one rebuilt later.
    """
    page = f"{PAGE_START}\n{_harmless(page_content)}\n{PAGE_END}" if page_content.strip() else ""
    parts = (greeting, _without_markers(prompt), page, block)
    return "\n\n".join([part for part in parts if part])


def system_prompt(template: str, values: Mapping[str, Any], block: str = "") -> str:
    """The mentor's system prompt with its placeholders filled, then the context block if it goes here.

    Values are those of strict_json.spelled, rendered as in the block.
    """
    filled = fill(template, values, _as_data)
    return "\n\n".join([part for part in (filled, block) if part])


def messages(
    system: str, history: Iterable[tuple[str, str | None]], user_prompt: str
) -> list[dict[str, str]]:
    """Chat messages for a model's server, oldest first.

    History is (role, text) in our roles; None is a text that was removed. Service messages and empty texts
    are left out: they are not the model's, and some servers refuse them.
    """
    past = [
        {"role": ROLES["openai"][role], "content": REMOVED if text is None else _without_markers(text)}
        for role, text in history
        if role != "service" and text != ""
    ]
    first = [{"role": "system", "content": system}] if system else []
    return [*first, *past, {"role": "user", "content": user_prompt}]


def _as_data(value: Any) -> str:
    """A value on one line that can neither end the line nor speak for anybody else."""
    if isinstance(value, str):
        return _flat(value)
    # JSON has escaped the controls that it must; the others it may, and so the value reads back equal.
    return _BREAKS.sub(_escaped, spell(_harmless_within(value)))


def _flat(text: str) -> str:
    return _harmless(_BREAKS.sub(" ", text))


def _escaped(characters: re.Match[str]) -> str:
    return "".join(f"\\u{ord(character):04x}" for character in characters[0])


def _harmless_within(value: Any) -> Any:
    if isinstance(value, str):
        return _harmless(value)
    if isinstance(value, dict):
        return {_harmless(key): _harmless_within(item) for key, item in value.items()}
    return [_harmless_within(item) for item in value] if isinstance(value, list) else value


def _harmless(text: str) -> str:
    # Tag characters go first: without them their neighbours could make a token.
    text = text if text.isascii() else _TAG_CHARACTERS.sub("", text)
    return _TEMPLATE_TOKEN.sub(_rounded, _without_markers(text))


def _without_markers(text: str) -> str:
    if "<" not in text and text.isascii():
        return text  # most of a history, by far, and every turn sends it
    return _LIKE_A_MARKER.sub(_rounded, text)


def _rounded(look_alike: re.Match[str]) -> str:
    return look_alike[0].translate(_ROUND)
