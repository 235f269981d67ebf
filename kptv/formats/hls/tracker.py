"""What is new in a live playlist, and when to ask for it again (RFC 8216, 6.3.3 and 6.3.4).

A segment is known by its media sequence number. Numbers alone do not tell three things apart
that all look like "the numbers went back": an answer from a server of the pool that is behind
(nothing to do), an old answer from a cache (the same), and an encoder that started again
(everything is new). Names, durations and times of segments tell, if the origin keeps them stable.
If nothing tells, the tracker waits: to repeat is worse than to be declared stalled.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from kptv.formats.hls.honesty import Honesty
from kptv.formats.hls.names import COMPARED, SegmentNames
from kptv.formats.hls.playlist import SHORTEST_TARGET, MediaPlaylist, MediaSegment
from kptv.formats.hls.uncounted import Uncounted
from kptv.formats.patience import LONGEST_PATIENCE, patience_of

LIVE_EDGE = 3  # target durations from the end; RFC 8216, 6.3.3
STALLED_AFTER = 2.5  # target durations without a new segment
MOST_BELIEVED = 150.0  # seconds of silence, however long a target duration the playlist tells
GRACE = 2  # segments that left the window and are still tried; RFC 8216, 6.2.2 keeps them longer
SHORTEST_RELOAD = 0.25  # seconds
_FIRST_RETRY = 0.5  # seconds, of a playlist that failed; doubles
_LARGEST_SKIP = 1000  # segments; a larger jump is another numbering


@dataclass(frozen=True, slots=True)
class Due:
    """A segment to fetch now. ``splice``: it does not go on where the one before it ended."""

    segment: MediaSegment
    splice: bool


@dataclass(frozen=True, slots=True)
class Update:
    """What a playlist brought."""

    new: int = 0  # segments
    skipped: int = 0  # segments that were never had: the window had moved past them, or gaps
    reset: bool = False  # the numbering started afresh
    stale: bool = False  # an answer older than one before it


class LiveTracker:
    """Follows one media playlist: told each answer and the time, it says what is due.

    ``reload_at`` and ``fails_at`` are on the caller's clock, in seconds. ``after`` is the
    tracker of another variant of the same stream, to go on where that one stood.
    """

    def __init__(self, stall_timeout: float, after: LiveTracker | None = None) -> None:
        self._stall_timeout = stall_timeout
        self._pending: deque[MediaSegment] = deque()
        self._listed: Sequence[MediaSegment] = ()  # in the newest answer
        self._next: int | None = None if after is None else after.position  # after the newest
        self._continues = after is not None
        self._splice = after is not None
        self._names = SegmentNames()
        self._uncounted = Uncounted()
        self._honesty = Honesty()
        self._told_target = 0.0
        self._longest_told = 0.0  # of the newest segments
        self._answer: tuple[MediaPlaylist, float] | None = None  # that brought something; its time
        self._window = 0  # segments, of the longest playlist
        self._last_time: float | None = None  # of the newest segment
        self._errors = 0
        self._moved = False  # addresses of segments that left the window are dead
        self._returned = False  # to a stream that was closed, no answer yet
        self._behind: int | None = None  # where the first answer of another line ended
        self._lost_line = False
        self._last_new = 0.0
        # Seconds that one answer with new segments lasted at most: until the next, or as media.
        self.rhythm: float = 0.0 if after is None else after.rhythm
        self.target_duration = 0.0  # as told; that of the media if the playlist is wrong
        self.ended = False
        self.is_vod = False
        self.reload_at = 0.0
        self.skipped = 0  # segments, since the start

    def __repr__(self) -> str:
        return f"<LiveTracker next={self._next} pending={len(self._pending)}>"

    @property
    def fails_at(self) -> float:
        """When the stream has failed, if no new segment comes before."""
        return self._last_new + self.patience

    @property
    def patience(self) -> float:
        """Seconds without a new segment after which the stream has failed."""
        longest = max(self.target_duration, self._told_target)
        shortest = min(max(self._stall_timeout, STALLED_AFTER * longest), MOST_BELIEVED)
        return patience_of(self.rhythm, shortest)

    @property
    def finished(self) -> bool:
        """Whether all was handed out and no more will come."""
        return self.ended and not self._pending

    @property
    def backlog(self) -> float:
        """Seconds of media that are known and not handed out yet."""
        return sum(segment.duration for segment in self._pending) * self._honesty.scale

    def length_of(self, segment: MediaSegment) -> float:
        """Seconds that it may last: a target duration, or more if the playlist says so."""
        return max(self.target_duration, segment.duration * self._honesty.scale)

    @property
    def judged(self) -> bool:
        """Whether it is known yet if the playlist's durations are those of the media."""
        return self._honesty.judged

    @property
    def position(self) -> int | None:
        """The number of the segment that would be handed out next."""
        return self._pending[0].media_sequence if self._pending else self._next

    @property
    def has_position(self) -> bool:
        """Whether the position is one in the numbers that the origin has now.

        Answers that are behind, but go on from there, come from an encoder that started again
        unseen: a position in the old numbers would keep new segments from being played.
        """
        return self._next is not None and not self._lost_line

    def neighbours(self, segment: MediaSegment) -> Sequence[MediaSegment]:
        """The segments listed before it in the answer that it has its address from: the last ones.

        None if the newest answer does not list it any more, or at another address.
        """
        first = self._listed[0].media_sequence if self._listed else 0
        index = segment.media_sequence - first
        if not 0 <= index < len(self._listed) or self._listed[index].uri != segment.uri:
            return ()
        before = self._listed[max(index - COMPARED, 0) : index]
        return [one for one in before if not one.gap]

    # --- What comes in --------------------------------------------------------------------

    def update(self, playlist: MediaPlaylist, asked_at: float, now: float) -> Update:
        """Take in an answer that was asked for at ``asked_at`` and is there ``now``."""
        self._forgive_lateness(asked_at)
        self._errors = 0
        playlist = self._uncounted.counted(playlist)
        self._told_target = playlist.target_duration
        durations = (segment.duration for segment in playlist.segments[-COMPARED:])
        self._longest_told = max(durations, default=0.0)
        self._judge()
        update = self._take(playlist) if playlist.segments else self._take_empty(playlist)
        self._note_line(playlist, update)
        if update.new:
            self._note_rhythm(playlist, update, now)
        if update.new or not self.reload_at:
            self._last_new = now
        delay = self._reload_delay(playlist, changed=update.new > 0)
        self._answer = (playlist, asked_at) if update.new else None
        self.reload_at = asked_at + delay
        if now < self.fails_at:  # not to notice a failure half a target duration late
            self.reload_at = min(self.reload_at, self.fails_at)
        self.reload_at = max(self.reload_at, now + SHORTEST_RELOAD)
        self._window = max(self._window, len(playlist.segments))
        self.skipped += update.skipped
        return update

    def lasted(self, segment: MediaSegment, seconds: float) -> None:
        """Note how long a segment that was handed out lasts by its own clock."""
        self._honesty.note(segment.duration, seconds)
        self._judge()
        if self._answer and self.target_duration < self._told_target:  # sooner than was thought
            playlist, asked_at = self._answer
            delay = self._reload_delay(playlist, changed=True)
            self.reload_at = min(self.reload_at, asked_at + delay)

    def failed(self, asked_at: float, now: float) -> None:
        """Note that the playlist could not be had."""
        self._forgive_lateness(asked_at)
        delay = min(_FIRST_RETRY * 2**self._errors, max(self.target_duration / 2, _FIRST_RETRY))
        self._errors += 1
        self.reload_at = now + delay

    def moved(self) -> None:
        """The playlist will come from a new address: the next answer has new addresses for all."""
        self._moved = True
        self._names = SegmentNames()

    def pause(self) -> None:
        """Its stream is closed and may be opened again: what was handed out is not due again.

        Nor are segments that are by then further from the live edge than a stream starts.
        """
        self._next = self.position
        self._pending.clear()
        self._listed, self._answer = (), None  # they may be long, and a position is kept for long
        self._returned = self._splice = True
        self._errors = 0
        self._behind = None
        self.reload_at = 0.0  # silence counts from the next answer on
        self.ended = False

    # --- What goes out --------------------------------------------------------------------

    def next_due(self) -> Due | None:
        """The next segment to fetch; None: nothing is known to be there."""
        while self._pending:
            segment = self._pending.popleft()
            if segment.gap:
                self.lost()
                continue
            splice = segment.discontinuity or self._splice
            self._splice = False
            return Due(segment, splice)
        return None

    def put_back(self, due: Due) -> None:
        """Make a segment due again that could not be fetched from its address."""
        self._pending.appendleft(due.segment)
        self._splice = due.splice

    def lost(self) -> None:
        """Give up a segment that was handed out, or would have been."""
        self.skipped += 1
        self._splice = True

    # --- Inside ---------------------------------------------------------------------------

    def _judge(self) -> None:
        target = self._honesty.target(self._told_target, self._longest_told)
        self.target_duration = max(target, SHORTEST_TARGET)

    def _reload_delay(self, playlist: MediaPlaylist, *, changed: bool) -> float:
        """Seconds from one request to the next (RFC 8216, 6.3.4)."""
        window = sum(s.duration for s in playlist.segments[-COMPARED:])
        window *= self._honesty.scale
        # A target far above the real durations would let segments slip by unseen.
        delay = min(self.target_duration, max(window / 2, 1.0)) if window else 1.0
        return delay if changed else delay / 2

    def _take(self, playlist: MediaPlaylist) -> Update:
        if self._next is None:
            return self._start(playlist)
        if self._continues:
            return self._continue(playlist)
        named = self._names.of(playlist)
        same = self._names.same_line(named)
        went_back = playlist.end < self._next
        if same and not went_back:
            return self._advance(playlist)
        if same or self._names.of_another_line(named):
            return Update(stale=True)
        if went_back and same is None and not self._restarted(playlist):
            return Update(stale=True)
        # Names may hold the token of a session: after another one is opened they tell little.
        renamed = same is False and not self._returned
        if went_back or renamed or playlist.media_sequence > self._next + _LARGEST_SKIP:
            return self._reset(playlist)
        return self._advance(playlist)

    def _note_rhythm(self, playlist: MediaPlaylist, update: Update, now: float) -> None:
        """An origin that lists five segments at once lists the next when those have passed."""
        if self.reload_at and not update.reset:
            news = sum(segment.duration for segment in playlist.segments[-update.new :])
            news *= self._honesty.scale
            lasted = max(now - self._last_new, news)
            self.rhythm = max(self.rhythm, min(lasted, LONGEST_PATIENCE))

    def _note_line(self, playlist: MediaPlaylist, update: Update) -> None:
        """Whether answers are behind, and go on there."""
        if not update.stale:
            self._behind = None
        elif self._behind is None:
            self._behind = playlist.end
        self._lost_line = self._behind is not None and playlist.end > self._behind

    def _take_empty(self, playlist: MediaPlaylist) -> Update:
        self.ended = playlist.ended
        return Update()

    def _start(self, playlist: MediaPlaylist) -> Update:
        self.is_vod = playlist.is_vod
        dead = playlist.ended and not playlist.is_vod  # the last window of a channel that ended
        first = len(playlist.segments) if dead else start_index(playlist)
        self._append(playlist, playlist.segments[first:])
        return Update(new=len(self._pending))

    def _continue(self, playlist: MediaPlaylist) -> Update:
        """Variants are cut alike (RFC 8216, 6.2.4), yet none is obliged to number alike."""
        self._continues = False
        assert self._next is not None
        if playlist.media_sequence <= self._next <= playlist.end:
            return self._advance(playlist)
        return self._reset(playlist)

    def _reset(self, playlist: MediaPlaylist) -> Update:
        lost = len(self._pending)  # of the old line: its files are gone, or soon will be
        self._pending.clear()
        self._names.new_line()
        self._window = 0
        self._returned = False
        self._splice = True
        self._append(playlist, playlist.segments[start_index(playlist) :])
        return Update(new=len(self._pending), skipped=lost, reset=True)

    def _advance(self, playlist: MediaPlaylist) -> Update:
        assert self._next is not None
        skipped = self._drop_departed(playlist)
        self._readdress(playlist)
        first = self._next - playlist.media_sequence
        late = self._returned and first < start_index(playlist)
        self._returned = False
        if first < 0 or late:
            return self._jump(playlist, skipped)
        fresh = playlist.segments[first:]
        self._append(playlist, fresh)
        return Update(new=len(fresh), skipped=skipped)

    def _jump(self, playlist: MediaPlaylist, skipped: int) -> Update:
        """The window has moved past what is known: go to the live edge again."""
        assert self._next is not None
        first = start_index(playlist)
        skipped += len(self._pending) + playlist.media_sequence + first - self._next
        self._pending.clear()
        self._splice = True
        self._append(playlist, playlist.segments[first:])
        return Update(new=len(self._pending), skipped=skipped)

    def _append(self, playlist: MediaPlaylist, fresh: Sequence[MediaSegment]) -> None:
        self._pending.extend(fresh)
        self._listed = playlist.segments
        self._next = playlist.end
        self.ended = playlist.ended
        self._names.learn(self._names.of(playlist))
        self._last_time = playlist.segments[-1].time

    def _drop_departed(self, playlist: MediaPlaylist) -> int:
        """Give up what left the window too long ago to be there still; how many."""
        oldest = playlist.media_sequence - (0 if self._moved else GRACE)
        self._moved = False
        count = 0
        while self._pending and self._pending[0].media_sequence < oldest:
            self._pending.popleft()
            count += 1
        self._splice = self._splice or bool(count)
        return count

    def _readdress(self, playlist: MediaPlaylist) -> None:
        """Give what is pending the newest addresses: tokens change."""
        first = playlist.media_sequence
        self._pending = deque(
            playlist.segments[segment.media_sequence - first]
            if first <= segment.media_sequence < playlist.end
            else segment
            for segment in self._pending
        )

    def _restarted(self, playlist: MediaPlaylist) -> bool:
        """Whether numbers went back because the origin started again, as far as one can tell."""
        assert self._next is not None
        time = playlist.segments[-1].time
        if time is not None and self._last_time is not None:
            return time > self._last_time
        # A server of the pool may be one window behind; nobody would run one that is two behind.
        return self._next - playlist.end > 2 * max(self._window, len(playlist.segments))

    def _forgive_lateness(self, asked_at: float) -> None:
        """Do not count the time in which nobody asked as silence of the origin."""
        if self.reload_at:
            self._last_new += max(asked_at - self.reload_at, 0.0)


def start_index(playlist: MediaPlaylist) -> int:
    """Where to start: as EXT-X-START says, a film at its first segment, else LIVE_EDGE."""
    segments = playlist.segments
    if playlist.start_offset is not None:
        return _index_at(segments, playlist.start_offset)
    if playlist.ended:
        return 0
    left = LIVE_EDGE * playlist.target_duration
    for index in range(len(segments) - 1, -1, -1):
        left -= segments[index].duration
        if left <= 0:
            return index
    return 0


def _index_at(segments: Sequence[MediaSegment], offset: float) -> int:
    """The segment that contains an offset (RFC 8216, 4.3.5.2); beyond the ends: the last there."""
    if offset < 0:
        offset += sum(segment.duration for segment in segments)
    for index, segment in enumerate(segments):
        offset -= segment.duration
        if offset < 0:
            return index
    return max(len(segments) - 1, 0)
