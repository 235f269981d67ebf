"""What the proxy counts is what the providers counted."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

import pytest

from tests.functional.harness import Proxy, eventually
from tests.provider import Bad, Provider

StartProvider = Callable[..., Provider]
StartProxy = Callable[..., Proxy]


def test_connections_bytes_failovers_and_silence_are_those_of_the_providers(
    start_provider: StartProvider, start_proxy: StartProxy
) -> None:
    one, two = start_provider("one", limit=1), start_provider("two", limit=1)
    news = one.add_channel("News")
    other = two.add_channel("News")
    proxy = start_proxy((one, 1), (two, 1), STALL_TIMEOUT="600ms", STREAM_LINGER="100ms")
    with proxy.viewer("News") as viewer, proxy.viewer("News") as late:
        viewer.wait_for_source("one").wait_for_bytes(100_000)
        late.wait_for_bytes(50_000)
        scrape = proxy.metrics()
        assert scrape.value("iptv_proxy_source_slots_in_use", source="source-1") == 1
        assert scrape.value("iptv_proxy_source_slots_limit", source="source-1") == 1
        assert scrape.value("iptv_proxy_channel_source", source="source-1") == 1
        news.fail_with(404)
        news.break_now(Bad.SILENCE)
        viewer.wait_for_source("two").wait_for_bytes(100_000)
        seen = viewer.longest_silence()
        late.wait_for_source("two")
        eventually(
            lambda: proxy.metrics().value("iptv_proxy_channel_source", source="source-2") == 1
        )
        rate = proxy.metrics().value("iptv_proxy_channel_bit_rate", channel="News")
        assert 0.2 * other.provider.bitrate < rate < 4 * other.provider.bitrate
    proxy.wait_idle()
    eventually(lambda: not proxy.metrics().value("iptv_proxy_source_slots_in_use"))
    scrape = proxy.metrics()
    for provider, stream, tag in ((one, news, "source-1"), (two, other, "source-2")):
        opens = scrape.value("iptv_proxy_upstream_opens_total", source=tag)
        assert opens == len(stream.requests) == provider.max_connections_seen == 1
        assert scrape.value("iptv_proxy_upstream_outcomes_total", source=tag) == opens
    assert scrape.value("iptv_proxy_upstream_outcomes_total", reason="stalled") == 1
    assert scrape.value("iptv_proxy_upstream_outcomes_total", reason="stopped") == 1
    assert scrape.value("iptv_proxy_failovers_total", reason="stalled") == 1
    assert scrape.value("iptv_proxy_silence_seconds_count", after="failover") == 1
    silence = scrape.value("iptv_proxy_silence_seconds_sum", after="failover")
    assert 0.5 < silence < 5
    assert seen == pytest.approx(silence, abs=0.4)
    assert f"source-1 → source-2 after a stall: {silence:.1f} s without picture" in proxy.log
    assert not scrape.value("iptv_proxy_channel_source")
    assert scrape.value("iptv_proxy_first_byte_seconds_count", start="cold") >= 1
    assert scrape.value("iptv_proxy_first_byte_seconds_count") == 2
    received = scrape.value("iptv_proxy_received_bytes_total")
    assert received == scrape.value("iptv_proxy_channel_received_bytes_total", channel="News")
    assert 200_000 < received <= one.bytes_sent + two.bytes_sent
    sent = scrape.value("iptv_proxy_sent_bytes_total")
    assert sent >= viewer.received + late.received > 0
    assert sent == scrape.value("iptv_proxy_bytes_transferred", channel="News")


def test_imports_are_counted_with_what_they_skipped(
    start_provider: StartProvider, start_proxy: StartProxy
) -> None:
    one, two = start_provider("one"), start_provider("two")
    one.add_channel("News")
    one.add_channel("Sport")
    two.add_channel("Films")
    begun = time.time()
    two.list.fail_with(500)
    proxy = start_proxy((one, 1), (two, 1), wait=True)
    eventually(lambda: proxy.metrics().value("iptv_proxy_import_failures", source="source-2") == 1)
    scrape = proxy.metrics()
    assert scrape.value("iptv_proxy_import_entries", source="source-1") == 2
    assert scrape.value("iptv_proxy_channels") == 2
    stamp = "iptv_proxy_import_last_success_timestamp_seconds"
    assert begun - 1 < scrape.value(stamp, source="source-1") < time.time() + 1
    assert not [s for s in scrape.samples if s.name == stamp and s.labels["source"] == "source-2"]


def test_a_stream_is_no_slow_request(
    start_provider: StartProvider, start_proxy: StartProxy
) -> None:
    one = start_provider("one")
    one.add_channel("News")
    proxy = start_proxy((one, 1), STREAM_LINGER="100ms")
    with proxy.viewer("News") as viewer:
        viewer.wait_for_bytes(20_000)
    proxy.wait_idle()
    scrape = proxy.metrics()
    rules = {
        s.labels["url_rule"]
        for s in scrape.samples
        if s.name == "flask_http_request_duration_seconds_count"
    }
    assert "/readyz" in rules
    assert not [rule for rule in rules if re.search("stream|events|metrics", rule)]
    assert scrape.value("process_open_fds") > 5
    assert scrape.value("process_resident_memory_bytes") > 1e6


def test_health_and_readiness_answer_at_once_and_say_what_is_late(
    start_provider: StartProvider, start_proxy: StartProxy
) -> None:
    one = start_provider("one")
    one.add_channel("News")
    proxy = start_proxy((one, 0))
    with proxy.viewer("News") as viewer:
        viewer.wait_for_bytes(20_000)
        for path in ("/healthz", "/readyz"):
            begun = time.monotonic()
            answer = proxy.get(path)
            assert answer.status == 200
            assert answer.text.startswith("ok, ")
            assert time.monotonic() - begun < 1.0
    assert re.fullmatch(r"ok, event loop \d+ ms late at most\n", proxy.get("/healthz").text)


def test_methods_that_clients_make_up_make_no_series(
    start_provider: StartProvider, start_proxy: StartProxy
) -> None:
    one = start_provider("one", limit=1)
    proxy = start_proxy((one, 1))
    for number in range(5):
        assert proxy.get("/healthz", method=f"BREW{number}").status == 405
    text = proxy.get("/metrics").text
    assert "BREW" not in text
    assert 'method="OTHER"' in text
