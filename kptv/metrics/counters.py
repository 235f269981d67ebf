"""The counters, in plain ints: labels are added only when somebody scrapes."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from itertools import accumulate

from kptv.errors import Reason
from kptv.metrics.guide_figures import GuideFigures
from kptv.metrics.hls_figures import HlsFigures
from kptv.metrics.user_figures import UserFigures

# A channel's series stay this long after its hub ended, so that a scrape sees its last figures.
RETENTION = 120.0
# How an upstream ended that did not fail.
SWITCHED = "switched"  # the operator asked for another source
STOPPED = "stopped"  # nobody watches any more
SLOT_LOST = "slot_lost"  # others of the account needed its connection

_SILENCES = (0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 60.0)
_FIRST_BYTES = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0)
_LAGS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1.0, 5.0)


class Histogram:
    """Counts of values by upper bounds; seconds."""

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def observe(self, value: float) -> None:
        """One more value."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self.sum += value

    def buckets(self) -> list[tuple[str, float]]:
        """Upper bound and cumulative count, as Prometheus wants them."""
        bounds = [str(bound) for bound in self._bounds] + ["+Inf"]
        return list(zip(bounds, accumulate(self._counts), strict=True))


@dataclass(slots=True)
class Totals:
    """Counters over all channels; they stay when a channel's own have gone."""

    opens: Counter[int] = field(default_factory=Counter)  # by number of the source
    outcomes: Counter[tuple[int, str]] = field(default_factory=Counter)
    failovers: Counter[str] = field(default_factory=Counter)  # by reason
    retries: Counter[str] = field(default_factory=Counter)
    logos: Counter[tuple[int, str]] = field(default_factory=Counter)  # by source and outcome
    silence: dict[str, Histogram] = field(
        default_factory=lambda: {how: Histogram(_SILENCES) for how in ("failover", "retry")}
    )

    def logo_fetched(self, source: int, outcome: str) -> None:
        """The fetch of a logo has ended; ``outcome``: ``kept`` or a Reason."""
        self.logos[source, outcome] += 1


@dataclass(slots=True)
class ChannelCounters:
    """The counters of one channel."""

    name: str
    totals: Totals = field(default_factory=Totals, repr=False)
    upstreams: int = 0  # open now
    viewers: int = 0  # now
    followers: int = 0  # of these, those who watch by HLS
    bytes_sent: int = 0  # to viewers
    dropped: int = 0  # viewers let go because they fell behind again and again
    bytes_received: int = 0  # from providers
    skips: int = 0  # times that a slow viewer was moved on
    continuity_errors: int = 0  # of the upstream
    failovers: Counter[str] = field(default_factory=Counter)  # by reason
    errors: Counter[Reason] = field(default_factory=Counter)
    bit_rate: float = 0.0  # of the upstream, bits per second
    buffer_bytes: int = 0
    source: int | None = None  # number of the one that plays
    standby: int | None = None  # number of the one that stands by
    hubs: int = 0  # that count here now
    idle_since: float = 0.0

    def opened(self, source: int) -> None:
        """A connection to this source is being opened."""
        self.upstreams += 1
        self.tried(source)

    def tried(self, source: int) -> None:
        """Count an attempt; the caller tracks open connections itself."""
        self.totals.opens[source] += 1

    def ended(self, source: int, outcome: str) -> None:
        """An upstream of this source has ended; ``outcome``: a Reason, or one of the above."""
        self.totals.outcomes[source, outcome] += 1

    def recovered(self, reason: str, silence: float, *, same: bool) -> None:
        """Media is back after ``silence`` seconds, from the same stream or from another one."""
        if same:
            self.totals.retries[reason] += 1
        else:
            self.failovers[reason] += 1
            self.totals.failovers[reason] += 1
        self.totals.silence["retry" if same else "failover"].observe(silence)

    def add(self, other: ChannelCounters) -> None:
        """Take over the figures that are also told over all channels."""
        self.bytes_sent += other.bytes_sent
        self.bytes_received += other.bytes_received
        self.skips += other.skips
        self.continuity_errors += other.continuity_errors


class Metrics:
    """All counters of this process; see ``exposition`` for what Prometheus gets of them."""

    def __init__(self) -> None:
        self._channels: dict[str, ChannelCounters] = {}
        self._gone = ChannelCounters("")  # sums of the channels that were forgotten
        self.totals = Totals()
        self.first_bytes = {start: Histogram(_FIRST_BYTES) for start in ("cold", "join")}
        self.loop_lag = Histogram(_LAGS)
        self.guide = GuideFigures()
        self.users = UserFigures()
        self.hls = HlsFigures()
        self.loop_blocks = 0  # times that the event loop stood still for a second

    def __repr__(self) -> str:
        return f"<Metrics channels={len(self._channels)}>"

    def open(self, name: str) -> ChannelCounters:
        """The counters of the channel ``name``; pair with ``close``."""
        counters = self._channels.get(name)
        if counters is None:
            counters = self._channels[name] = ChannelCounters(name, self.totals)
        counters.hubs += 1
        return counters

    def close(self, counters: ChannelCounters, now: float) -> None:
        """A hub of the channel has ended."""
        counters.hubs -= 1
        counters.idle_since = now
        if not counters.hubs:
            counters.bit_rate, counters.buffer_bytes = 0.0, 0
            counters.source = counters.standby = None

    def forget(self, now: float) -> None:
        """Drop the series of channels that ended RETENTION seconds ago."""
        for name, counters in list(self._channels.items()):
            if not counters.hubs and now - counters.idle_since > RETENTION:
                del self._channels[name]
                self._gone.add(counters)

    def first_byte(self, seconds: float, *, warm: bool) -> None:
        """Count how long a viewer waited for media; ``warm``: the channel was playing already."""
        self.first_bytes["join" if warm else "cold"].observe(seconds)

    def channels(self) -> Collection[ChannelCounters]:
        """The counters of the channels that play, or did a moment ago."""
        return self._channels.values()

    def total(self, figure: Callable[[ChannelCounters], int]) -> int:
        """A figure over all channels, since the start; see ``ChannelCounters.add``."""
        return figure(self._gone) + sum(map(figure, self._channels.values()))

    @property
    def bytes_sent(self) -> int:
        """To all viewers, since the start."""
        return self.total(lambda channel: channel.bytes_sent)

    @property
    def bytes_received(self) -> int:
        """From all providers, since the start."""
        return self.total(lambda channel: channel.bytes_received)
