"""How drf-spectacular reads a view: by the operation that its method wears, and by nothing that it would guess."""

from __future__ import annotations

from typing import Any

from drf_spectacular.openapi import AutoSchema
from uritemplate import variables

from chat.describing import VENDOR, Operation
from chat.describing.parameters import PATH

_IGNORED = {"X-Ignored-Parameters": {"description": "What was asked in vain.", "schema": {"type": "string"}}}


class Described(AutoSchema):
    def get_operation(
        self, path: str, path_regex: str, path_prefix: str, method: str, registry: Any
    ) -> dict[str, Any] | None:
        told = getattr(getattr(self.view, method.lower()), "described", None)
        if told is None:  # it guesses, and complains: nothing is left out in silence
            return super().get_operation(path, path_regex, path_prefix, method, registry)
        return {
            "operationId": told.id_at(path),
            "summary": told.summary,
            **({"description": told.detail} if told.detail else {}),
            "tags": [told.tag],
            "parameters": [PATH[name] for name in variables(path)] + told.parameters,
            **({"requestBody": _body(told)} if told.body or told.bodies else {}),
            "security": self._security(told),
            "responses": _responses(told),
        }

    def _security(self, told: Operation) -> list[dict[str, list[str]]]:
        if not self.view.authentication_classes:
            return [{}]
        return [{"token": []}, {"staff": []}, *([{}] if told.visitors else [])]


def _body(told: Operation) -> dict[str, Any]:
    bodies = told.bodies or {"application/json": told.body or {}}
    needed = bool(told.bodies) or "required" in bodies["application/json"]
    return {"required": needed, "content": {kind: {"schema": schema} for kind, schema in bodies.items()}}


def _responses(told: Operation) -> dict[str, Any]:
    """The vendor's answers say what was ignored."""
    told_too = {"headers": _IGNORED} if told.tag == VENDOR else {}
    return {status: {**answer, **told_too} for status, answer in told.answers.items()}


def without_twins(endpoints: list[Any], **context: Any) -> list[Any]:
    """A path with its last slash and without it is one path."""
    paths = {path for path, *_ in endpoints}
    return [one for one in endpoints if one[0].endswith("/") or f"{one[0]}/" not in paths]
