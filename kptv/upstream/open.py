"""From a stream to its packets: its URL is asked, the answer looked at, and its kind played."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from time import monotonic

import gevent
import requests

from kptv.channels.model import Stream
from kptv.channels.reach import addresses_in, headers_for
from kptv.channels.rhythm import Rhythms
from kptv.config import Config
from kptv.errors import IsLive, Reason, UpstreamError
from kptv.formats.addresses import scheme_of
from kptv.formats.identify import SOUND, What
from kptv.formats.patience import LONGEST_PATIENCE
from kptv.ports import FilmBody, Piece
from kptv.upstream.aligned import whole_packets
from kptv.upstream.answers import hang_up
from kptv.upstream.client import HttpClient, OtherScheme
from kptv.upstream.ffmpeg import DEMUXERS, ONLY_BY_FFMPEG, Input
from kptv.upstream.hls.play import HlsUpstream
from kptv.upstream.hls.requester import FetchedBody, entry_of, leads_nowhere
from kptv.upstream.hls.way import Outdated
from kptv.upstream.http_film import HttpFilm, is_packed
from kptv.upstream.look import Asked, Body, look, whole
from kptv.upstream.opened import OpenedUpstream, Pieces
from kptv.upstream.progressive import read_body
from kptv.upstream.remuxer import Remuxer

log = logging.getLogger(__name__)

_A_PART = frozenset((206,))  # any part of a live stream will do
_OF_A_RANGE = frozenset((206, 416))
_TEXTS = frozenset((What.HLS, What.CHANNEL_LIST, What.DASH))  # read whole before they lead on

Play = Callable[[Stream, Body], Iterator[Piece]]


class Opener:
    """Opens streams by their first bytes; it remembers only which of them are HLS."""

    def __init__(self, config: Config, client: HttpClient, rhythms: Rhythms) -> None:
        """``rhythms``: how the streams pause; the hubs add to that."""
        self._config = config
        self._client = client
        self._rhythms = rhythms
        self._remuxer = Remuxer(config, client, rhythms)
        self._hls = HlsUpstream(config, client, rhythms, self._remuxer)
        self._players: Mapping[What, Play] = {
            What.TRANSPORT_STREAM: self._transport_stream,
            What.HLS: self._playlist,
            What.DASH: self._manifest,
            **dict.fromkeys(DEMUXERS, self._other_media),
        }

    def open_stream(self, stream: Stream) -> OpenedUpstream:
        """The upstream of a stream; its first piece comes with MIN_DATA_SIZE bytes of media."""
        return OpenedUpstream(self._pieces(stream))

    def open_film(self, stream: Stream, byte_range: str | None) -> FilmBody:
        """The open answer to a request of a film, or of one ``Range`` of it (RFC 9110, 14.2).

        Raises IsLive, and UpstreamError, also if a whole body is no film: an error page with
        status 200.
        """
        try:
            response = self._get(stream, stream.url, {"Range": byte_range} if byte_range else {})
        except OtherScheme as moved:
            if scheme_of(moved.url) in ONLY_BY_FFMPEG:
                raise IsLive from None
            raise
        if response.status_code == 206 and is_packed(response):
            hang_up(response)  # a part of a packed film cannot be unpacked: ask for all of it
            response = self._get(stream, stream.url)
        if response.status_code in _OF_A_RANGE:
            return HttpFilm(response)  # from its middle a film cannot be told from anything else
        return HttpFilm(response, self._film(stream, response))

    def forget(self) -> None:
        """Forget which streams are HLS: each is looked at anew."""
        self._hls.forget()

    # --- From a stream to its packets ----------------------------------------------------

    def _pieces(self, stream: Stream) -> Pieces:
        try:
            return (yield from self._by_http(stream))
        except OtherScheme as moved:  # before any piece
            if scheme_of(moved.url) not in ONLY_BY_FFMPEG:
                raise
            elsewhere = Input(moved.url, program=stream.program)
        yield from self._remuxer.from_address(stream, elsewhere, silence=self._silence(stream))
        return None

    def _by_http(self, stream: Stream) -> Pieces:
        if self._hls.knows(stream):
            try:
                yield from self._hls.recall(stream)
                return None
            except Outdated as outdated:
                log.info("%s: %s: from the list's URL again", stream.source.tag, outdated)
        body = self._look(stream)
        if body.is_film and not body.is_entry:  # ranges would be asked of the channel list
            return HttpFilm(body.response, body)
        with closing(body):
            yield from self._player_of(body)(stream, body)
        return None

    def _look(self, stream: Stream) -> Body:
        """What the stream's URL gives, or the first entry of a channel list that is there."""
        body = self._ask(stream, stream.url)
        if body.found.what is not What.CHANNEL_LIST:
            return body
        entry = self._ask(stream, entry_of(_answer(body)))
        if entry.found.what is What.CHANNEL_LIST:  # followed once
            raise leads_nowhere()
        return replace(entry, is_entry=True)

    def _ask(self, stream: Stream, url: str) -> Body:
        """What is at ``url``. A playlist or manifest is read whole, and its connection closed."""
        asked = Asked(url, monotonic())
        response = self._get_patiently(stream, url)
        try:
            body = look(asked, response, self._read_body(response, stream))
            return whole(body) if body.found.what in _TEXTS else body
        except BaseException:  # also if the hub ends
            hang_up(response)
            raise

    def _player_of(self, body: Body) -> Play:
        player = None if body.is_film else self._players.get(body.found.what)
        if player is None:
            raise UpstreamError(Reason.NOT_MEDIA, str(body.found.what))
        return player

    # --- The players ---------------------------------------------------------------------

    def _transport_stream(self, stream: Stream, body: Body) -> Iterator[Piece]:
        return whole_packets(iter(body), self._config)

    def _playlist(self, stream: Stream, body: Body) -> Iterator[Piece]:
        return self._hls.play(stream, _answer(body))

    def _manifest(self, stream: Stream, body: Body) -> Iterator[Piece]:
        """DASH, paced even if it is live: else ffmpeg asks hundreds of times per second."""
        input_ = Input(body.asked.url, paced=True, program=stream.program)
        return self._remuxer.from_address(
            stream,
            input_,
            addresses_in(body.head),
            silence=self._silence(stream),
            has_end=not body.found.endless,
        )

    def _other_media(self, stream: Stream, body: Body) -> Iterator[Piece]:
        """What ffmpeg makes of the same answer that was looked at."""
        found = body.found
        if found.foreign_picture:
            raise UpstreamError(
                Reason.UNSUPPORTED, f"{found.what}: a picture that no transport stream can hold"
            )
        input_ = Input(
            demuxer=DEMUXERS[found.what],
            only_sound=found.what in SOUND,
            encode_sound=found.foreign_sound,
            paced=body.has_end,
        )
        return self._remuxer.from_body(
            stream, input_, iter(body), silence=self._silence(stream), is_read=lambda: body.is_read
        )

    # --- Requests ------------------------------------------------------------------------

    def _timeout(self, stream: Stream) -> float:
        return self._client.stream_timeout(stream.source)

    def _silence(self, stream: Stream) -> float:
        """Seconds for which it may say nothing before it has begun."""
        return max(self._config.stall_timeout, self._timeout(stream))

    def _film(self, stream: Stream, response: requests.Response) -> Body:
        """The body of a film. Raises IsLive, and UpstreamError, with the connection closed."""
        config = self._config
        try:
            read = read_body(response, self._timeout(stream), config.stall_timeout)
            body = look(Asked(stream.url, monotonic()), response, read)
            if not body.is_film:
                what = body.found.what
                is_live = what in self._players or what is What.CHANNEL_LIST
                raise IsLive if is_live else UpstreamError(Reason.NOT_MEDIA, str(what))
        except BaseException:  # also a deadline of the caller
            hang_up(response)
            raise
        return body

    def _get_patiently(self, stream: Stream, url: str) -> requests.Response:
        """The answer; its body may pause for as long as anybody would wait."""
        late = UpstreamError(Reason.TIMEOUT, "no answer in time")
        with gevent.Timeout(self._silence(stream), late):
            return self._get(stream, url, silence=LONGEST_PATIENCE + 1.0)

    def _get(
        self,
        stream: Stream,
        url: str,
        headers: Mapping[str, str] | None = None,
        silence: float = 0.0,
    ) -> requests.Response:
        """The answer; ``headers`` ask for a range. Raises UpstreamError."""
        # While the body is read, its own deadline (STALL_TIMEOUT) is the stricter one.
        silence = max(self._silence(stream), silence)
        return self._client.get(
            stream.source,
            url,
            headers={**headers_for(stream, url), **(headers or {})},
            timeout=(self._timeout(stream), silence),
            also=_OF_A_RANGE if headers else _A_PART,
        )

    def _read_body(self, response: requests.Response, stream: Stream) -> Iterator[bytes]:
        config, rhythm = self._config, self._rhythms.of(stream, monotonic())
        return read_body(
            response,
            self._timeout(stream),
            config.stall_timeout,
            lambda: rhythm.patience(monotonic()),
        )


def _answer(body: Body) -> FetchedBody:
    return FetchedBody(body.head, body.response.url, body.asked.at)
