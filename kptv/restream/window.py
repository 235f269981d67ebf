"""The last segments of a channel: one window for all who follow it by HLS.

A window has a greenlet of its own, which holds the channel's hub by a lease and cuts whatever
comes. It begins when somebody asks for the playlist, and is over some time after the last request.
Nothing is copied: a segment refers to chunks of the hub's buffer, and keeps them when that lets go.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from time import time

import gevent

from kptv.channels.model import Channel
from kptv.errors import Unavailable
from kptv.formats.hls.codec_names import remarks_on
from kptv.metrics.hls_figures import HlsFigures
from kptv.pace import Pace
from kptv.restream.asking import Asking, Departed
from kptv.restream.buffer import Budget, ChunkBuffer
from kptv.restream.film import Film
from kptv.restream.held import Held
from kptv.restream.hub import Hub
from kptv.restream.lease import Lease, LeaseKind
from kptv.restream.playing import Playing
from kptv.restream.window_playlist import (
    FEWEST,
    NumberedSegment,
    Past,
    PlaylistText,
    Rates,
    WindowPlaylist,
)
from kptv.splice.segments import Cutter

log = logging.getLogger(__name__)

QUIET = 10.0  # seconds without a request after which nobody follows; or QUIET_TARGETS
QUIET_TARGETS = 3.0  # target durations
WAITED_FOR = 1.5  # target durations without a request after which it gives way to others
FIRST_SEGMENT = 45.0  # seconds within which a channel starts, and has a segment
ENDS_WITHIN = 5.0  # seconds, once nothing more comes
_NO_MEMORY = Unavailable("its segments need more memory than MAX_BUFFER_SIZE allows", 30.0)
_STAYS: Departed = lambda: False  # noqa: E731


@dataclass(frozen=True, slots=True)
class Common:
    """What all windows have in common."""

    target: float  # seconds that a segment should last
    budget: Budget
    start: Callable[[Channel, Lease], Playing | Film]  # raises Unavailable
    key_of: Callable[[str, float], str] = lambda slug, now: ""
    """What stands in the paths of segments, for a channel's slug and a Unix time."""
    figures: HlsFigures = field(default_factory=HlsFigures)
    is_elsewhere: bool = False  # other instances have windows of the same channels


