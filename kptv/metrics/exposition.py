"""All Prometheus metrics: a table of their names, their help and their values."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
    UntypedMetricFamily,
)
from prometheus_client.registry import Collector

from kptv import __version__
from kptv.metrics.counters import ChannelCounters, Histogram, Metrics, Totals
from kptv.metrics.guide_figures import Told
from kptv.metrics.source_figures import SOURCE_FIGURES, Figure, SourceState


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadState:
    """The state that is read, not counted, when somebody scrapes."""

    sources: tuple[SourceState, ...] = ()
    channels: int = 0  # in the list
    blocked_streams: int = 0
    lag: float = 0.0  # seconds


@dataclass(frozen=True, slots=True)
class Scrape:
    """Where the values of all metrics are, at one moment."""

    metrics: Metrics
    state: ReadState

    def source(self, number: int) -> str:
        """The label of the source with this number."""
        named = (source.imports.source for source in self.state.sources)
        return next((each.tag for each in named if each.number == number), f"source-{number}")


Sample = tuple[tuple[str, ...], float | Histogram]  # values of the labels, value
_GAUGE, _COUNTER, _HISTOGRAM = GaugeMetricFamily, CounterMetricFamily, HistogramMetricFamily
# The library writes `_total` behind the name of a counter; two have been documented without.
_BARE_COUNTER = UntypedMetricFamily
Type = (
    type[GaugeMetricFamily]
    | type[CounterMetricFamily]
    | type[UntypedMetricFamily]
    | type[HistogramMetricFamily]
)


@dataclass(frozen=True, slots=True)
class Values:
    """Where the values of a metric are, and its labels."""

    labels: tuple[str, ...]
    read: Callable[[Scrape], Iterable[Sample]]


@dataclass(frozen=True, slots=True)
class Family:
    """A metric: a row of the table."""

    type: Type
    name: str  # without the prefix
    help: str
    values: Values
    prefix: str = "iptv_proxy"

    def collect(self, scrape: Scrape) -> Metric:
        """The values of now, as prometheus_client wants them."""
        family = self.type(f"{self.prefix}_{self.name}", self.help, labels=self.values.labels)
        for labels, value in self.values.read(scrape):
            if isinstance(family, HistogramMetricFamily):
                assert isinstance(value, Histogram)
                family.add_metric(labels, value.buckets(), value.sum)
            else:
                assert not isinstance(value, Histogram)
                family.add_metric(labels, value)
        return family


class Exposition(Collector):
    """All metrics, for a prometheus_client registry."""

    def __init__(self, metrics: Metrics, read_state: Callable[[], ReadState] = ReadState) -> None:
        self._metrics = metrics
        self._read_state = read_state

    def collect(self) -> Iterator[Metric]:
        """The families, as prometheus_client asks for them."""
        scrape = Scrape(self._metrics, self._read_state())
        for family in FAMILIES:
            yield family.collect(scrape)


def _one(value: Callable[[Scrape], float | Histogram]) -> Values:
    return Values((), lambda scrape: [((), value(scrape))])


def _of_all_channels(value: Callable[[ChannelCounters], int]) -> Values:
    """The sum, also over the channels that are gone."""
    return _one(lambda scrape: scrape.metrics.total(value))


def _of_channel(value: Callable[[ChannelCounters], float]) -> Values:
    return Values(
        ("channel",), lambda scrape: [((c.name,), value(c)) for c in scrape.metrics.channels()]
    )


def _of_channel_by(
    label: str, values: Callable[[ChannelCounters], Iterable[tuple[str, float]]]
) -> Values:
    return Values(
        ("channel", label),
        lambda scrape: [
            ((channel.name, key), value)
            for channel in scrape.metrics.channels()
            for key, value in values(channel)
        ],
    )


def _by(label: str, values: Callable[[Metrics], Mapping[str, float | Histogram]]) -> Values:
    return Values(
        (label,),
        lambda scrape: [((key,), value) for key, value in values(scrape.metrics).items()],
    )


def _of_source(value: Callable[[SourceState, Totals], object]) -> Values:
    """A value for each source that has one."""
    return Values(
        ("source",),
        lambda scrape: [
            ((source.imports.source.tag,), found)
            for source in scrape.state.sources
            if isinstance(found := value(source, scrape.metrics.totals), int | float)
        ],
    )


def _family_of(figure: Figure) -> Family:
    values = _of_source(lambda source, _: figure.read(source))
    return Family(_COUNTER if figure.rises else _GAUGE, figure.metric, figure.help, values)


def _of_channel_and_source(number: Callable[[ChannelCounters], int | None]) -> Values:
    """1 for each channel and the source that plays a part in it, if there is one."""
    return Values(
        ("channel", "source"),
        lambda scrape: [
            ((channel.name, scrape.source(found)), 1)
            for channel in scrape.metrics.channels()
            if (found := number(channel)) is not None
        ],
    )


def _by_source_and(label: str, counts: Callable[[Totals], Mapping[tuple[int, str], int]]) -> Values:
    return Values(
        ("source", label),
        lambda scrape: [
            ((scrape.source(number), key), count)
            for (number, key), count in counts(scrape.metrics.totals).items()
        ],
    )


def _of_guide(value: Callable[[Told], float]) -> Values:
    """A value if there is a guide."""
    return Values(
        (),
        lambda scrape: [((), value(report))] if (report := scrape.metrics.guide.report) else [],
    )


def _build(scrape: Scrape) -> Iterator[Sample]:
    yield (__version__, platform.python_version()), 1


FAMILIES: tuple[Family, ...] = (
    # --- of a channel ---
    Family(
        _GAUGE,
        "active_connections",
        "Open connections to providers.",
        _of_channel(lambda c: c.upstreams),
    ),
    Family(_GAUGE, "clients_connected", "Viewers connected.", _of_channel(lambda c: c.viewers)),
    Family(
        _GAUGE,
        "channel_bit_rate",
        "Bits per second of the upstream.",
        _of_channel(lambda c: c.bit_rate),
    ),
    Family(
        _GAUGE,
        "channel_buffer_bytes",
        "Bytes in the channel's buffer.",
        _of_channel(lambda c: c.buffer_bytes),
    ),
    Family(
        _BARE_COUNTER,
        "bytes_transferred",
        "Bytes sent to viewers (a counter).",
        _of_channel(lambda c: c.bytes_sent),
    ),
    Family(
        _BARE_COUNTER,
        "stream_errors",
        "Streams that failed, by what went wrong (a counter).",
        _of_channel_by("kind", lambda c: c.errors.items()),
    ),
    Family(
        _GAUGE,
        "channel_source",
        "1 for the source that plays or is being opened.",
        _of_channel_and_source(lambda c: c.source),
    ),
    Family(
        _GAUGE,
        "channel_standby",
        "1 for the source that stands by, to go on with if the other fails.",
        _of_channel_and_source(lambda c: c.standby),
    ),
    Family(
        _COUNTER,
        "channel_failovers",
        "Moves to another stream, by reason.",
        _of_channel_by("reason", lambda c: c.failovers.items()),
    ),
    Family(
        _COUNTER,
        "channel_received_bytes",
        "Bytes received from providers.",
        _of_channel(lambda c: c.bytes_received),
    ),
    Family(
        _COUNTER,
        "channel_viewer_skips",
        "Times that a slow viewer was moved on.",
        _of_channel(lambda c: c.skips),
    ),
    Family(
        _COUNTER,
        "channel_viewers_dropped",
        "Viewers let go as too slow.",
        _of_channel(lambda c: c.dropped),
    ),
    Family(
        _COUNTER,
        "channel_continuity_errors",
        "Breaks in the upstream.",
        _of_channel(lambda c: c.continuity_errors),
    ),
    # --- over all channels ---
    Family(
        _COUNTER,
        "sent_bytes",
        "Bytes sent to all viewers.",
        _of_all_channels(lambda c: c.bytes_sent),
    ),
    Family(
        _COUNTER,
        "received_bytes",
        "Bytes received from all providers.",
        _of_all_channels(lambda c: c.bytes_received),
    ),
    Family(
        _COUNTER,
        "viewer_skips",
        "Times that a slow viewer was moved on.",
        _of_all_channels(lambda c: c.skips),
    ),
    Family(
        _COUNTER,
        "continuity_errors",
        "Breaks in what providers sent.",
        _of_all_channels(lambda c: c.continuity_errors),
    ),
    Family(
        _COUNTER,
        "failovers",
        "Moves to another stream, by reason.",
        _by("reason", lambda metrics: metrics.totals.failovers),
    ),
    Family(
        _COUNTER,
        "retries",
        "Resumptions of the same stream, by reason.",
        _by("reason", lambda metrics: metrics.totals.retries),
    ),
    Family(
        _HISTOGRAM,
        "silence_seconds",
        "Time that viewers were without media in mid-stream.",
        _by("after", lambda metrics: metrics.totals.silence),
    ),
    Family(
        _HISTOGRAM,
        "first_byte_seconds",
        "Time that viewers waited for media.",
        _by("start", lambda metrics: metrics.first_bytes),
    ),
    # --- of a source ---
    *(_family_of(figure) for figure in SOURCE_FIGURES if figure.metric),
    Family(
        _COUNTER,
        "upstream_opens",
        "Connections opened to play something.",
        _of_source(lambda source, totals: totals.opens[source.imports.source.number]),
    ),
    Family(
        _COUNTER,
        "upstream_outcomes",
        "How those ended.",
        _by_source_and("reason", lambda totals: totals.outcomes),
    ),
    Family(
        _COUNTER,
        "logo_fetches",
        "Logos fetched for clients, by how that ended.",
        _by_source_and("outcome", lambda totals: totals.logos),
    ),
    # --- of users ---
    Family(
        _GAUGE,
        "user_streams",
        "Streams that a user has open.",
        _by("user", lambda metrics: metrics.users.streams),
    ),
    Family(
        _COUNTER,
        "user_streams_refused",
        "Streams that a user did not get, as too many were open.",
        _by("user", lambda metrics: metrics.users.refused),
    ),
    Family(
        _COUNTER,
        "user_streams_ended",
        "Streams of a user that were ended, by reason.",
        Values(
            ("user", "reason"),
            lambda scrape: [
                (labels, count) for labels, count in scrape.metrics.users.ended.items()
            ],
        ),
    ),
    Family(
        _COUNTER,
        "requests_turned_away",
        "Requests that were not let in while a login is needed, by reason.",
        _by("reason", lambda metrics: metrics.users.turned_away),
    ),
    # --- of the guide ---
    Family(
        _GAUGE,
        "guide_made_timestamp_seconds",
        "Unix time at which the guide was built.",
        _of_guide(lambda report: report.made),
    ),
    Family(
        _GAUGE,
        "guide_until_timestamp_seconds",
        "Unix time up to which half of the joined channels have shows.",
        _of_guide(lambda report: report.until),
    ),
    Family(_GAUGE, "guide_shows", "Shows in the guide.", _of_guide(lambda report: report.shows)),
    Family(
        _GAUGE,
        "guide_channels",
        "Channels by the rule that joined them to a guide.",
        _by("rule", lambda metrics: metrics.guide.joined()),
    ),
    Family(
        _GAUGE,
        "guide_faults",
        "What was wrong in the guides, by kind.",
        _by("kind", lambda metrics: metrics.guide.faults()),
    ),
    Family(
        _COUNTER,
        "guide_fetches",
        "Attempts to fetch a guide, by how they ended.",
        _by("outcome", lambda metrics: metrics.guide.fetches),
    ),
    Family(
        _COUNTER,
        "guide_builds",
        "Times that the guide was built, by how that ended.",
        _by("outcome", lambda metrics: metrics.guide.builds),
    ),
    Family(
        _COUNTER,
        "guide_build_cpu_seconds",
        "CPU that building took.",
        _one(lambda scrape: scrape.metrics.guide.seconds),
    ),
    # --- of the process ---
    Family(
        _COUNTER,
        "event_loop_blocks",
        "Times that the event loop stood still for a second.",
        _one(lambda scrape: scrape.metrics.loop_blocks),
    ),
    Family(
        _HISTOGRAM,
        "event_loop_lag_seconds",
        "How late timers of the event loop come.",
        _one(lambda scrape: scrape.metrics.loop_lag),
    ),
    Family(
        _GAUGE,
        "event_loop_lag_recent_seconds",
        "The worst lag of late.",
        _one(lambda scrape: scrape.state.lag),
    ),
    Family(_GAUGE, "channels", "Channels in the list.", _one(lambda scrape: scrape.state.channels)),
    Family(
        _GAUGE,
        "blocked_streams",
        "Streams that failed too often.",
        _one(lambda scrape: scrape.state.blocked_streams),
    ),
    Family(
        _GAUGE,
        "build_info",
        "1; the labels say which version runs.",
        Values(("version", "python"), _build),
        prefix="kptv",
    ),
)
