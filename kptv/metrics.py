"""Every Prometheus metric. Counted in plain ints, put into labels only when scraped.

What belongs to a channel is there while it plays, what belongs to a source always: the number of
series follows what plays, not what the lists hold.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import accumulate

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
    UntypedMetricFamily,
)
from prometheus_client.registry import Collector

from kptv.errors import Reason

# Series of a channel stay this long after its hub ended, so that a scrape sees its last figures.
RETENTION = 120.0
# How an upstream ended that did not fail.
SWITCHED = "switched"  # somebody asked for another source
STOPPED = "stopped"  # nobody watches any more

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
    """What is counted over all channels and stays when they have gone."""

    opens: Counter[int] = field(default_factory=Counter)  # by number of the source
    outcomes: Counter[tuple[int, str]] = field(default_factory=Counter)
    failovers: Counter[str] = field(default_factory=Counter)  # by reason
    retries: Counter[str] = field(default_factory=Counter)
    silence: dict[str, Histogram] = field(
        default_factory=lambda: {how: Histogram(_SILENCES) for how in ("failover", "retry")}
    )
    # Of channels whose counters are gone:
    bytes_sent: int = 0
    bytes_received: int = 0
    skips: int = 0
    continuity_errors: int = 0


@dataclass(slots=True)
class ChannelCounters:
    """What is counted of one channel."""

    name: str
    totals: Totals = field(default_factory=Totals, repr=False)
    upstreams: int = 0  # open now
    clients: int = 0  # viewers now
    bytes_sent: int = 0  # to viewers
    dropped: int = 0  # viewers let go because they fell behind again and again
    bytes_received: int = 0  # from providers
    skips: int = 0  # times that a slow viewer was moved on
    continuity_errors: int = 0  # of the upstream
    failovers: Counter[str] = field(default_factory=Counter)  # by reason
    errors: Counter[Reason] = field(default_factory=Counter)
    bit_rate: float = 0.0  # of the upstream, bits a second
    buffer_bytes: int = 0
    source: int | None = None  # the number of that which plays
    hubs: int = 0  # that count into this now
    idle_since: float = 0.0

    def opened(self, source: int) -> None:
        """A connection to this source is being opened."""
        self.upstreams += 1
        self.tried(source)

    def tried(self, source: int) -> None:
        """As ``opened``, where somebody else counts what is open."""
        self.totals.opens[source] += 1

    def failed(self, source: int, reason: Reason) -> None:
        """What was opened has failed."""
        self.errors[reason] += 1
        self.ended(source, reason)

    def ended(self, source: int, outcome: str) -> None:
        """What was opened has ended: a Reason, SWITCHED or STOPPED."""
        self.totals.outcomes[source, outcome] += 1

    def recovered(self, reason: str, silence: float, *, same: bool) -> None:
        """Media is back after ``silence`` seconds, of the same stream or of another one."""
        if same:
            self.totals.retries[reason] += 1
        else:
            self.failovers[reason] += 1
            self.totals.failovers[reason] += 1
        self.totals.silence["retry" if same else "failover"].observe(silence)


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFigures:
    """A source as it is now."""

    number: int
    in_use: int = 0
    limit: int = 0  # 0: none
    waiting: int = 0
    entries: int = 0
    skipped: int = 0
    cut: int = 0
    import_seconds: float = 0.0
    import_failures: int = 0
    last_success: float | None = None  # Unix time
    stale_names: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class StateFigures:
    """What is read, not counted, when somebody scrapes."""

    sources: Iterable[SourceFigures] = ()
    channels: int = 0
    blocked_streams: int = 0
    lag: float = 0.0  # seconds


class Metrics(Collector):
    """The figures of this process; register it with a prometheus_client registry."""

    def __init__(self) -> None:
        self._channels: dict[str, ChannelCounters] = {}
        self.totals = Totals()
        self.first_bytes = {start: Histogram(_FIRST_BYTES) for start in ("cold", "join")}
        self.loop_lag = Histogram(_LAGS)
        self.loop_blocks = 0  # times that the event loop stood still for a second
        self.read_state: Callable[[], StateFigures] = StateFigures

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
            counters.bit_rate, counters.buffer_bytes, counters.source = 0.0, 0, None

    def forget(self, now: float) -> None:
        """Drop the series of channels that ended RETENTION seconds ago."""
        for name, counters in list(self._channels.items()):
            if not counters.hubs and now - counters.idle_since > RETENTION:
                del self._channels[name]
                self.totals.bytes_sent += counters.bytes_sent
                self.totals.bytes_received += counters.bytes_received
                self.totals.skips += counters.skips
                self.totals.continuity_errors += counters.continuity_errors

    def first_byte(self, seconds: float, *, warm: bool) -> None:
        """A viewer waited so long for media; ``warm``: the channel was playing already."""
        self.first_bytes["join" if warm else "cold"].observe(seconds)

    @property
    def bytes_sent(self) -> int:
        """To all viewers, since the start."""
        return self.totals.bytes_sent + sum(c.bytes_sent for c in self._channels.values())

    @property
    def bytes_received(self) -> int:
        """From all providers, since the start."""
        return self.totals.bytes_received + sum(c.bytes_received for c in self._channels.values())

    def collect(self) -> Iterator[Metric]:
        """The families, as prometheus_client asks for them."""
        yield from self._of_channels()
        yield from self._of_all()
        state = self.read_state()
        yield from _of_sources(self.totals, tuple(state.sources))
        yield from _of_state(state)

    def _of_channels(self) -> Iterator[Metric]:
        channels = self._channels.values()
        for gauge, help_text, value in _CHANNEL_GAUGES:
            family = GaugeMetricFamily(f"iptv_proxy_{gauge}", help_text, labels=["channel"])
            for counters in channels:
                family.add_metric([counters.name], value(counters))
            yield family
        # The library writes `_total` behind a counter's name; the documented names have none.
        sent = UntypedMetricFamily(
            "iptv_proxy_bytes_transferred", "Bytes sent to viewers (a counter).", labels=["channel"]
        )
        errors = UntypedMetricFamily(
            "iptv_proxy_stream_errors",
            "Streams that failed, by what went wrong (a counter).",
            labels=["channel", "kind"],
        )
        playing = GaugeMetricFamily(
            "iptv_proxy_channel_source",
            "1 for the source that plays.",
            labels=["channel", "source"],
        )
        failovers = CounterMetricFamily(
            "iptv_proxy_channel_failovers",
            "Moves to another stream, by why.",
            labels=["channel", "reason"],
        )
        for counters in channels:
            sent.add_metric([counters.name], counters.bytes_sent)
            for reason, count in counters.errors.items():
                errors.add_metric([counters.name, reason], count)
            if counters.source is not None:
                playing.add_metric([counters.name, f"source-{counters.source}"], 1)
            for why, count in counters.failovers.items():
                failovers.add_metric([counters.name, why], count)
        yield from (sent, errors, playing, failovers)
        for counter, help_text, value in _CHANNEL_COUNTERS:
            rising = CounterMetricFamily(f"iptv_proxy_{counter}", help_text, labels=["channel"])
            for counters in channels:
                rising.add_metric([counters.name], value(counters))
            yield rising

    def _of_all(self) -> Iterator[Metric]:
        totals, channels = self.totals, self._channels.values()
        for name, help_text, value in (
            ("sent_bytes", "Bytes sent to all viewers.", self.bytes_sent),
            ("received_bytes", "Bytes received from all providers.", self.bytes_received),
            (
                "viewer_skips",
                "Times that a slow viewer was moved on.",
                totals.skips + sum(c.skips for c in channels),
            ),
            (
                "continuity_errors",
                "Breaks in what providers sent.",
                totals.continuity_errors + sum(c.continuity_errors for c in channels),
            ),
            (
                "event_loop_blocks",
                "Times that the event loop stood still for a second.",
                self.loop_blocks,
            ),
        ):
            yield CounterMetricFamily(f"iptv_proxy_{name}", help_text, value=value)
        failovers = CounterMetricFamily(
            "iptv_proxy_failovers", "Moves to another stream, by why.", labels=["reason"]
        )
        retries = CounterMetricFamily(
            "iptv_proxy_retries", "Goings on with the same stream, by why.", labels=["reason"]
        )
        for reason, count in totals.failovers.items():
            failovers.add_metric([reason], count)
        for reason, count in totals.retries.items():
            retries.add_metric([reason], count)
        yield from (failovers, retries)
        yield _histogram(
            "silence_seconds", "Time without media in mid-stream.", "after", totals.silence
        )
        yield _histogram(
            "first_byte_seconds", "Time that viewers waited for media.", "start", self.first_bytes
        )
        lag = HistogramMetricFamily(
            "iptv_proxy_event_loop_lag_seconds", "How late timers of the event loop come."
        )
        lag.add_metric([], self.loop_lag.buckets(), self.loop_lag.sum)
        yield lag


Value = Callable[[ChannelCounters], float]

_CHANNEL_GAUGES: tuple[tuple[str, str, Value], ...] = (
    ("active_connections", "Open connections to providers.", lambda c: c.upstreams),
    ("clients_connected", "Viewers connected.", lambda c: c.clients),
    ("channel_bit_rate", "Bits a second of the upstream.", lambda c: c.bit_rate),
    ("channel_buffer_bytes", "Bytes in the channel's buffer.", lambda c: c.buffer_bytes),
)
_CHANNEL_COUNTERS: tuple[tuple[str, str, Value], ...] = (
    ("channel_received_bytes", "Bytes received from providers.", lambda c: c.bytes_received),
    ("channel_viewer_skips", "Times that a slow viewer was moved on.", lambda c: c.skips),
    ("channel_viewers_dropped", "Viewers let go as too slow.", lambda c: c.dropped),
    ("channel_continuity_errors", "Breaks in the upstream.", lambda c: c.continuity_errors),
)

_SOURCE_GAUGES: tuple[tuple[str, str, Callable[[SourceFigures], float | None]], ...] = (
    ("source_slots_in_use", "Connections leased.", lambda s: s.in_use),
    ("source_slots_limit", "Connections allowed; 0: any number.", lambda s: s.limit),
    ("source_slots_waiting", "Who wait for a connection.", lambda s: s.waiting),
    ("import_entries", "Entries of the last good import.", lambda s: s.entries),
    ("import_skipped_lines", "Lines in it that made no sense.", lambda s: s.skipped),
    ("import_cut_texts", "Names, groups, values in it that were too long.", lambda s: s.cut),
    ("import_duration_seconds", "Time that the last import took.", lambda s: s.import_seconds),
    ("import_failures", "Imports that failed, in a row.", lambda s: s.import_failures),
    ("import_last_success_timestamp_seconds", "The last good import.", lambda s: s.last_success),
)


def _of_sources(totals: Totals, sources: tuple[SourceFigures, ...]) -> Iterator[Metric]:
    for name, help_text, value in _SOURCE_GAUGES:
        family = GaugeMetricFamily(f"iptv_proxy_{name}", help_text, labels=["source"])
        for source in sources:
            if (now := value(source)) is not None:
                family.add_metric([f"source-{source.number}"], now)
        yield family
    opens = CounterMetricFamily(
        "iptv_proxy_upstream_opens", "Connections opened to play something.", labels=["source"]
    )
    for source in sources:
        opens.add_metric([f"source-{source.number}"], totals.opens[source.number])
    yield opens
    stale = CounterMetricFamily(
        "iptv_proxy_source_stale_names", "Lookups that had no answer.", labels=["source"]
    )
    for source in sources:
        stale.add_metric([f"source-{source.number}"], source.stale_names)
    yield stale
    outcomes = CounterMetricFamily(
        "iptv_proxy_upstream_outcomes", "How those ended.", labels=["source", "reason"]
    )
    for (number, reason), count in totals.outcomes.items():
        outcomes.add_metric([f"source-{number}", reason], count)
    yield outcomes


def _of_state(state: StateFigures) -> Iterator[Metric]:
    yield GaugeMetricFamily("iptv_proxy_channels", "Channels in the list.", state.channels)
    yield GaugeMetricFamily(
        "iptv_proxy_blocked_streams", "Streams that failed too often.", state.blocked_streams
    )
    yield GaugeMetricFamily(
        "iptv_proxy_event_loop_lag_recent_seconds", "The worst lag of late.", state.lag
    )


def _histogram(name: str, help_text: str, label: str, by: dict[str, Histogram]) -> Metric:
    family = HistogramMetricFamily(f"iptv_proxy_{name}", help_text, labels=[label])
    for value, histogram in by.items():
        family.add_metric([value], histogram.buckets(), histogram.sum)
    return family
