"""`/hls/{channel}.m3u8` and the segments that it names: a channel as players of HLS fetch it.

A playlist names its segments relative to its own address, so both are found behind any path. All
are below HLS_PATH, whichever address a playlist was asked for at.
"""

from __future__ import annotations

import gzip
import hmac
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from cachetools import LRUCache
from flask import Blueprint, Response, request

from kptv.channels.catalog import Catalog
from kptv.channels.hls_links import HLS_PATH, PLAYLIST
from kptv.channels.model import Channel
from kptv.channels.served import STREAM_PATH
from kptv.errors import Unavailable
from kptv.formats.hls.writing import PREFIX
from kptv.metrics.hls_figures import AnswerKind, HlsFigures
from kptv.restream.followers import MayNotFollow
from kptv.restream.window import Window
from kptv.restream.windows import IsFilm, IsOver, Windows
from kptv.splice.joining import Media
from kptv.web.caller import caller
from kptv.web.endless import endless
from kptv.web.lines import line, no_list_yet
from kptv.web.players.delivery import departed_of, tune
from kptv.web.players.hasty import LastTold, is_hasty
from kptv.web.players.hls_answers import (
    REFUSALS,
    bare,
    film_of,
    instead,
    master,
    readable,
    refused,
)
from kptv.web.players.hls_requests import (
    AskedSegment,
    BadDirective,
    awaited_in,
    segment_in,
    shows_in_path,
    way_up,
)
from kptv.web.players.holds import Holds
from kptv.web.players.links import Ambiguous, meant, without_playlist
from kptv.web.players.player import Player, unknown
from kptv.web.players.preflight import let_pages_ask
from kptv.web.players.segment_body import Find, SegmentBody
from kptv.web.players.ts import add_converter, which

MEDIA_TYPE = "application/vnd.apple.mpegurl"
SEGMENT_TYPE = "video/mp2t"
_MOST_PACKED = 256  # playlists that are kept compressed; each has 1 KB
_LONGEST_WAIT = 3  # target durations (RFC 8216bis, 6.2.5.2)
_AHEAD = 2  # segments that may be waited for at most (likewise)
_GONE = "No such segment, or not any more; the playlist names those there are."
_TOO_MANY_WAIT = "Too many requests wait for this channel; try again soon."


