"""One channel being played: one upstream, many subscribers.

The hub's greenlet owns the upstream; subscribers only read its buffer, each at its own place. It
never waits for them: who is too slow finds its place gone and is moved on. Greenlets do not
preempt each other, so whatever does not switch needs no lock.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from itertools import count
from time import monotonic, time
from typing import Any

import gevent
from gevent import GreenletExit
from gevent.greenlet import Greenlet
from gevent.hub import get_hub

from kptv.channels.failover import Candidate, Failover
from kptv.channels.model import Channel, Stream
from kptv.errors import FileBody, IsFile, Reason, Unavailable, UpstreamError
from kptv.metrics import STOPPED, SWITCHED, ChannelCounters
from kptv.restream.attempts import Attempt, next_attempt
from kptv.restream.feed import Feed, OpenStream, Scout
from kptv.restream.files import OpenFile
from kptv.restream.journal import REMEMBERED_OF_HUB, Event, Kind
from kptv.restream.limits import ConnectionLimits, Slot
from kptv.restream.meter import Meter
from kptv.restream.output import Output
from kptv.restream.subscriber import Subscriber

log = logging.getLogger(__name__)

KeepFile = Callable[[FileBody, Slot], OpenFile]

# Seconds of media gathered before it is published: a send costs the same for 1 KB as for 50 KB.
# Few viewers can have it sooner.
SMALL_AUDIENCE, SMALL_TICK, LARGE_TICK = 50, 0.015, 0.045
PUBLISH_AT = 256 * 1024  # bytes that are published without gathering more
BURST_TICK = 0.001  # then: long enough for others to run, 256 MB/s
SUSPECT_AFTER = 2.0  # seconds of silence, after which the next candidate is opened beside
# Seconds of bytes without a programme in them, after which a stream is no stream: the splicer
# itself waits 10 for a keyframe.
PROGRAMME_WAIT = 12.0

_numbers = count(1)


class State(StrEnum):
    """What a hub does."""

    STARTING = "starting"  # no media yet
    PLAYING = "playing"
    RECOVERING = "recovering"  # media came, its upstream failed, no other has started yet
    ENDED = "ended"


class _Switch(Exception):
    """Thrown into a hub's greenlet: go on with another source."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a stream that was open is not any more."""

    stream: Stream
    reason: str
    what: str
    since: float  # monotonic
    silent_since: float  # when media last came


