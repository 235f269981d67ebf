"""Plays a channel to whoever asks for it, by whichever route: one place for all conditions."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, NamedTuple

from flask import Response, request

from kptv.channels.model import Channel
from kptv.errors import AllInUse, Unavailable
from kptv.restream.film import Film
from kptv.restream.followers import Viewer
from kptv.restream.hubs import Hubs
from kptv.restream.lease import Lease
from kptv.restream.playing import Playing
from kptv.restream.windows import Windows
from kptv.web.caller import caller
from kptv.web.clients import Clients
from kptv.web.handover import hand_over_of
from kptv.web.lines import line
from kptv.web.players.delivery import Delivery, lease_of, tune
from kptv.web.players.directions import NOBODY_IS_DIRECTED, Directions
from kptv.web.players.open_streams import Access, OpenStream, OpenStreams
from kptv.web.sockets import VIEWERS_LEAVE, are_scarce

# Of every live answer: no proxy may keep it or hold it back, and any web player may read it.
STREAM_HEADERS = {
    "Content-Type": "video/mp2t",  # RFC 3555, 4.2.9
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",
    "Access-Control-Allow-Origin": "*",
}
_FILM_HEADERS = {"Access-Control-Allow-Origin": "*", "X-Content-Type-Options": "nosniff"}
_LONGEST_SESSION = 64  # letters; a UUID has 36


class Refusal(StrEnum):
    """Why a channel is not played, told apart as far as protocols have words for it."""

    UNKNOWN = "unknown"  # no such channel, or not for this caller
    CROWDED = "crowded"  # the proxy has as many viewers as it takes
    LIMIT = "limit"  # the user has as many streams as are allowed, or may have this one no more
    IN_USE = "in_use"  # all connections of the channel's sources
    BROKEN = "broken"  # no source of it works


class Answer(NamedTuple):
    """What to send, and why it is not the channel; None: it is."""

    response: Response
    refusal: Refusal | None = None


class Crowded(Exception):
    """There is no room for one viewer more."""


class Player:
    """Answers requests for channels; all routes that play one share it.

    Such a route is ``endless`` and ``unframed``.
    """

    def __init__(
        self,
        hubs: Hubs,
        clients: Clients,
        max_clients: int,
        access: Access,
        streams: OpenStreams,
        windows: Windows | None = None,
        directions: Directions = NOBODY_IS_DIRECTED,
    ) -> None:
        """``max_clients``: so many viewers at once. ``windows``: those of HLS, if there are any."""
        self._hubs = hubs
        self._clients = clients
        self._max_clients = max_clients
        self._access = access
        self._streams = streams
        self._windows = windows
        self.directions = directions

    def __repr__(self) -> str:
        return f"<Player of {self._hubs!r}>"

    def found(self, channel: Channel | None, identifier: str) -> Channel | None:
        """``channel``, or the one of this slug or name that plays; None: none for the caller.

        An import may have lost what plays; its viewers may still come back.
        """
        channel = channel or self._hubs.playing(identifier)
        return channel if channel is not None and self.may_have(channel) else None

    def may_have(self, channel: Channel) -> bool:
        """Whether the caller may have ``channel``; all others do not exist for it."""
        return self._access.allows(caller().rights, channel)

    def answer(self, channel: Channel | None, duration: float | None = None) -> Answer:
        """The answer to a GET or HEAD for ``channel``: its media, or a line that says why not.

        None: there is no such channel. HEAD opens nothing. ``duration``: seconds after which the
        media ends, counted from the request.
        """
        if channel is None or not self.may_have(channel):
            return Answer(unknown(), Refusal.UNKNOWN)
        if (directed := self.directions.to_stream(channel)) is not None:
            return Answer(directed)
        if request.method == "HEAD":  # it tells only what is known
            return Answer(_head(self._hubs.films.headers(channel)))
        if self._is_crowded():
            return Answer(crowded(), Refusal.CROWDED)
        if self._windows is not None:
            self._windows.left_for(channel, self.viewer())
        connection = request.environ.get("gunicorn.socket")
        lease = lease_of(connection, self._clients.of(request))
        until = None if duration is None else lease.since + duration
        stream = OpenStream(caller(), channel, lease, until)
        if wait := self._streams.enter(stream):  # before a provider is asked for anything
            return Answer(line(429, "Too many streams are open.", wait), Refusal.LIMIT)
        return self._play(stream, connection)

    def viewer(self) -> Viewer:
        """Whoever sent the current request, as far as requests of one player tell."""
        session = request.headers.get("X-Playback-Session-Id", "")[:_LONGEST_SESSION]
        return Viewer(self._clients.of(request), session)

    def enter(self, channel: Channel, lease: Lease) -> float:
        """As ``OpenStreams.enter``, for the caller of the current request; raises Crowded."""
        if self._is_crowded():
            raise Crowded
        return self._streams.enter(OpenStream(caller(), channel, lease))

    def is_film(self, channel: Channel) -> bool:
        """Whether ``channel`` is known as a film; otherwise it is live, or not known yet."""
        return self._hubs.films.headers(channel) is not None

    def _is_crowded(self) -> bool:
        """Whether there are as many viewers as may be, or no descriptors for one more."""
        waiting = self._windows.waiting if self._windows is not None else 0
        if self._hubs.viewers + waiting >= self._max_clients:
            return True
        connection = request.environ.get("gunicorn.socket")
        return connection is not None and are_scarce(connection.fileno(), VIEWERS_LEAVE)

    def _play(self, stream: OpenStream, connection: Any) -> Answer:
        channel, lease = stream.channel, stream.lease
        try:
            played = self._hubs.start(channel, lease, request.headers.get("Range"))
        except Unavailable as unavailable:
            lease.end()
            if stream.ending is not None:
                text = f"{channel.name}: {stream.ending.words}."
                return Answer(line(429, text, unavailable.retry_after), Refusal.LIMIT)
            refusal = Refusal.IN_USE if isinstance(unavailable, AllInUse) else Refusal.BROKEN
            text = f"{channel.name}: {unavailable}."
            return Answer(line(503, text, unavailable.retry_after), refusal)
        except BaseException:
            lease.end()
            raise
        try:
            if connection is not None:
                tune(connection)
            # The body itself goes to gunicorn, which closes it on every path from here on.
            if isinstance(played, Playing):
                return Answer(_live(played, connection))
            return Answer(_film(played))
        except BaseException:  # a socket that is gone, a header that cannot be sent
            played.close()
            raise


def unknown() -> Response:
    """The answer if there is no such channel, or none for this caller."""
    return line(404, "No such channel; /playlist.m3u8 lists all there are.")


def crowded() -> Response:
    """The answer if there is no room for one viewer more."""
    return line(503, "Too many viewers; try again later.", 10)


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
