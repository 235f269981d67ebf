"""One channel being played: one upstream, held by many leases.

The hub's greenlet owns the upstream; others only read its buffer, each at its own place. It never
waits for them: a reader that is too slow finds its place gone and is moved on. Greenlets do not
preempt each other, so what does not switch needs no lock.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from enum import StrEnum
from itertools import count
from time import monotonic, thread_time, time

import gevent
from gevent import GreenletExit
from gevent.greenlet import Greenlet
from gevent.hub import get_hub

from kptv.channels.failover import Candidate, Failover
from kptv.channels.model import Channel, Stream
from kptv.errors import Reason, Unavailable, UpstreamError
from kptv.metrics.counters import SLOT_LOST, STOPPED, SWITCHED, ChannelCounters
from kptv.ports import FileBody, OpenStream, Piece
from kptv.restream.attempts import Attempt, next_attempt
from kptv.restream.audience import Audience
from kptv.restream.chronicle import Chronicle
from kptv.restream.feed import Feed
from kptv.restream.film import FoundFilm
from kptv.restream.journal import Event, EventKind
from kptv.restream.lease import Lease
from kptv.restream.output import Output
from kptv.restream.portions import Portions
from kptv.restream.scout import Lookout
from kptv.restream.slots import Slot, Slots
from kptv.vitals.meter import Meter

log = logging.getLogger(__name__)

FindFilm = Callable[[FileBody, Slot], FoundFilm]

# Seconds of media gathered before it is published: a send costs the same for 1 KB as for 50 KB.
# Few viewers can have it sooner.
SMALL_AUDIENCE, SMALL_TICK, LARGE_TICK = 50, 0.015, 0.04
PUBLISH_AT = 256 * 1024  # bytes that are published without gathering more
BURST_TICK = 0.001  # then: long enough for others to run, 256 MB/s
SUSPECT_AFTER = 2.0  # seconds of silence, after which the next candidate is opened beside
LATE = 1.0  # seconds beyond the longest known pause: until then it is one more of them
# Seconds of bytes without a programme in them, after which a stream is no stream: the splicer
# itself waits 10 for a keyframe.
PROGRAMME_WAIT = 12.0

# Seconds beyond that in which a hub looks after itself; then housekeeping ends the upstream.
GRACE = 3.0
# Seconds without a byte of an upstream that played. Its reader knows sooner; HLS may pause longest.
LONGEST_SILENCE = 180.0

_STOPPED = Unavailable("the channel was stopped", 1.0)
_numbers = count(1)


class State(StrEnum):
    """What a hub does."""

    STARTING = "starting"  # no media yet
    PLAYING = "playing"
    RECOVERING = "recovering"  # media came, its upstream failed, no other has started yet
    ENDED = "ended"


class _Switch(Exception):
    """Thrown into a hub's greenlet: go on with another source."""


class _SlotLost(Exception):
    """Thrown into a hub's greenlet: its connection is not allowed any more, through no fault."""