class Hub:
    """A channel being played. Runs from ``start`` until it is closed or gives up."""

    def __init__(
        self,
        channel: Channel,
        failover: Failover,
        limits: ConnectionLimits,
        open_stream: OpenStream,
        output_of: Callable[[Callable[[], None]], Output],
        counters: ChannelCounters,
        join_buffer: float,
        keep_file: KeepFile,
        on_idle: Callable[[Hub], None],
        on_end: Callable[[Hub], None],
    ) -> None:
        self.channel = channel
        self.output = output_of(self.wake)
        self.buffer = self.output.buffer
        self.counters = counters
        self.join_buffer = join_buffer  # seconds of media that a viewer gets at once
        self.state = State.STARTING
        self.source_number: int | None = None  # whose slot it holds
        self.subscribers: set[Subscriber] = set()
        self.idle_since = monotonic()
        self.unavailable: Unavailable | None = None  # why it ended without media
        self.is_file = False  # the stream turned out to be one
        self.file: OpenFile | None = None  # that file, until somebody takes it
        self._failover = failover
        self._limits = limits
        self._open_stream = open_stream
        self._keep_file = keep_file
        self._on_idle = on_idle
        self._on_end = on_end
        self._waiting: list[Subscriber] = []
        self.number = next(_numbers)
        self.begun_at = time()  # Unix, as all that is for people
        self.media_since: float | None = None  # monotonic; of the stream that plays
        self.meter = Meter(monotonic())
        self.history: deque[Event] = deque(maxlen=REMEMBERED_OF_HUB)
        self.on_event: Callable[[Event], object] = lambda event: None
        self._scout: Scout | None = None
        self._finished = False  # a film was played to its end
        self._errors_seen = 0  # of the upstream that is open, continuity errors
        self._interruptible = False  # a stream is open that somebody may switch away from
        self._hanging_up = False
        self._trouble: Trouble | None = None  # of the stream before; for the log
        self._greenlet: Greenlet = Greenlet(self._run)

    def __repr__(self) -> str:
        source = f"source-{self.source_number}" if self.source_number else "none"
        return (
            f"<Hub {self.channel.slug!r} {self.state} source={source}"
            f" subscribers={len(self.subscribers)}>"
        )

    @property
    def ended(self) -> bool:
        """No more media will come."""
        return self.state is State.ENDED

    def start(self) -> None:
        """Begin to play, in a greenlet of its own."""
        self.note(Kind.OPENED)
        self._greenlet.start()

    def close(self) -> None:
        """Stop playing: the upstream is closed, subscribers end at once. May come twice."""
        for subscriber in self.subscribers:
            subscriber.drop()
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
        return self._failover.candidates(now, self._limits.full())

    def switch(self, number: int | None) -> None:
        """Go on with the source of this number, or with the next; viewers stay connected."""
        if number is not None:
            self._failover.prefer(number)
            if self._scout and self._scout.feed.stream.source.number != number:
                self._dismiss_scout()  # it would be taken before what is asked for
        get_hub().loop.run_callback(self._interrupt, _Switch())

    def _interrupt(self, why: _Switch | UpstreamError) -> None:
        if self._interruptible and not self.ended:
            self._interruptible = False
            self._greenlet.throw(why)

    @property
    def media(self) -> dict[str, object]:
        """What the transport stream of the source says of itself, as far as it is known."""
        if not self.output.sending:
            return {}
        stats = self.output.stats
        facts: dict[str, object] = {
            "codecs": list(stats.codecs),
            "gop_seconds": round(stats.gop_seconds, 2),
            "pcr_jitter": round(stats.pcr_jitter, 3),
            "continuity_errors": stats.continuity_errors,
            "damaged_packets": stats.damaged_packets,
            "scrambled_packets": stats.scrambled_packets,
            "bytes_dropped": stats.bytes_dropped,
            "sync_losses": stats.sync_losses,
        }
        if stats.size:
            facts |= {"width": stats.size[0], "height": stats.size[1]}
        return facts

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

    def note(self, kind: Kind, **fields: Any) -> None:
        """Something happened that people want to know of."""
        event = Event(time(), kind, self.channel.slug, self.channel.name, **fields)
        self.history.append(event)
        self.on_event(event)

    def join(self, subscriber: Subscriber) -> None:
        """One more viewer."""
        self.subscribers.add(subscriber)
        self.counters.clients += 1

    def leave(self, subscriber: Subscriber, now: float) -> None:
        """A viewer less."""
        if subscriber in self.subscribers:
            self.subscribers.remove(subscriber)
            self.counters.clients -= 1
            self.idle_since = now
            if not self.subscribers:
                self._release_if_over()
                self._on_idle(self)

    def take_file(self) -> OpenFile | None:
        """The file that the stream turned out to be, once: who takes it closes it."""
        file, self.file = self.file, None
        return file

    def wait(self, subscriber: Subscriber) -> None:
        """Switch until something is published, the hub ends or the viewer is seen to be gone."""
        subscriber.waiting = gevent.getcurrent()
        self._waiting.append(subscriber)
        try:
            get_hub().switch()
        finally:
            subscriber.waiting = None  # also when killed: nothing wakes it any more

    def wake(self) -> None:
        """Let all who wait look again: one callback of the event loop for all of them."""
        if self._waiting:
            waiting, self._waiting = self._waiting, []
            get_hub().loop.run_callback(self._serve, waiting)

    def _serve(self, waiting: list[Subscriber]) -> None:
        for subscriber in waiting:
            greenlet = subscriber.waiting
            if greenlet is None:
                continue  # killed while it waited
            if self._push(subscriber):
                self._waiting.append(subscriber)
            else:
                subscriber.waiting = None
                greenlet.switch()

    def _push(self, subscriber: Subscriber) -> bool:
        try:
            return subscriber.push()
        except Exception:  # of one viewer: the others of this turn must have theirs
            log.exception("%s: a viewer was lost", self.channel.slug)
            subscriber.drop()
            return False

    def _run(self) -> None:
        try:
            while not self.ended:
                self._play(self._next_feed())
                if not self.subscribers:
                    self._end()  # it lingered: another stream would be opened for nobody
        except Unavailable as unavailable:
            self.unavailable = unavailable
            self.note(Kind.GAVE_UP, detail=str(unavailable))
            log.warning("%s: given up: %s", self.channel.slug, unavailable)
        except Exception:
            log.exception("%s: hub failed", self.channel.slug)
            self.counters.errors[Reason.INTERNAL] += 1
            self.unavailable = Unavailable("internal error", 5.0)
        finally:
            self._end()

    def _next_feed(self) -> Feed:
        """The stream to play next: one that was opened early, or what failover says."""
        if scout := self._scout:
            scout.wait()
        if scout := self._scout:  # still: it has not failed
            self._scout = None
            return scout.feed
        return Feed(next_attempt(self._failover, self._limits), self._open_stream, self.counters)

    def _play(self, feed: Feed) -> None:
        """Play one stream until it ends, and tell failover how that was."""
        source = feed.stream.source
        self.source_number = source.number
        self._failover.opened(feed.stream, feed.opened_at)
        outcome = STOPPED
        try:
            self._interruptible = True
            try:
                self._copy(feed)
            finally:
                self._interruptible = False
            if self._finished:
                log.info("%s: played to its end", self.channel.slug)
                self._end()
        except IsFile as found:
            outcome = ""  # it goes on
            self.is_file = True
            self.file = self._keep_file(found.body, feed.keep_slot())
            self._end()
            self._release_if_over()  # it may have been closed just now
        except _Switch:
            outcome = SWITCHED
            self._switched(feed.stream)
        except UpstreamError as error:
            outcome = error.reason
            self._failed(error, feed.stream)
        except Exception:
            log.exception("%s: %s failed in this proxy", self.channel.slug, source.tag)
            outcome = Reason.INTERNAL
            self._failed(UpstreamError(Reason.INTERNAL), feed.stream)
        finally:
            self.source_number = None
            self.media_since = None
            self._failover.stopped(monotonic())
            self._hanging_up = True
            feed.close(outcome)
            self._hanging_up = False

    def _copy(self, feed: Feed) -> None:
        """Splice what comes into the programme, to the end of a film; else an exception ends it."""
        feed.start()
        opened = monotonic()
        self.output.open(feed.stream, opened)
        self._errors_seen = 0
        try:
            for data in feed:
                now = monotonic()
                if self.ended:
                    return  # closed just now, and killed when this greenlet switches
                if not data:  # an HLS discontinuity
                    self.output.splice(now)
                    opened = now
                elif self.output.feed(data, now):
                    self._started(feed.stream)
                self._dismiss_scout()
                self._check(now, opened)
                gevent.sleep(self._tick(len(data)))
            self._finished = True
        finally:
            self._count_errors()
            self.output.close(monotonic(), clean=self._finished)

    def look_ahead(self, now: float) -> None:
        """Called twice a second: while the stream is silent, open the next one beside it.

        Only where a slot is free; what it holds on to is decided by who speaks first.
        """
        silence = now - self.output.media_at
        suspect = max(SUSPECT_AFTER, 2 * self.output.longest_gap)  # HLS pauses between segments
        if self._scout or self.state is not State.PLAYING or silence < suspect:
            return
        stream = self._failover.spare(now, self._limits.full())
        slot = self._limits.try_acquire(stream.source) if stream else None
        if stream and slot:
            attempt = Attempt(stream, slot, self._failover.timeout(now))
            feed = Feed(attempt, self._open_stream, self.counters)
            self._scout = Scout(feed, self._scouted)

    def _scouted(self, scout: Scout) -> None:
        """The stream beside has media, or has failed."""
        if scout is not self._scout:
            return
        now, feed = monotonic(), scout.feed
        if scout.error is not None:
            self._scout = None
            busy = self._limits.in_use(feed.stream.source) > 1
            outcome = self._failover.spare_failed(
                feed.stream, scout.error, feed.opened_at, now, busy
            )
            self._tell_failure(scout.error, feed.stream, outcome)
            feed.close(scout.error.reason)
        elif self._interruptible:
            get_hub().loop.run_callback(self._take_over, scout)

    def _take_over(self, scout: Scout) -> None:
        if scout is self._scout:  # else media came just now
            silence = monotonic() - self.output.media_at
            self._interrupt(UpstreamError(Reason.STALLED, f"silent for {silence:.1f} s"))

    def _dismiss_scout(self) -> None:
        if scout := self._scout:
            self._scout = None
            scout.dismiss()

    def _check(self, now: float, opened: float) -> None:
        """Raises UpstreamError where what comes is of no use."""
        if trouble := self.output.trouble(now):
            raise UpstreamError(Reason(trouble))
        if not self.output.sending and now - opened > PROGRAMME_WAIT:
            raise UpstreamError(Reason.NO_MEDIA, "no programme that can be played")

    def _tick(self, size: int) -> float:
        """Seconds to gather before the next read, after one of ``size`` bytes."""
        if size >= PUBLISH_AT:
            return BURST_TICK
        return SMALL_TICK if len(self.subscribers) < SMALL_AUDIENCE else LARGE_TICK

    def _started(self, stream: Stream) -> None:
        now = monotonic()
        self._failover.started(now)
        self.media_since = now
        if trouble := self._trouble:
            self._tell_recovery(trouble, stream, now)
        else:
            log.info("%s: %s plays", self.channel.slug, stream.source.tag)
            self.note(Kind.STARTED, source=stream.source.number)
        self._trouble = None
        self.state = State.PLAYING

    def _tell_recovery(self, trouble: Trouble, stream: Stream, now: float) -> None:
        silence = now - trouble.silent_since
        had, has = trouble.stream.source.tag, stream.source.tag
        moved = f"{had} → {has}" if trouble.stream != stream else f"{has} again"
        log.info(
            "%s: %s after %s, picture back after %.1f s",
            self.channel.slug,
            moved,
            trouble.what,
            now - trouble.since,
        )
        if self.state is not State.STARTING:
            self.counters.recovered(trouble.reason, silence, same=trouble.stream == stream)
        shown = None if self.state is State.STARTING else round(silence, 2)
        self.note(
            Kind.STARTED,
            source=stream.source.number,
            reason=trouble.reason,
            silence=shown,
        )

    def _failed(self, error: UpstreamError, stream: Stream) -> None:
        now, busy = monotonic(), self._limits.in_use(stream.source) > 1
        outcome = self._failover.failed(error, now, self.output.media_at, busy)
        self._in_trouble(Trouble(stream, error.reason, str(error), now, self.output.media_at))
        self._tell_failure(error, stream, outcome)

    def _tell_failure(self, error: UpstreamError, stream: Stream, outcome: str) -> None:
        self.counters.errors[error.reason] += 1
        then = f"; {outcome}" if outcome else ""
        log.warning("%s: %s: %s%s", self.channel.slug, stream.source.tag, error, then)
        self.note(
            Kind.FAILED, source=stream.source.number, reason=error.reason, detail=error.detail
        )

    def _switched(self, stream: Stream) -> None:
        log.info("%s: switched away from %s", self.channel.slug, stream.source.tag)
        now = monotonic()
        self._in_trouble(Trouble(stream, SWITCHED, "switching", now, self.output.media_at))
        self.note(Kind.SWITCHED, source=stream.source.number)

    def _in_trouble(self, trouble: Trouble) -> None:
        self._trouble = self._trouble or trouble  # what it began with is what is told
        if self.state is State.PLAYING:
            self.state = State.RECOVERING

    def _end(self) -> None:
        if self.ended:
            return
        self.state = State.ENDED
        self._dismiss_scout()
        self.note(Kind.CLOSED)
        self.wake()
        self._release_if_over()
        self._on_end(self)

    def _release_if_over(self) -> None:
        """What was read is kept until the last subscriber has it."""
        if self.ended and not self.subscribers:
            self.buffer.close()
            if file := self.take_file():
                file.close()
