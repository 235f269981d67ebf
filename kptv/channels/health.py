"""What is against a stream over all channels: failures, blocks, wishes to be left alone. Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from kptv.channels.model import Source, Stream, StreamKey
from kptv.channels.resting import Rest, Rests, Scope, account_of
from kptv.errors import Reason, UpstreamError

FIRST_BLOCK, LONGEST_BLOCK = 60.0, 1800.0  # cool-down of a blocked stream, doubling
FORGET_AFTER = 3600.0  # a failure this old is no longer remembered


@dataclass(frozen=True, slots=True)
class Policy:
    """The settings that matter here; times in seconds."""

    max_retries: int = 3
    retry_delay: float = 5.0
    max_failures_before_block: int = 5
    stream_timeout: float = 10.0
    give_up: float = 120.0


class Standing(StrEnum):
    """How a candidate stands."""

    OPEN = "open"  # it is the one that is opened or plays
    READY = "ready"  # would be tried now
    FULL = "full"  # would be, had its source a free slot
    RESTING = "resting"  # failed or asked for a pause, and is left alone for a moment
    COOLING = "cooling"  # its source wants to be left alone
    HOST_COOLING = "host_cooling"  # its host does, which is not that of its source
    BLOCKED = "blocked"  # failed again and again


@dataclass(slots=True)
class _StreamHealth:
    failures: int = 0  # in a row
    failed_at: float = 0.0
    name: str = ""  # of the stream
    blocks: int = 0  # in a row
    blocked_until: float = 0.0

    def forgive(self) -> None:
        """Take the last failure back, and the block if it led to one."""
        self.failures = max(self.failures - 1, 0)
        if self.blocked_until:
            self.blocked_until, self.blocks = 0.0, max(self.blocks - 1, 0)


_WORDS = {Scope.STREAM: "stream", Scope.HOST: "host", Scope.ACCOUNT: "source"}
_STANDING_OF = {
    Scope.STREAM: Standing.RESTING,
    Scope.HOST: Standing.HOST_COOLING,
    Scope.ACCOUNT: Standing.COOLING,
}


class Health:
    """What is remembered of streams and sources over all channels and viewers."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._streams: dict[StreamKey, _StreamHealth] = {}
        self._rests = Rests()

    def ready_at(self, stream: Stream) -> float:
        """The time from which ``stream`` may be opened; 0 if nothing is against it."""
        health, rest = self._streams.get(stream.key), self._rests.of(stream)
        return max(health.blocked_until if health else 0.0, rest.look_at if rest else 0.0)

    def asked_until(self, stream: Stream) -> float:
        """The time until which it was asked to leave ``stream`` alone, though it may be tried."""
        return self._rests.asked_until(stream)

    def blocked(self, now: float) -> int:
        """How many streams are blocked."""
        return sum(health.blocked_until > now for health in self._streams.values())

    def standing(self, stream: Stream, now: float) -> tuple[Standing, float | None]:
        """What is against ``stream`` over all channels, and until when."""
        health, rest = self._streams.get(stream.key), self.rest_of(stream, now)
        if health and health.blocked_until > now:
            return Standing.BLOCKED, health.blocked_until
        if rest:
            return _STANDING_OF[rest.scope], rest.look_at
        return Standing.READY, None

    def rest_of(self, stream: Stream, now: float) -> Rest | None:
        """Who asked that ``stream`` be left alone now, and why."""
        rest = self._rests.of(stream)
        return rest if rest and rest.look_at > now else None

    def rests(self, now: float) -> list[Rest]:
        """All who are left alone."""
        return self._rests.all(now)

    def failures(self, stream: Stream) -> int:
        """Its failures in a row."""
        health = self._streams.get(stream.key)
        return health.failures if health else 0

    def blocks(self, now: float) -> list[tuple[StreamKey, str, float]]:
        """Key, name and end of the block, of each stream that is blocked."""
        return [
            (key, health.name, health.blocked_until)
            for key, health in self._streams.items()
            if health.blocked_until > now
        ]

    def known(self) -> list[StreamKey]:
        """The streams that something is remembered of."""
        return list({*self._streams, *self._rests.streams()})

    def unblock(self, key: StreamKey) -> bool:
        """Let a stream be tried as if it had never failed; False if nothing was against it."""
        rested = self._rests.end(key)
        return self._streams.pop(key, None) is not None or rested

    def trust(self, stream: Stream) -> None:
        """It played well: forget what was against it."""
        self._streams.pop(stream.key, None)

    def answered(self, offer: Source | Stream) -> None:
        """A connection was let in: who rested because of others may be asked again.

        The next rest is a short one. ``offer`` is the stream, or a source as such.
        """
        self._rests.let_in(offer)

    def fail(self, stream: Stream, now: float, *, may_block: bool = True) -> bool:
        """Count a failure; True if the stream is blocked from now on."""
        health = self._streams.setdefault(stream.key, _StreamHealth())
        health.failures += 1
        health.failed_at = now
        health.name = stream.name
        if health.failures < self._policy.max_failures_before_block or not may_block:
            return False
        health.blocked_until = now + min(FIRST_BLOCK * (1 << health.blocks), LONGEST_BLOCK)
        health.blocks = min(health.blocks + 1, 16)
        return True

    def cool(self, source: Source, now: float, retry_after: float | None) -> float:
        """Leave a source alone that has too many connections; gives the seconds."""
        error = UpstreamError(Reason.RATE_LIMITED, retry_after=retry_after)
        return self._rests.rest(account_of(source), "", error, now).seconds

    def refused(self, stream: Stream, error: UpstreamError, now: float, busy: bool) -> str:
        """Leave alone whom an error asks to be, told for the log; empty if it is a failure.

        ``busy`` as for ``Failover.failed``.
        """
        party = self._rests.party(stream, error, now, busy)
        if party is None:
            return ""
        rest = self._rests.rest(party, stream.name, error, now)
        for key in self._rests.take_back(party):
            if key in self._streams:
                self._streams[key].forgive()
        return f"leaving the {_WORDS[rest.scope]} alone for {rest.seconds:.0f} s"

    def imported(self, now: float, numbers: Collection[int] | None = None) -> None:
        """After an import of these sources (None: of all) all their streams may be tried once.

        Old failures are forgotten.
        """
        self._rests.imported(numbers)
        for key, health in list(self._streams.items()):
            if numbers is not None and key[0] not in numbers:
                continue
            health.blocked_until = 0.0
            if now - health.failed_at > FORGET_AFTER:
                del self._streams[key]
