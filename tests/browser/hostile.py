"""Values that nobody should attach to a message, and that somebody will."""

from __future__ import annotations

from typing import Any

MARKUP = '<img src=x onerror="window.hit = 1"><script>window.hit = 1</script><b>bold</b>'
REVERSED = "safe\u202egnp.exe\u2066\u200f evil"
LONG = "very long " * 10_000


def deep(levels: int) -> Any:
    """A value within a value, so many times."""
    value: Any = "the end"
    for level in range(levels):
        value = {"down": value} if level % 2 else [value]
    return value


# Not texts: nothing is shown of them.
NO_TEXTS: list[Any] = [None, 0, 1, 4.5, True, False, {}, {"a": MARKUP}, [], ["a"], [[["a"]]], deep(50)]

# Texts, however they try to be more.
TEXTS: list[str] = [
    MARKUP,
    REVERSED,
    LONG,
    "line\none\r\n\ttwo\u2028three\u0000four\u0007",
    "{{7*7}} ${7*7} %(count)s %s",
    "javascript:alert(1)",
    "&lt;b&gt; &amp;",
    "😀" * 500,
    "مرحبا " * 20,
    "a" * 5_000,
    "\u0301" * 2_000,
]

BLANK = ["", " ", "\n\t", "\u200b\u200b", "\u202e"]

FOOTERS: list[Any] = [
    *NO_TEXTS[:8],
    [[["nested"]], {"a": 1}, None, 5, MARKUP],
    [{"toString": "x"}] * 50,
    ["line"] * 10_000,
    TEXTS,
    BLANK,
    LONG,
]

# Never a link.
ADDRESSES: list[Any] = [
    *NO_TEXTS,
    *BLANK,
    "javascript:window.hit=1",
    "JaVaScRiPt:window.hit=1",
    " javascript:window.hit=1",
    "\u0001javascript:window.hit=1",
    "java\nscript:window.hit=1",
    "java\tscript:window.hit=1",
    "javascript&colon;window.hit=1",
    "data:text/html,<script>window.hit=1</script>",
    "vbscript:msgbox(1)",
    "blob:https://evil.example/1",
    "file:///etc/passwd",
    "about:blank",
    "view-source:https://evil.example/",
    "//evil.example/",
    "/\\evil.example/",
    "\\\\evil.example/",
    "/\t/evil.example/",
    "/\n/evil.example/",
    " /admin/",
    "/admin/\u0000",
    "/adm\u202ein/",
    "https://user:secret@evil.example/",
    "https://bank.example@evil.example/",
    "https:evil.example",
    "http:\\\\evil.example",
    "https://",
    "https://[::1",
    "https://evil.example/ x",
    "mailto:a@b.example",
    "relative/path",
    "#fragment",
    "?query=1",
    "https://a.example/" + "x" * 5_000,
    MARKUP,
]

METADATA: list[Any] = [
    None,
    "text",
    MARKUP,
    5,
    True,
    [],
    [MARKUP],
    {},
    {"unknown": {"deep": deep(100)}, "": 1, "onclick": "window.hit = 1", "__proto__": {"attribution": "x"}},
    {"constructor": "x", "toString": "x", "attribution": {"toString": "x"}, "debug": MARKUP},
    {"debug": []},
    {"debug": 5},
    {"debug": {}},
]

DEBUG: dict[str, Any] = {
    "text": MARKUP,
    "reversed": REVERSED,
    MARKUP: 1,
    "long": LONG,
    "k" * 3_000: "long key",
    "none": None,
    "yes": True,
    "number": -0.5,
    "nothing": "",
    "empty": {},
    "also_empty": [],
    "deep": deep(200),
    "many": {f"key {number}": number for number in range(10_000)},
    "list": list(range(2_500)),
}
