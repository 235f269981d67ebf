"""Streams and playlists at the addresses that Xtream's applications build themselves."""

from __future__ import annotations

from collections.abc import Callable

from flask import Response
from flask.blueprints import BlueprintSetupState
from werkzeug.exceptions import NotFound
from werkzeug.routing import BaseConverter

from kptv.channels.model import Channel
from kptv.channels.users.names import TAKEN
from kptv.web.endless import endless, unframed
from kptv.web.players.player import unknown
from kptv.web.players.xtream_lists import NotReady
from kptv.web.players.xtream_parts import XtreamParts, no_list

View = Callable[..., Response]
Route = Callable[[str], Callable[[View], View]]


def add_streams(route: Route, parts: XtreamParts) -> None:
    """Add the routes of streams and their playlists."""

    # The short ones are any path of three parts, so any other rule comes first.
    @route("/live/<name>/<secret>/<stream_id:stream>")
    @route("/<name>/<secret>/<stream_id:stream>")
    @endless
    @unframed
    def play(name: str, secret: str, stream: str) -> Response:
        if name.lower() in TAKEN:
            raise NotFound
        return _play(parts, stream)

    @route("/live/<name>/<secret>/<playlist_id:stream>")
    @endless
    def play_hls(name: str, secret: str, stream: str) -> Response:
        return _play_hls(parts, stream, "../../../")

    @route("/<name>/<secret>/<playlist_id:stream>")
    @endless
    def play_hls_by_short_path(name: str, secret: str, stream: str) -> Response:
        if name.lower() in TAKEN:
            raise NotFound
        return _play_hls(parts, stream, "../../")


class _StreamId(BaseConverter):
    """A number, and what applications put behind it; no playlist."""

    regex = r"[0-9]{1,10}(?:\.(?![mM]3[uU]8)[A-Za-z0-9]{1,5})?"


class _PlaylistId(BaseConverter):
    """A number, and what makes it the address of an HLS playlist."""

    regex = r"[0-9]{1,10}\.[mM]3[uU]8"


def add_converters(state: BlueprintSetupState) -> None:
    """Let the application's rules have parts that are streams, or playlists of them."""
    state.app.url_map.converters["stream_id"] = _StreamId
    state.app.url_map.converters["playlist_id"] = _PlaylistId


def _play(parts: XtreamParts, stream: str) -> Response:
    _, _, suffix = stream.partition(".")
    if suffix.lower() not in ("", "ts"):
        return unknown()
    try:
        channel = _channel_of(parts, stream)
    except NotReady:
        return no_list(parts)
    return parts.player.answer(channel).response


def _play_hls(parts: XtreamParts, stream: str, way: str) -> Response:
    """The playlist of a channel; ``way`` leads from its address to the root of our paths."""
    try:
        channel = _channel_of(parts, stream)
    except NotReady:
        return no_list(parts)
    return parts.playlist(channel, way)


def _channel_of(parts: XtreamParts, stream: str) -> Channel | None:
    number, _, _ = stream.partition(".")
    return parts.lists.channel(int(number), parts.playing())
