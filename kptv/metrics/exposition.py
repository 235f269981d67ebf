"""All Prometheus metrics: a table of their names, their help and their values."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator, Mapping

from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from kptv import __version__
from kptv.metrics.channel_families import CHANNEL_FAMILIES
from kptv.metrics.counters import Metrics, Totals
from kptv.metrics.families import (
    COUNTER,
    GAUGE,
    HISTOGRAM,
    Family,
    ReadState,
    Sample,
    Scrape,
    Values,
    by,
    of_leases,
    one,
)
from kptv.metrics.guide_figures import Told
from kptv.metrics.source_figures import SOURCE_FIGURES, Figure, SourceState


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


def _family_of(figure: Figure) -> Family:
    values = _of_source(lambda source, _: figure.read(source))
    return Family(COUNTER if figure.rises else GAUGE, figure.metric, figure.help, values)


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
    *CHANNEL_FAMILIES,
    # --- of a source ---
    *(_family_of(figure) for figure in SOURCE_FIGURES if figure.metric),
    Family(
        COUNTER,
        "upstream_opens",
        "Connections opened to play something.",
        _of_source(lambda source, totals: totals.opens[source.imports.source.number]),
    ),
    Family(
        COUNTER,
        "upstream_outcomes",
        "How those ended.",
        _by_source_and("reason", lambda totals: totals.outcomes),
    ),
    Family(
        COUNTER,
        "logo_fetches",
        "Logos fetched for clients, by how that ended.",
        _by_source_and("outcome", lambda totals: totals.logos),
    ),
    # --- of users ---
    Family(
        GAUGE,
        "user_streams",
        "Streams that a user has open.",
        by("user", lambda metrics: metrics.users.streams),
    ),
    Family(
        COUNTER,
        "user_streams_refused",
        "Streams that a user did not get, as too many were open.",
        by("user", lambda metrics: metrics.users.refused),
    ),
    Family(
        COUNTER,
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
        COUNTER,
        "requests_turned_away",
        "Requests that were not let in while a login is needed, by reason.",
        by("reason", lambda metrics: metrics.users.turned_away),
    ),
    # --- of HLS ---
    Family(
        GAUGE,
        "hls_windows",
        "Channels that somebody watches by HLS.",
        one(lambda scrape: scrape.metrics.hls.windows),
    ),
    Family(
        GAUGE,
        "hls_window_bytes",
        "Bytes of their segments that no buffer holds any more.",
        one(lambda scrape: scrape.metrics.hls.window_bytes),
    ),
    Family(
        COUNTER,
        "hls_segments",
        "Segments that were cut.",
        one(lambda scrape: scrape.metrics.hls.segments),
    ),
    Family(
        COUNTER,
        "hls_list_requests",
        "Requests for the list of a channel's segments, by what came of them.",
        by("outcome", lambda metrics: metrics.hls.lists_asked),
    ),
    Family(
        COUNTER,
        "hls_segment_requests",
        "Requests for segments, by what came of them.",
        by("outcome", lambda metrics: metrics.hls.segments_asked),
    ),
    # --- of the guide ---
    Family(
        GAUGE,
        "guide_made_timestamp_seconds",
        "Unix time at which the guide was built.",
        _of_guide(lambda report: report.made),
    ),
    Family(
        GAUGE,
        "guide_until_timestamp_seconds",
        "Unix time up to which half of the joined channels have shows.",
        _of_guide(lambda report: report.until),
    ),
    Family(GAUGE, "guide_shows", "Shows in the guide.", _of_guide(lambda report: report.shows)),
    Family(
        GAUGE,
        "guide_channels",
        "Channels by the rule that joined them to a guide.",
        by("rule", lambda metrics: metrics.guide.joined()),
    ),
    Family(
        GAUGE,
        "guide_faults",
        "What was wrong in the guides, by kind.",
        by("kind", lambda metrics: metrics.guide.faults()),
    ),
    Family(
        COUNTER,
        "guide_fetches",
        "Attempts to fetch a guide, by how they ended.",
        by("outcome", lambda metrics: metrics.guide.fetches),
    ),
    Family(
        COUNTER,
        "guide_builds",
        "Times that the guide was built, by how that ended.",
        by("outcome", lambda metrics: metrics.guide.builds),
    ),
    Family(
        COUNTER,
        "guide_build_cpu_seconds",
        "CPU that building took.",
        one(lambda scrape: scrape.metrics.guide.seconds),
    ),
    # --- of several instances ---
    Family(
        GAUGE,
        "leases_server_up",
        "1 if the Valkey that instances share gives out connections.",
        of_leases(lambda leases: not leases.away),
    ),
    Family(
        GAUGE,
        "leases_held",
        "Connections to limited sources that this instance may have open.",
        of_leases(lambda leases: leases.held),
    ),
    Family(
        COUNTER,
        "leases_lost",
        "Connections that this instance had to give up.",
        of_leases(lambda leases: leases.lost),
    ),
    Family(
        COUNTER,
        "leases_calls",
        "Calls that Valkey has answered.",
        of_leases(lambda leases: leases.calls),
    ),
    Family(
        GAUGE,
        "leases_renewed_ago_seconds",
        "How long ago the lease of this instance was renewed.",
        of_leases(lambda leases: leases.renewed_ago),
    ),
    # --- of the process ---
    Family(
        COUNTER,
        "event_loop_blocks",
        "Times that the event loop stood still for a second.",
        one(lambda scrape: scrape.metrics.loop_blocks),
    ),
    Family(
        HISTOGRAM,
        "event_loop_lag_seconds",
        "How late timers of the event loop come.",
        one(lambda scrape: scrape.metrics.loop_lag),
    ),
    Family(
        GAUGE,
        "event_loop_lag_recent_seconds",
        "The worst lag of late.",
        one(lambda scrape: scrape.state.lag),
    ),
    Family(GAUGE, "channels", "Channels in the list.", one(lambda scrape: scrape.state.channels)),
    Family(
        GAUGE,
        "blocked_streams",
        "Streams that failed too often.",
        one(lambda scrape: scrape.state.blocked_streams),
    ),
    Family(
        GAUGE,
        "build_info",
        "1; the labels say which version runs.",
        Values(("version", "python"), _build),
        prefix="kptv",
    ),
)
