"""The upstreams of one channel: opened as failover says, each with a slot of its source."""

from __future__ import annotations

from time import monotonic

from kptv.channels.failover import Candidate, Failover
from kptv.channels.model import Stream
from kptv.metrics.counters import ChannelCounters
from kptv.ports import StreamOpener
from kptv.restream.attempts import Attempt, next_attempt, spare_attempt
from kptv.restream.feed import Feed
from kptv.restream.slots import Slots
from kptv.restream.standby import Room


class Supply:
    """Opens the streams that ``failover`` chooses; the hub tells failover how each went."""

    def __init__(
        self,
        failover: Failover,
        slots: Slots,
        open_stream: StreamOpener[Stream],
        counters: ChannelCounters,
        room: Room | None = None,
    ) -> None:
        """``room``: for a standby; None: there is none."""
        self.failover = failover
        self.room = room
        self._slots = slots
        self._open_stream = open_stream
        self._counters = counters

    def __repr__(self) -> str:
        return f"<Supply {self.failover!r}>"

    def next(self) -> Feed:
        """The next upstream; waits as failover says. Raises Unavailable if it gives up."""
        return self.open(next_attempt(self.failover, self._slots))

    def beside(self) -> Attempt | None:
        """Another one than that which plays, if one may be opened and a slot is free."""
        return spare_attempt(self.failover, self._slots, monotonic())

    def standby(self) -> Attempt | None:
        """As ``beside``, of another source than that which plays."""
        playing = self.failover.playing
        but_of = frozenset((playing.source.number,)) if playing else frozenset()
        return spare_attempt(self.failover, self._slots, monotonic(), but_of)

    def open(self, attempt: Attempt) -> Feed:
        """The feed of an attempt, whose slot is the feed's from now on."""
        return Feed(attempt, self._open_stream, self._counters)

    def candidates(self, now: float) -> tuple[Candidate, ...]:
        """The standing of the channel's streams, for people."""
        return self.failover.candidates(now, self._slots.full())
