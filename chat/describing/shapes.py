"""JSON Schemas: objects that are closed, and the values that many of them have."""

from __future__ import annotations

from typing import Any, Final

from ..filters import ROLES

Json = dict[str, Any]
SCHEMAS: Final[dict[str, Json]] = {}

TEXT: Final[Json] = {"type": "string"}
WHOLE: Final[Json] = {"type": "integer"}
NUMBER: Final[Json] = {"type": "number"}
FLAG: Final[Json] = {"type": "boolean"}
NULL: Final[Json] = {"type": "null"}
UUID: Final[Json] = {"type": "string", "format": "uuid"}
TIME: Final[Json] = {"type": "string", "format": "date-time"}
OBJECT: Final[Json] = {"type": "object", "additionalProperties": True}
ANYTHING: Final[Json] = {"description": "Any JSON value."}


def words(*known: str, **more: Any) -> Json:
    return {"type": "string", "enum": list(known), **more}


def said(schema: Json, description: str, **more: Any) -> Json:
    """The same, with what it means."""
    return {**schema, "description": description, **more}


def null_or(schema: Json, description: str = "") -> Json:
    either: Json = {"anyOf": [schema, NULL]}
    return {**either, "description": description} if description else either


def many(schema: Json) -> Json:
    return {"type": "array", "items": schema}


def closed(properties: Json, *, optional: tuple[str, ...] = (), **more: Any) -> Json:
    """An object of these keys and no others."""
    required = [name for name in properties if name not in optional]
    return {
        "type": "object",
        "properties": properties,
        **({"required": required} if required else {}),
        "additionalProperties": False,
        **more,
    }


def named(name: str, schema: Json) -> Json:
    """Register it; what stands for it from then on."""
    assert name not in SCHEMAS, name
    SCHEMAS[name] = schema
    return {"$ref": f"#/components/schemas/{name}"}


# Those two are with the frames, in static/api/asyncapi.yaml.
STATUS: Final[Json] = {"$ref": "#/components/schemas/Status"}
WARNING: Final[Json] = {"$ref": "#/components/schemas/Warning"}
ROLE: Final = named("Role", words(*ROLES))
CONTEXT: Final = named(
    "ClientContext", said(OBJECT, "What a client said of where its user stands: any JSON object.")
)
ADDRESS: Final[Json] = {
    "type": ["string", "null"],
    "description": "The address of that page; null at an end.",
}


def pages(item: Json) -> Json:
    """A list of ours, with the addresses of the pages beside it."""
    counted = said(WHOLE, "Of the whole list, where it was asked for.")
    listed = {"results": many(item), "next": ADDRESS, "previous": ADDRESS, "count": counted}
    return closed(listed, optional=("count",))


def ibl_pages(item: Json) -> Json:
    counted = null_or(WHOLE, "Of the whole list; null where that is too long to count.")
    return closed({"count": counted, "next": ADDRESS, "previous": ADDRESS, "results": many(item)})
