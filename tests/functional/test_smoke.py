"""The product in five sentences; if these fail, look at nothing else."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.functional.harness import Proxy
from tests.provider import Bad, Provider

StartProvider = Callable[..., Provider]
StartProxy = Callable[..., Proxy]


def test_the_merged_list_is_served(start_provider: StartProvider, start_proxy: StartProxy) -> None:
    one, two = start_provider("one"), start_provider("two")
    one.add_channel("News", tvg_id="news.1")
    two.add_channel("NEWS")
    two.add_channel("Sport")
    proxy = start_proxy((one, 1), (two, 1))
    answer = proxy.get("/playlist.m3u8")
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "audio/x-mpegurl; charset=utf-8"
    assert 'tvg-id="news.1"' in answer.text
    assert list(proxy.playlist()) == ["News", "Sport"]
    assert not any(secret in answer.text for p in (one, two) for secret in p.secrets)


def test_a_channel_streams_through_whole_and_in_order(
    start_provider: StartProvider, start_proxy: StartProxy
) -> None:
    one = start_provider("one")
    one.add_channel("News")
    proxy = start_proxy((one, 1), STREAM_LINGER="200ms")
    with proxy.viewer(proxy.playlist()["News"]) as viewer:
        viewer.wait_for_source("one").wait_for_bytes(300_000)
        assert viewer.status == 200
        assert viewer.headers["Content-Type"] == "video/mp2t"
        (run,) = viewer.runs()
        assert (run.provider, run.channel, run.lost, run.disordered) == ("one", "News", 0, 0)
        scrape = proxy.metrics()
        assert scrape.value("iptv_proxy_clients_connected", channel="News") == 1
        assert scrape.value("iptv_proxy_bytes_transferred", channel="News") >= 300_000
    proxy.wait_idle()


def test_viewers_of_a_channel_share_one_upstream_within_the_limit(
    start_provider: StartProvider, start_proxy: StartProxy
) -> None:
    one = start_provider("one", limit=1)
    news = one.add_channel("News")
    proxy = start_proxy((one, 1), STREAM_LINGER="200ms")
    viewers = [proxy.viewer("News") for _ in range(5)]
    for viewer in viewers:
        viewer.wait_for_bytes(50_000)
    assert len(news.requests) == 1
    assert one.max_connections_seen == 1
    for viewer in viewers:
        viewer.leave()
    proxy.wait_idle()
    one.wait(lambda: one.connections == 0)


@pytest.mark.parametrize("how", [Bad.END, Bad.RESET, Bad.SILENCE])
def test_a_viewer_keeps_watching_when_the_stream_dies(
    start_provider: StartProvider, start_proxy: StartProxy, how: Bad
) -> None:
    one, two = start_provider("one", limit=1), start_provider("two", limit=1)
    news = one.add_channel("News")
    two.add_channel("News")
    proxy = start_proxy((one, 1), (two, 1), STALL_TIMEOUT="500ms")
    with proxy.viewer("News") as viewer:
        viewer.wait_for_source("one").wait_for_bytes(50_000)
        news.fail_with(404)
        news.break_now(how)
        viewer.wait_for_source("two").wait_for_bytes(50_000)
        assert viewer.sources() == ["one", "two"]
        assert not viewer.ended
    assert one.max_connections_seen == two.max_connections_seen == 1


def test_it_stops_in_time_with_a_viewer_connected(
    start_provider: StartProvider, start_proxy: StartProxy
) -> None:
    one = start_provider("one")
    one.add_channel("News")
    proxy = start_proxy((one, 1), STREAM_LINGER="200ms")
    with proxy.viewer("News") as viewer:
        viewer.wait_for_bytes(50_000)
        assert proxy.stop() < 5
        viewer.wait_for_end()
    one.wait(lambda: one.connections == 0)
    assert "Traceback" not in proxy.log
