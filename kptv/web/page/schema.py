"""Pieces of JSON schemas, for the description of the API."""

from __future__ import annotations

from kptv.web.page.hub_view import KINDS
from kptv.web.page.public import Json

TEXT: Json = {"type": "string"}
WHOLE: Json = {"type": "integer", "minimum": 0}
NUMBER: Json = {"type": "number"}
FLAG: Json = {"type": "boolean"}
TIME: Json = {"type": "number", "description": "Unix time, in seconds"}
TIME_OR_NULL: Json = {"type": ["number", "null"], "description": "Unix time, in seconds"}
SOURCE_OR_NULL: Json = {"type": ["integer", "null"], "description": "place in SOURCES, from 1"}
WAY: Json = {
    "enum": list(KINDS),
    "description": "how somebody watches: one answer without an end, or segments of HLS",
}
RATE: Json = {"type": "integer", "minimum": 0, "description": "bits a second"}


def object_of(**properties: Json) -> Json:
    """An object with these properties, all there and no other."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def list_of(items: Json) -> Json:
    return {"type": "array", "items": items}


def ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}
