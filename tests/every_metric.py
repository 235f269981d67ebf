"""Metrics of which every family has a sample: what documents and dashboards may name."""

from __future__ import annotations

from kptv.errors import Reason
from kptv.metrics import Metrics, SourceFigures, StateFigures


def every_metric() -> Metrics:
    """With one source and one channel to which everything has happened."""
    metrics = Metrics()
    news = metrics.open("News")
    news.failed(1, Reason.ENDED)
    news.recovered("ended", 1.0, same=False)
    news.recovered("ended", 1.0, same=True)
    news.source = 1
    sources = [SourceFigures(number=1, last_success=1.0)]
    metrics.read_state = lambda: StateFigures(sources=sources)
    return metrics
