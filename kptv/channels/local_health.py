"""Health in this process's memory. Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from kptv.channels.health import Policy, StreamStanding
from kptv.channels.model import Stream, StreamKey
from kptv.channels.resting import Rest, Rests, Scope
from kptv.errors import UpstreamError

FIRST_BLOCK, LONGEST_BLOCK = 60.0, 1800.0  # cool-down of a blocked stream, doubling
FORGET_AFTER = 3600.0  # a failure this old is no longer remembered


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
    Scope.STREAM: StreamStanding.RESTING,
    Scope.HOST: StreamStanding.HOST_COOLING,
    Scope.ACCOUNT: StreamStanding.COOLING,
}


class LocalHealth:
    """What this process remembers; ``Health`` says what each method is for."""

    def __init__(self, policy: Policy, rests: Rests | None = None) -> None:
        """``rests`` may be told by others too."""
        self._policy = policy
        self._streams: dict[StreamKey, _StreamHealth] = {}
        self._rests = rests or Rests()

    def ready_at(self, stream: Stream) -> float:
        health, rest = self._streams.get(stream.key), self._rests.of(stream)
        return max(health.blocked_until if health else 0.0, rest.look_at if rest else 0.0)

    def asked_until(self, stream: Stream) -> float:
        return self._rests.asked_until(stream)

    def standing(self, stream: Stream, now: float) -> tuple[StreamStanding, float | None]:
        health, rest = self._streams.get(stream.key), self.rest_of(stream, now)
        if health and health.blocked_until > now:
            return StreamStanding.BLOCKED, health.blocked_until
        if rest:
            return _STANDING_OF[rest.scope], rest.look_at
        return StreamStanding.READY, None

    def rest_of(self, stream: Stream, now: float) -> Rest | None:
        rest = self._rests.of(stream)
        return rest if rest and rest.look_at > now else None

    def rests(self, now: float) -> list[Rest]:
        return self._rests.all(now)

    def failures(self, stream: Stream) -> int:
        health = self._streams.get(stream.key)
        return health.failures if health else 0

    def blocks(self, now: float) -> list[tuple[StreamKey, str, float]]:
        return [
            (key, health.name, health.blocked_until)
            for key, health in self._streams.items()
            if health.blocked_until > now
        ]

    def known(self) -> list[StreamKey]:
        return list({*self._streams, *self._rests.streams()})

    def unblock(self, key: StreamKey) -> bool:
        rested = self._rests.end(key)
        return self._streams.pop(key, None) is not None or rested

    def trust(self, stream: Stream) -> None:
        self._streams.pop(stream.key, None)

    def answered(self, stream: Stream) -> None:
        self._rests.let_in(stream)

    def fail(self, stream: Stream, now: float, *, may_block: bool = True) -> bool:
        health = self._streams.setdefault(stream.key, _StreamHealth())
        health.failures += 1
        health.failed_at = now
        health.name = stream.name
        if health.failures < self._policy.max_failures_before_block or not may_block:
            return False
        if health.blocked_until > now:
            return False  # it was opened before: films and direct mode open a stream several times
        health.blocked_until = now + min(FIRST_BLOCK * (1 << health.blocks), LONGEST_BLOCK)
        health.blocks = min(health.blocks + 1, 16)
        return True

    def refused(self, stream: Stream, error: UpstreamError, now: float, busy: bool) -> str:
        party = self._rests.party(stream, error, now, busy)
        if party is None:
            return ""
        rest = self._rests.rest(party, stream.name, error, now)
        for key in self._rests.take_back(party):
            if key in self._streams:
                self._streams[key].forgive()
        return f"leaving the {_WORDS[rest.scope]} alone for {rest.seconds:.0f} s"

    def imported(self, now: float, numbers: Collection[int] | None = None) -> None:
        self._rests.imported(numbers)
        for key, health in list(self._streams.items()):
            if numbers is not None and key[0] not in numbers:
                continue
            health.blocked_until = 0.0
            if now - health.failed_at > FORGET_AFTER:
                del self._streams[key]
