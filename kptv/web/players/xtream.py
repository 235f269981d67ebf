"""The protocol of Xtream Codes panels: an account, its channels, what they show, and their streams.

Applications build addresses of streams themselves, always at the root of a host, of the name and
the password that the account's answer tells.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from time import time
from urllib.parse import quote

from flask import Blueprint, Response, request

from kptv.channels.model import Channel
from kptv.channels.users.model import Standing
from kptv.channels.xtream.account import Account
from kptv.channels.xtream.account import answer as account_answer
from kptv.channels.xtream.listings import limit_of
from kptv.channels.xtream.live import compact
from kptv.guide.current import CurrentGuide
from kptv.web.caller import Caller, caller
from kptv.web.players import xtream_shows
from kptv.web.players.addresses import own_address
from kptv.web.players.guide_ids import GUIDE
from kptv.web.players.links import wants_hls
from kptv.web.players.lists import MEDIA_TYPE
from kptv.web.players.preflight import let_pages_ask
from kptv.web.players.xtream_lists import (
    OWN_GUIDE,
    OWN_LINK,
    ListForm,
    NotReady,
)
from kptv.web.players.xtream_parts import XtreamParts, no_list
from kptv.web.players.xtream_streams import View, add_converters, add_streams
from kptv.web.rendered import Rendered, answer, prepare

JSON = "application/json"
_EMPTY = {  # what is asked for, and there is none of: films and series
    "get_vod_categories": b"[]",
    "get_vod_streams": b"[]",
    "get_series_categories": b"[]",
    "get_series": b"[]",
    "get_vod_info": b'{"info":[],"movie_data":[]}',
    "get_series_info": b'{"seasons":[],"info":[],"episodes":{}}',
}
_LONGEST_ID = 10  # digits
_PIECE = 16 * 1024  # bytes packed at once
_LONGEST_NAME = 200  # letters, of a login that is told again
_NOT_IN_RULES = set("<>%")  # signs that mean something else in a route
_NO_LOGIN = ("user", "pass")  # told where nobody logged in: applications want to see some


def xtream_blueprint(parts: XtreamParts, base_path: str = "") -> Blueprint:
    """The routes, at the root and below ``base_path``, which is BASE_URL's."""
    blueprint = Blueprint("xtream", __name__)
    places = ("", base_path) if base_path and not _NOT_IN_RULES & set(base_path) else ("",)

    def route(path: str, methods: Sequence[str] = ("GET",)) -> Callable[[View], View]:
        def add(view: View) -> View:
            for place in places:
                blueprint.add_url_rule(f"{place}{path}", None, view, methods=methods)
            return view

        return add

    blueprint.record_once(add_converters)
    let_pages_ask(blueprint)
    both = ("GET", "POST")  # some applications send the login as a form

    @route("/player_api.php", both)
    def player_api() -> Response:
        return _open_to_all(_api(parts, request.values.get("action", "")))

    @route("/panel_api.php", both)
    def panel_api() -> Response:
        return _open_to_all(_account(parts))

    @route("/get.php", both)
    def get() -> Response:
        return _open_to_all(_playlist(parts))

    add_streams(route, parts)
    return blueprint


# --- the account, and what it lists ---


def _api(parts: XtreamParts, action: str) -> Response:
    if action in _EMPTY:
        return _json(_EMPTY[action])
    view = _ACTIONS.get(action)
    return _account(parts) if view is None else view(parts)


def _account(parts: XtreamParts) -> Response:
    asks, now = caller(), time()
    name, password = _login(asks)
    if asks.user is None:
        name, password = name or _NO_LOGIN[0], password or _NO_LOGIN[1]
    account = Account(name, password, asks.user, parts.open_streams(asks.user_id))
    return _json(compact(account_answer(account, own_address(parts.config), now)))


