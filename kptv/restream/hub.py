"""One channel being played: one upstream, many subscribers.

The hub's greenlet owns the upstream; subscribers only read its buffer, each at its own place. It
never waits for them: who is too slow finds its place gone and is moved on. Greenlets do not
preempt each other, so whatever does not switch needs no lock.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain, count
from time import monotonic, time
from typing import Any

import gevent
from gevent.greenlet import Greenlet
from gevent.hub import get_hub

from kptv.channels.failover import Candidate, Failover
from kptv.channels.model import Channel, Stream
from kptv.errors import FileBody, IsFile, Reason, Unavailable, UpstreamError
from kptv.formats.mpegts.joining import Chunk
from kptv.formats.mpegts.splicer import Splicer
from kptv.metrics import STOPPED, SWITCHED, ChannelCounters
from kptv.restream.attempts import Attempt, next_attempt
from kptv.restream.buffer import ChunkBuffer
from kptv.restream.files import OpenFile
from kptv.restream.journal import REMEMBERED_OF_HUB, Event, Kind
from kptv.restream.limits import SETTLE, ConnectionLimits, Slot
from kptv.restream.meter import Meter
from kptv.restream.subscriber import Subscriber

log = logging.getLogger(__name__)

OpenStream = Callable[[Stream], Iterator[bytes]]
KeepFile = Callable[[FileBody, Slot], OpenFile]

# Seconds of media gathered before it is published: a send costs the same for 1 KB as for 50 KB.
# Few viewers can have it sooner.
SMALL_AUDIENCE, SMALL_TICK, LARGE_TICK = 50, 0.015, 0.045
PUBLISH_AT = 256 * 1024  # bytes that are published without gathering more
BURST_TICK = 0.001  # then: long enough for others to run, 256 MB/s
# How the upstream ended by itself; after any other ending it was we who hung up.
_THEY_HUNG_UP = frozenset((Reason.ENDED, Reason.RESET, Reason.REFUSED, Reason.HTTP_ERROR))


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


class Hub:
    """A channel being played. Runs from ``start`` until it is closed or gives up."""

    def __init__(
        self,
        channel: Channel,
        failover: Failover,
        limits: ConnectionLimits,
        open_stream: OpenStream,
        buffer: ChunkBuffer,
        counters: ChannelCounters,
        join_buffer: float,
        keep_file: KeepFile,
        on_idle: Callable[[Hub], None],
        on_end: Callable[[Hub], None],
    ) -> None:
        self.channel = channel
        self.buffer = buffer
        self.counters = counters
        self.join_buffer = join_buffer  # seconds of media that a viewer gets at once
        self.state = State.STARTING
        self.source_number: int | None = None  # whose slot it holds
        self.subscribers: set[Subscriber] = set()
        self.idle_since = monotonic()
        self.published_at = monotonic()
        self.unavailable: Unavailable | None = None  # why it ended without media
        self.playable = False  # a viewer could start
        self.is_file = False  # the stream turned out to be one
        self.file: OpenFile | None = None  # that file, until somebody takes it
        self._failover = failover
        self._limits = limits
        self._open_stream = open_stream
        self._keep_file = keep_file
        self._on_idle = on_idle
        self._on_end = on_end
        self._splicer = Splicer()
        self._spliced: Stream | None = None  # the last that was given to the splicer
        self._live = False  # what is open has given media to viewers
        self._silent_since = self.published_at  # when the stream before gave its last
        self._waiting: list[Subscriber] = []
        self.number = next(_numbers)
        self.begun_at = time()  # Unix, as all that is for people
        self.media_since: float | None = None  # monotonic; of the stream that plays
        self.meter = Meter(monotonic())
        self.history: deque[Event] = deque(maxlen=REMEMBERED_OF_HUB)
        self.on_event: Callable[[Event], object] = lambda event: None
        self._errors_seen = 0  # of the upstream that is open, continuity errors
        self._interruptible = False  # a stream is open that somebody may switch away from
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
        self._end()
        self._greenlet.kill(block=False)

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
        get_hub().loop.run_callback(self._interrupt)

    def _interrupt(self) -> None:
        if self._interruptible and not self.ended:
            self._interruptible = False
            self._greenlet.throw(_Switch())

    @property
    def media(self) -> dict[str, object]:
        """What the transport stream of the source says of itself, as far as it is known."""
        if not self._splicer.sending:
            return {}
        stats = self._splicer.stats
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
        errors = self._splicer.stats.continuity_errors
        counters.continuity_errors += max(errors - self._errors_seen, 0)
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
                self._play(next_attempt(self._failover, self._limits))
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

    def _play(self, attempt: Attempt) -> None:
        """Play one stream until it ends, and tell failover how that was."""
        source = attempt.stream.source
        self.source_number = source.number
        self.counters.opened(source.number)
        self._failover.opened(attempt.stream, monotonic())
        settle, outcome = SETTLE, STOPPED
        try:
            chunks = self._counted(self._open_stream(attempt.stream))
            self._interruptible = True
            try:
                self._copy(chunks, attempt)
            finally:
                self._interruptible = False
                _close(chunks)
        except IsFile as found:
            self.is_file = True
            self.file = self._keep_file(found.body, attempt.slot.transfer())
            self._end()
        except _Switch:
            outcome = SWITCHED
            self._switched(attempt.stream)
        except UpstreamError as error:
            outcome = error.reason
            settle = 0.0 if error.reason in _THEY_HUNG_UP else SETTLE
            self._failed(error, attempt)
        except Exception:
            log.exception("%s: %s failed in this proxy", self.channel.slug, source.tag)
            outcome = Reason.INTERNAL
            self._failed(UpstreamError(Reason.INTERNAL), attempt)
        finally:
            if not self.is_file:  # else that goes on
                self.counters.ended(source.number, outcome)
            self.source_number = None
            self.media_since = None
            self.counters.upstreams -= 1
            self._failover.stopped(monotonic())
            attempt.slot.close(settle)

    def _counted(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """``chunks``, their bytes counted as received."""
        counters = self.counters
        try:
            for data in chunks:
                counters.bytes_received += len(data)
                yield data
        finally:
            _close(chunks)

    def _copy(self, chunks: Iterator[bytes], attempt: Attempt) -> None:
        """Splice what comes into the programme; only an exception ends it."""
        late = UpstreamError(Reason.TIMEOUT, f"no media within {attempt.timeout:.1f} s")
        with gevent.Timeout(attempt.timeout, late):
            first = next(chunks)
        opened = monotonic()
        self._splicer.open(opened, same_stream=attempt.stream == self._spliced)
        self._spliced, self._live = attempt.stream, False
        self._errors_seen = 0
        try:
            for data in chain((first,), chunks):
                now = monotonic()
                self._publish(self._splicer.feed(data, now), attempt.stream)
                if not self._splicer.sending and now - opened > PROGRAMME_WAIT:
                    raise UpstreamError(Reason.NOT_MEDIA, "no programme that can be played")
                gevent.sleep(self._tick(len(data)))
        finally:
            self._silent_since = self.published_at
            self.measure(monotonic())
            self._publish(self._splicer.close(monotonic()), attempt.stream)
        raise UpstreamError(Reason.ENDED, "end of stream")

    def _tick(self, size: int) -> float:
        """Seconds to gather before the next read, after one of ``size`` bytes."""
        if size >= PUBLISH_AT:
            return BURST_TICK
        return SMALL_TICK if len(self.subscribers) < SMALL_AUDIENCE else LARGE_TICK

    def _started(self, stream: Stream) -> None:
        now = monotonic()
        silence = now - self._silent_since
        self._failover.started(now)
        self.media_since = now
        if trouble := self._trouble:
            self._tell_recovery(trouble, stream, silence, now)
        else:
            log.info("%s: %s plays", self.channel.slug, stream.source.tag)
            self.note(Kind.STARTED, source=stream.source.number)
        self._trouble = None
        self.state = State.PLAYING

    def _tell_recovery(self, trouble: Trouble, stream: Stream, silence: float, now: float) -> None:
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

    def _publish(self, chunk: Chunk, stream: Stream) -> None:
        if not chunk or self.ended:  # ended: closed just now, killed when this greenlet switches
            return
        if chunk.entries and not self._live:
            self._live = self.playable = True
            self._started(stream)
        self.published_at = monotonic()
        self.buffer.append(chunk)
        self.wake()

    def _failed(self, error: UpstreamError, attempt: Attempt) -> None:
        source = attempt.stream.source
        busy = self._limits.in_use(source) > 1
        outcome = self._failover.failed(error, monotonic(), self._silent_since, busy)
        self.counters.errors[error.reason] += 1
        self._in_trouble(Trouble(attempt.stream, error.reason, str(error), monotonic()))
        log.warning(
            "%s: %s: %s%s", self.channel.slug, source.tag, error, f"; {outcome}" if outcome else ""
        )
        self.note(Kind.FAILED, source=source.number, reason=error.reason, detail=error.detail)

    def _switched(self, stream: Stream) -> None:
        log.info("%s: switched away from %s", self.channel.slug, stream.source.tag)
        self._in_trouble(Trouble(stream, SWITCHED, "switching", monotonic()))
        self.note(Kind.SWITCHED, source=stream.source.number)

    def _in_trouble(self, trouble: Trouble) -> None:
        self._trouble = self._trouble or trouble  # what it began with is what is told
        if self.state is State.PLAYING:
            self.state = State.RECOVERING

    def _end(self) -> None:
        if self.ended:
            return
        self.state = State.ENDED
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


def _close(chunks: Iterator[bytes]) -> None:
    """Close a generator; plain iterators have nothing to close."""
    close = getattr(chunks, "close", None)
    if close is not None:
        close()
