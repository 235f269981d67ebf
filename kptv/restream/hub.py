"""One channel being played: one upstream, held by many leases.

The hub's greenlet owns the upstream. Others only read its buffer, each at its own place, and the
hub never waits for them: a reader that is too slow finds its place gone and is moved on. Greenlets
do not preempt each other, so what does not switch needs no lock.

What may be thrown into a hub's greenlet. All of it is thrown from the event loop (Interruptible),
and the first three only while the greenlet plays a stream:

    _Switch         by ``switch``: somebody wants another source
    SlotLost        by the slots: the connection is not allowed any more
    UpstreamError   by the lookout (another stream has media, this one is silent), by ``bound``
                    (it neither plays nor fails) and by the timer of ``Feed.start``
    GreenletExit    by ``close``, anywhere but while a feed is being closed: a close may wait for
                    others, and what is broken off there would leak

Who may call what. ``wait_for_media`` waits, in the greenlet of whoever holds the lease.
``look_ahead`` may wait for a slot: the housekeeping alone calls it. ``_run`` and what it calls are
the hub's own. All other methods may be called from any greenlet and from the event loop; they never
switch.
"""

from __future__ import annotations

import logging
from enum import StrEnum
from itertools import count
from time import monotonic, thread_time, time
from typing import Protocol

import gevent

from kptv.channels.failover import Candidate
from kptv.channels.model import Channel, Stream
from kptv.errors import Reason, Unavailable, UpstreamError
from kptv.metrics.counters import SLOT_LOST, STOPPED, SWITCHED
from kptv.ports import FilmBody, Piece
from kptv.restream.audience import Audience
from kptv.restream.bounds import Bounds
from kptv.restream.buffer import ChunkBuffer
from kptv.restream.chronicle import Chronicle
from kptv.restream.feed import Feed
from kptv.restream.film import FoundFilm
from kptv.restream.gathering import BURST_TICK, tick
from kptv.restream.gauges import Gauges
from kptv.restream.interruptible import Interruptible
from kptv.restream.journal import EventKind
from kptv.restream.lease import Lease
from kptv.restream.output import Output
from kptv.restream.portions import Portions
from kptv.restream.scout import Lookout, Standby
from kptv.restream.slots import Slot, SlotLost
from kptv.restream.supply import Supply

log = logging.getLogger(__name__)

_NOBODY = "nobody watches any more"
_STOPPED = Unavailable("the channel was stopped", 1.0)
_numbers = count(1)


class State(StrEnum):
    """What a hub does."""

    STARTING = "starting"  # no media yet
    PLAYING = "playing"
    RECOVERING = "recovering"  # media came, its upstream failed, no other has started yet
    ENDED = "ended"


class _Switch(Exception):
    """Go on with another source."""


class Keeper(Protocol):
    """The keeper of all hubs, to whom each hub tells its fate."""

    @property
    def busy(self) -> bool:
        """The event loop has much to do, so that larger chunks are worth their latency."""
        ...

    def film_found(self, hub: Hub, body: FilmBody, slot: Slot) -> FoundFilm:
        """The hub's channel is a film: ``body`` is the answer, whose connection holds ``slot``."""
        ...

    def idle(self, hub: Hub) -> None:
        """The hub has lost its last lease."""
        ...

    def ended(self, hub: Hub) -> None:
        """The hub plays no more; called once."""
        ...


