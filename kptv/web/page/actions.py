"""`/api/…`: logging in, and the actions that only the operator may take."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Protocol

from flask import Blueprint, Response, request

from kptv.channels.health import Health
from kptv.channels.model import Channel, Source
from kptv.restream.hubs import Hubs
from kptv.web.page.admin import COOKIE, WRONG_TOKEN, Admin
from kptv.web.page.everywhere import ELSEWHERE, Everywhere
from kptv.web.page.instances import may_play
from kptv.web.page.json_answers import OFF, Refused, answer, body, new_blueprint, permit
from kptv.web.page.public import Json, Public
from kptv.web.page.sessions import SESSION_SECONDS

IMPORT_WAIT = 6.0  # seconds for the answer to say what was found; slow lists are told in the log


class StartedImport(Protocol):
    """Lists that are being fetched."""

    found: tuple[str, ...]  # a sentence per list, once all are done

    def wait(self, timeout: float) -> object:
        """Wait until all are done, ``timeout`` seconds at most."""
        ...


class Imports(Protocol):
    """What fetches the lists."""

    @property
    def follows(self) -> bool:
        """Whether another instance fetches them for all."""
        ...

    def import_now(self) -> StartedImport:
        """Begin."""
        ...


def session_blueprint(
    admin: Admin, on_log_out: Callable[[], object], everywhere: Everywhere
) -> Blueprint:
    """The routes of the page's sessions; ``on_log_out`` ends what was open to one that is over."""
    blueprint = new_blueprint("session")

    def log_out_here(given: Json) -> str:
        admin.sessions.end(given["name"], given["expires"])
        on_log_out()
        return ""

    everywhere.on("log_out", log_out_here)

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
            known.cookie,
            max_age=SESSION_SECONDS,
            httponly=True,
            samesite="Strict",
            secure=request.headers.get("X-Forwarded-Proto", request.scheme) == "https",
        )
        return response

    @blueprint.post("/logout")
    def log_out() -> Response:
        if known := admin.session_of(request):
            given = {"name": known.name, "expires": known.expires}
            log_out_here(given)
            everywhere.tell("log_out", given, SESSION_SECONDS)
        response = answer({"actions": admin.enabled, "csrf": None})
        response.delete_cookie(COOKIE, httponly=True, samesite="Strict")
        return response

    return blueprint


def actions_blueprint(
    admin: Admin,
    hubs: Hubs,
    health: Health,
    imports: Imports,
    public: Public,
    everywhere: Everywhere,
) -> Blueprint:
    """The routes that change something; each does so wherever that is."""
    blueprint = new_blueprint("actions")

    @blueprint.post("/import")
    def start_import() -> Response:
        permit(admin, request)
        if imports.follows:
            return answer({"done": _have_imported(everywhere)}, 202)
        return answer({"done": _import(imports, public, {})}, 202)

    @blueprint.post("/channels/<identifier>/switch")
    def switch(identifier: str) -> Response:
        permit(admin, request)
        wanted = body().get("source")
        if not isinstance(wanted, int | str | None) or isinstance(wanted, bool):
            raise Refused(400, "source is a number or a name, or left out for the next one.")
        given = {"channel": identifier, "source": wanted}
        return answer({"done": everywhere.act("switch", given, partial(may_play, identifier))}, 202)

    @blueprint.post("/channels/<identifier>/stop")
    def stop(identifier: str) -> Response:
        permit(admin, request)
        given = {"channel": identifier}
        return answer({"done": everywhere.act("stop", given, partial(may_play, identifier))}, 202)

    @blueprint.post("/streams/<identifier>/unblock")
    def unblock(identifier: str) -> Response:
        permit(admin, request)
        done = everywhere.act("unblock", {"stream": identifier})
        return answer({"done": done}, 202 if done is ELSEWHERE else 200)

    everywhere.on("import", partial(_import, imports, public))
    everywhere.on("switch", partial(_switch, hubs))
    everywhere.on("stop", partial(_stop, hubs))
    everywhere.on("unblock", partial(_unblock, health, public))
    return blueprint


def _import(imports: Imports, public: Public, _: Json) -> str:
    if imports.follows:
        raise Refused(404, "This instance fetches nothing.")
    lists = imports.import_now()
    lists.wait(IMPORT_WAIT)
    found = ". ".join(map(public.text, lists.found))
    return found or "The lists are being fetched; the log says what comes."


def _have_imported(everywhere: Everywhere) -> str:
    """What the instance does that leads."""
    leaders = [each["name"] for each in everywhere.living() if each["leads"]]
    if not leaders:
        raise Refused(503, "No instance leads that can be reached: nobody fetches lists now.")
    everywhere.tell("import", {})
    return f"{leaders[0]} fetches the lists for all, and is told; it shows what it finds."


def _unblock(health: Health, public: Public, given: Json) -> str:
    for key in health.known():
        if public.ids.stream(key) == given["stream"]:
            health.unblock(key)
            return "The stream may be tried again."
    raise Refused(404, "Nothing is held against such a stream.")


def _switch(hubs: Hubs, given: Json) -> str:
    channel, wanted = _playing(hubs, given["channel"]), given["source"]
    sources = [stream.source for stream in channel.streams]
    numbers = [source.number for source in sources]
    number = _number_of(wanted, sources) if isinstance(wanted, str) else wanted
    if number is not None and number not in numbers:
        raise Refused(409, "That source does not have this channel.")
    if number is None and len(numbers) < 2:
        raise Refused(409, "No other source has this channel.")
    hubs.switch(channel.slug, number)
    return "The channel moves to another source."


def _stop(hubs: Hubs, given: Json) -> str:
    hubs.stop(_playing(hubs, given["channel"]).slug)
    return "The channel is stopped."


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