class Hub:
    """A channel being played. Runs from ``start`` until it is closed or gives up."""

    def __init__(
        self,
        channel: Channel,
        failover: Failover,
        slots: Slots,
        open_stream: OpenStream[Stream],
        output_of: Callable[[Callable[[], None]], Output],
        counters: ChannelCounters,
        found_film: FindFilm,
        on_event: Callable[[Event], object],
        on_idle: Callable[[Hub], None],
        on_end: Callable[[Hub], None],
    ) -> None:
        self.channel = channel
        self.audience = Audience(channel.slug)
        self.output = output_of(self.audience.wake)
        self.buffer = self.output.buffer
        self.counters = counters
        self.chronicle = Chronicle(channel, counters, on_event)
        self.state = State.STARTING
        self.source_number: int | None = None  # whose slot it holds
        self.viewers = 0  # leases of those who watch
        self.idle_since = monotonic()
        # Why it ended, if not because nobody held it: nothing can be played, or it is no channel.
        self.outcome: Unavailable | FoundFilm | None = None
        self._failover = failover
        self._slots = slots
        self._open_stream = open_stream
        self._found_film = found_film
        self._on_idle = on_idle
        self._on_end = on_end
        self.number = next(_numbers)
        self.begun_at = time()  # Unix, as all that is for people
        self.media_since: float | None = None  # monotonic; of the stream that plays
        self.meter = Meter(monotonic())
        self._lookout = Lookout(
            failover, slots, self._open_feed, self._take_over, self.chronicle.failed
        )
        self._finished = False  # a film was played to its end
        self._errors_seen = 0  # of the upstream that is open, continuity errors
        self._feed: Feed | None = None  # the one that plays
        self._portions = Portions()  # of what it sends
        self._begins_by = 0.0  # monotonic; when it has media, or is given up
        self._interruptible = False  # a stream is open that somebody may switch away from
        self._hanging_up = False
        self._greenlet: Greenlet = Greenlet(self._run)

    def __repr__(self) -> str:
        source = f"source-{self.source_number}" if self.source_number else "none"
        return f"<Hub {self.channel.slug!r} {self.state} source={source} leases={len(self.leases)}>"

    @property
    def leases(self) -> set[Lease]:
        """What keeps it alive."""
        return self.audience.leases

    @property
    def ended(self) -> bool:
        """No more media will come."""
        return self.state is State.ENDED

    def start(self) -> None:
        """Begin to play, in a greenlet of its own."""
        self.chronicle.note(EventKind.OPENED)
        self._greenlet.start()

    def close(self) -> None:
        """Stop playing: the upstream is closed, leases are dropped at once. May come twice."""
        for lease in list(self.leases):
            lease.drop()
        if not self.ended:
            self._end()
            get_hub().loop.run_callback(self._kill)

    def _kill(self) -> None:
        # Hanging up may have to wait for others: once begun it is let finish, or it would leak.
        if not self._hanging_up and not self._greenlet.dead:
            self._greenlet.throw(GreenletExit)

    def update(self, channel: Channel) -> None:
        """Take the candidates of a new import for the next failover."""
        self.channel = channel
        self._failover.replace(channel.streams)

    def candidates(self, now: float) -> tuple[Candidate, ...]:
        """How its streams stand, for people."""
        return self._failover.candidates(now, self._slots.full())

    def switch(self, number: int | None) -> None:
        """Go on with the source of this number, or with the next; viewers stay connected."""
        if number is not None:
            self._failover.prefer(number)
            self._lookout.dismiss(but_of=number)  # it would be taken before what is asked for
        self._interrupt(_Switch())

    def linger(self) -> None:
        """Play on for nobody, until somebody joins or another needs the connection."""
        if self._feed:
            self._feed.slot.mark_idle()

    def _slot_lost(self) -> None:
        if self.leases:
            self._interrupt(_SlotLost())
        else:
            self.close()

    def _interrupt(self, why: _Switch | _SlotLost | UpstreamError) -> None:
        """Leave the stream that plays, at the next turn of the event loop.

        Only from there: nothing switches back to a greenlet that has thrown into another.
        """
        get_hub().loop.run_callback(self._throw, why, self._feed)

    def _throw(self, why: _Switch | _SlotLost | UpstreamError, feed: Feed | None) -> None:
        # Another feed may play by now: of the very source that was asked for.
        if feed is self._feed and self._interruptible and not self.ended:
            self._interruptible = False
            self._greenlet.throw(why)

    def measure(self, now: float) -> None:
        """Put the figures that are read, not counted, where metrics find them."""
        counters = self.counters
        self.meter.sample(now, counters.bytes_received, self.buffer.end)
        counters.bit_rate = self.meter.bit_rate()
        counters.buffer_bytes = self.buffer.size
        counters.source = self.source_number
        self._count_errors()

    def _count_errors(self) -> None:
        errors = self.output.stats.continuity_errors
        if errors < self._errors_seen:  # another upstream, or HLS began anew
            self._errors_seen = 0
        self.counters.continuity_errors += errors - self._errors_seen
        self._errors_seen = errors

    def join(self, lease: Lease) -> None:
        """It lives as long as ``lease`` is held."""
        self.leases.add(lease)
        self._count_viewers(lease.is_viewer)
        if self._feed:
            self._feed.slot.mark_used()

    def leave(self, lease: Lease, now: float) -> None:
        """``lease`` is held no more; may come twice."""
        if lease in self.leases:
            self.leases.remove(lease)
            self._count_viewers(-lease.is_viewer)
            self.idle_since = now
            if not self.leases:
                self._release_if_over()
                self._on_idle(self)

    def _count_viewers(self, more: int) -> None:
        self.viewers += more
        self.counters.clients += more

    def wait_for_media(self, lease: Lease) -> FoundFilm | None:
        """Wait until it plays, and return nothing; else the film that was found instead.

        Raises Unavailable if there will be neither. Failover's deadline (20 s) bounds this.
        """
        while not self.output.playable and not self.ended and not lease.dropped:
            self.audience.wait(lease)
        if not lease.dropped:
            if isinstance(self.outcome, FoundFilm):
                return self.outcome
            if self.output.playable:
                return None
        why = self.outcome if isinstance(self.outcome, Unavailable) else _STOPPED
        raise Unavailable(str(why), why.retry_after)  # anew: each raise adds its frames

    def _run(self) -> None:
        try:
            while not self.ended:
                self._play(self._next_feed())
                if not self.leases:
                    self._end()  # it lingered: another stream would be opened for nobody
        except Unavailable as unavailable:
            self.outcome = unavailable
            self.chronicle.gave_up(unavailable)
        except Exception:
            log.exception("%s: hub failed", self.channel.slug)
            self.counters.errors[Reason.INTERNAL] += 1
            self.outcome = Unavailable("internal error", 5.0)
        finally:
            self._end()

    def _next_feed(self) -> Feed:
        """The stream to play next: one that was opened early, or what failover says."""
        if feed := self._lookout.take():
            return feed
        return self._open_feed(next_attempt(self._failover, self._slots))

    def _open_feed(self, attempt: Attempt) -> Feed:
        return Feed(attempt, self._open_stream, self.counters)

    def _play(self, feed: Feed) -> None:
        """Play one stream until it ends, and tell failover how that was."""
        source = feed.stream.source
        self._feed = feed
        self._begins_by = monotonic() + feed.timeout + PROGRAMME_WAIT + GRACE
        self.source_number = source.number
        self._failover.opened(feed.stream, feed.opened_at)
        feed.slot.on_lost(self._slot_lost)
        outcome = STOPPED
        try:
            self._interruptible = True
            try:
                feed.start()
                film = feed.take_film()
                if film is None:
                    self._copy(feed)
            finally:
                self._interruptible = False
            if film is not None:
                outcome = ""  # it goes on
                self._hand_over(film, feed.keep_slot())
            elif self._finished:
                log.info("%s: played to its end", self.channel.slug)
                self._end()
        except _Switch:
            outcome = SWITCHED
            self._switched(feed.stream)
        except _SlotLost:
            outcome = SLOT_LOST
            self._failover.lost(monotonic())
            self._lost_slot(feed.stream)
        except UpstreamError as error:
            outcome = error.reason
            self._failed(error, feed)
        except Exception:
            log.exception("%s: %s failed in this proxy", self.channel.slug, source.tag)
            outcome = Reason.INTERNAL
            self._failed(UpstreamError(Reason.INTERNAL), feed)
        finally:
            self._feed = None
            self.source_number = None
            self.media_since = None
            self._failover.stopped(monotonic())
            self._hanging_up = True
            feed.close(outcome)
            self._hanging_up = False

    def _hand_over(self, film: FileBody, slot: Slot) -> None:
        self.outcome = self._found_film(film, slot)
        self._end()
        self._release_if_over()  # it may have been closed just now

    def _copy(self, feed: Feed) -> None:
        """Splice what comes into the programme, until a recording ends or an exception ends it."""
        sought = monotonic()  # since then there is no programme
        self._begins_by = sought + PROGRAMME_WAIT + GRACE
        self.output.open(feed.stream, sought)
        self._errors_seen = 0
        try:
            for piece in feed:
                now = monotonic()
                if self.ended:
                    return  # closed just now, and killed when this greenlet switches
                if piece.seam is not None and self.output.cross(piece.seam, now):
                    sought = now
                if self._splice(piece, now):
                    self._started(feed.stream)
                if self.output.sending:  # what breaks in mid-stream is sought from there on
                    sought = now
                self._begins_by = sought + PROGRAMME_WAIT + GRACE
                self._check(now, sought)
                gevent.sleep(self._tick(len(piece.data)))
            self._finished = True
        finally:
            self._count_errors()
            self.output.close(monotonic(), clean=self._finished)

    def _splice(self, piece: Piece, now: float) -> bool:
        """Packets of the upstream, with turns for others; True once, with its first media."""
        begins = False
        left: Piece | None = piece
        while left is not None and not self.ended:
            portion, left = left.split(self._portions.size)
            before = thread_time()
            begins = self.output.feed(portion, now) or begins
            if self._portions.took(thread_time() - before) and left is not None:
                gevent.sleep(BURST_TICK)
        return begins

    def look_ahead(self, now: float) -> None:
        """Called twice a second: while the stream is silent, open the next one beside it.

        Hang that up when the stream speaks again, which it does not by what it flushes at its end.
        """
        if self.state is not State.PLAYING or not self._interruptible:
            return  # it is being left: what it still flushes says nothing
        silence = now - self.output.media_at
        if silence >= max(SUSPECT_AFTER, self.output.expected_pause(now) + LATE):
            self._lookout.look(now)
            if self._lookout.found:
                self._take_over()
        elif self.output.alive_at == self.output.media_at:
            self._lookout.dismiss()

    def bound(self, now: float) -> None:
        """Called twice a second: end an upstream that neither begins nor fails, whatever it does.

        Each reader has deadlines of its own; this is for what none of them has thought of.
        """
        if self.output.sending:
            if now - self.output.media_at <= LONGEST_SILENCE:
                return
            error = UpstreamError(Reason.STALLED, f"silent for {LONGEST_SILENCE:.0f} s")
        elif now <= self._begins_by:
            return
        else:
            error = UpstreamError(Reason.NO_MEDIA, "nothing that can be played, and no failure")
        self._interrupt(error)

    def _take_over(self) -> None:
        """What was opened beside has media: leave the silent stream for it, if it still is."""
        now = monotonic()
        silence = now - self.output.media_at
        if silence >= max(SUSPECT_AFTER, self.output.expected_pause(now)):
            self._interrupt(UpstreamError(Reason.STALLED, f"silent for {silence:.1f} s"))

    def _check(self, now: float, sought: float) -> None:
        """Raises UpstreamError where what comes is of no use."""
        if trouble := self.output.trouble(now):
            raise UpstreamError(Reason(trouble))
        if not self.output.sending and now - sought > PROGRAMME_WAIT:
            raise UpstreamError(Reason.NO_MEDIA, "no programme that can be played")

    def _tick(self, size: int) -> float:
        """Seconds to gather before the next read, after one of ``size`` bytes."""
        if size >= PUBLISH_AT:
            return BURST_TICK
        return SMALL_TICK if len(self.leases) < SMALL_AUDIENCE else LARGE_TICK

    def _started(self, stream: Stream) -> None:
        now = monotonic()
        self._failover.started(now)
        self.media_since = now
        self.chronicle.started(stream, now)
        self.state = State.PLAYING

    def _failed(self, error: UpstreamError, feed: Feed) -> None:
        stream, slot = feed.stream, feed.slot
        alive_at, busy = self.output.alive_at, slot.others > 0
        outcome = self._failover.failed(error, monotonic(), alive_at, busy)
        self.chronicle.lost(stream, error, alive_at)
        self.chronicle.failed(error, stream, outcome)
        self._recover()

    def _switched(self, stream: Stream) -> None:
        self.chronicle.switched(stream, self.output.media_at)
        self._recover()

    def _lost_slot(self, stream: Stream) -> None:
        self.chronicle.slot_lost(stream, self.output.media_at)
        self._recover()

    def _recover(self) -> None:
        if self.state is State.PLAYING:
            self.state = State.RECOVERING

    def _end(self) -> None:
        if self.ended:
            return
        self.state = State.ENDED
        self._lookout.dismiss()
        self.chronicle.note(EventKind.CLOSED)
        self.audience.wake()
        self._release_if_over()
        self._on_end(self)

    def _release_if_over(self) -> None:
        """What was read is kept until no lease is held."""
        if self.ended and not self.leases:
            self.buffer.close()
            if isinstance(self.outcome, FoundFilm):
                self.outcome.close()