class Hls:
    """Answers requests for playlists and segments; all routes that do share it."""

    def __init__(
        self,
        windows: Windows,
        player: Player,
        figures: HlsFigures,
        needs_login: Callable[[], bool] = lambda: False,
    ) -> None:
        self._windows = windows
        self._player = player
        self._figures = figures
        self._needs_login = needs_login
        self._holds = Holds()
        self._last_told = LastTold()
        self._packed: LRUCache[str, bytes] = LRUCache(_MOST_PACKED)

    def __repr__(self) -> str:
        return f"<Hls {self._windows!r} {self._holds!r}>"

    def playlist(self, channel: Channel | None, way: str) -> Response:
        """The answer to a GET or HEAD for the playlist of ``channel``, or a line that says why not.

        None: there is no such channel. ``way`` leads from the address of the request to `/`. HEAD
        opens nothing. A film has no playlist: its player is sent to the film.
        """
        try:
            outcome, response = self._answer(channel, way)
        except REFUSALS as why:
            outcome, response = instead(channel, why)
        self._figures.lists_asked[outcome] += 1
        return response

    def followed(self, slug: str) -> Channel | None:
        """The channel that is watched under this slug; None: none, or none for the caller.

        An import may have lost it, or rules call it otherwise; its players ask on as they began.
        """
        window = self._windows.find(slug)
        if window is None or window.is_ending or not self._player.may_have(window.channel):
            return None
        return window.channel

    def playlist_of(self, channel: Channel) -> Response:
        """As ``playlist``, for a request that is for something below STREAM_PATH."""
        return self.playlist(channel, way_up(_address(), STREAM_PATH))

    def segment(self, asked: AskedSegment) -> Response:
        """The answer to a GET or HEAD for a segment; 404 if it is gone, or not for the caller."""
        outcome, response = self._segment(asked)
        self._figures.segments_asked[outcome] += 1
        return response

    # --- playlists ---

    def _answer(self, channel: Channel | None, way: str) -> tuple[AnswerKind, Response]:
        if channel is None or not self._player.may_have(channel):
            return AnswerKind.GONE, unknown()
        if (directed := self._player.directions.to_playlist(channel)) is not None:
            return AnswerKind.ANSWERED, directed
        asks = caller()
        if asks.prefix and not shows_in_path(_address(), asks.login[1]):
            way += f"{asks.prefix[1:]}/"
        if self._player.is_film(channel):
            return AnswerKind.ANSWERED, film_of(channel, way)
        if request.method == "HEAD":
            return AnswerKind.ANSWERED, bare(MEDIA_TYPE, self._kept_for_lists)
        try:
            return self._playlist(channel, way)
        except IsFilm:
            return AnswerKind.ANSWERED, film_of(channel, way)

    def _playlist(self, channel: Channel, way: str) -> tuple[AnswerKind, Response]:
        awaited, of_media = awaited_in(request.args), "master" not in request.args
        window = self._followed(channel)
        player = channel.slug, self._player.viewer().key
        if is_hasty(request.headers) and of_media and awaited is None:
            awaited = self._last_told.awaited_by(player)
        outcome = AnswerKind.ANSWERED if awaited is None else self._wait(window, awaited)
        if outcome is AnswerKind.WAITED:
            window = self._followed(channel)  # whoever was made to leave meanwhile does not
        listing = window.listing()
        if listing is None:  # it ended just now
            is_over = window.failure is not None or window.was_stopped
            raise IsOver if is_over else Unavailable("its playlist is being made anew", 1.0)
        if is_hasty(request.headers) and of_media:
            self._last_told.tell(player, listing.last)
        prefix = f"{way}{HLS_PATH[1:]}"
        if prefix == f"../{HLS_PATH[1:]}" and request.path.startswith(HLS_PATH):
            prefix = ""  # as short as it is for nearly all
        text = listing.text if of_media else master(window, prefix)
        return outcome, self._text(text.replace(PREFIX, prefix))

    def _followed(self, channel: Channel) -> Window:
        """The window, which the caller's player follows from now on, once it has a segment."""
        viewer, enter = self._player.viewer(), partial(self._player.enter, channel)
        departed = departed_of(_connection())
        window = self._windows.find(channel.slug)
        if window is not None and window.has_begun and not window.is_ending:
            return self._windows.follow(channel, viewer, enter, departed)
        with self._holds.one(viewer.key, viewer.client.address) as may_wait:
            if not may_wait:
                raise Unavailable(_TOO_MANY_WAIT, 2.0)
            return self._windows.follow(channel, viewer, enter, departed)

    def _wait(self, window: Window, awaited: int) -> AnswerKind:
        """Until there is that segment, if so many may wait: the playlist as it is will do, too."""
        listing = window.listing()
        if listing is None or listing.last >= awaited:
            return AnswerKind.ANSWERED
        if awaited > listing.last + _AHEAD:
            raise BadDirective(f"_HLS_msn is too far ahead: the last segment is {listing.last}.")
        viewer, departed = self._player.viewer(), departed_of(_connection())
        with self._holds.one(viewer.key, viewer.client.address) as may_wait:
            if not may_wait:
                return AnswerKind.ANSWERED
            seconds = _LONGEST_WAIT * listing.target_duration
            self._windows.wait_for(window, awaited, seconds, viewer, departed)
        return AnswerKind.WAITED

    def _text(self, text: str) -> Response:
        response = bare(MEDIA_TYPE, self._kept_for_lists)
        response.headers["Vary"] = "Accept-Encoding"
        if request.accept_encodings.quality("gzip") > 0:
            response.headers["Content-Encoding"] = "gzip"
            response.data = self._gzipped(text)
        else:
            response.data = text.encode()
        return response

    def _gzipped(self, text: str) -> bytes:
        packed = self._packed.get(text)
        if packed is None:
            packed = self._packed[text] = gzip.compress(text.encode(), mtime=0)
        return packed

    # --- segments ---

    def _segment(self, asked: AskedSegment) -> tuple[AnswerKind, Response]:
        window = self._windows.find(asked.slug)
        if window is None or not self._player.may_have(window.channel):
            return AnswerKind.GONE, readable(line(404, _GONE))
        try:
            found = self._windows.segment(asked.slug, asked.number, self._player.viewer())
        except MayNotFollow as why:
            return AnswerKind.REFUSED, refused(window.channel, why)
        if found is None or not hmac.compare_digest(found.key, asked.key):
            return AnswerKind.GONE, readable(line(404, _GONE))
        response = bare(SEGMENT_TYPE, self._kept_for_segments)
        response.content_length = found.segment.size
        if request.method != "HEAD":
            if (connection := _connection()) is not None:
                tune(connection)
            counters = window.hub.counters if window.hub else None
            response.direct_passthrough = True
            response.response = SegmentBody(_finding(window, asked.number), counters)
        return AnswerKind.ANSWERED, response

    # --- what caches between may keep: they know nothing of logins ---

    @property
    def _kept_for_lists(self) -> str:
        is_own = self._needs_login() or is_hasty(request.headers)
        return "private, no-cache" if is_own else "public, max-age=1"

    @property
    def _kept_for_segments(self) -> str:
        who = "private" if self._needs_login() else "public"
        return f"{who}, max-age=60, immutable"


def hls_blueprint(
    current_catalog: Callable[[], Catalog | None], player: Player, hls: Hls
) -> Blueprint:
    """The routes of playlists and segments."""
    blueprint = Blueprint("hls", __name__)
    blueprint.record_once(add_converter)
    let_pages_ask(blueprint)

    @blueprint.get(f"{HLS_PATH}<anything:path>")
    @endless
    def fetch(path: str) -> Response:
        if (segment := segment_in(path)) is not None:
            return hls.segment(segment)
        catalog = current_catalog()
        if catalog is None:
            return readable(no_list_yet())

        def find(text: str) -> Channel | None:
            return player.found(catalog.find(text), text) or hls.followed(text)

        try:
            channel = _meant(path, find)
        except Ambiguous as ambiguous:
            return which(ambiguous, lambda slug: f"{HLS_PATH}{slug}{PLAYLIST}")
        return hls.playlist(channel, way_up(_address(), HLS_PATH))

    return blueprint


def _meant(path: str, find: Callable[[str], Channel | None]) -> Channel | None:
    """The channel whose playlist is asked for; raises Ambiguous."""
    stem = without_playlist(path)
    channel = meant(stem, find) if stem else None
    return channel or meant(path, find)


def _address() -> str:
    """The address of the current request, as the client wrote it."""
    return str(request.environ.get("RAW_URI") or request.environ["PATH_INFO"])


def _connection() -> Any:
    return request.environ.get("gunicorn.socket")


def _finding(window: Window, number: int) -> Find:
    """Finds the parts of a segment, as long as the window has it."""

    def find() -> Sequence[Media] | None:
        found = window.segment(number)
        return None if found is None else found.segment.parts

    return find
