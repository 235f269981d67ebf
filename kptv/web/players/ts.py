"""`/stream/{channel}`: a channel's transport stream, or a film, as the body of an answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress

from flask import Blueprint, Response
from flask.blueprints import BlueprintSetupState
from werkzeug.routing import PathConverter

from kptv.channels.catalog import Catalog
from kptv.channels.model import Channel
from kptv.channels.served import STREAM_PATH
from kptv.web.endless import endless, unframed
from kptv.web.lines import line, no_list_yet
from kptv.web.players.links import Ambiguous, meant, without_playlist
from kptv.web.players.player import Player, unknown

_MOST_LINKS = 3  # in an answer that offers a choice


def stream_blueprint(current_catalog: Callable[[], Catalog | None], player: Player) -> Blueprint:
    """The routes that play channels."""
    blueprint = Blueprint("stream", __name__)
    blueprint.record_once(_add_converter)

    @blueprint.get(f"{STREAM_PATH}<anything:identifier>")
    @endless
    @unframed
    def play(identifier: str) -> Response:
        catalog = current_catalog()
        if catalog is None:
            return no_list_yet()

        def find(text: str) -> Channel | None:
            return player.found(catalog.find(text), text)

        try:
            channel = meant(identifier, find)
        except Ambiguous as ambiguous:
            channels = [each for each in ambiguous.found if isinstance(each, Channel)]
            return line(404, f"Which channel? Ask for {_links_of(channels)}.")
        if channel is None:
            return _unknown(identifier, find)
        return player.answer(channel).response

    return blueprint


class _Anything(PathConverter):
    """As Flask's path, but it may begin with a slash, or be empty."""

    part_isolating = False
    regex = ".*?"


def _add_converter(state: BlueprintSetupState) -> None:
    state.app.url_map.converters["anything"] = _Anything


def _unknown(identifier: str, find: Callable[[str], Channel | None]) -> Response:
    stem = without_playlist(identifier)
    with suppress(Ambiguous):
        if stem and (channel := meant(stem, find)) is not None:
            return line(404, f"This channel has no HLS playlist; ask for {_links_of([channel])}.")
    return unknown()


def _links_of(channels: Sequence[Channel]) -> str:
    return " or ".join(f"{STREAM_PATH}{channel.slug}" for channel in channels[:_MOST_LINKS])
