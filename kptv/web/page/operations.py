"""Pieces of the description of the API: operations, what they take and answer."""

from __future__ import annotations

from kptv.web.page.public import Json
from kptv.web.page.schema import ref


def answers(good: int, schema: str, *bad: int) -> Json:
    """By status what is answered: as asked, or why not."""
    found = {str(good): answer("As asked.", ref(schema))}
    found |= {str(status): answer(_WHY[status], ref("Error")) for status in bad}
    return found


def answer(text: str, schema: Json) -> Json:
    """One answer in JSON."""
    return {"description": text, "content": {"application/json": {"schema": schema}}}


_WHY = {
    400: "Not understood.",
    401: "ADMIN_TOKEN is needed, or the header of the session; the error says which.",
    403: "Actions are off, or that was not the token.",
    404: "There is no such thing.",
    409: "It cannot be done now.",
    413: "Too long.",
    415: "Not JSON.",
    422: "What was sent, or the file, cannot be used; the error says why.",
    429: "Too many wrong tokens.",
    503: "Not ready.",
}
NO_SECURITY: list[Json] = []
ADMIN: list[Json] = [{"bearer": []}, {"token": []}, {"session": [], "csrf": []}]


def get(
    summary: str, answered: Json, *parameters: Json, security: list[Json] = NO_SECURITY
) -> Json:
    """An operation that reads."""
    operation = {"summary": summary, "responses": answered, "security": security}
    return {"get": {**operation, "parameters": list(parameters)} if parameters else operation}


def post(
    summary: str,
    answered: Json,
    *,
    body: Json | None = None,
    required: bool = False,
    identifier: str = "",
    number: str = "",
    security: list[Json] = ADMIN,
    method: str = "post",
) -> Json:
    """An operation that changes something; ``identifier`` and ``number`` are in its path."""
    operation: Json = {"summary": summary, "responses": answered, "security": security}
    if body is not None:
        content = {"application/json": {"schema": body}}
        operation["requestBody"] = {"content": content, "required": required}
    named = {"id": identifier, "number": number}
    if parameters := [in_path(name, text) for name, text in named.items() if text]:
        operation["parameters"] = parameters
    return {method: operation}


def in_path(name: str, text: str) -> Json:
    """A part of the path."""
    schema = {"type": "string", "minLength": 1}
    return {"name": name, "in": "path", "required": True, "description": text, "schema": schema}


def query(name: str, text: str, schema: Json) -> Json:
    """A part of the query."""
    return {"name": name, "in": "query", "description": text, "schema": schema}
