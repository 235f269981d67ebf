"""The figures: what is counted is told, and no more series than what plays."""

from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from kptv.channels.model import Source
from kptv.errors import Reason
from kptv.metrics.counters import RETENTION, Histogram, Metrics
from kptv.metrics.exposition import FAMILIES, Exposition
from kptv.metrics.families import ReadState
from kptv.metrics.hls_figures import AnswerKind
from kptv.metrics.source_figures import ImportState, SourceState


def scrape(metrics: Metrics, state: ReadState = ReadState()) -> dict[str, float]:  # noqa: B008
    """Each sample by its name and labels."""
    registry = CollectorRegistry()
    registry.register(Exposition(metrics, lambda: state))
    text = generate_latest(registry).decode()
    return {
        f"{s.name}{sorted(s.labels.values()) if s.labels else ''}": s.value
        for family in text_string_to_metric_families(text)
        for s in family.samples
    }


def test_the_four_names_are_as_documented() -> None:
    metrics = Metrics()
    news = metrics.open("News")
    news.opened(1)
    news.viewers += 2
    news.bytes_sent += 188
    news.errors[Reason.STALLED] += 1
    news.ended(1, Reason.STALLED)
    found = scrape(metrics)
    assert found["iptv_proxy_active_connections['News']"] == 1
    assert found["iptv_proxy_clients_connected['News']"] == 2
    assert found["iptv_proxy_bytes_transferred['News']"] == 188
    assert found["iptv_proxy_stream_errors['News', 'stalled']"] == 1


def test_a_channels_series_go_and_the_totals_stay() -> None:
    metrics = Metrics()
    news = metrics.open("News")
    news.bytes_sent, news.bytes_received, news.skips = 188, 376, 2
    news.recovered("stalled", 1.5, same=False)
    metrics.close(news, now=100.0)
    metrics.forget(now=100.0 + RETENTION)
    assert scrape(metrics)["iptv_proxy_channel_received_bytes_total['News']"] == 376
    before = {name: value for name, value in scrape(metrics).items() if "News" not in name}
    metrics.forget(now=101.0 + RETENTION)
    after = scrape(metrics)
    assert not any("News" in name for name in after)
    assert after == before
    assert after["iptv_proxy_sent_bytes_total"] == 188
    assert after["iptv_proxy_received_bytes_total"] == 376
    assert after["iptv_proxy_failovers_total['stalled']"] == 1


def test_ten_thousand_channels_make_no_series() -> None:
    found = scrape(Metrics(), ReadState(channels=10_000))
    assert found["iptv_proxy_channels"] == 10_000
    assert len(found) < 100


def test_silence_is_told_apart_by_what_followed() -> None:
    metrics = Metrics()
    news = metrics.open("News")
    news.recovered("stalled", 5.4, same=False)
    news.recovered("ended", 0.2, same=True)
    found = scrape(metrics)
    assert found["iptv_proxy_silence_seconds_sum['failover']"] == pytest.approx(5.4)
    assert found["iptv_proxy_silence_seconds_count['retry']"] == 1
    assert found["iptv_proxy_silence_seconds_bucket['0.25', 'retry']"] == 1
    assert found["iptv_proxy_retries_total['ended']"] == 1
    assert found["iptv_proxy_channel_failovers_total['News', 'stalled']"] == 1


def test_a_users_series_go_with_the_user() -> None:
    metrics = Metrics()
    for name in ("anna", "bert"):
        metrics.users.streams[name] = 0
        metrics.users.refused[name] += 1
        metrics.users.ended[name, "login"] += 1
    metrics.users.streams["bert"] += 1
    metrics.users.keep({"anna"})
    assert scrape(metrics)["iptv_proxy_user_streams['bert']"] == 1  # until it is closed
    metrics.users.streams["bert"] -= 1
    metrics.users.keep({"anna"})
    found = scrape(metrics)
    assert not [name for name in found if "bert" in name]
    assert found["iptv_proxy_user_streams_refused_total['anna']"] == 1
    assert found["iptv_proxy_user_streams_ended_total['anna', 'login']"] == 1


def test_windows_of_hls_are_told_and_requests_by_what_came_of_them() -> None:
    metrics = Metrics()
    metrics.hls.windows, metrics.hls.window_bytes, metrics.hls.segments = 2, 1880, 7
    metrics.hls.lists_asked[AnswerKind.ANSWERED] += 3
    metrics.hls.lists_asked[AnswerKind.WAITED] += 1
    metrics.hls.segments_asked[AnswerKind.GONE] += 1
    found = scrape(metrics)
    assert found["iptv_proxy_hls_windows"] == 2
    assert found["iptv_proxy_hls_window_bytes"] == 1880
    assert found["iptv_proxy_hls_segments_total"] == 7
    assert found["iptv_proxy_hls_list_requests_total['answered']"] == 3
    assert found["iptv_proxy_hls_list_requests_total['waited']"] == 1
    assert found["iptv_proxy_hls_segment_requests_total['gone']"] == 1


def test_a_source_without_a_good_import_has_no_time_of_it() -> None:
    good = ImportState(Source(1, "http://one.example/list.m3u", 1), last_success=1e9)
    none = ImportState(Source(2, "http://two.example/list.m3u", 1))
    found = scrape(Metrics(), ReadState(sources=(SourceState(good), SourceState(none))))
    assert found["iptv_proxy_import_last_success_timestamp_seconds['source-1']"] == 1e9
    assert "iptv_proxy_import_last_success_timestamp_seconds['source-2']" not in found


def test_a_source_with_a_name_has_it_in_every_label() -> None:
    metrics = Metrics()
    news = metrics.open("News")
    news.source = 1
    news.opened(1)
    news.ended(1, "stalled")
    named = ImportState(Source(1, "http://one.example/list.m3u", 1, name="premium"))
    found = scrape(metrics, ReadState(sources=(SourceState(named),)))
    assert found["iptv_proxy_channel_source['News', 'premium']"] == 1
    assert not [name for name in found if "source-1" in name]
    assert len([name for name in found if "'premium'" in name]) > 3


def test_a_bound_belongs_to_its_bucket() -> None:
    histogram = Histogram((1.0, 2.0))
    for value in (0.5, 1.0, 1.5, 9.0):
        histogram.observe(value)
    assert histogram.buckets() == [("1.0", 2), ("2.0", 3), ("+Inf", 4)]
    assert histogram.sum == 12.0


def test_nothing_counts_by_labels_while_it_streams() -> None:
    metrics = Metrics()
    news = metrics.open("News")
    assert news is metrics.open("News")
    assert not hasattr(news, "labels")


def test_no_two_rows_of_the_table_have_a_name() -> None:
    names = [family.name for family in FAMILIES]
    assert len(set(names)) == len(names)
