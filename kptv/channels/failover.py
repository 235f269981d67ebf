"""Which stream of a channel to try next, and when. Pure: told the time, no I/O.

Theory of operation. A ``Failover`` belongs to one channel being played; ``Health`` knows what is
against a stream over all channels. Each stream has a time before which it is not opened again,
counted from its last opening: 1 s if it gave media, RETRY_DELAY if it gave none, doubling each time
it gives none again. So a stream that was never tried may be tried at once, as may one that broke
after it had played for a while; a stream that is refused must wait. Candidates are taken in a
circle that starts after the last one tried. A channel that has not shown anything yet (a cold
start) is given up after 20 s or MAX_RETRIES rounds, any other after STREAM_GIVE_UP without media.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

from kptv.channels.health import Health, Policy, StreamStanding
from kptv.channels.model import Stream, StreamKey
from kptv.errors import Reason, UpstreamError

COLD_START = 20.0  # seconds until a viewer without any media gets a 503
SHORTEST_TIMEOUT = 5.0  # seconds of these that each candidate gets; slow panels need 3
SLOT_WAIT = 10.0  # seconds that a viewer waits for a slot of a full source
TRUSTED_AFTER = 10.0  # seconds of good media: then failures are forgotten, and its end is none
REOPEN_DELAY = 1.0  # seconds between two openings of a stream that gives media
LONGEST_RETRY_DELAY = 60.0

# How good media ends. A stream that fails like this again and again is better than nothing.
_BREAKS = frozenset((Reason.STALLED, Reason.ENDED, Reason.RESET, Reason.DRIP))


@dataclass(frozen=True, slots=True)
class Try:
    """Open this stream; its first media must be there within ``timeout`` seconds."""

    stream: Stream
    timeout: float


@dataclass(frozen=True, slots=True)
class Wait:
    """Open nothing before ``until``, unless a slot for one of ``streams`` gets free."""

    until: float
    streams: tuple[Stream, ...] = ()  # to be opened now, but their sources are full


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Nothing can be played; the viewer may ask again in ``retry_after`` seconds."""

    message: str
    retry_after: float
    all_in_use: bool = False  # its sources' connections; nothing is broken


Step = Try | Wait | GiveUp


@dataclass(frozen=True, slots=True)
class Candidate:
    """A stream of a channel, and why another one plays."""

    stream: Stream
    standing: StreamStanding
    until: float | None = None  # when it may be tried again
    failures: int = 0  # in a row
    error: UpstreamError | None = None  # the last one
    failed_at: float | None = None


@dataclass(slots=True)
class _Attempts:
    failures: int = 0  # in a row, without any media
    not_before: float = 0.0
    error: UpstreamError | None = None
    failed_at: float = 0.0


@dataclass(frozen=True, slots=True)
class _Run:
    """The stream that is open."""

    stream: Stream
    opened_at: float
    started_at: float | None = None  # first media
    trusted: bool = False  # it gave enough of it


