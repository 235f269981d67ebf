"""`/stream/{channel}`: a channel's transport stream, or a film, as the body of an answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from flask import Blueprint, Response, request
from flask.blueprints import BlueprintSetupState
from werkzeug.routing import PathConverter

from kptv.channels.catalog import Catalog
from kptv.channels.model import Channel
from kptv.channels.served import STREAM_PATH
from kptv.errors import Unavailable
from kptv.restream.film import Film
from kptv.restream.hubs import Hubs
from kptv.restream.lease import Client
from kptv.restream.playing import Playing
from kptv.web.clients import Clients
from kptv.web.endless import endless, unframed
from kptv.web.handover import hand_over_of
from kptv.web.lines import line
from kptv.web.players.delivery import Delivery, lease_of, tune
from kptv.web.players.links import Ambiguous, meant, without_playlist
from kptv.web.sockets import VIEWERS_LEAVE, are_scarce

# Of every live answer: no proxy may keep it or hold it back, and any web player may read it.
STREAM_HEADERS = {
    "Content-Type": "video/mp2t",  # RFC 3555, 4.2.9
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",
    "Access-Control-Allow-Origin": "*",
}
_FILM_HEADERS = {"Access-Control-Allow-Origin": "*", "X-Content-Type-Options": "nosniff"}
_MOST_LINKS = 3  # in an answer that offers a choice


def stream_blueprint(
    current_catalog: Callable[[], Catalog | None], hubs: Hubs, clients: Clients, max_clients: int
) -> Blueprint:
    """The routes that play channels, to ``max_clients`` viewers at once."""
    blueprint = Blueprint("stream", __name__)
    blueprint.record_once(_add_converter)

    @blueprint.get(f"{STREAM_PATH}<anything:identifier>")
    @endless
    @unframed
    def play(identifier: str) -> Response:
        catalog = current_catalog()
        if catalog is None:
            return line(503, "No channel list has been imported yet; try again soon.", 5)

        def find(text: str) -> Channel | None:
            return catalog.find(text) or hubs.playing(text)

        try:
            channel = meant(identifier, find)
        except Ambiguous as ambiguous:
            channels = [each for each in ambiguous.found if isinstance(each, Channel)]
            return line(404, f"Which channel? Ask for {_links_of(channels)}.")
        if channel is None:
            return _unknown(identifier, find)
        if request.method == "HEAD":  # it opens nothing, so it tells only what is known
            return _head(hubs.films.headers(channel))
        if hubs.viewers >= max_clients or _is_crowded():
            return line(503, "Too many viewers; try again later.", 10)
        return stream_answer(hubs, channel, clients.of(request))

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
    return line(404, "No such channel; /playlist.m3u8 lists all there are.")


def _links_of(channels: Sequence[Channel]) -> str:
    return " or ".join(f"{STREAM_PATH}{channel.slug}" for channel in channels[:_MOST_LINKS])


def stream_answer(hubs: Hubs, channel: Channel, client: Client) -> Response:
    """The answer that plays ``channel`` to ``client``; a line if that cannot be done now.

    For any route that is ``endless`` and ``unframed``, however it names channels.
    """
    connection = request.environ.get("gunicorn.socket")
    lease = lease_of(connection, client)
    try:
        played = hubs.start(channel, lease, request.headers.get("Range"))
    except Unavailable as unavailable:
        return line(503, f"{channel.name}: {unavailable}.", unavailable.retry_after)
    try:
        if connection is not None:
            tune(connection)
        # The body itself goes to gunicorn, which closes it on every path from here on.
        return _live(played, connection) if isinstance(played, Playing) else _film(played)
    except BaseException:  # a socket that is gone, a header that cannot be sent
        played.close()
        raise


def _is_crowded() -> bool:
    """Whether the process has no descriptors for one viewer more."""
    connection = request.environ.get("gunicorn.socket")
    return connection is not None and are_scarce(connection.fileno(), VIEWERS_LEAVE)


def _head(film_headers: Mapping[str, str] | None) -> Response:
    headers = STREAM_HEADERS if film_headers is None else {**film_headers, **_FILM_HEADERS}
    response = Response(headers=headers)
    response.automatically_set_content_length = False  # 0 is not what a GET would say
    return response


def _live(playing: Playing, connection: Any) -> Response:
    # What is cut into HTTP's chunks is sent by the server itself.
    direct = connection is not None and request.environ["SERVER_PROTOCOL"] == "HTTP/1.0"
    response = Response(headers=STREAM_HEADERS, direct_passthrough=True)
    hand_over = hand_over_of(request.environ)
    response.response = Delivery(playing, connection if direct else None, hand_over)
    return response


def _film(film: Film) -> Response:
    headers = {**film.headers, **_FILM_HEADERS}
    response = Response(status=film.status, headers=headers, direct_passthrough=True)
    response.response = film
    return response
