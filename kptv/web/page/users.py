"""`/api/users…`: who may watch, and who does so now; for the operator only."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from time import monotonic, time
from typing import Any

from flask import Blueprint, Response, request

from kptv.channels.users.links import links_of
from kptv.channels.users.model import User
from kptv.channels.users.names import Taken, Unfit
from kptv.pace import Pace
from kptv.users.current import CurrentUsers
from kptv.users.schema import FileTrouble
from kptv.users.store import MadeSecret, NoSuchUser, UsersFile
from kptv.web.page.admin import Admin
from kptv.web.page.everywhere import Everywhere
from kptv.web.page.json_answers import Refused, answer, body, error_answer, new_blueprint, permit
from kptv.web.page.public import Json, Public
from kptv.web.page.users_view import OpenStreams, links_view, stream_view, user_view

log = logging.getLogger(__name__)

_LONGEST = 65_536  # bytes of a body: it may name many groups
_MOST_DIGITS = 18
_KINDS: dict[str, tuple[type, ...]] = {
    "enabled": (bool,),
    "expires": (int, type(None)),
    "max_streams": (int,),
    "refuses": (bool,),
    "groups": (list, type(None)),
    "profile": (str,),
    "note": (str,),
}
_TOLD = {
    "enabled": "true or false",
    "expires": "a time, as whole seconds since 1970, or null",
    "max_streams": "a whole number",
    "refuses": "true or false",
    "groups": "a list of names, or null",
    "profile": "a text",
    "note": "a text",
}
_ABLE = {True: "is let in again", False: "is disabled, and what plays for that name ends"}


def users_blueprint(
    admin: Admin,
    users: CurrentUsers,
    streams: OpenStreams,
    public: Public,
    own_address: Callable[[], str],
    everywhere: Everywhere,
) -> Blueprint:
    """The routes of the People view. ``own_address``: what links of this request begin with."""
    blueprint = new_blueprint("users")
    blueprint.register_error_handler(NoSuchUser, lambda error: error_answer(404, str(error)))
    blueprint.register_error_handler(Unfit, lambda error: error_answer(422, str(error)))
    blueprint.register_error_handler(Taken, lambda error: error_answer(409, str(error)))
    blueprint.register_error_handler(FileTrouble, lambda error: error_answer(503, str(error)))

    def changed(change: Callable[[UsersFile], User], done: str) -> Response:
        """``done``: what is true of the user then."""
        user = users.changed_by(change)
        told = f"{user.name} {done}."
        log.info("users: %s", told)
        return answer({"done": told})

    @blueprint.get("/users")
    def all_users() -> Response:
        permit(admin, request)
        return answer({"trouble": users.trouble, "users": _all(users, streams, public)})

    @blueprint.post("/users")
    def add() -> Response:
        permit(admin, request)
        asked = body(_LONGEST)
        wanted = User(id=0, name=_text(asked, "name") or "", **_fields(asked))
        label, typed = _text(asked, "label") or "", _text(asked, "secret")
        shown = users.changed_by(lambda file: file.add(wanted, label, typed))
        log.info("users: %s is made", shown.user.name)
        return _shown(shown, own_address())

    @blueprint.patch("/users/<identifier>")
    def change(identifier: str) -> Response:
        permit(admin, request)
        fields = _fields(body(_LONGEST))
        done = _ABLE.get(fields["enabled"]) if fields.keys() == {"enabled"} else "is changed"
        return changed(lambda file: file.change(identifier, **fields), done or "")

    @blueprint.delete("/users/<identifier>")
    def delete(identifier: str) -> Response:
        permit(admin, request)
        return changed(lambda file: file.delete(identifier), "is gone, with all links")

    @blueprint.post("/users/<identifier>/secrets")
    def new_secret(identifier: str) -> Response:
        permit(admin, request)
        asked = body()
        label, typed = _text(asked, "label") or "", _text(asked, "secret")
        shown = users.changed_by(lambda file: file.new_secret(identifier, label, typed))
        log.info("users: %s has a further secret, %d", shown.user.name, shown.secret.number)
        return _shown(shown, own_address())

    @blueprint.delete("/users/<identifier>/secrets/<number>")
    def revoke(identifier: str, number: str) -> Response:
        permit(admin, request)
        which = _number(number)
        return changed(lambda file: file.revoke(identifier, which), f"has lost secret {which}")

    @blueprint.post("/viewers/<number>/end")
    def end(number: str) -> Response:
        permit(admin, request)
        return answer({"done": everywhere.act("end", {"viewer": _number(number)})}, 202)

    everywhere.on("end", partial(_end, streams, public))
    return blueprint


def _end(streams: OpenStreams, public: Public, given: Json) -> str:
    if not streams.end(public.ids.lease(given["viewer"])):
        raise Refused(404, "No such viewer watches.")
    return "The stream ends."


def _all(users: CurrentUsers, streams: OpenStreams, public: Public) -> list[Json]:
    """All users with what they watch; gives turns."""
    pace, now, wall = Pace(), monotonic(), time()
    watched: dict[int, list[Json]] = {}
    for stream in streams:
        pace()
        if stream.caller.user is not None:
            watched.setdefault(stream.caller.user_id, []).append(stream_view(stream, public, now))
    found = []
    for user in users.table:
        pace()
        found.append(user_view(user, watched.get(user.id, []), wall))
    return found


def _shown(shown: MadeSecret, base_url: str) -> Response:
    """A new secret, in the one answer that has it."""
    links = links_of(base_url, shown.user.name, shown.text)
    user = user_view(shown.user, [], time())
    return answer({"user": user, "number": shown.secret.number, "links": links_view(links)}, 201)


def _fields(asked: Json) -> dict[str, Any]:
    """Those of a user that a request names; raises Unfit."""
    fields: dict[str, Any] = {}
    for name, kinds in _KINDS.items():
        if name in asked:
            value = asked[name]
            if isinstance(value, float) and value.is_integer():  # JSON knows one kind of numbers
                value = int(value)
            if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
                raise Unfit(f"{name} is {_TOLD[name]}.")
            fields[name] = tuple(value) if isinstance(value, list) else value
    return fields


def _text(asked: Json, name: str) -> str | None:
    value = asked.get(name)
    if not isinstance(value, str | None):
        raise Unfit(f"{name} is a text.")
    return value


def _number(text: str) -> int:
    """A number in a path; one that cannot be is nobody's."""
    if not (text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS):
        raise Refused(404, "No such number.")
    return int(text)
