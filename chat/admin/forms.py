"""Forms of the admin: JSON that every door would take, and rules that a single field cannot know."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import ValidationError
from django.forms.fields import InvalidJSONInput

from .. import strict_json
from ..errors import ChatError
from ..llm.request import RESERVED
from ..models import ApiToken, Mentor

if TYPE_CHECKING:
    _MentorForm = forms.ModelForm[Mentor]
    _TokenForm = forms.ModelForm[ApiToken]
else:
    _MentorForm = _TokenForm = forms.ModelForm

MAX_BYTES = 256 * 1024
MAX_DEPTH = 16
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[^\s/?#@]+|\*")


class StrictJSONField(forms.JSONField):
    """JSON as the doors take it: Django's own field lets in NaN and NUL, which jsonb refuses."""

    def __init__(self, *, empty: Callable[[], Any] = dict, **kwargs: Any) -> None:
        self.empty = empty
        super().__init__(**kwargs)

    def to_python(self, value: Any) -> Any:
        if isinstance(value, str):
            value = _parsed(value) if value.strip() else self.empty()
            if value is None:
                raise ValidationError("This must not be null.")
            return value
        return super().to_python(value)

    def bound_data(self, data: Any, initial: Any) -> Any:
        """What was typed is shown again as it was typed."""
        return data if data is None else InvalidJSONInput(data)

    def prepare_value(self, value: Any) -> Any:
        if isinstance(value, InvalidJSONInput):
            return value
        return json.dumps(value, ensure_ascii=False, indent=2)


def _parsed(text: str) -> Any:
    if strict_json.too_deep(text, MAX_DEPTH):
        raise ValidationError(f"This is nested deeper than {MAX_DEPTH} levels.")
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        raise ValidationError(f"Line {error.lineno}, column {error.colno}: {error.msg}.") from None
    except (ValueError, RecursionError):
        raise ValidationError("A number here is too long.") from None
    try:
        wrapped = strict_json.parse_object(
            f'{{"value":{text}}}', max_bytes=MAX_BYTES, max_depth=MAX_DEPTH + 2
        )
    except ChatError as error:
        raise ValidationError([_sentence(detail) for detail in error.details] or [str(error)]) from None
    return wrapped.value["value"]


def _sentence(detail: Any) -> str:
    pointer = detail["pointer"].removeprefix("/value")
    return f"{pointer}: {detail['message']}" if pointer else detail["message"]


class MentorForm(_MentorForm):
    """What a mentor's fields mean together, and for whom they are."""

    class Meta:
        widgets = {
            "system_prompt": forms.Textarea(attrs={"rows": 18, "class": "prompt"}),
            "greeting_text": forms.Textarea(attrs={"rows": 8, "class": "prompt"}),
            "context_keys": forms.Textarea(attrs={"rows": 2}),
            "context_labels": forms.Textarea(attrs={"rows": 3}),
            "context_schema": forms.Textarea(attrs={"rows": 16, "class": "prompt", "spellcheck": "false"}),
            "description": forms.Textarea(attrs={"rows": 3, "class": "prompt"}),
        }

    def clean_slug(self) -> str:
        # The tenant is not in the form of a mentor that exists, so Django leaves their constraint out.
        slug = str(self.cleaned_data["slug"])
        others = Mentor.objects.filter(tenant=self.instance.tenant_id, slug=slug).exclude(pk=self.instance.pk)
        if self.instance.pk and others.exists():
            raise ValidationError("Another mentor of this tenant has this slug.")
        return slug

    def clean_model_parameters(self) -> Any:
        parameters = self.cleaned_data["model_parameters"]
        if isinstance(parameters, dict) and (ours := sorted(RESERVED & parameters.keys())):
            raise ValidationError([f"/{key}: This is not a parameter, each turn sets it." for key in ours])
        return parameters

    def clean_allowed_origins(self) -> Any:
        origins = self.cleaned_data["allowed_origins"]
        strings = (
            [origin for origin in origins if isinstance(origin, str)] if isinstance(origins, list) else []
        )
        if wrong := [origin for origin in strings if not _ORIGIN.fullmatch(origin)]:
            raise ValidationError(
                [f"{o!r} is not an origin such as https://example.org, or *." for o in wrong]
            )
        return origins


class TokenForm(_TokenForm):
    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean() or self.cleaned_data
        mentor, tenant = cleaned.get("mentor"), cleaned.get("tenant")
        if mentor and tenant and mentor.tenant_id != tenant.pk:
            self.add_error("mentor", "This mentor belongs to another tenant.")
        return cleaned
