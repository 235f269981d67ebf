"""Plays a stream that is HLS: the media that is fetched leaves as fast as it plays."""

from __future__ import annotations

import logging
import math
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from time import monotonic

import gevent
from cachetools import TTLCache

from kptv.channels.model import Stream
from kptv.channels.reach import one_a_server
from kptv.channels.rhythm import Rhythms
from kptv.config import Config
from kptv.errors import KptvError, Reason, UpstreamError
from kptv.formats.hls.pacing import Pacer
from kptv.formats.hls.playlist import MediaPlaylist
from kptv.formats.hls.tracker import LIVE_EDGE
from kptv.formats.mpegts.seam import Parts
from kptv.formats.patience import LONGEST_PATIENCE
from kptv.ports import Piece
from kptv.upstream.aligned import started
from kptv.upstream.client import HttpClient
from kptv.upstream.ffmpeg import Input
from kptv.upstream.hls.fetcher import Fetcher, Position
from kptv.upstream.hls.pipe import Batch, Pipe
from kptv.upstream.hls.requester import FetchedBody, Requester
from kptv.upstream.hls.segments import NeedsRemux
from kptv.upstream.hls.way import Media, Outdated
from kptv.upstream.remuxer import Remuxer

log = logging.getLogger(__name__)

_TICK = 0.2  # seconds of media that leave at once; half of it costs a quarter more CPU
_FIRST = 1.0  # seconds of media that leave at once, until it is known how many may
_REMEMBERED = 4096  # streams
_POSITIONS = 128  # streams, with up to 80 KB each
_POSITION_KEPT = 1800.0  # seconds; after that a stream starts anew, at its live edge


@dataclass(frozen=True, slots=True)
class Learned:
    """How a stream is played, as was found out."""

    url: str = field(repr=False)  # of its media playlist
    audio: str | None = field(default=None, repr=False)
    cookies: tuple[str, ...] = field(default=(), repr=False)
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)  # it may import these
    remux: str = ""  # why ffmpeg must play it; empty: it need not
    is_vod: bool = False
    patience: float = 0.0  # seconds
    places: tuple[str, ...] = field(default=(), repr=False)  # URLs of its media, one per server


class HlsUpstream:
    """Plays HLS streams; remembers for CACHE_DURATION how each is played."""

    def __init__(
        self, config: Config, client: HttpClient, rhythms: Rhythms, remuxer: Remuxer
    ) -> None:
        self._config = config
        self._client = client
        self._rhythms = rhythms
        self._remuxer = remuxer
        self._memory: TTLCache[tuple[int, str], Learned] = TTLCache(
            _REMEMBERED, config.cache_duration
        )
        self._positions: TTLCache[tuple[int, str], Position] = TTLCache(_POSITIONS, _POSITION_KEPT)

    def knows(self, stream: Stream) -> bool:
        """True if something is remembered of the stream, so that ``recall`` can play it."""
        return stream.key in self._memory

    def forget(self) -> None:
        """Forget how each stream is played, but not how far it was played."""
        self._memory.clear()

    def play(self, stream: Stream, opening: FetchedBody) -> Iterator[Piece]:
        """The packets of a stream, as fast as they play.

        ``opening`` is the playlist that the stream's URL gave, its connection closed.
        Ends only after a film; raises UpstreamError if the upstream cannot go on.
        A stream that failed and is played again goes on where it stopped.
        One connection is open at a time, to each of two hosts at most. When the iterator is closed,
        no greenlet and no connection is left.
        """
        try:
            yield from self._read(stream, opening, None)
        except _Remux as needed:
            self._remember(stream, needed.learned)
            yield from self._remux(stream, needed.learned)

    def recall(self, stream: Stream) -> Iterator[Piece]:
        """As ``play``, from the remembered address, without asking for the stream's URL.

        Raises Outdated, before any piece, if that leads nowhere any more: tokens end, and a stream
        may have become something else.
        """
        learned = self._memory[stream.key]
        if not learned.remux:
            try:
                yield from self._read(stream, None, learned)
                return
            except _Remux as needed:
                learned = needed.learned
                self._remember(stream, learned)
        with closing(self._remux(stream, learned)) as pieces:
            try:
                first = next(pieces, None)
            except UpstreamError as error:
                if error.reason in (Reason.UNSUPPORTED, Reason.STALLED):
                    raise
                raise Outdated(str(error)) from None
            if first is None:  # a film that ended before it began
                self._memory.pop(stream.key, None)
                raise Outdated("nothing came")
            yield first
            yield from pieces

    def _read(
        self,
        stream: Stream,
        opening: FetchedBody | None,
        learned: Learned | None,
    ) -> Iterator[Piece]:
        """The packets of ``opening``, or of the remembered address. Raises _Remux, Outdated."""
        pipe = Pipe()
        rhythm = self._rhythms.of(stream, monotonic())
        with Requester(self._config, self._client, stream) as http, rhythm.allowing() as allowance:
            position = self._positions.pop(stream.key, None)
            fetcher = Fetcher(http, self._config, stream, pipe, position, allowance)
            remembered = (learned.url, learned.variables) if learned else (None, None)
            greenlet = gevent.spawn(fetcher.run, opening, *remembered)
            try:
                first = pipe.take(_FIRST)
                self._remember(stream, _learned(fetcher.media, http))
                packets = self._write(pipe, fetcher, first)
                yield from started(packets, self._config.min_data_size)
            except NeedsRemux as needed:
                raise _Remux(_learned(fetcher.media, http, str(needed))) from None
            except (UpstreamError, Outdated):
                self._memory.pop(stream.key, None)
                raise
            finally:
                greenlet.kill()
                # Only if all that was fetched was played. Otherwise a viewer left early, and the
                # next one starts at the live edge, where there is something to see at once.
                if pipe.empty and (position := fetcher.position()):
                    self._positions[stream.key] = position

    def _remember(self, stream: Stream, learned: Learned) -> None:
        if self._config.cache_enabled:
            self._memory[stream.key] = learned

    def _write(self, pipe: Pipe, fetcher: Fetcher, first: Batch | None) -> Iterator[Piece]:
        parts = Parts()
        batches = _paced(pipe, fetcher, first)
        while True:
            try:
                batch = next(batches, None)
            except UpstreamError:
                # The last packet waited for the byte after it.
                yield from map(_flushed, parts.flush())
                raise
            if batch is None:
                yield from parts.flush()
                return
            pieces = parts.feed(bytes(batch.data), batch.seam)
            yield from map(_flushed, pieces) if pipe.failed else pieces

    def _remux(self, stream: Stream, learned: Learned) -> Generator[Piece]:
        log.info("%s: %s: put into a transport stream by ffmpeg", stream.label, learned.remux)
        try:
            yield from self._remuxer.from_address(
                stream,
                Input(learned.url, learned.audio, is_hls=True, paced=learned.is_vod),
                learned.places,
                silence=max(learned.patience, self._client.stream_timeout(stream.source)),
                cookies=learned.cookies,
                has_end=learned.is_vod,
            )
        except UpstreamError:
            self._memory.pop(stream.key, None)
            raise
        self._memory.pop(stream.key, None)


