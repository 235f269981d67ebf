"""`/api/…`: what the status page shows and does, for programs too. JSON; see openapi.py."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, request
from flask import json as flask_json
from werkzeug.exceptions import HTTPException

from kptv.channels.model import Channel
from kptv.pace import Pace
from kptv.restream.hubs import Hubs
from kptv.web.clients import Clients
from kptv.web.endless import endless
from kptv.web.page.admin import COOKIE, SESSION_SECONDS, Admin, TooManyTries
from kptv.web.page.directory import PAGE, Directory
from kptv.web.page.events import EventStream
from kptv.web.page.openapi import description
from kptv.web.page.view import View, stream_id

_LONGEST_QUERY = 200  # letters
_LONGEST_BODY = 4096  # bytes
_TOO_MANY_TRIES = "Too many wrong tokens; try again in a minute."


class Refused(Exception):
    """What was asked for cannot be done: a status and a sentence."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def api_blueprint(
    view: View,
    feed: EventStream,
    directory: Directory,
    admin: Admin,
    clients: Clients,
    import_now: Callable[[], object],
) -> Blueprint:
    """The routes below `/api/`."""
    blueprint = Blueprint("api", __name__, url_prefix="/api")
    _reading(blueprint, view, feed, directory, clients)
    _logging_in(blueprint, admin)
    _acting(blueprint, view, admin, import_now)
    blueprint.register_error_handler(Refused, lambda error: _error(error.status, str(error)))
    blueprint.register_error_handler(TooManyTries, lambda error: _error(429, _TOO_MANY_TRIES))
    return blueprint


def json_error(error: HTTPException) -> Response:
    """An error of a route below `/api/`."""
    return _error(error.code or 500, error.name)


def _reading(
    blueprint: Blueprint, view: View, feed: EventStream, directory: Directory, clients: Clients
) -> None:
    @blueprint.get("/openapi.json")
    def openapi() -> Response:
        return _answer(description())

    @blueprint.get("/status")
    def status() -> Response:
        return _answer(view.status())

    @blueprint.get("/groups")
    def groups() -> Response:
        found = directory.groups()
        return _answer({"groups": [{"id": i, "name": n, "channels": c} for i, n, c in found]})

    @blueprint.get("/channels")
    def channels() -> Response:
        return _channels(view, directory)

    @blueprint.get("/events")
    @endless
    def events() -> Response:
        listener = feed.listen(clients.address(request))
        if listener is None:
            raise Refused(503, "Too many pages are open.")
        response = Response(content_type="text/event-stream", direct_passthrough=True)
        response.headers["Cache-Control"] = "no-store"
        response.headers["X-Accel-Buffering"] = "no"
        response.response = listener
        return response


def _channels(view: View, directory: Directory) -> Response:
    page, query, group = _page(), _text("q"), _text("group")
    found = directory.find(query, group)
    if found is None and group and view.state.current_catalog() is not None:
        raise Refused(404, "No such group.")
    if found is None:
        raise Refused(503, "No channel list has been imported yet.")
    playing = {hub.channel.slug for hub in view.hubs.all()}
    items, pace = [], Pace()
    for position in found.positions[page * PAGE : (page + 1) * PAGE]:
        channel = found.catalog.channel(position)
        items.append(
            {
                "id": channel.slug,
                **view.channel(channel),
                "sources": [stream.source.number for stream in channel.streams],
                "playing": channel.slug in playing,
            }
        )
        pace()
    total = len(found.positions)
    return _answer({"total": total, "page": page, "size": PAGE, "channels": items})


