"""Metrics of which every family has a sample: what documents and dashboards may name."""

from __future__ import annotations

from kptv.channels.model import Source
from kptv.errors import Reason
from kptv.guide.report import GenerationReport, GuideReport
from kptv.metrics.counters import Metrics
from kptv.metrics.exposition import Exposition
from kptv.metrics.families import LeaseState, ReadState
from kptv.metrics.hls_figures import AnswerKind
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
    metrics.users.streams["anna"] = 1
    metrics.users.refused["anna"] += 1
    metrics.users.ended["anna", "limit"] += 1
    metrics.users.turned_away["unknown login"] += 1
    metrics.hls.lists_asked[AnswerKind.ANSWERED] += 1
    metrics.hls.segments_asked[AnswerKind.GONE] += 1
    metrics.guide.fetched(True)
    metrics.guide.failed()
    told = GuideReport(number=1, tag="guide-1", faults={"broken": 1})
    metrics.guide.report = GenerationReport(
        made=1, until=1, channels=2, joined={"id": 1}, guides=(told,)
    )
    source = Source(1, "http://one.example/list.m3u", 1)
    sources = (SourceState(ImportState(source, last_success=1.0)),)
    return Exposition(metrics, lambda: ReadState(sources=sources, leases=LeaseState()))