class Failover:
    """The candidates of one channel being played: says what to do next, and is told how it went."""

    def __init__(
        self,
        streams: Sequence[Stream],
        health: Health,
        policy: Policy,
        now: float,
        jitter: Callable[[], float],
    ) -> None:
        """``jitter`` gives a factor near 1 for each delay, so that hubs do not retry in step."""
        self._streams = tuple(streams)
        self._health = health
        self._policy = policy
        self._jitter = jitter
        self._attempts: dict[StreamKey, _Attempts] = {}
        self._last: Stream | None = None  # the circle goes on after it
        self._run: _Run | None = None
        self._deadline = now + COLD_START
        self._cold = True
        self._full_since: float | None = None
        self._wanted: int | None = None  # number of the source that somebody asked for

    def __repr__(self) -> str:
        return f"<Failover streams={len(self._streams)} cold={self._cold}>"

    @property
    def playing(self) -> Stream | None:
        """The open stream."""
        return self._run.stream if self._run else None

    def replace(self, streams: Sequence[Stream]) -> None:
        """Take the candidates of a new import; the open stream stays open."""
        self._streams = tuple(streams)

    def prefer(self, number: int) -> None:
        """Try the source with this number next, and forget what was against its streams."""
        self._wanted = number
        for stream in self._streams:
            if stream.source.number == number:
                self._health.unblock(stream.key)
                self._attempts.pop(stream.key, None)

    def candidates(self, now: float, full: Collection[int]) -> tuple[Candidate, ...]:
        """All streams in their order, for people; ``full`` as for ``next``."""
        return tuple(self._candidate(stream, now, full) for stream in self._streams)

    def _candidate(self, stream: Stream, now: float, full: Collection[int]) -> Candidate:
        attempts = self._attempts.get(stream.key) or _Attempts()
        standing, until = self._health.standing(stream, now)
        if self._run and self._run.stream.key == stream.key:
            standing, until = StreamStanding.OPEN, None
        elif standing is StreamStanding.READY and attempts.not_before > now:
            standing, until = StreamStanding.RESTING, attempts.not_before
        elif standing is StreamStanding.READY and stream.source.number in full:
            standing = StreamStanding.FULL
        error, failed_at = attempts.error, attempts.failed_at if attempts.error else None
        if (rest := self._health.rest_of(stream, now)) and rest.look_at == until:
            error, failed_at = rest.why, rest.since
        failures = self._health.failures(stream)
        return Candidate(stream, standing, until, failures, error, failed_at)

    def next(self, now: float, full: Collection[int]) -> Step:
        """What to do now; ``full`` holds the numbers of the sources without a free slot."""
        times = {s.key: self._ready_at(s) for s in self._circle() if not self._is_spent(s)}
        ready = [s for s in self._circle() if times.get(s.key, now + 1) <= now]
        if now >= self._deadline:
            ready = [] if self._cold else [s for s in ready if s.key not in self._attempts]
        free = next((s for s in ready if s.source.number not in full), None)
        if free is not None:
            return Try(free, self.timeout(free, now))
        later = min((t for t in times.values() if t > now), default=None)
        if ready and now < self._deadline:
            return self._wait_for_slot(ready, later, now)
        return self._wait_or_give_up(later, now)

    def opened(self, stream: Stream, now: float) -> None:
        """Record that ``stream``, for which there was a slot, is being opened."""
        self._last = stream
        self._wanted = None
        self._full_since = None
        self._run = _Run(stream, now)

    def started(self, now: float) -> None:
        """Record that the open stream has given its first media."""
        assert self._run is not None
        self._run = _Run(self._run.stream, self._run.opened_at, now)
        self._cold = False
        self._health.answered(self._run.stream)

    def failed(self, error: UpstreamError, now: float, last_media: float, busy: bool) -> str:
        """Record that the open stream has failed, and return a note for the log, maybe empty.

        ``last_media`` is when it last gave media. ``busy``: other connections to its source
        were open, so a 403 or 503 most likely means that there were too many.
        """
        run, self._run = self._run, None
        assert run is not None
        if run.started_at is not None:
            self._deadline = now + self._policy.give_up
            if last_media - run.started_at >= TRUSTED_AFTER:
                self._health.trust(run.stream)
                self._attempts.clear()
                run = replace(run, trusted=True)
        return self._blame(run, error, now, busy)

    def spare(self, now: float, full: Collection[int]) -> Stream | None:
        """A stream that could be opened now beside the open one, if there is one."""
        for stream in self._circle():
            is_open = self._run is not None and stream.key == self._run.stream.key
            if not is_open and self._ready_at(stream) <= now and stream.source.number not in full:
                return stream
        return None

    def spare_failed(
        self, stream: Stream, error: UpstreamError, opened_at: float, now: float, busy: bool
    ) -> str:
        """As ``failed``, for a ``spare`` that was opened at ``opened_at`` and gave no media."""
        return self._blame(_Run(stream, opened_at), error, now, busy)

    def standby_failed(
        self, stream: Stream, error: UpstreamError, opened_at: float, now: float, busy: bool
    ) -> str:
        """As ``spare_failed``, for one that was kept beside: it rests, and blocks no stream.

        It may have played beside for a while; then its rest is the first one again.
        """
        if told := self._health.refused(stream, error, now, busy):
            return told
        attempts = self._attempts.setdefault(stream.key, _Attempts())
        if now - opened_at >= TRUSTED_AFTER:
            attempts.failures = 0
        self._rest(_Run(stream, opened_at), attempts, error, now)
        return ""

    def _blame(self, run: _Run, error: UpstreamError, now: float, busy: bool) -> str:
        if told := self._health.refused(run.stream, error, now, busy):
            return told
        attempts = self._attempts.setdefault(run.stream.key, _Attempts())
        self._rest(run, attempts, error, now)
        if run.trusted:
            return ""
        breaks = run.started_at is not None and error.reason in _BREAKS
        may_block = not breaks or self._has_other(run.stream, now)
        return "stream blocked" if self._health.fail(run.stream, now, may_block=may_block) else ""

    def _rest(self, run: _Run, attempts: _Attempts, error: UpstreamError, now: float) -> None:
        """Leave the stream alone for a while, from its opening on."""
        delay = self._policy.retry_delay * (1 << min(attempts.failures, 16))
        attempts.failures += 1
        attempts.error, attempts.failed_at = error.to_keep(), now
        if run.started_at is not None:
            delay, attempts.failures = min(self._policy.retry_delay, REOPEN_DELAY), 0
        attempts.not_before = run.opened_at + min(delay, LONGEST_RETRY_DELAY) * self._jitter()

    def _has_other(self, stream: Stream, now: float) -> bool:
        """Whether a candidate is left if ``stream`` is blocked."""
        others = (other for other in self._streams if other.key != stream.key)
        return any(self._health.standing(s, now)[0] is not StreamStanding.BLOCKED for s in others)

    def stopped(self, now: float) -> None:
        """Record that the open stream was closed although it works: by us, for whatever reason."""
        run, self._run = self._run, None
        if run and run.started_at is not None:
            self._deadline = now + self._policy.give_up  # somebody may want another one: see prefer
            if now - run.started_at >= TRUSTED_AFTER:
                self._health.trust(run.stream)

    def lost(self, now: float) -> None:
        """Record that the open stream's slot was lost: nothing failed.

        Yet the stream is not opened again at once: its slot could be lost in a loop.
        """
        run = self._run
        self.stopped(now)
        if run is not None:
            attempts = self._attempts.setdefault(run.stream.key, _Attempts())
            pause = min(self._policy.retry_delay, REOPEN_DELAY) * self._jitter()
            attempts.not_before = max(attempts.not_before, run.opened_at + pause)

    def _circle(self) -> tuple[Stream, ...]:
        """The candidates in a circle after the last one tried; those that are wanted come first."""
        keys = [s.key for s in self._streams]
        start = keys.index(self._last.key) + 1 if self._last and self._last.key in keys else 0
        circle = self._streams[start:] + self._streams[:start]
        if self._wanted is None:
            return circle
        return tuple(sorted(circle, key=lambda s: s.source.number != self._wanted))

    def _ready_at(self, stream: Stream) -> float:
        attempts = self._attempts.get(stream.key)
        return max(self._health.ready_at(stream), attempts.not_before if attempts else 0.0)

    def _is_spent(self, stream: Stream) -> bool:
        """Whether a cold start has tried it once and MAX_RETRIES times again."""
        attempts = self._attempts.get(stream.key)
        return self._cold and attempts is not None and attempts.failures > self._policy.max_retries

    def timeout(self, stream: Stream, now: float) -> float:
        """Seconds within which ``stream``, if it is opened now, must give media.

        In a cold start, the candidates that were not tried yet share the time that is left: two
        that hang must not use it up before a third one, which works, has its turn.
        """
        timeout = self._policy.timeout_of(stream.source) or self._policy.stream_timeout
        if not self._cold:
            return timeout
        untried = sum(
            s.key not in self._attempts and self._health.ready_at(s) <= now for s in self._streams
        )
        left = max(self._deadline - now, 0.1)
        return min(timeout, left, max(left / max(untried, 1), SHORTEST_TIMEOUT))

    def _wait_for_slot(self, ready: Sequence[Stream], later: float | None, now: float) -> Step:
        if self._full_since is None:
            self._full_since = now
        until = self._deadline
        if self._cold:
            until = min(until, self._full_since + SLOT_WAIT)
            if now >= until:
                why = "all connections of the sources that have it are in use"
                return GiveUp(why, SLOT_WAIT, all_in_use=True)
        return Wait(min(until, later) if later else until, tuple(ready))

    def _wait_or_give_up(self, later: float | None, now: float) -> Step:
        if later is not None and later < self._deadline:
            return Wait(later)
        if not self._cold and now < self._deadline:
            return Wait(self._deadline)  # an import may bring new candidates
        soon = self._policy.retry_delay if later is None else self._asked(later) - now
        return GiveUp("no source of this channel works at the moment", max(soon, 1.0))

    def _asked(self, later: float) -> float:
        """When the first stream may be tried if all rests last as long as they were asked for.

        ``later`` at the earliest.
        """
        asked = (
            max(self._ready_at(s), self._health.asked_until(s))
            for s in self._streams
            if not self._is_spent(s)
        )
        return max(later, min(asked, default=later))
