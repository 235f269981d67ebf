"""The reasons not to try a stream, over all channels: failures, blocks, requests to pause.

``Health`` is the door, and behind it this process's memory (``LocalHealth``). What other instances
were asked to leave alone is told to its ``Rests`` (``restream.shared_rests``).
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from kptv.channels.model import Source, Stream, StreamKey
from kptv.channels.resting import Rest
from kptv.errors import UpstreamError


@dataclass(frozen=True, slots=True)
class Policy:
    """The settings that matter here; times in seconds."""

    max_retries: int = 3
    retry_delay: float = 5.0
    max_failures_before_block: int = 5
    stream_timeout: float = 10.0
    give_up: float = 120.0
    # Of a source; None: ``stream_timeout``. It may change.
    timeout_of: Callable[[Source], float | None] = lambda source: None


class StreamStanding(StrEnum):
    """How a candidate stands."""

    OPEN = "open"  # it is the one that is opened or plays
    READY = "ready"  # would be tried now
    FULL = "full"  # would be tried now if its source had a free slot
    RESTING = "resting"  # failed or asked for a pause, and is left alone for a moment
    COOLING = "cooling"  # its source asked to be left alone
    HOST_COOLING = "host_cooling"  # its host did; most links of its source lead to another host
    BLOCKED = "blocked"  # failed again and again


class Health(Protocol):
    """What is remembered of streams and sources over all channels and viewers.

    No method waits. One that others write to as well answers by what it heard from them last, so
    an answer may be old by a moment, and never has to be right for what is done next to be safe.
    """

    # For failover: may this stream be tried, and what came of it

    def ready_at(self, stream: Stream) -> float:
        """The time from which ``stream`` may be opened; 0 if nothing is against it."""
        ...

    def asked_until(self, stream: Stream) -> float:
        """The time until which we were asked to leave ``stream`` alone; it may be tried sooner."""
        ...

    def standing(self, stream: Stream, now: float) -> tuple[StreamStanding, float | None]:
        """What is against ``stream`` over all channels, and until when."""
        ...

    def rest_of(self, stream: Stream, now: float) -> Rest | None:
        """Who asked that ``stream`` be left alone now, and why."""
        ...

    def failures(self, stream: Stream) -> int:
        """Its failures in a row."""
        ...

    def answered(self, stream: Stream) -> None:
        """It gave media: neither it nor its host or account asks for a rest any more."""
        ...

    def trust(self, stream: Stream) -> None:
        """It played well: forget what was against it."""
        ...

    def fail(self, stream: Stream, now: float, *, may_block: bool = True) -> bool:
        """Count a failure; True if the stream is blocked from now on."""
        ...

    def refused(self, stream: Stream, error: UpstreamError, now: float, busy: bool) -> str:
        """Leave alone whoever ``error`` asks for that, and return a note on it for the log.

        Empty if nobody does: the error is a failure. ``busy`` as for ``Failover.failed``.
        """
        ...

    # For all hubs, and for people

    def imported(self, now: float, numbers: Collection[int] | None = None) -> None:
        """After an import of these sources (None: of all) all their streams may be tried once.

        Old failures are forgotten.
        """
        ...

    def unblock(self, key: StreamKey) -> bool:
        """Let a stream be tried as if it had never failed; False if nothing was against it."""
        ...

    def known(self) -> list[StreamKey]:
        """The streams of which something is remembered."""
        ...

    def blocks(self, now: float) -> list[tuple[StreamKey, str, float]]:
        """Key, name and end of the block, of each stream that is blocked."""
        ...

    def rests(self, now: float) -> list[Rest]:
        """All that are left alone now."""
        ...