class Window:
    """Cuts a channel into segments, from its making until nobody asks any more or it is over."""

    def __init__(
        self, channel: Channel, common: Common, past: Past, on_end: Callable[[Window], object]
    ) -> None:
        """``on_end`` is called once, and must neither wait nor raise."""
        self.channel = channel
        self.followers: set[Lease] = set()  # those who count as viewers
        self.is_film = False  # the channel turned out to be one
        self.failure: Unavailable | None = None  # why there is nothing, or nothing more
        self.was_stopped = False  # by the operator
        self._common = common
        self._on_end = on_end
        self._asking = Asking()
        self._cutter = Cutter(common.target, target_duration=past.target_duration)
        self._playlist = WindowPlaylist(channel.slug, past, common.key_of)
        self._held = Held(common.budget, self._drop_oldest)
        self._playing: Playing | None = None
        self._is_over = False
        self._lease = Lease(
            LeaseKind.WINDOW, departed=self._is_left, gives_way=lambda: self.gives_way
        )
        self._greenlet = gevent.spawn(self._run)
        self._greenlet.rawlink(lambda _: self._end())  # also if it was closed before it began

    def __repr__(self) -> str:
        return f"<Window {self.channel.slug!r} {self._playlist!r} over={self._is_over}>"

    @property
    def hub(self) -> Hub | None:
        """The one that plays; None: not yet, or no more."""
        return self._playing.hub if self._playing else None

    @property
    def has_begun(self) -> bool:
        """Whether there is a segment."""
        return len(self._playlist) > 0

    @property
    def is_over(self) -> bool:
        """No more segments will come, and those that were are gone."""
        return self._is_over

    @property
    def is_ending(self) -> bool:
        """Nothing more comes, though it may not be over yet."""
        return self._is_over or (self._playing is not None and self._playing.over)

    @property
    def target_duration(self) -> int:
        """Seconds, as the playlist says; it only rises."""
        return self._cutter.target_duration

    @property
    def quiet_after(self) -> float:
        """Seconds without a request after which nobody follows."""
        return max(QUIET, QUIET_TARGETS * self.target_duration)

    @property
    def size(self) -> int:
        """Bytes that it keeps beyond the buffer of its hub."""
        return self._held.size

    @property
    def rates(self) -> Rates:
        """Those of the segments that there are."""
        return self._playlist.rates(self.target_duration)

    @property
    def gives_way(self) -> bool:
        """Whether it would rather end than keep a slot that somebody waits for."""
        return self._is_quiet or not (self.followers or self._asking.is_waited_for)

    # --- for requests ---

    def touch(self) -> None:
        """Something of it is asked for."""
        self._asking.touch()

    def ask(self) -> None:
        """Its playlist is asked for; whoever asks may have been at another instance meanwhile."""
        if self._common.is_elsewhere and self._is_quiet:
            self._playlist.renumber(self._asking.quiet, time())
        self.touch()

    def listing(self) -> PlaylistText | None:
        """The playlist as it is now; None: there is no segment."""
        if not self.has_begun:
            return None
        return self._playlist.listing(self.target_duration, self._remarks)

    def segment(self, number: int) -> NumberedSegment | None:
        """The segment with this number; None: it is gone, or still to come."""
        return self._playlist.find(number)

    def wait_for(self, number: int, seconds: float, departed: Departed = _STAYS) -> None:
        """Wait until there is a segment with this number or a later one, at most so long.

        ``departed`` tells, without waiting, whether whoever asks has left: that ends it, too.
        """
        self._wait(lambda: self._last >= number, seconds, departed)

    def wait_to_begin(self, departed: Departed = _STAYS) -> None:
        """Wait until there is a segment, or it is over, or FIRST_SEGMENT is; likewise."""
        self._wait(lambda: self.has_begun, FIRST_SEGMENT, departed)

    def wait_to_end(self) -> None:
        """Wait until it is over, as it ``is_ending``, or ENDS_WITHIN is."""
        self._wait(lambda: False, ENDS_WITHIN, _STAYS)

    # --- for whoever keeps the windows ---

    def follow(self, lease: Lease) -> None:
        """Somebody watches; may come twice."""
        self.followers.add(lease)
        if self.hub:
            self.hub.audience.follow(lease)
            self.hub.heed()

    def unfollow(self, lease: Lease) -> None:
        """Nobody watches by this lease any more; may come twice."""
        self.followers.discard(lease)
        if self.hub:
            self.hub.audience.unfollow(lease)
        self._asking.tell()  # a request of it may wait

    def heed(self) -> None:
        """Give way, if nobody would miss it."""
        if not self.gives_way:
            return
        if self.hub:
            self.hub.heed()
        else:  # it waits for a slot itself, perhaps, before those who want it more
            self.close()

    def past(self) -> Past:
        """Where the next window of the channel goes on."""
        return self._playlist.past(self.target_duration)

    def close(self) -> None:
        """End it; may come twice."""
        self._greenlet.kill(block=False)

    # --- its life ---

    def _run(self) -> None:
        try:
            played = self._common.start(self.channel, self._lease)
            with closing(played):
                if isinstance(played, Playing):
                    self._follow(played)
                else:
                    self.is_film = True
        except Unavailable as why:
            self.failure = why
        except Exception:
            log.exception("%s: the window failed", self.channel.slug)
            self.failure = Unavailable("internal error", 5.0)

    def _follow(self, playing: Playing) -> None:
        """Cut all that plays."""
        hub = playing.hub
        self._playing = playing
        try:
            for lease in self.followers:
                hub.audience.follow(lease)
            place = hub.buffer.first
            while not playing.over:
                place = self._catch_up(hub.buffer, place)
                playing.wait()
        finally:
            self._playing = None
            for lease in self.followers:  # another window may have the same hub
                hub.audience.unfollow(lease)
        if isinstance(hub.outcome, Unavailable):
            self.failure = hub.outcome
        self.was_stopped = hub.was_stopped

    def _catch_up(self, buffer: ChunkBuffer, place: int) -> int:
        """Cut what came; the number of the chunk that comes next."""
        pace = Pace()
        if place < buffer.first:
            self._cutter.skip()
            place = buffer.first
        cut = []
        while True:
            if buffer.is_parted(place):
                cut += self._cutter.end()
            if not buffer.first <= place < buffer.end:
                break
            chunk = buffer.get(place)
            self._held.add(place, len(chunk.data))
            cut += self._cutter.feed(place, chunk)
            place += 1
            pace()
        self._held.follow(buffer.first)
        if cut:
            self._common.figures.segments += len(cut)
            self._playlist.add(cut, time())
            self._asking.tell()
        self._let_go(place)
        self._common.budget.trim()
        return place

    def _remarks(self) -> tuple[str, ...]:
        """What some players cannot have of what plays."""
        output = self.hub.output if self.hub else None
        return remarks_on(output.stats.codecs) if output and output.sending else ()

    def _let_go(self, place: int) -> None:
        """Count only the chunks from here on that a segment refers to, or one to come."""
        firsts = (self._playlist.first_chunk, self._cutter.first, place)
        self._held.let_go(next(first for first in firsts if first is not None))

    def _drop_oldest(self) -> bool:
        """Give memory back. What has most of it all ends before others have nothing left."""
        has_most = self._held.size > self._common.budget.limit // 2
        if not self._playlist.drop_oldest(1 if has_most else FEWEST):
            if has_most and self.failure is None:
                log.warning("%s: the window ends: %s", self.channel.slug, _NO_MEMORY)
                self.failure = _NO_MEMORY
                self.close()
            return False
        first = self._playlist.first_chunk
        if first is not None:
            self._held.let_go(first)
        return True

    def _end(self) -> None:
        self._is_over = True
        self._lease.end()
        self._on_end(self)
        self._playlist.clear()
        self._held.close()
        self._asking.tell()

    @property
    def _last(self) -> int:
        """Number of the newest segment; -1: there is none."""
        listing = self.listing()
        return -1 if listing is None else listing.last

    @property
    def _is_quiet(self) -> bool:
        """Whether nobody has asked for longer than players do who watch."""
        quiet = self._asking.quiet > WAITED_FOR * self.target_duration
        return quiet and not self._asking.is_waited_for

    def _is_left(self) -> bool:
        return not self._asking.is_waited_for and self._asking.quiet > self.quiet_after

    def _wait(self, is_there: Callable[[], bool], seconds: float, departed: Departed) -> None:
        self._asking.wait(lambda: is_there() or self._is_over, seconds, departed)