def _login(asks: Caller) -> tuple[str, str]:
    """Name and password: a user's own, or whatever others have typed."""
    if asks.user is not None:
        return asks.login
    typed = (request.values.get(field, "") for field in ("username", "password"))
    name, password = (text.strip()[:_LONGEST_NAME] for text in typed)
    return name, password


def _categories(parts: XtreamParts) -> Response:
    asks = caller()
    return _list(parts, parts.lists.categories(asks.rights)) if _is_active(asks) else _json(b"[]")


def _streams(parts: XtreamParts) -> Response:
    asks, text = caller(), request.values.get("category_id", "").strip()
    category = None if text.strip("0") == "" else _number(text)
    if not _is_active(asks) or category == 0:
        return _json(b"[]")
    return _list(parts, parts.lists.streams(asks.rights, category))


def _short_guide(parts: XtreamParts) -> Response:
    limit = limit_of(request.values.get("limit", ""))
    return _shows(parts, partial(xtream_shows.short_guide, limit=limit))


def _table(parts: XtreamParts) -> Response:
    return _shows(parts, xtream_shows.table)


_ACTIONS: Mapping[str, Callable[[XtreamParts], Response]] = {
    "get_live_categories": _categories,
    "get_live_streams": _streams,
    "get_short_epg": _short_guide,
    "get_simple_data_table": _table,
}


def _shows(parts: XtreamParts, read: Callable[[CurrentGuide, Channel, int], bytes]) -> Response:
    stream_id = _number(request.values.get("stream_id", ""))
    if not _is_active(caller()):
        return _json(xtream_shows.nothing())
    try:
        channel = parts.lists.channel(stream_id)
    except NotReady:
        return no_list(parts)
    if channel is None or not parts.player.may_have(channel):
        return _json(xtream_shows.nothing())
    return answer(prepare(_cut(read(parts.guide, channel, stream_id))), JSON)


# --- the list ---


def _playlist(parts: XtreamParts) -> Response:
    """The list as a file; with links of this protocol if there is a login that fits into them."""
    asks, base = caller(), own_address(parts.config)
    login = _login(asks)
    form = ListForm(
        has_attributes=request.values.get("type", "").lower() != "m3u",
        has_login=all(map(_fits_a_path, login)),
        has_own_guide=asks.user is not None,
        is_hls=wants_hls(request.values.get("output", "")),
    )
    rendered = parts.lists.playlist(asks.rights, form)
    if rendered is None:
        return no_list(parts)
    name, password = (quote(text, safe="") for text in login)
    guide = f"{base}{GUIDE}"
    if asks.user is not None:
        guide = f"{base}/xmltv.php?username={name}&password={password}"
    own = {OWN_LINK: f"{base}/live/{name}/{password}/", OWN_GUIDE: guide}
    return answer(rendered, MEDIA_TYPE, f"{base}{asks.prefix}", own)


def _fits_a_path(text: str) -> bool:
    """Whether it comes back as one part of a path, as it was."""
    return text.strip(".") != "" and "/" not in text


# --- answers ---


def _is_active(asks: Caller) -> bool:
    """Whether the caller may see anything: an account that has expired is told so, and no more."""
    return asks.user is None or asks.user.standing(time()) is Standing.ACTIVE


def _number(text: str) -> int:
    """A number of a query; 0, which is nobody's, if it is none."""
    fits = text.isascii() and text.isdecimal() and len(text) <= _LONGEST_ID
    return int(text) if fits else 0


def _list(parts: XtreamParts, rendered: Rendered | None) -> Response:
    if rendered is None:
        return no_list(parts)
    return answer(rendered, JSON, f"{own_address(parts.config)}{caller().prefix}")


def _json(body: bytes) -> Response:
    response = Response(body, content_type=JSON)
    response.headers["Cache-Control"] = "no-store"
    return response


def _cut(body: bytes) -> Iterator[bytes]:
    return (body[start : start + _PIECE] for start in range(0, len(body), _PIECE))


def _open_to_all(response: Response) -> Response:
    response.headers["Access-Control-Allow-Origin"] = "*"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response