def _flushed(piece: Piece) -> Piece:
    return replace(piece, flushed=True)


class _Remux(KptvError):
    """Ffmpeg must play the stream; ``learned`` says how."""

    def __init__(self, learned: Learned) -> None:
        super().__init__(learned.remux)
        self.learned = learned


def _learned(media: Media, http: Requester, remux: str = "") -> Learned:
    playlist = media.playlist
    # An origin may list new segments as seldom as its window is long.
    window = sum(segment.duration for segment in playlist.segments)
    patience = max(LIVE_EDGE * playlist.target_duration, min(window, LONGEST_PATIENCE))
    return Learned(
        playlist.url,
        media.audio,
        http.cookies(playlist.url),
        media.variables,
        remux,
        is_vod=playlist.is_vod,
        patience=patience,
        places=tuple(one_a_server(_uris(playlist))),
    )


def _uris(playlist: MediaPlaylist) -> Iterator[str]:
    for segment in playlist.segments:
        yield segment.uri
        if segment.key and segment.key.uri:
            yield segment.key.uri
        if segment.map:
            yield segment.map.uri


def _paced(pipe: Pipe, fetcher: Fetcher, batch: Batch | None) -> Iterator[Batch]:
    """``batch``, which was taken already, and those that follow, each when its time has come."""
    target = fetcher.tracker.target_duration
    pacer = Pacer(target, monotonic())
    pacer.expect(_usual(pipe, fetcher, batch.seconds if batch else 0.0))
    while batch is not None:
        pacer.expect(fetcher.tracker.rhythm + target)  # some reloads bring five segments
        pacer.written(batch.seconds)
        yield batch
        if target != fetcher.tracker.target_duration:  # the playlist changed, or was wrong
            target = fetcher.tracker.target_duration
            pacer.retime(target, _usual(pipe, fetcher, 0.0))
        while (left := _allowance(pacer, pipe, fetcher)) < _TICK:
            gevent.sleep(_TICK - left)
        batch = pipe.take(left if fetcher.tracker.judged else min(left, _FIRST))


def _usual(pipe: Pipe, fetcher: Fetcher, taken: float) -> float:
    """Seconds of media that wait to be played when all is well."""
    tracker = fetcher.tracker
    target, begun = tracker.target_duration, pipe.seconds + tracker.backlog + taken
    # A reload may bring two segments instead of the usual one: no reason to hurry.
    return math.inf if tracker.is_vod else max(LIVE_EDGE * target, begun) + target


def _allowance(pacer: Pacer, pipe: Pipe, fetcher: Fetcher) -> float:
    return pacer.allowance(monotonic(), pipe.seconds + fetcher.tracker.backlog)
