"""`/stream/{channel}`: a channel's transport stream, or a film, as the body of an answer."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from flask import Blueprint, Response
from flask.blueprints import BlueprintSetupState
from werkzeug.routing import PathConverter

from kptv.channels.catalog import Catalog
from kptv.channels.model import Channel
from kptv.channels.served import STREAM_PATH
from kptv.web.endless import endless, unframed
from kptv.web.lines import line, no_list_yet
from kptv.web.players.directions import duration_asked
from kptv.web.players.links import Ambiguous, meant, without_playlist
from kptv.web.players.player import Player, unknown
from kptv.web.players.preflight import let_pages_ask

_MOST_LINKS = 3  # in an answer that offers a choice

Find = Callable[[str], Channel | None]


def stream_blueprint(
    current_catalog: Callable[[], Catalog | None],
    player: Player,
    playlist_of: Callable[[Channel], Response],
) -> Blueprint:
    """The routes that play channels; ``playlist_of`` answers with that of HLS."""
    blueprint = Blueprint("stream", __name__)
    blueprint.record_once(add_converter)
    let_pages_ask(blueprint)  # it has playlists, too

    def find(text: str) -> Channel | None:
        catalog = current_catalog()
        return None if catalog is None else player.found(catalog.find(text), text)

    @unframed
    def play(identifier: str) -> Response:
        if current_catalog() is None:
            return no_list_yet()
        try:
            channel = meant(identifier, find)
        except Ambiguous as ambiguous:
            return which(ambiguous, lambda slug: f"{STREAM_PATH}{slug}")
        if channel is None:
            return unknown()
        # Recorders that ask for a number and a duration may have been directed here.
        duration = duration_asked() if player.directions.is_on else None
        return player.answer(channel, duration).response

    @blueprint.get(f"{STREAM_PATH}<anything:identifier>")
    @endless
    def answer(identifier: str) -> Response:
        channel = _with_playlist(identifier, find)
        return play(identifier) if channel is None else playlist_of(channel)

    return blueprint


class _Anything(PathConverter):
    """As Flask's path, but it may begin with a slash, or be empty."""

    part_isolating = False
    regex = ".*?"


def add_converter(state: BlueprintSetupState) -> None:
    """Let the application's rules have parts that may be ``anything``."""
    state.app.url_map.converters["anything"] = _Anything


def which(ambiguous: Ambiguous, link: Callable[[str], str]) -> Response:
    """The answer if several channels are equally near to what was asked for.

    ``link`` gives that of a channel, by its slug.
    """
    channels = [each for each in ambiguous.found if isinstance(each, Channel)]
    links = " or ".join(link(channel.slug) for channel in channels[:_MOST_LINKS])
    return line(404, f"Which channel? Ask for {links}.")


def _with_playlist(identifier: str, find: Find) -> Channel | None:
    """The channel whose playlist is asked for, as no channel has that very name; None: none is."""
    stem = without_playlist(identifier)
    with suppress(Ambiguous):
        if stem and meant(identifier, find) is None:
            return meant(stem, find)
    return None
