"""Every Prometheus metric. Counted in plain ints, put into labels only when scraped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from prometheus_client.core import GaugeMetricFamily, UntypedMetricFamily
from prometheus_client.registry import Collector

from kptv.errors import Reason

# Series of a channel stay this long after its hub ended, so that a scrape sees its last figures.
RETENTION = 120.0


@dataclass(slots=True)
class ChannelCounters:
    """What is counted of one channel."""

    name: str
    upstreams: int = 0  # open now
    clients: int = 0  # viewers now
    bytes_sent: int = 0  # to viewers
    errors: Counter[Reason] = field(default_factory=Counter)
    hubs: int = 0  # that count into this now
    idle_since: float = 0.0


class Metrics(Collector):
    """The figures of this process; register it with a prometheus_client registry."""

    def __init__(self) -> None:
        self._channels: dict[str, ChannelCounters] = {}

    def open(self, name: str) -> ChannelCounters:
        """The counters of the channel ``name``; pair with ``close``."""
        counters = self._channels.setdefault(name, ChannelCounters(name))
        counters.hubs += 1
        return counters

    def close(self, counters: ChannelCounters, now: float) -> None:
        """A hub of the channel has ended."""
        counters.hubs -= 1
        counters.idle_since = now

    def forget(self, now: float) -> None:
        """Drop the series of channels that ended RETENTION seconds ago."""
        for name, counters in list(self._channels.items()):
            if not counters.hubs and now - counters.idle_since > RETENTION:
                del self._channels[name]

    def collect(self) -> Iterator[GaugeMetricFamily | UntypedMetricFamily]:
        """The families, as prometheus_client asks for them."""
        channel = ["channel"]
        upstreams = GaugeMetricFamily(
            "iptv_proxy_active_connections", "Open connections to providers.", labels=channel
        )
        clients = GaugeMetricFamily(
            "iptv_proxy_clients_connected", "Viewers connected.", labels=channel
        )
        # The library writes `_total` behind a counter's name; the documented names have none.
        sent = UntypedMetricFamily(
            "iptv_proxy_bytes_transferred", "Bytes sent to viewers (a counter).", labels=channel
        )
        errors = UntypedMetricFamily(
            "iptv_proxy_stream_errors",
            "Streams that failed, by what went wrong (a counter).",
            labels=["channel", "kind"],
        )
        for counters in self._channels.values():
            upstreams.add_metric([counters.name], counters.upstreams)
            clients.add_metric([counters.name], counters.clients)
            sent.add_metric([counters.name], counters.bytes_sent)
            for reason, count in counters.errors.items():
                errors.add_metric([counters.name, reason], count)
        yield from (upstreams, clients, sent, errors)