class Hub:
    """A channel being played. Runs from ``start`` until it is closed or gives up."""

    def __init__(
        self,
        channel: Channel,
        audience: Audience,
        output: Output,
        supply: Supply,
        chronicle: Chronicle,
        keeper: Keeper,
    ) -> None:
        """``output`` wakes ``audience``."""
        self.number = next(_numbers)
        self.begun_at = time()  # Unix, as all that is for people
        self.channel = channel
        self.audience = audience
        self.output = output
        self.chronicle = chronicle
        self.counters = chronicle.counters
        self.gauges = Gauges(output, self.counters, monotonic())
        self.state = State.STARTING
        self.was_stopped = False  # by an operator
        # Why it ended: nothing can be played, or the channel is a film. None: it was closed.
        self.outcome: Unavailable | FoundFilm | None = None
        self._supply = supply
        self._failover = supply.failover
        self._keeper = keeper
        self._greenlet = Interruptible(self._run)
        self._lookout = Lookout(supply, output, self._greenlet.leave, chronicle)
        self._portions = Portions()
        self._feed: Feed | None = None  # the one that plays
        self._bounds: Bounds | None = None  # of that one

    def __repr__(self) -> str:
        source = self._feed.stream.source.tag if self._feed else "none"
        return f"<Hub {self.channel.slug!r} {self.state} source={source} leases={len(self.leases)}>"

    @property
    def leases(self) -> set[Lease]:
        """Those that are held."""
        return self.audience.leases

    @property
    def buffer(self) -> ChunkBuffer:
        """Its readers' media."""
        return self.output.buffer

    @property
    def source_number(self) -> int | None:
        """The number of the source that plays, or is being opened."""
        return self._feed.stream.source.number if self._feed else None

    @property
    def standby(self) -> Standby | None:
        """What was opened beside, if anything was."""
        return self._lookout.standby

    @property
    def ended(self) -> bool:
        """No more media will come."""
        return self.state is State.ENDED

    @property
    def gives_way(self) -> bool:
        """Whether nobody holds it who would miss it."""
        return all(lease.gives_way() for lease in self.leases)

    # --- its life and its leases ---

    def start(self) -> None:
        """Begin to play, in a greenlet of its own."""
        self.chronicle.note(EventKind.OPENED)
        self._greenlet.start()

    def join(self, lease: Lease) -> None:
        """It lives as long as ``lease`` is held."""
        self.audience.join(lease)
        if self._feed:
            self._feed.slot.mark_used()

    def leave(self, lease: Lease, now: float) -> None:
        """``lease`` is held no more; may come twice."""
        if self.audience.leave(lease, now):
            self._release_if_over()
            self._keeper.idle(self)

    def linger(self) -> None:
        """Play on for nobody, until somebody joins or another needs the connection."""
        self._lookout.dismiss()
        if self._feed:
            self._feed.slot.mark_idle()

    def heed(self) -> None:
        """Look whether its leases give way: its connection is then for whoever waits for it."""
        if self._feed and self.leases:
            if self.gives_way:
                self._feed.slot.mark_idle()
            else:
                self._feed.slot.mark_used()

    def close(self) -> None:
        """Stop playing: the upstream is closed, leases are dropped at once. May come twice."""
        why = "" if self.leases else _NOBODY
        for lease in list(self.leases):
            lease.drop()
        if not self.ended:
            self._end(why)
            self._greenlet.kill()

    def wait_for_media(self, lease: Lease) -> FoundFilm | None:
        """Wait until it plays; if its channel turns out to be a film, return that instead.

        Raises Unavailable if there is neither. Failover's deadline (20 s) bounds this.
        """
        while not self.output.playable and not self.ended and not lease.dropped:
            self.audience.wait(lease)
        if not lease.dropped:
            if isinstance(self.outcome, FoundFilm):
                return self.outcome
            if self.output.playable:
                return None
        why = self.outcome if isinstance(self.outcome, Unavailable) else _STOPPED
        raise type(why)(str(why), why.retry_after)  # anew: each raise adds its frames

    # --- for operators and imports ---

    def update(self, channel: Channel) -> None:
        """Take the candidates of a new import for the next failover."""
        self.channel = channel
        self._failover.replace(channel.streams)
        self._lookout.keep_to(channel.streams)

    def candidates(self, now: float) -> tuple[Candidate, ...]:
        """The standing of its streams, for people."""
        return self._supply.candidates(now)

    def stop(self) -> None:
        """End it and its viewers, as the operator wants it."""
        self.was_stopped = True
        self.chronicle.note(EventKind.STOPPED)
        self.close()

    def switch(self, number: int | None) -> None:
        """Go on with the source of this number, or with the next; viewers stay connected."""
        if number is not None:
            self._failover.prefer(number)
            self._lookout.dismiss(but_of=number)  # else another source's would be taken first
        self._greenlet.leave(_Switch())

    # --- for the housekeeping, twice a second ---

    def look_ahead(self, now: float) -> None:
        """Open the next stream beside one that is silent for too long."""
        # A stream that is being left is not watched: its last bytes are no sign of life.
        if self._feed and self.state is State.PLAYING and self._greenlet.at_work:
            self._lookout.watch(self._feed, now)

    def bound(self, now: float) -> None:
        """End an upstream that neither begins nor fails, whatever it does."""
        if self._bounds and (error := self._bounds.exceeded(now)):
            self._greenlet.leave(error)

    # --- the loop ---

    def _run(self) -> None:
        try:
            while not self.ended:
                self._play(self._lookout.take() or self._supply.next())
                if not self.leases:
                    self._end(_NOBODY)  # it lingered: another stream would be for nobody
        except Unavailable as unavailable:
            self.outcome = unavailable
            self.chronicle.gave_up(unavailable)
        except Exception:
            log.exception("%s: hub failed", self.channel.slug)
            self.counters.errors[Reason.INTERNAL] += 1
            self.outcome = Unavailable("internal error", 5.0)
        finally:
            self._end()

    def _play(self, feed: Feed) -> None:
        """Play one stream until it ends, and tell failover how that was."""
        self._feed = feed
        bounds = self._bounds = Bounds(self.output, monotonic(), feed.timeout)
        self._failover.opened(feed.stream, feed.opened_at)
        outcome = STOPPED
        try:
            with self._greenlet.work():
                feed.slot.on_lost(self._slot_lost)
                feed.start()
                film = feed.take_film()
                over = film is None and self._copy(feed, bounds)
            if film is not None:
                outcome = ""  # it goes on
                self._hand_over(film, feed.keep_slot())
            elif over:
                self._end("played to its end")
        except _Switch:
            outcome = SWITCHED
            self._switched(feed.stream)
        except SlotLost:
            outcome = SLOT_LOST
            self._lost_slot(feed.stream)
        except UpstreamError as error:
            outcome = error.reason
            self._failed(error, feed)
        except Exception:
            log.exception("%s: %s failed in this proxy", self.channel.slug, feed.stream.source.tag)
            outcome = Reason.INTERNAL
            self._failed(UpstreamError(Reason.INTERNAL), feed)
        finally:
            self._feed = self._bounds = None
            self._failover.stopped(monotonic())
            with self._greenlet.sealed():
                feed.close(outcome)

    def _hand_over(self, film: FilmBody, slot: Slot) -> None:
        self.outcome = self._keeper.film_found(self, film, slot)
        self._end("it is a film")
        self._release_if_over()  # it may have been closed just now

    def _copy(self, feed: Feed, bounds: Bounds) -> bool:
        """Splice the feed into the programme; True at the end of a recording.

        A live stream has no good ending: it ends by an exception.
        """
        output, now, over = self.output, monotonic(), False
        bounds.seek(now)
        output.open(feed.stream, now, feed.sets)
        self.gauges.begin()
        try:
            for piece in feed:
                now = monotonic()
                if self.ended:
                    return False  # closed just now, and killed when this greenlet switches
                if piece.seam is not None and output.cross(piece.seam, now):
                    bounds.seek(now)
                if self._splice(piece, now):
                    self._started(feed.stream)
                bounds.check(now)
                busy, starting = self._keeper.busy, output.starting
                live = self.audience.live
                gevent.sleep(tick(len(piece.data), live, busy=busy, starting=starting))
            over = True
        finally:
            self.gauges.count_errors()
            output.close(monotonic(), clean=over)
        return over

    def _splice(self, piece: Piece, now: float) -> bool:
        """Splice a piece, with turns for others; True once, with the stream's first media."""
        begins = False
        left: Piece | None = piece
        while left is not None and not self.ended:
            portion, left = left.split(self._portions.size)
            before = thread_time()
            begins = self.output.feed(portion, now) or begins
            if self._portions.took(thread_time() - before) and left is not None:
                gevent.sleep(BURST_TICK)
        return begins

    def _started(self, stream: Stream) -> None:
        now = monotonic()
        self._failover.started(now)
        self.chronicle.started(stream, now)
        self.state = State.PLAYING

    # --- how a stream ends, and the hub ---

    def _failed(self, error: UpstreamError, feed: Feed) -> None:
        now, alive_at, busy = monotonic(), self.output.alive_at, feed.slot.others > 0
        self._lookout.died(feed, now)
        verdict = self._failover.failed(error, now, alive_at, busy)
        self.chronicle.lost(error, feed.stream, verdict, now, alive_at)
        self._recover()

    def _switched(self, stream: Stream) -> None:
        self.chronicle.switched(stream, monotonic(), self.output.media_at)
        self._recover()

    def _slot_lost(self) -> None:
        """Called by the slot, at any time."""
        if self.gives_way:
            self.close()
        else:
            self._greenlet.leave(SlotLost())

    def _lost_slot(self, stream: Stream) -> None:
        now = monotonic()
        self._failover.lost(now)
        self.chronicle.slot_lost(stream, now, self.output.media_at)
        self._recover()

    def _recover(self) -> None:
        if self.state is State.PLAYING:
            self.state = State.RECOVERING

    def _end(self, why: str = "") -> None:
        """Play no more; ``why``, if nothing else has told it."""
        if self.ended:
            return
        self.state = State.ENDED
        self._lookout.dismiss()
        self.chronicle.closed(why)
        self.audience.end()
        self._release_if_over()
        self._keeper.ended(self)

    def _release_if_over(self) -> None:
        """Give the memory back if nobody holds the hub any more; until then all may be read."""
        if self.ended and not self.leases:
            self.buffer.close()
            if isinstance(self.outcome, FoundFilm):
                self.outcome.close()
