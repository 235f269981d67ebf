"""Metrics of which every family has a sample: what documents and dashboards may name."""

from __future__ import annotations

from kptv.channels.model import Source
from kptv.errors import Reason
from kptv.metrics.counters import Metrics
from kptv.metrics.exposition import Exposition, ReadState
from kptv.metrics.source_figures import ImportState, SourceState


def every_metric() -> Exposition:
    """With one source and one channel to which everything has happened."""
    metrics = Metrics()
    news = metrics.open("News")
    news.errors[Reason.ENDED] += 1
    news.ended(1, Reason.ENDED)
    news.recovered("ended", 1.0, same=False)
    news.recovered("ended", 1.0, same=True)
    metrics.totals.logo_fetched(1, "kept")
    news.source, news.standby = 1, 1
    source = Source(1, "http://one.example/list.m3u", 1)
    sources = (SourceState(ImportState(source, last_success=1.0)),)
    return Exposition(metrics, lambda: ReadState(sources=sources))
