"""Operations: what a method of a path is called, takes and answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from .shapes import Json

Method = TypeVar("Method", bound=Callable[..., Any])
VENDOR: Final = "ibl.ai"
# A path of the vendor's that names no user.
TENANTS: Final = "/api/ai-mentor/orgs/{org}/sessions/"


def _answer(status: int, description: str, **media: Json) -> dict[str, Json]:
    content = {kind: {"schema": schema} for kind, schema in media.items()}
    return {str(status): {"description": description, **({"content": content} if content else {})}}


def ok(schema: Json, description: str = "What was asked for.", *, status: int = 200) -> dict[str, Json]:
    return _answer(status, description, **{"application/json": schema})


def made(schema: Json) -> dict[str, Json]:
    return ok(schema, "It was made.", status=201)


def waiting(schema: Json) -> dict[str, Json]:
    return ok(schema, "It is not ready: ask again after `Retry-After` seconds.", status=202)


def done(description: str) -> dict[str, Json]:
    return _answer(204, description)


def file(*kinds: str, json: Json | None = None) -> dict[str, Json]:
    """A file of one of these kinds; `json` is its shape where it may be JSON."""
    media: dict[str, Json] = {kind: {"type": "string"} for kind in kinds}
    return _answer(200, "The file.", **media, **({"application/json": json} if json else {}))


@dataclass(frozen=True, slots=True)
class Operation:
    """Worn by a method of a view. `elsewhere`: its id at another path, by how that one begins."""

    id: str
    summary: str
    tag: str
    answers: dict[str, Json]
    parameters: list[Json] = field(default_factory=list)
    body: Json | None = None
    # By media type, where it may be other than application/json.
    bodies: dict[str, Json] = field(default_factory=dict)
    detail: str = ""
    visitors: bool = False
    elsewhere: dict[str, str] = field(default_factory=dict)

    def __call__(self, method: Method) -> Method:
        method.described = self  # type: ignore[attr-defined]
        return method

    def id_at(self, path: str) -> str:
        return next((name for begin, name in self.elsewhere.items() if path.startswith(begin)), self.id)
