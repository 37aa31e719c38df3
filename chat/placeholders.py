"""Placeholders in text that a tenant wrote, filled once: {key}, {user.name} and {{metadata_key}}.

A value is data: it is looked up by name and pasted, never called, formatted, or scanned again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from .strict_json import spell

_PLACEHOLDER: Final = re.compile(r"\{\{([^{}]*+)\}\}|\{([^{}]++)\}")
_PREFIX: Final = "metadata_"
_MISSING: Final = object()


def as_text(value: Any) -> str:
    """A value as text: a string as it is, anything else as compact JSON."""
    return value if isinstance(value, str) else spell(value)


def fill(template: str, values: Mapping[str, Any], render: Callable[[Any], str] = as_text) -> str:
    """The template with every known placeholder replaced by its rendered value, in one pass.

    A key is taken literally first, then as a dotted path into nested objects. What is unknown stays as it is
    written; any {{…}} that does not name metadata_… is an escape, and loses one pair of braces.
    """
    if "{" not in template:
        return template

    def replacement(placeholder: re.Match[str]) -> str:
        key = _key(placeholder)
        if key is None:
            return placeholder[0][1:-1]
        value = _look_up(key, values)
        return placeholder[0] if value is _MISSING else render(value)

    return _PLACEHOLDER.sub(replacement, template)


def names(template: str) -> list[str]:
    """The keys that a template's placeholders name, in their order, each once."""
    found = (_key(placeholder) for placeholder in _PLACEHOLDER.finditer(template))
    return list(dict.fromkeys(key for key in found if key is not None))


def _key(placeholder: re.Match[str]) -> str | None:
    doubled: str | None = placeholder[1]
    if doubled is None:
        return placeholder[2]
    return doubled.removeprefix(_PREFIX) if doubled.startswith(_PREFIX) else None


def _look_up(key: str, values: Mapping[str, Any]) -> Any:
    if key in values:
        return values[key]
    value: Any = values
    for part in key.split("."):
        if not isinstance(value, Mapping) or part not in value:
            return _MISSING
        value = value[part]
    return value
