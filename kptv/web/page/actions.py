"""`/api/…`: logging in, and the actions that only the operator may take."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from flask import Blueprint, Response, request

from kptv.channels.health import Health
from kptv.channels.model import Channel, Source
from kptv.restream.hubs import Hubs
from kptv.web.page.admin import COOKIE, SESSION_SECONDS, WRONG_TOKEN, Admin
from kptv.web.page.json_answers import OFF, Refused, answer, body, new_blueprint, permit
from kptv.web.page.public import stream_id

IMPORT_WAIT = 6.0  # seconds for the answer to say what was found; slow lists are told in the log


class StartedImport(Protocol):
    """Lists that are being fetched."""

    found: tuple[str, ...]  # a sentence per list, once all are done

    def wait(self, timeout: float) -> object:
        """Wait until all are done, ``timeout`` seconds at most."""
        ...


def session_blueprint(admin: Admin, on_log_out: Callable[[], object]) -> Blueprint:
    """The routes of the page's sessions; ``on_log_out`` ends what was open to one that is over."""
    blueprint = new_blueprint("session")

    @blueprint.get("/session")
    def session() -> Response:
        known = admin.session_of(request)
        return answer({"actions": admin.enabled, "csrf": known.csrf if known else None})

    @blueprint.post("/login")
    def log_in() -> Response:
        token = body().get("token")
        if not isinstance(token, str):
            raise Refused(400, 'A JSON object {"token": "…"} is wanted.')
        if not admin.enabled:
            raise Refused(403, OFF)
        known = admin.log_in(token, request)
        if known is None:
            raise Refused(403, WRONG_TOKEN)
        response = answer({"actions": True, "csrf": known.csrf})
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
        on_log_out()
        response = answer({"actions": admin.enabled, "csrf": None})
        response.delete_cookie(COOKIE, httponly=True, samesite="Strict")
        return response

    return blueprint


def actions_blueprint(
    admin: Admin,
    hubs: Hubs,
    health: Health,
    import_now: Callable[[], StartedImport],
    redact: Callable[[str], str],
) -> Blueprint:
    """The routes that change something."""
    blueprint = new_blueprint("actions")

    @blueprint.post("/import")
    def start_import() -> Response:
        permit(admin, request)
        lists = import_now()
        lists.wait(IMPORT_WAIT)
        found = ". ".join(map(redact, lists.found))
        return answer(
            {"done": found or "The lists are being fetched; the log says what comes."}, 202
        )

    @blueprint.post("/channels/<identifier>/switch")
    def switch(identifier: str) -> Response:
        permit(admin, request)
        wanted = body().get("source")
        if not isinstance(wanted, int | str | None) or isinstance(wanted, bool):
            raise Refused(400, "source is a number or a name, or left out for the next one.")
        channel = _playing(hubs, identifier)
        sources = [stream.source for stream in channel.streams]
        numbers = [source.number for source in sources]
        number = _number_of(wanted, sources) if isinstance(wanted, str) else wanted
        if number is not None and number not in numbers:
            raise Refused(409, "That source does not have this channel.")
        if number is None and len(numbers) < 2:
            raise Refused(409, "No other source has this channel.")
        hubs.switch(identifier, number)
        return answer({"done": "The channel moves to another source."}, 202)

    @blueprint.post("/channels/<identifier>/stop")
    def stop(identifier: str) -> Response:
        permit(admin, request)
        _playing(hubs, identifier)
        hubs.stop(identifier)
        return answer({"done": "The channel is stopped."}, 202)

    @blueprint.post("/streams/<identifier>/unblock")
    def unblock(identifier: str) -> Response:
        permit(admin, request)
        for key in health.known():
            if stream_id(key) == identifier:
                health.unblock(key)
                return answer({"done": "The stream may be tried again."})
        raise Refused(404, "Nothing is held against such a stream.")

    return blueprint


def _number_of(tag: str, sources: Iterable[Source]) -> int:
    for source in sources:
        if source.tag.casefold() == tag.casefold():
            return source.number
    raise Refused(400, "No source of this channel has that name.")


def _playing(hubs: Hubs, slug: str) -> Channel:
    for hub in hubs.all():
        if hub.channel.slug == slug:
            return hub.channel
    raise Refused(404, "No such channel plays.")
