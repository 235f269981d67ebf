"""Follows one HLS stream, one request after the other: playlists as they change, then segments.

It runs in a greenlet of its own, ahead of the player by as much as the pipe holds. LiveTracker
decides which segment is due; this module decides what to do when an answer fails.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from time import monotonic

import gevent

from kptv.channels.model import Stream
from kptv.channels.rhythm import Allowance, Rhythm
from kptv.config import Config
from kptv.errors import KptvError, Reason, UpstreamError
from kptv.formats.hls.parse import MAX_BYTES
from kptv.formats.hls.playlist import MediaPlaylist, MultivariantPlaylist, Variant
from kptv.formats.hls.tracker import Due, LiveTracker, Update
from kptv.formats.patience import LONGEST_PATIENCE
from kptv.upstream.client import OtherScheme
from kptv.upstream.hls.pipe import Pipe
from kptv.upstream.hls.refusals import REFUSED
from kptv.upstream.hls.requester import FetchedBody, Requester
from kptv.upstream.hls.segments import Expired, NeedsRemux, SegmentFetcher, SegmentLost
from kptv.upstream.hls.way import Media, Way, alike, parsed

log = logging.getLogger(__name__)

# If so many segments in a row last less than SHORTEST seconds on average, nobody can fetch them.
JUDGED, SHORTEST = 64, 0.05
LOST_IN_A_ROW = 3  # segments; then the stream has failed
RETRY_ENTRY = 0.5  # seconds until the list's URL is asked again; they double
LONGEST_ENTRY = 8.0  # seconds; if they would be more, the stream has failed


@dataclass(frozen=True, slots=True)
class Position:
    """How far a stream was played: it goes on there when it is opened again."""

    tracker: LiveTracker
    variant: Variant | None


class Fetcher:
    """Fills a pipe with the media of one stream, until it cannot."""

    def __init__(
        self,
        http: Requester,
        config: Config,
        stream: Stream,
        pipe: Pipe,
        position: Position | None = None,
        allowance: Allowance | None = None,
    ) -> None:
        """``allowance``: how long the stream may be silent, and its rhythm; both are updated."""
        self._http = http
        self._config = config
        self._stream = stream
        self._pipe = pipe
        self._segments = SegmentFetcher(http, pipe)
        self._way = Way(http, config, stream)
        self._media: Media | None = None
        self._position = position
        self._allowance = allowance or Allowance(Rhythm(config.stall_timeout))
        self._rhythm = self._allowance.rhythm
        self._tracker = position.tracker if position else LiveTracker(config.stall_timeout)
        self._stale = False  # the last playlist was older than the media that was played
        self._tracker.rhythm = max(self._tracker.rhythm, self._rhythm.news)
        self._waits_until: float | None = None  # for the first new segments, however rare they are
        self._has_played = False  # a segment was handed on
        self._lost = 0  # segments in a row
        self._renewed = False  # it has started afresh from the list's URL
        self._since_renewal = 0  # segments handed on
        self._lengths: deque[float] = deque(maxlen=JUDGED)  # seconds of the last segments

    def __repr__(self) -> str:
        return f"<Fetcher {self._stream.name!r} {self._tracker!r}>"

    @property
    def media(self) -> Media:
        """The media playlist that it follows."""
        assert self._media is not None
        return self._media

    @property
    def tracker(self) -> LiveTracker:
        """Which segments of that playlist are due."""
        return self._tracker

    def position(self) -> Position | None:
        """How far it was followed; None: not at all, to the end of a film, or it cannot be told.

        Also None if it went on from a position, and all segments since were too old for that:
        either they are numbered anew, or nothing new will come for long.

        Only one fetcher at a time may use the tracker in it.
        """
        tracker = self._tracker
        over = tracker.finished and tracker.is_vod
        begun = self._segments.any_media or self._position
        outlived = self._stale and not self._segments.any_media
        if not begun or over or outlived or not tracker.has_position:
            return None
        if self._segments.partial == tracker.position:
            tracker.next_due()  # it was put back, but its beginning was played
        tracker.pause()
        variant = self._media.variant if self._media else None
        return Position(tracker, variant or self._variant_before)

    def run(
        self,
        opening: FetchedBody | None,
        remembered: str | None,
        variables: Mapping[str, str] | None = None,
    ) -> None:
        """Fill the pipe, from a remembered address or else from the stream's URL.

        ``opening`` is the answer of that URL, if it has been asked for. ``variables``: the playlist
        at the remembered address may import them.
        """
        try:
            self._run(opening, remembered, variables or {})
        except OtherScheme as error:
            # Only a stream that has given nothing yet can be given to ffmpeg instead.
            self._pipe.finish(error.to_keep() if self._segments.any_media else error)
        except KptvError as error:
            self._pipe.finish(error)
        except Exception:
            log.exception("%s: HLS reader failed", self._name)
            self._pipe.finish(UpstreamError(Reason.INTERNAL))
        else:
            self._pipe.finish(None)

    # --- From a URL to a media playlist ---------------------------------------------------

    def _run(
        self, opening: FetchedBody | None, remembered: str | None, variables: Mapping[str, str]
    ) -> None:
        if remembered:
            self._media = self._way.recall(remembered, variables)
        else:
            self._media = self._way.enter(opening)
        self._compare_variant(self._media.variant)
        while True:
            try:
                self._follow()
            except Expired as expired:
                self._renew(expired.error)
            except UpstreamError as error:
                self._fall_back(error)
            else:
                return

    def _compare_variant(self, variant: Variant | None) -> None:
        """If it is another variant than before, only the segments' numbers can be the same."""
        before = self._variant_before
        if variant and before and not alike(variant, before):
            self._tracker = LiveTracker(self._config.stall_timeout, after=self._tracker)
            self._tracker.pause()

    @property
    def _variant_before(self) -> Variant | None:
        return self._position.variant if self._position else None

    def _fall_back(self, error: UpstreamError) -> None:
        """Go on with the next variant, at the position of the one before."""
        if error.reason is Reason.UNSUPPORTED or not self._way.forks:
            raise error
        log.warning("%s: variant failed: %s", self._name, error)
        self._media = self._way.next_variant(error)
        self._segments.give_up()
        self._tracker = LiveTracker(self._config.stall_timeout, after=self._tracker)
        self._lost = 0

    def _renew(self, error: UpstreamError) -> None:
        """Start afresh from the list's URL, since the token is over; only once between segments."""
        if not self._since_renewal:
            self._fall_back(error)
            return
        self._since_renewal = 0
        self._renewed = True
        log.info("%s: %s: starts from the list's URL again", self._name, error)
        self._media = self._enter_again()
        self._tracker.moved()

    def _enter_again(self) -> Media:
        """What the list's URL leads to now. It is asked again while the media in hand lasts."""
        delay = RETRY_ENTRY
        while True:
            try:
                return self._way.enter(like=self.media.variant)
            except UpstreamError as error:
                hopeless = error.reason in (Reason.RATE_LIMITED, Reason.UNSUPPORTED)
                if hopeless or delay > LONGEST_ENTRY or self._pipe.seconds < RETRY_ENTRY:
                    raise
                log.info("%s: %s: once more", self._name, error)
                gevent.sleep(min(delay, self._pipe.seconds))
                delay *= 2

    # --- Following ------------------------------------------------------------------------

    def _follow(self) -> None:
        """Hand on the segments of ``media``. Returns after the last one of a film; else raises."""
        media, tracker = self.media, self._tracker
        if media.audio:
            raise NeedsRemux("sound in a playlist of its own")
        self._update(media.playlist, media.asked_at)
        while True:
            if not tracker.ended and monotonic() >= tracker.reload_at:
                self._reload()
            wake_at = monotonic() + 60.0 if tracker.ended else tracker.reload_at
            if not self._pipe.wait_for_room(max(wake_at - monotonic(), 0.0)):
                continue
            if due := tracker.next_due():
                self._play(due)
            elif tracker.finished and tracker.is_vod:
                return
            elif tracker.finished:
                raise UpstreamError(Reason.ENDED, "the playlist says that the channel has ended")
            else:
                gevent.sleep(max(wake_at - monotonic(), 0.0))

    def _play(self, due: Due) -> None:
        if due.splice and self._segments.any_media:
            self._segments.splice()
        tracker = self._tracker
        try:
            seconds = self._segments.fetch(
                due.segment,
                tracker.length_of(due.segment),
                tracker.neighbours(due.segment),
                patient=self._has_played,
                fresh=self._renewed and not self._since_renewal,
            )
        except Expired:
            self._tracker.put_back(due)
            raise
        except SegmentLost as lost:
            self._lose(lost.error)
        else:
            if seconds:
                tracker.lasted(due.segment, seconds)
            self._judge(seconds or due.segment.duration)
            self._lost = 0
            self._since_renewal += 1
            self._has_played = True

    def _judge(self, seconds: float) -> None:
        """Raises UpstreamError if this segment, of ``seconds``, is one of far too many."""
        self._lengths.append(seconds)
        if len(self._lengths) == JUDGED and sum(self._lengths) < JUDGED * SHORTEST:
            length = 1000 * sum(self._lengths) / JUDGED
            raise UpstreamError(Reason.NOT_MEDIA, f"segments of {length:.0f} ms")

    def _lose(self, error: UpstreamError) -> None:
        self._tracker.lost()
        self._lost += 1
        log.info("%s: a segment skipped: %s", self._name, error)
        # At the start no viewer has a buffer yet to bridge the wait for the next one.
        nothing_left = not self._has_played and not self._tracker.backlog
        if self._lost >= LOST_IN_A_ROW or nothing_left:
            raise error

    def _reload(self) -> None:
        """Ask for the playlist again. An error counts once all media in hand has been played."""
        tracker, asked_at = self._tracker, monotonic()
        try:
            answer = self._http.read(self.media.playlist.url, MAX_BYTES)
            playlist = parsed(answer, self.media.variables)
            if isinstance(playlist, MultivariantPlaylist):
                raise UpstreamError(Reason.NOT_MEDIA, "a media playlist turned multivariant")
        except UpstreamError as error:
            if error.status in REFUSED:
                raise Expired(error) from None
            tracker.failed(asked_at, monotonic())
            if monotonic() >= tracker.fails_at and self._pipe.empty:
                if self._way.forks:
                    raise
                raise Expired(error) from None  # the list's URL may lead elsewhere by now
            return
        self._update(playlist, asked_at)

    def _update(self, playlist: MediaPlaylist, asked_at: float) -> None:
        tracker, now = self._tracker, monotonic()
        update = tracker.update(playlist, asked_at, now)
        self._stale = update.stale
        if update.reset or update.skipped:
            what = "numbering starts afresh" if update.reset else "fell behind"
            log.info("%s: %s, %d segments skipped", self._name, what, update.skipped)
        fails_at = max(tracker.fails_at, self._note_rhythm(playlist, update, now))
        if not update.new and not tracker.backlog and now >= fails_at:
            silence = now - tracker.fails_at + tracker.patience
            raise UpstreamError(Reason.STALLED, f"no new segment for {silence:.0f} s")

    def _note_rhythm(self, playlist: MediaPlaylist, update: Update, now: float) -> float:
        """Until when it waits for the first new segments.

        Until some have come nobody knows how often the origin lists any; not less often than its
        window is long.
        """
        tracker, rhythm = self._tracker, self._rhythm
        if self._waits_until is None:
            window = 0.0 if tracker.rhythm else sum(s.duration for s in playlist.segments)
            self._waits_until = now + min(window, LONGEST_PATIENCE)
        elif update.new:
            self._waits_until = now
        if tracker.rhythm > rhythm.news:
            rhythm.news, rhythm.noted_at = tracker.rhythm, now
        self._allowance.seconds = max(tracker.patience, self._waits_until - now)
        return self._waits_until

    @property
    def _name(self) -> str:
        return self._stream.label
