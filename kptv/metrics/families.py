"""What a Prometheus metric is here: a row of a table, and where its values are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
    UntypedMetricFamily,
)

from kptv.metrics.counters import Histogram, Metrics
from kptv.metrics.source_figures import SourceState


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseState:
    """How this instance stands with those that it shares limits with."""

    away: str = ""  # why nothing can be asked for; empty: it can
    held: int = 0  # slots of limited sources
    lost: int = 0  # since the start
    calls: int = 0  # that the server answered
    renewed_ago: float = 0.0  # seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadState:
    """The state that is read, not counted, when somebody scrapes."""

    sources: tuple[SourceState, ...] = ()
    channels: int = 0  # in the list
    blocked_streams: int = 0
    lag: float = 0.0  # seconds
    leases: LeaseState | None = None  # None: there is only this instance


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
GAUGE, COUNTER, HISTOGRAM = GaugeMetricFamily, CounterMetricFamily, HistogramMetricFamily
# The library writes `_total` behind the name of a counter; two have been documented without.
BARE_COUNTER = UntypedMetricFamily
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


def one(value: Callable[[Scrape], float | Histogram]) -> Values:
    """One value, without labels."""
    return Values((), lambda scrape: [((), value(scrape))])


def of_leases(value: Callable[[LeaseState], float]) -> Values:
    """One value, if limits are shared."""

    def read(scrape: Scrape) -> Iterable[Sample]:
        return [] if scrape.state.leases is None else [((), value(scrape.state.leases))]

    return Values((), read)


def by(label: str, values: Callable[[Metrics], Mapping[str, float | Histogram]]) -> Values:
    """A value for each value of ``label``."""
    return Values(
        (label,),
        lambda scrape: [((key,), value) for key, value in values(scrape.metrics).items()],
    )