def _logging_in(blueprint: Blueprint, admin: Admin) -> None:
    @blueprint.get("/session")
    def session() -> Response:
        known = admin.session_of(request)
        return _answer({"actions": admin.enabled, "csrf": known.csrf if known else None})

    @blueprint.post("/login")
    def log_in() -> Response:
        token = _body().get("token")
        if not isinstance(token, str):
            raise Refused(400, 'A JSON object {"token": "…"} is wanted.')
        if not admin.enabled:
            raise Refused(403, "Actions are off: no ADMIN_TOKEN is set.")
        known = admin.log_in(token, request)
        if known is None:
            raise Refused(403, "That is not the token.")
        response = _answer({"actions": True, "csrf": known.csrf})
        response.set_cookie(
            COOKIE,
            known.key,
            max_age=SESSION_SECONDS,
            httponly=True,
            samesite="Strict",
            secure=request.headers.get("X-Forwarded-Proto", request.scheme) == "https",
        )
        return response

    @blueprint.post("/logout")
    def log_out() -> Response:
        admin.log_out(request)
        response = _answer({"actions": admin.enabled, "csrf": None})
        response.delete_cookie(COOKIE, httponly=True, samesite="Strict")
        return response


def _acting(
    blueprint: Blueprint, view: View, admin: Admin, import_now: Callable[[], object]
) -> None:
    @blueprint.post("/import")
    def start_import() -> Response:
        _check(admin)
        import_now()
        return _answer({"done": "The lists are being fetched."}, 202)

    @blueprint.post("/channels/<identifier>/switch")
    def switch(identifier: str) -> Response:
        _check(admin)
        number = _body().get("source")
        if number is not None and (not isinstance(number, int) or isinstance(number, bool)):
            raise Refused(400, "source is a number, or left out for the next one.")
        channel = _playing(view.hubs, identifier)
        numbers = [stream.source.number for stream in channel.streams]
        if number is not None and number not in numbers:
            raise Refused(409, "That source does not have this channel.")
        if number is None and len(numbers) < 2:
            raise Refused(409, "No other source has this channel.")
        view.hubs.switch(identifier, number)
        return _answer({"done": "The channel moves to another source."}, 202)

    @blueprint.post("/channels/<identifier>/stop")
    def stop(identifier: str) -> Response:
        _check(admin)
        _playing(view.hubs, identifier)
        view.hubs.stop(identifier)
        return _answer({"done": "The channel is stopped."}, 202)

    @blueprint.post("/streams/<identifier>/unblock")
    def unblock(identifier: str) -> Response:
        _check(admin)
        health = view.hubs.health
        for key in health.known():
            if stream_id(key) == identifier:
                health.unblock(key)
                return _answer({"done": "The stream may be tried again."})
        raise Refused(404, "Nothing is held against such a stream.")


def _check(admin: Admin) -> None:
    if not admin.enabled:
        raise Refused(403, "Actions are off: no ADMIN_TOKEN is set.")
    if not admin.allows(request):
        raise Refused(401, "ADMIN_TOKEN is needed: as a bearer, or log in on the page.")


def _playing(hubs: Hubs, slug: str) -> Channel:
    for hub in hubs.all():
        if hub.channel.slug == slug:
            return hub.channel
    raise Refused(404, "No such channel plays.")


def _body() -> dict[str, Any]:
    """The JSON object of the request; an empty one where there is no body."""
    if (request.content_length or 0) > _LONGEST_BODY:
        raise Refused(413, "That is too long.")
    request.max_content_length = _LONGEST_BODY  # one in chunks does not tell its length
    if not request.content_length and not request.headers.get("Transfer-Encoding"):
        return {}
    # No form and no plain text: another site could send those without asking first.
    if request.mimetype != "application/json":
        raise Refused(415, "Send application/json.")
    try:
        value = flask_json.loads(request.get_data())
    except (ValueError, RecursionError):  # no JSON; or brackets without an end
        value = None
    if not isinstance(value, dict):
        raise Refused(400, "A JSON object is wanted.")
    return value


def _page() -> int:
    text = request.args.get("page", "0")
    if not re.fullmatch(r"[0-9]{1,6}", text):
        raise Refused(400, "page is a number from 0.")
    return int(text)


def _text(name: str) -> str:
    text = request.args.get(name, "")
    if len(text) > _LONGEST_QUERY:
        raise Refused(400, f"{name} is too long.")
    return text


def _error(status: int, message: str) -> Response:
    response = _answer({"error": message}, status)
    if status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    if status in (429, 503):
        response.headers["Retry-After"] = "60" if status == 429 else "5"
    return response


def _answer(value: object, status: int = 200) -> Response:
    response = Response(flask_json.dumps(value), status=status, content_type="application/json")
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response
