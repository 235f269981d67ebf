"""JSON answers of `/api/…`, refusals among them, and what is read of its requests."""

from __future__ import annotations

import re
from typing import Any

from flask import Blueprint, Request, Response, request
from flask import json as flask_json
from werkzeug.exceptions import HTTPException

from kptv.web.page.admin import Admin
from kptv.web.throttle import TooManyTries

_LONGEST_QUERY = 200  # letters
_LONGEST_BODY = 4096  # bytes
OFF = "Actions are off: no ADMIN_TOKEN is set."
_TOO_MANY_TRIES = "Too many wrong tokens; try again in a minute."


class Refused(Exception):
    """The request cannot be granted: a status and a sentence that says why."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def new_blueprint(name: str) -> Blueprint:
    """A part of the API; its views may raise Refused and TooManyTries."""
    blueprint = Blueprint(name, __name__, url_prefix="/api")
    blueprint.register_error_handler(Refused, lambda error: error_answer(error.status, str(error)))
    blueprint.register_error_handler(TooManyTries, lambda error: error_answer(429, _TOO_MANY_TRIES))
    return blueprint


def answer(value: object, status: int = 200) -> Response:
    """An answer in JSON."""
    return written(flask_json.dumps(value), status)


def written(text: str, status: int = 200) -> Response:
    """An answer that is JSON already."""
    response = Response(text, status=status, content_type="application/json")
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def json_error(error: HTTPException) -> Response:
    """An error of a route below `/api/`."""
    return error_answer(error.code or 500, error.name)


def permit(admin: Admin, asked: Request) -> None:
    """Let only the operator pass; raises Refused."""
    if not admin.enabled:
        raise Refused(403, OFF)
    if why := admin.refusal(asked):
        raise Refused(401, why)


def body(longest: int = _LONGEST_BODY) -> dict[str, Any]:
    """The JSON object of the request; an empty one if there is no body."""
    if (request.content_length or 0) > longest:
        raise Refused(413, "That is too long.")
    request.max_content_length = longest  # a body in chunks does not tell its length
    if not request.content_length and not request.headers.get("Transfer-Encoding"):
        return {}
    # Neither a form nor plain text: another site could send those without asking first.
    if request.mimetype != "application/json":
        raise Refused(415, "Send application/json.")
    try:
        value = flask_json.loads(request.get_data())
    except (ValueError, RecursionError):  # no JSON, or endless brackets
        value = None
    if not isinstance(value, dict):
        raise Refused(400, "A JSON object is wanted.")
    return value


def page_number() -> int:
    """The page of a list that is asked for, from 0."""
    text = request.args.get("page", "0")
    if not re.fullmatch(r"[0-9]{1,6}", text):
        raise Refused(400, "page is a number from 0.")
    return int(text)


def query(name: str) -> str:
    """A text of the request's query; empty if it is not there."""
    text = request.args.get(name, "")
    if len(text) > _LONGEST_QUERY:
        raise Refused(400, f"{name} is too long.")
    return text


def error_answer(status: int, message: str) -> Response:
    """A refusal: why, in a sentence."""
    response = answer({"error": message}, status)
    if status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    if status in (429, 503):
        response.headers["Retry-After"] = "60" if status == 429 else "5"
    return response
